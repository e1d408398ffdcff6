// The age of the oldest of many things that come and go, without looking at each: they are gathered by
// when they came, and each gathering keeps the oldest of its own, for as long as anything of it is there.
// The longer things stay, the longer a gathering is open: what is told is too old by a seventh of what
// they stay, and a turn, at most. (Where they stay for 9 000 turns and more, there may be no empty gathering
// to go on with, and it is too old by what it takes until there is one.)
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

  /// Begins the next gathering, in due time.
  void turn() {
    ++turns_;
    const std::uint8_t now = now_.load(std::memory_order_relaxed);
    std::uint64_t longest = 0;
    std::uint8_t empty = now;
    for (std::uint8_t i = 0; i < gatherings_.size(); ++i) {
      if (gatherings_[i].count.load(std::memory_order_relaxed) != 0) {
        longest = std::max(longest, turns_ - gatherings_[i].begun);
      } else if (i != now) {
        empty = i;
      }
    }
    if (empty != now && (turns_ - gatherings_[now].begun) * kParts >= longest) {
      gatherings_[empty].oldest_ms.store(kNone, std::memory_order_relaxed);
      gatherings_[empty].begun = turns_;
      now_.store(empty, std::memory_order_relaxed);
    }
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
    std::uint64_t begun = 0;  ///< turn()'s
  };
  static constexpr std::uint64_t kParts = 8;  ///< a seventh of what things stay is an eighth of that and itself

  std::array<Gathering, 64> gatherings_;
  Atomic<std::uint8_t> now_{0};
  std::uint64_t turns_ = 0;  ///< turn()'s
};

}  // namespace sluice::core
