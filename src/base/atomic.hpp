// The one door to atomics: every shared word of the engine is an Atomic<T>, so that a build can put
// yield points into each operation and explore schedules (SLUICE_EXPLORE). The product's is std::atomic.
#pragma once

#include <atomic>
#include <cstddef>

namespace sluice::core {

inline constexpr std::size_t kCacheLine = 64;

template <class T>
using Atomic = std::atomic<T>;

/// Tells the core that this is a spin loop.
inline void pause_core() { __builtin_ia32_pause(); }

}  // namespace sluice::core
