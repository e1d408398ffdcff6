// Parking on a 32-bit word: sleep while it holds a value, wake sleepers. [thread-safe]
#pragma once

#include <cstdint>

#include "base/atomic.hpp"

namespace sluice::core {

/// Sleeps while `word` equals `expected`, at most `timeout_ns` (negative: no limit). May return early.
void futex_wait(const Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns = -1);

/// Wakes at most `count` sleepers of `word`.
void futex_wake(const Atomic<std::uint32_t>& word, int count);

}  // namespace sluice::core
