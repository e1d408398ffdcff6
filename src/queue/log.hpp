// The log: what one publisher publishes into, for all queues that subscribe. Publishing is one entry
// whatever the number of branches; each queue keeps a cursor.
//
//   directory[1024] ─▶ segment of 64 entries ─▶ entry { chunk, pub, mask per branch }
//
//   pub    = entry number << 16 | remainders << 9 | sealed << 8 | count    a foreign number: not published yet
//   seen   = the pub that a receiver read last; only receivers touch its line
//   cursor = entry number << 7  | bit                     only grows, so a CAS that succeeds proves
//                                                         that what was read before it was current
//
// A branch that a filter leaves little of holds the whole slab for it. So that its queue's credits
// still bound its memory, it is charged the slab's remainder, which comes back when its cursor passes
// the entry: what a worker has in hand is bounded by itself.
//
// Segments are type-stable: recycled within the log, never freed while it lives. A segment goes back
// to the publisher's free stack when every cursor has passed it (`passed`).
//
// The publisher never waits for a cursor: when the directory is full it takes what the slowest queues
// have not taken, by the receivers' own CAS, and hands it to them as returned items (evacuate).
//
// Thread safety: publisher calls from one thread at a time; receivers from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/atomic.hpp"
#include "base/return_stack.hpp"
#include "message/chunk.hpp"

namespace sluice::core {

/// Messages of one chunk in somebody's hands.
struct Taken {
  Chunk* chunk = nullptr;
  std::uint64_t mask = 0;
};

class Log;

/// A queue's place in a log. One line of its own.
struct alignas(kCacheLine) Cursor {
  Log* const log;
  const std::uint32_t branch;
  Atomic<std::uint64_t> position{0};  ///< entry number << 7 | message; kLooked: somebody looks at what is there

  static constexpr std::uint64_t kLooked = std::uint64_t{1} << 63;

  Cursor(Log& used_log, std::uint32_t used_branch) : log(&used_log), branch(used_branch) {}
};

class Log {
 public:
  static constexpr std::uint32_t kSegmentEntries = kExplored ? 2 : 64;
  static constexpr std::uint32_t kDirectory = kExplored ? 2 : 1024;

  /// `branches` cursors will be attached before the first entry.
  explicit Log(std::uint32_t branches);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Memory of one whose slowest branch is as far behind as can be.
  static std::int64_t bytes_max(std::uint32_t branches);

  std::uint32_t branches() const { return static_cast<std::uint32_t>(cursors_.size()); }
  /// [control] `returned` takes what the cursor's queue is handed when it is too far behind. `order`: held from the
  /// taking to the end of that, where whoever takes keeps what it takes in order; nullptr: nobody does.
  void attach(Cursor& cursor, std::function<void(Taken, std::int64_t freed)> returned, std::mutex* order = nullptr);

  // [publisher]
  /// Begins the next entry for `chunk`, unpublished, all masks 0. Never waits. True: a new segment, so cursors
  /// that had nothing to take should be woken once, to pass the last one. `now_ms`: no message of it is older.
  bool begin(Chunk* chunk, std::int64_t now_ms = 0);
  /// Adds `bits` to a branch's mask of the current entry; visible with the next publish().
  void add_to_mask(std::uint32_t branch, std::uint64_t bits) {
    Atomic<std::uint64_t>& mask = masks(current_)[branch];
    mask.store(mask.load(std::memory_order_relaxed) | bits, std::memory_order_relaxed);
  }
  /// Takes unpublished bits back.
  void remove_from_mask(std::uint32_t branch, std::uint64_t bits) {
    Atomic<std::uint64_t>& mask = masks(current_)[branch];
    mask.store(mask.load(std::memory_order_relaxed) & ~bits, std::memory_order_relaxed);
  }
  /// Credit units that the branch was charged for the current entry beyond its messages; to be set for all
  /// branches before a publish() that says so.
  void set_remainder(std::uint32_t branch, std::uint32_t units) {
    remainders(current_)[branch].store(units, std::memory_order_relaxed);
  }
  /// Makes the first `count` messages of the current entry visible; `sealed`: no more will come.
  /// seq_cst: the caller looks for parked receivers next, and a receiver that parks looks here last.
  void publish(std::uint32_t count, bool sealed, bool with_remainders = false) {
    current_->pub.exchange(number_ << 16 | (with_remainders ? kRemainders : 0u) | (sealed ? kSealed : 0u) | count,
                           std::memory_order_seq_cst);
  }

  /// No entry will follow. Publishing is over for good.
  void retire() { end_.store(started_ ? number_ + 1 : 0, std::memory_order_release); }

  // [any]
  /// It is retired, and the cursor has passed its last entry.
  bool is_drained(const Cursor& cursor) const {
    return (cursor.position.load(std::memory_order_acquire) & ~Cursor::kLooked) >> 7 >= end_.load(std::memory_order_acquire);
  }
  /// Takes the oldest at most `count_max` messages that `cursor` has not passed, all of one chunk.
  /// Empty mask: nothing there. `whole`: nothing either if the chunk holds more than that. Lock-free: a failed
  /// CAS means that another receiver took something. Remainders of the entries that it passed are added to `freed`.
  Taken take(Cursor& cursor, std::uint32_t count_max, std::int64_t* freed, bool whole = false);
  /// Shows the oldest at most `count_max` messages that `cursor` has not passed, by chunk; how many. They stay, in their
  /// order; while it lasts take() finds nothing there. One thread at a time. Who parked meanwhile is to be woken.
  std::uint32_t look(Cursor& cursor, std::uint32_t count_max,
                     const std::function<void(const Chunk&, std::uint64_t mask)>& each);
  /// True if take() would find something. seq_cst, for the last look before parking.
  bool has_news(const Cursor& cursor) const;
  /// When the oldest message that take() would bring was sent, or before, to within a chunk; INT64_MAX: there is none.
  std::int64_t oldest_ms(const Cursor& cursor) const;
  /// When the entry that `cursor` stands at was begun; the largest number if it is not published.
  std::int64_t begun_ms(const Cursor& cursor) const;

 private:
  struct Entry {
    Atomic<Chunk*> chunk{nullptr};
    Atomic<std::uint64_t> pub{0};
    Atomic<std::int64_t> begun_ms{0};
  };
  struct Segment {
    Atomic<std::uint32_t> passed{0};
    Segment* next = nullptr;
  };
  struct Branch {
    Cursor* cursor = nullptr;
    std::function<void(Taken, std::int64_t)> returned;
    std::mutex* order = nullptr;
  };
  static constexpr std::uint64_t kSealed = 1 << 8, kRemainders = 1 << 9;

  Segment* make_segment();
  Entry* entry(Segment* segment, std::uint64_t number) const {
    return reinterpret_cast<Entry*>(reinterpret_cast<std::uint8_t*>(segment) + kCacheLine +
                                    (number % kSegmentEntries) * stride_);
  }
  /// With several branches the masks have lines of their own: each branch reads its mask while the publisher
  /// may still write `pub`.
  static std::size_t masks_offset_of(std::uint32_t branches) { return branches > 1 ? kCacheLine : sizeof(Entry); }
  Atomic<std::uint64_t>* masks(Entry* entry) const {
    return reinterpret_cast<Atomic<std::uint64_t>*>(reinterpret_cast<std::uint8_t*>(entry) + masks_offset_);
  }
  Atomic<std::uint32_t>* remainders(Entry* entry) const {
    return reinterpret_cast<Atomic<std::uint32_t>*>(masks(entry) + cursors_.size());
  }
  /// What `pub` shows a branch of an entry from message `bit` on.
  std::uint64_t shown(Entry* entry, std::uint32_t branch, std::uint32_t bit, std::uint64_t pub) const {
    return masks(entry)[branch].load(std::memory_order_relaxed) & mask_between(bit, static_cast<std::uint32_t>(pub & 0xff));
  }
  void open_segment(std::uint64_t index);
  void evacuate(std::uint64_t before);
  void pass(Segment* segment);

  // Constant after construction and attach.
  std::vector<Branch> cursors_;
  const std::size_t masks_offset_, stride_;
  // The publisher's.
  alignas(kCacheLine) std::uint64_t number_ = 0;  ///< of the current entry
  bool started_ = false;
  Entry* current_ = nullptr;
  Segment* segment_ = nullptr;
  Segment* free_ = nullptr;
  std::vector<void*> all_segments_;
  // Everybody's.
  ReturnStack<Segment> returned_segments_;
  alignas(kCacheLine) Atomic<std::uint64_t> seen_{~std::uint64_t{0}};
  Atomic<std::uint64_t> end_{~std::uint64_t{0}};  ///< entries, once it is retired
  std::unique_ptr<Atomic<Segment*>[]> directory_;
};

}  // namespace sluice::core
