// The one door to atomics: every shared word of the engine is an Atomic<T>, so that a build can put
// yield points into each operation and explore schedules (tests/explore, whose file of this name is found
// first). The product's is std::atomic.
#pragma once

#include <atomic>
#include <cstddef>

namespace sluice::core {

inline constexpr std::size_t kCacheLine = 64;
/// Schedules are explored: what only repeats itself is short then (spins, segments), so that all can be seen.
inline constexpr bool kExplored = false;

template <class T>
using Atomic = std::atomic<T>;

/// Orders everything before it with everything after it.
void full_fence();

/// As full_fence() on two threads, where one of them passes here much more often than the other does: its fence then keeps
/// the compiler in order, and heavy_fence() all cores that run this process (Linux membarrier(2)).
extern const bool has_heavy_fence;  ///< false: the system has none, and both are full ones
inline void light_fence() {
  if (has_heavy_fence) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    full_fence();
  }
}
void heavy_fence();

/// Tells the core that this is a spin loop.
inline void pause_core() { __builtin_ia32_pause(); }

}  // namespace sluice::core
