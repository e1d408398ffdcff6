// How long to wait before something is tried again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::support {

/// Exponential with full jitter (AWS Architecture Blog, Exponential Backoff And Jitter): any time
/// up to `base_ms` doubled `attempt` times, and up to `most_ms`. `random` is of all 64 bits.
inline std::int64_t full_jitter_ms(std::int64_t base_ms, std::int64_t most_ms,
                                   std::uint32_t attempt, std::uint64_t random) {
  std::int64_t bound = std::min(base_ms, most_ms);
  for (std::uint32_t i = 0; i < attempt && bound < most_ms; ++i)
    bound = std::min(bound * 2, most_ms);
  return static_cast<std::int64_t>(random % (static_cast<std::uint64_t>(bound) + 1));
}

}  // namespace sluice::support
