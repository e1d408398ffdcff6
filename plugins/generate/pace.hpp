// When the next messages of a steady rate are due. Pure: time comes in.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::generate {

/// One thread.
class Pace {
 public:
  /// `rate` in messages per second; 0: always due. Begins at `now_ns`.
  Pace(double rate, std::int64_t now_ns) : rate_(rate), start_ns_(now_ns) {}

  /// When message `sent_ + batch - 1`, the last of the next batch, is due; at or before now: now.
  std::int64_t due_ns(std::uint64_t batch) const {
    if (rate_ <= 0)
      return start_ns_;
    return start_ns_ + static_cast<std::int64_t>(std::min(
                           kNeverNs, static_cast<double>(sent_ + batch - 1) / rate_ * 1e9));
  }

  /// `count` were sent. What is more than a second late, because the receiver was slow, is not made
  /// up for: the rate begins anew.
  void sent(std::uint64_t count, std::int64_t now_ns) {
    sent_ += count;
    if (rate_ <= 0 || now_ns - due_ns(1) <= 1'000'000'000)
      return;
    start_ns_ = now_ns;
    sent_ = 0;
  }

 private:
  static constexpr double kNeverNs = 1e18;  // 31 years

  const double rate_;
  std::int64_t start_ns_;
  std::uint64_t sent_ = 0;
};

}  // namespace sluice::generate
