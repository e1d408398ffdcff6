// The age of the oldest of many things that come and go, without looking at each: they are gathered by
// when they came, and each gathering keeps the oldest of its own. So what is told is at most one turn's
// gathering too old.
//
// Thread safety: turn() from one thread at a time, the rest from any.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/atomic.hpp"

namespace sluice::core {

class AgeWindow {
 public:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

  /// Something of `since_ms` comes. What it is to leave with.
  std::uint8_t come(std::int64_t since_ms) {
    std::uint8_t place = now_.load(std::memory_order_relaxed);
    Gathering& gathering = gatherings_[place];
    gathering.count.fetch_add(1, std::memory_order_relaxed);
    std::int64_t oldest = gathering.oldest_ms.load(std::memory_order_relaxed);
    while (since_ms < oldest &&
           !gathering.oldest_ms.compare_exchange_weak(oldest, since_ms, std::memory_order_relaxed)) {
    }
    return place;
  }
  void leave(std::uint8_t place) { gatherings_[place].count.fetch_sub(1, std::memory_order_relaxed); }

  /// Begins the next gathering; it goes on with an earlier one where that still has something.
  void turn() {
    auto next = static_cast<std::uint8_t>((now_.load(std::memory_order_relaxed) + 1) % gatherings_.size());
    if (gatherings_[next].count.load(std::memory_order_relaxed) == 0) {
      gatherings_[next].oldest_ms.store(kNone, std::memory_order_relaxed);
    }
    now_.store(next, std::memory_order_relaxed);
  }

  /// kNone: there is nothing.
  std::int64_t oldest_ms() const {
    std::int64_t oldest = kNone;
    for (const Gathering& gathering : gatherings_) {
      if (gathering.count.load(std::memory_order_relaxed) != 0) {
        oldest = std::min(oldest, gathering.oldest_ms.load(std::memory_order_relaxed));
      }
    }
    return oldest;
  }

 private:
  struct Gathering {
    Atomic<std::int64_t> count{0};
    Atomic<std::int64_t> oldest_ms{kNone};
  };
  std::array<Gathering, 16> gatherings_;
  Atomic<std::uint8_t> now_{0};
};

}  // namespace sluice::core
