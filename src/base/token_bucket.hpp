// A token bucket: how many may pass by now, at an even rate, where what was not used is kept up to a capacity. Exact: it
// counts in whole parts of a token, so no rate drifts. One thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::core {

class TokenBucket {
 public:
  static constexpr std::uint64_t kCapacityMax = 1'000'000;

  /// `per_1000_seconds`: from 1, so rates are thousandths of a token a second. `capacity`: at most kCapacityMax.
  /// `tokens`: that it begins with.
  TokenBucket(std::uint64_t per_1000_seconds, std::uint64_t capacity, std::uint64_t tokens, std::int64_t now_ns)
      : rate_(per_1000_seconds), capacity_(capacity), lacks_((capacity - tokens) * kToken), at_ns_(now_ns) {}

  std::uint64_t available(std::int64_t now_ns) {
    refill(now_ns);
    return capacity_ - (lacks_ + kToken - 1) / kToken;
  }
  /// REQUIRES: as many are available.
  void take(std::uint64_t tokens) { lacks_ += tokens * kToken; }
  void give_back(std::uint64_t tokens) { lacks_ -= std::min(lacks_, tokens * kToken); }
  /// When there is one; not before now.
  std::int64_t next_ns(std::int64_t now_ns) {
    refill(now_ns);
    const std::uint64_t lacks_for_one = lacks_ - std::min(lacks_, (capacity_ - 1) * kToken);
    return now_ns + static_cast<std::int64_t>((lacks_for_one + rate_ - 1) / rate_);
  }

 private:
  /// Parts of one token: as many as come in 1 ns at one token in 1000 seconds.
  static constexpr std::uint64_t kToken = 1'000'000'000'000;

  void refill(std::int64_t now_ns) {
    const auto passed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_ns - at_ns_));
    lacks_ = passed > lacks_ / rate_ ? 0 : lacks_ - passed * rate_;
    at_ns_ = std::max(at_ns_, now_ns);
  }

  const std::uint64_t rate_, capacity_;
  std::uint64_t lacks_;  ///< parts until it is full
  std::int64_t at_ns_;
};

}  // namespace sluice::core
