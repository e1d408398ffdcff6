// What a thread that works batches off keeps from one to the next.
//
// A stage may hang. What the thread gathered before is not to wait for it: the ticker flushes it. So that this costs
// the thread no more than two plain stores and a load a batch, the fence between them is the ticker's (membarrier).
#pragma once

#include <mutex>

#include "base/atomic.hpp"
#include "message/chunk.hpp"
#include "message/message_view.hpp"

namespace sluice::core {

class alignas(kCacheLine) WorkThread {
 public:
  ViewCache views;
  Releases releases;  ///< the thread's, while it is in no stage; to be flushed before it waits or takes long

  /// Around the call of a batch's stages. [its thread]
  void enter_stages() { calls_.store(++own_calls_, std::memory_order_release); }
  void leave_stages() {
    calls_.store(++own_calls_, std::memory_order_release);
    light_fence();  // pairs with flush_if_stuck
    if (is_flushed_.load(std::memory_order_acquire)) [[unlikely]] {
      const std::lock_guard until_it_is_done(flushing_);
    }
  }
  /// True: the thread is still in the call that it was in when this looked last; what it gathered is flushed. [ticker]
  bool flush_if_stuck() {
    const std::uint64_t calls = calls_.load(std::memory_order_acquire);
    if (calls % 2 == 0 || std::exchange(seen_, calls) != calls) {
      return false;
    }
    const std::lock_guard lock(flushing_);
    is_flushed_.store(true, std::memory_order_relaxed);
    heavy_fence();  // either its thread is seen to have left, or it sees that it must wait
    const bool is_stuck = calls_.load(std::memory_order_acquire) == calls;
    if (is_stuck) {
      releases.flush();
    }
    is_flushed_.store(false, std::memory_order_release);
    return is_stuck;
  }

 private:
  std::uint64_t own_calls_ = 0;     ///< its thread's: what calls_ says
  Atomic<std::uint64_t> calls_{0};  ///< begun and ended; odd: in one
  Atomic<bool> is_flushed_{false};
  std::mutex flushing_;
  std::uint64_t seen_ = 0;  ///< the ticker's
};

}  // namespace sluice::core
