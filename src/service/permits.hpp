// CPU permits: as many as cores allowed. Whoever computes holds one; whoever waits holds none. [thread-safe]
//
// First come, first served: a thread that lets go and asks again stands behind all that wait. Without
// that, pool threads that are never idle would take their permits back before a woken waiter runs,
// and services with threads of their own would starve. Taken once per batch, so a lock will do.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "base/futex.hpp"

namespace sluice::core {

class Permits {
 public:
  explicit Permits(std::uint32_t count)
      : free_(count) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  void acquire() {
    Waiter self;
    {
      std::lock_guard lock(mutex_);
      if (free_ != 0 && waiters_.empty()) {
        --free_;
        return;
      }
      waiters_.push_back(&self);
      waiting_.fetch_add(1, std::memory_order_relaxed);
    }
    while (self.granted.load(std::memory_order_acquire) == 0) {
      futex_wait(self.granted, 0);
    }
  }
  void release() {
    std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
      ++free_;
      return;
    }
    // The permit goes from hand to hand; the waiter may be gone once it sees that, so it is woken by
    // the word's address alone.
    Waiter* first = waiters_.front();
    waiters_.pop_front();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    const Atomic<std::uint32_t>& word = first->granted;
    first->granted.store(1, std::memory_order_release);
    futex_wake(word, 1);
  }
  /// Somebody waits: a thread that runs on and on lets go between two batches.
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  struct Waiter {
    Atomic<std::uint32_t> granted{0};
  };

  std::mutex mutex_;
  std::uint32_t free_;              // guarded by mutex_
  std::deque<Waiter*> waiters_;     // guarded by mutex_
  alignas(kCacheLine) Atomic<std::uint32_t> waiting_{0};
};

}  // namespace sluice::core
