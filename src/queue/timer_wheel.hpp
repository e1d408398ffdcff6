// A hierarchical timer wheel: what is due at which tick, in O(1) per entry. One owner at a time.
//
// Five levels of 64 slots; a slot of level L spans 64^L ticks. An entry lies on the lowest level that
// can tell its tick from now, and moves down as its time comes near. Ticks are milliseconds, so the
// wheel reaches 12 days; what lies further waits on the last level and is put back.
// (Varghese and Lauck, "Hashed and hierarchical timing wheels".)
//
// The memory of a slot that was emptied serves the next one that is filled: a wheel that goes on as it did allocates
// nothing. What many entries at once took is given back.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::core {

template <class T>
class TimerWheel {
 public:
  struct FetchNothing {
    void operator()(const T&) const {}
  };

  explicit TimerWheel(std::int64_t now_tick)
      : now_(now_tick) {
    spare_.reserve(kSpares);
  }

  std::size_t size() const { return size_; }

  /// An entry whose tick is not after now is due at the next advance().
  void add(std::int64_t tick, const T& value) {
    place(tick, value);
    ++size_;
  }

  /// Moves to `now_tick` and calls due(value, tick) for each entry whose tick has come, earlier ticks first
  /// (order within a tick is that of adding, per level). `due` may add(). As an entry comes down to the
  /// lowest level it calls ahead(value), which may fetch what `due` will read.
  template <class Due, class Ahead = FetchNothing>
  void advance(std::int64_t now_tick, Due&& due, Ahead&& ahead = {}) {
    fire(now_ & kSlotMask, due);  // what was added for the current tick or earlier
    while (now_ < now_tick) {
      if (size_ == 0) {
        now_ = now_tick;
        return;
      }
      std::int64_t next = next_stop(now_tick);
      now_ = next;
      cascade(ahead);
      fire(now_ & kSlotMask, due);
    }
  }

  /// Takes out what `is_meant(value)`, at whatever tick it is due, and calls each(value). [may be called by `due`]
  template <class IsMeant, class Each>
  void take_if(IsMeant&& is_meant, Each&& each) {
    for (int level = 0; level < kLevels; ++level) {
      for (std::int64_t slot = 0; slot < kSlots; ++slot) {
        std::vector<Entry> entries = take_out(level, slot);
        size_ -= entries.size();
        for (const Entry& entry : entries) {
          if (is_meant(entry.value)) {
            each(entry.value);
          } else {
            add_to(level, slot, entry.tick, entry.value);
            ++size_;
          }
        }
      }
    }
  }

  /// The earliest tick at which advance() has something to do; -1 if the wheel is empty.
  std::int64_t next_tick() const {
    if (size_ == 0) {
      return -1;
    }
    if (!slots_[0][now_ & kSlotMask].empty()) {
      return now_;
    }
    return next_stop(INT64_MAX);
  }

 private:
  static constexpr int kLevels = 5, kSlotBits = 6, kSlots = 1 << kSlotBits;
  static constexpr std::int64_t kSlotMask = kSlots - 1;
  static constexpr std::size_t kReserved = 16;  ///< entries that a slot has room for at first
  static constexpr std::size_t kSpares = 64, kSpareEntries = 64;
  struct Entry {
    std::int64_t tick;
    T value;
  };

  void place(std::int64_t tick, const T& value) {
    const std::int64_t due = tick < now_ ? now_ : tick;
    for (int level = 0; level < kLevels; ++level) {
      int shift = level * kSlotBits;
      if ((due >> shift) - (now_ >> shift) < kSlots || level == kLevels - 1) {
        std::int64_t slot = (due >> shift) - (now_ >> shift) < kSlots ? due >> shift : (now_ >> shift) + kSlots - 1;
        add_to(level, slot & kSlotMask, tick, value);
        return;
      }
    }
  }

  void add_to(int level, std::int64_t slot, std::int64_t tick, const T& value) {
    std::vector<Entry>& entries = slots_[level][slot];
    if (entries.capacity() == 0) {
      if (spare_.empty()) {
        entries.reserve(kReserved);
      } else {
        entries = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    entries.emplace_back(tick, value);
    occupied_[level] |= std::uint64_t{1} << slot;
  }

  std::vector<Entry> take_out(int level, std::int64_t slot) {
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    return std::exchange(slots_[level][slot], {});
  }

  void keep(std::vector<Entry> entries) {
    if (entries.capacity() <= kSpareEntries && spare_.size() < kSpares) {
      entries.clear();
      spare_.push_back(std::move(entries));
    }
  }

  /// The next tick where an occupied slot of some level begins, at most `limit`.
  std::int64_t next_stop(std::int64_t limit) const {
    std::int64_t best = limit;
    for (int level = 0; level < kLevels; ++level) {
      if (occupied_[level] == 0) {
        continue;
      }
      int shift = level * kSlotBits;
      std::int64_t position = now_ >> shift;
      auto at = static_cast<int>(position & kSlotMask);
      std::uint64_t rotated = at == 63 ? occupied_[level] : (occupied_[level] >> (at + 1)) | (occupied_[level] << (63 - at));
      std::int64_t start = (position + 1 + __builtin_ctzll(rotated)) << shift;
      best = start < best ? start : best;
    }
    return best;
  }

  /// Brings down the entries of the slots that begin now.
  template <class Ahead>
  void cascade(Ahead&& ahead) {
    for (int level = kLevels - 1; level > 0; --level) {
      int shift = level * kSlotBits;
      if ((now_ & ((std::int64_t{1} << shift) - 1)) != 0) {
        continue;
      }
      std::int64_t slot = now_ >> shift & kSlotMask;
      if ((occupied_[level] >> slot & 1) == 0) {
        continue;
      }
      std::vector<Entry> entries = take_out(level, slot);
      for (const Entry& entry : entries) {
        place(entry.tick, entry.value);
        if (entry.tick - now_ < kSlots) {
          ahead(entry.value);
        }
      }
      keep(std::move(entries));
    }
  }

  template <class Due>
  void fire(std::int64_t slot, Due&& due) {
    if ((occupied_[0] >> slot & 1) == 0) {
      return;
    }
    std::vector<Entry> entries = take_out(0, slot);
    size_ -= entries.size();
    for (Entry& entry : entries) {
      due(entry.value, entry.tick);
    }
    keep(std::move(entries));
  }

  std::int64_t now_;
  std::size_t size_ = 0;
  std::array<std::array<std::vector<Entry>, kSlots>, kLevels> slots_;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::vector<std::vector<Entry>> spare_;  ///< empty, with memory
};

}  // namespace sluice::core
