// How many messages a service may receive by now: one token bucket for all its consumers, asked before the receive, so
// that no receive is counted for a message that must wait. [any; once per batch, so a lock will do]
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "base/token_bucket.hpp"

namespace sluice::core {

class RateLimit {
 public:
  static constexpr std::uint64_t kPerSecondMax = 1'000'000;

  /// What was not used is kept up to a batch, or what a tenth of a second brings if that is more. It begins full.
  RateLimit(std::uint64_t per_1000_seconds, std::uint32_t batch_size, std::int64_t now_ns)
      : bucket_(per_1000_seconds, capacity(per_1000_seconds, batch_size), capacity(per_1000_seconds, batch_size), now_ns) {}

  /// At most `count_max`; what comes of them is received, or given back.
  std::uint32_t take(std::uint32_t count_max, std::int64_t now_ns) {
    std::lock_guard lock(mutex_);
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(count_max, bucket_.available(now_ns)));
    bucket_.take(count);
    return count;
  }
  void give_back(std::uint32_t count) {
    std::lock_guard lock(mutex_);
    bucket_.give_back(count);
  }
  /// When there is a message to take.
  std::int64_t next_ns(std::int64_t now_ns) {
    std::lock_guard lock(mutex_);
    return bucket_.next_ns(now_ns);
  }

 private:
  static std::uint64_t capacity(std::uint64_t per_1000_seconds, std::uint32_t batch_size) {
    return std::max<std::uint64_t>(batch_size, per_1000_seconds / 10'000);
  }

  std::mutex mutex_;
  TokenBucket bucket_;
};

}  // namespace sluice::core
