// CPU permits: as many as cores allowed. Whoever computes holds one; whoever waits holds none. [thread-safe]
#pragma once

#include <cstdint>

#include "base/futex.hpp"

namespace sluice::core {

class Permits {
 public:
  explicit Permits(std::uint32_t count)
      : free_(count) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  void acquire() {
    for (;;) {
      std::uint32_t free = free_.load(std::memory_order_relaxed);
      while (free != 0) {
        if (free_.compare_exchange_weak(free, free - 1, std::memory_order_acquire, std::memory_order_relaxed)) {
          return;
        }
      }
      waiting_.fetch_add(1, std::memory_order_seq_cst);  // pairs with release()
      futex_wait(free_, 0);
      waiting_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  void release() {
    free_.fetch_add(1, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) {
      futex_wake(free_, 1);
    }
  }
  /// Somebody waits: a thread that runs on and on lets go between two batches.
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  alignas(kCacheLine) Atomic<std::uint32_t> free_;
  alignas(kCacheLine) Atomic<std::uint32_t> waiting_{0};
};

}  // namespace sluice::core
