// CPU permits: as many as cores allowed. Whoever computes holds one; whoever waits holds none. [thread-safe]
//
// Permits, and the pool's visits, go round by weight: start-time fair queueing (Goyal, Vin, Cheng, "Start-time Fair
// Queuing", SIGCOMM 1996). A service's next batch starts where its last one ended, in the service's own time: what it
// had of the cores divided by its weight. The least start is next; ties are first come, first served. One that was idle
// starts now, with what is at work: rest is not saved up. Taken once per batch, so a lock will do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/futex.hpp"

namespace sluice::core {

/// What a service has had of the cores. Read by any thread; charged by whoever ran a batch of it. Of two charges at the very
/// same time one may be lost, which costs the others a batch and saves all an atomic operation.
class Share {
 public:
  explicit Share(std::uint32_t weight = 1) : weight_(weight) {}

  /// Of its next batch, where the order has come to `now`.
  std::int64_t start(std::int64_t now) const { return std::max(now, end_.load(std::memory_order_relaxed)); }
  /// `start`: of the batch, when it was begun: what others had meanwhile is not charged. 290 years of one core are room
  /// enough for all of them together.
  void charge(std::int64_t start, std::int64_t cpu_ns) {
    end_.store(this->start(start) + (cpu_ns + weight_ - 1) / weight_, std::memory_order_relaxed);
  }

 private:
  const std::uint32_t weight_;
  Atomic<std::int64_t> end_{0};
};

/// Calls are rare, and not inlined: in the midst of the loop over batches they cost it 5 % (fan-out 1 to 1, 64 a batch).
class Permits {
 public:
  explicit Permits(std::uint32_t count)
      : free_(count) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  /// How far the order has come: nobody who is at work started before.
  std::int64_t now() const { return now_.load(std::memory_order_relaxed); }
  void advance_to(std::int64_t start) {
    if (start > now()) {
      now_.store(start, std::memory_order_relaxed);
    }
  }

  /// `start`: of what is to run; before now() counts as now.
  [[gnu::noinline]] void acquire(std::int64_t start) {
    Waiter self;
    {
      std::lock_guard lock(mutex_);
      if (free_ != 0 && waiters_.empty()) {
        --free_;
        advance_to(start);
        return;
      }
      enter(self, start);
    }
    wait(self);
  }
  [[gnu::noinline]] void release() {
    std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
      ++free_;
    } else {
      grant_first();
    }
  }
  /// release() and acquire(start) in one: of all that wait, and the caller, the first goes on.
  [[gnu::noinline]] void give_way(std::int64_t start) {
    Waiter self;
    {
      std::lock_guard lock(mutex_);
      enter(self, start);
      grant_first();
    }
    wait(self);
  }
  /// Somebody waits who is not behind `start`: a thread that runs on and on lets go between two batches.
  bool wanted_before(std::int64_t start) const { return first_start_.load(std::memory_order_relaxed) <= start; }

 private:
  struct Waiter {
    std::int64_t start = 0;
    std::uint64_t number = 0;
    Atomic<std::uint32_t> granted{0};
  };
  void enter(Waiter& self, std::int64_t start) {
    self.start = std::max(start, now());
    self.number = next_number_++;
    waiters_.push_back(&self);
    std::ranges::push_heap(waiters_, is_later);
    first_start_.store(waiters_.front()->start, std::memory_order_relaxed);
  }
  /// The permit goes from hand to hand; the waiter may be gone once it sees that, so it is woken by the word's address
  /// alone.
  void grant_first() {
    std::ranges::pop_heap(waiters_, is_later);
    Waiter* first = waiters_.back();
    waiters_.pop_back();
    first_start_.store(waiters_.empty() ? INT64_MAX : waiters_.front()->start, std::memory_order_relaxed);
    advance_to(first->start);
    const Atomic<std::uint32_t>& word = first->granted;
    first->granted.store(1, std::memory_order_release);
    futex_wake(word, 1);
  }
  static void wait(const Waiter& self) {
    while (self.granted.load(std::memory_order_acquire) == 0) {
      futex_wait(self.granted, 0);
    }
  }
  static bool is_later(const Waiter* a, const Waiter* b) {
    return a->start != b->start ? a->start > b->start : a->number > b->number;
  }

  std::mutex mutex_;
  std::uint32_t free_;              // guarded by mutex_
  std::uint64_t next_number_ = 0;   // guarded by mutex_
  std::vector<Waiter*> waiters_;    // guarded by mutex_: a heap, the least start first
  alignas(kCacheLine) Atomic<std::int64_t> first_start_{INT64_MAX};
  Atomic<std::int64_t> now_{0};
};

}  // namespace sluice::core
