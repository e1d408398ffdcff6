// Lanes: the messages of a FIFO queue by group, one lane for each group that has any.
//
//   lane ─▶ hand:    [in hand] [waiting] [gone]      what one batch took of it, until the last is settled
//        ─▶ waiting: [waiting] [hidden] [waiting]    what stands behind that, in the group's order
//
// A lane is open when nothing of it is in hand and its first message is waiting. Open lanes stand in a
// queue; a receive takes from the first as many messages as it has room for, then goes on to the next.
// The lane is closed from then on, also for what comes new, until each message of the hand is at its
// end or has been put back. What was put back takes its old place; a hidden message (retried, visible
// later) hides what stands behind it. A lane that opens again goes behind the others; one without
// messages is recycled.
//
// What stands still here, behind a group that is held up, holds the whole slab of its chunk, whose other
// messages may be long gone. So that the queue's credits still bound its memory, it is charged what its
// messages do not fill of such slabs (`idle`), and where that comes to much they are copied out of chunks
// that are more than half empty (compact()). What is in hand counts no slab: it is bounded by itself.
//
// Thread safety: one owner at a time (fifo.hpp holds the lock); a message in hand may be read by who
// took it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "queue/age_window.hpp"
#include "queue/deduplication.hpp"
#include "queue/log.hpp"

namespace sluice::core {

struct Lane;
struct LaneChunk;

/// A message's place in its group, from when it is appended until it is at its end.
struct LaneMessage {
  enum class State : std::uint8_t {
    waiting,  ///< visible
    hidden,   ///< put back, to be visible later; show() is called then
    in_hand,
    gone      ///< at its end
  };
  Chunk* chunk;
  LaneMessage* next;   ///< in its list, or in the list of free ones
  Lane* lane;
  LaneChunk* record;   ///< of `chunk`; nullptr: it is at its end
  LaneMessage *previous_here, *next_here;  ///< in the record, while it is waiting or hidden
  std::uint32_t bit;   ///< in the chunk
  std::uint32_t charge;  ///< credit units
  State state;
  bool is_listed;      ///< the lane leads to it
  bool will_be_shown;  ///< show() is still to come
  bool ends;           ///< it is taken out once it is visible and nothing of its lane stands before it
  std::uint8_t age;    ///< its place in the queue's AgeWindow

  std::uint64_t mask() const { return std::uint64_t{1} << bit; }
};

/// A chunk that messages in lanes are of. Of those in hand it may be released, and even be used anew, before they are
/// ended or put back here: then it has messages of both.
struct LaneChunk {
  Chunk* chunk;           ///< not to be read but for what is `still`
  LaneMessage *first_still, *last_still;  ///< those of its messages that are waiting or hidden
  std::uint32_t messages;  ///< that are not at their end
  std::uint32_t slab;      ///< in credit units
  std::uint32_t charge;    ///< of these messages
  std::uint32_t idle;      ///< units of the slab beyond that, while anything is `still`
  LaneChunk *previous, *next;  ///< by age; or in the list of free ones
};

/// Memory for one kind of structures: recycled, never given back while this lives. `Next` links the free ones.
template <class T, T* T::*Next>
class Recycled {
 public:
  T* take() {
    if (free_ == nullptr) {
      T* block = blocks_.emplace_back(new T[kBlock]).get();
      for (std::size_t i = 0; i < kBlock; ++i) {
        give_back(&block[i]);
      }
    }
    T* taken = free_;
    free_ = taken->*Next;
    return taken;
  }
  void give_back(T* item) {
    item->*Next = free_;
    free_ = item;
  }

 private:
  static constexpr std::size_t kBlock = 128;
  std::vector<std::unique_ptr<T[]>> blocks_;
  T* free_ = nullptr;
};

/// The group's text is kept as 128 bits of a hash: two groups that were taken for one would only share a lane.
struct Lane {
  /// Messages in a row. `last` is meaningless in an empty one.
  struct List {
    LaneMessage* first = nullptr;
    LaneMessage* last = nullptr;
  };
  TextKey group;
  Lane* next_in_bucket = nullptr;
  Lane *next_open = nullptr, *previous_open = nullptr;
  List hand, waiting;
  std::uint32_t in_hand = 0;        ///< of `hand`, those in that state
  std::uint32_t waiting_count = 0;  ///< of `waiting`
  bool is_open = false;
};

class Lanes {
 public:
  /// `ages` outlives it; what the lanes lead to is in there.
  explicit Lanes(AgeWindow& ages);
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Puts a message at the end of its group.
  void append(const TextKey& group, Chunk* chunk, std::uint32_t bit);
  /// Adds at most `count_max` messages of open lanes to `taken`, in order, as few groups as possible.
  void take(std::uint32_t count_max, std::vector<LaneMessage*>& taken);
  /// A message in hand is at its end.
  void end(LaneMessage& message);
  /// A message in hand comes back as `now` (a copy of it). Hidden: show() is called once, when it shall be visible.
  /// `ends`: it comes into take_ended() as soon as it could be taken, in its place.
  void put_back(LaneMessage& message, Taken now, bool hidden, bool ends = false);
  /// Those that have ended so since the last call, in the order of their lanes.
  std::vector<Taken> take_ended() { return std::exchange(ended_, {}); }
  /// In place of show(): the message is at its end. REQUIRES: it is hidden.
  void end_hidden(LaneMessage& message);
  /// True: it is visible from now on. False: it ended meanwhile. The message is not to be used any more.
  bool show(LaneMessage& message);

  /// Takes the first visible messages of one group, all of one chunk, out for good: of an open lane, else, if
  /// `closed_too`, of any. They count as visible until the caller ends them.
  Taken take_away(std::uint32_t count_max, bool closed_too);
  /// Takes what was sent before `horizon_ms` out for good, as far as it is visible and nothing younger of
  /// its group stands before it.
  void take_older(std::int64_t horizon_ms, std::vector<Taken>& old);
  /// Takes what is visible, waits, and `picks` says so of out for good.
  void take_if(const std::function<bool(const LaneMessage&)>& picks, std::vector<Taken>& taken);
  /// Takes all out for good, but what is in hand.
  void clear(std::vector<Taken>& visible, std::vector<Taken>& hidden);

  /// Shows the messages that wait, in the order that take() would have, then those behind one that is hidden or in hand,
  /// until `each` says false. They stay.
  void look(const std::function<bool(const LaneMessage&)>& each) const;

  /// Copies what is waiting or hidden out of chunks that are more than half empty, the oldest first, until at most
  /// `idle_wanted` units are idle, or there are no more. `copy` makes a copy in an evacuated chunk; an empty one ends it.
  /// What was copied is added to `left`: nobody here has it any more.
  void compact(std::int64_t idle_wanted, const std::function<Taken(const LaneMessage&)>& copy, std::vector<Taken>& left);

  /// Credit units of slabs that messages here hold beyond their own.
  std::int64_t idle() const { return idle_; }
  /// Messages in open lanes.
  std::uint64_t open_messages() const { return open_messages_; }
  /// Groups that have messages.
  std::size_t size() const { return size_; }

  /// Memory of so many messages, each in a group and a chunk of its own.
  static std::int64_t bytes_max(std::int64_t messages);

 private:
  static bool look(const Lane& lane, const std::function<bool(const LaneMessage&)>& each);
  static void push_back(Lane::List& list, LaneMessage* message);
  Lane** bucket_of(const TextKey& group) { return &buckets_[group.low & (buckets_.size() - 1)]; }
  Lane& lane_of(const TextKey& group);
  void grow();
  LaneChunk* record_of(Chunk* chunk);
  void enter(LaneMessage& message, Taken now, LaneMessage::State state);
  void leave(LaneMessage& message);
  void move_on(LaneMessage& message);
  void reckon(LaneChunk& record);
  void make_youngest(LaneChunk& record);
  void unlink(LaneChunk& record);
  void unlist(LaneMessage* message);
  LaneMessage* pop_waiting(Lane& lane);
  void drop_waiting(Lane& lane, LaneMessage* before, LaneMessage& message);
  void settled(Lane& lane);
  void review(Lane& lane);
  void open(Lane& lane);
  void close(Lane& lane);
  void recycle(Lane& lane);
  Lane* closed_lane_with_visible();
  Taken take_away_from(Lane& lane, std::uint32_t count_max);
  void clear_list(Lane::List& list, std::vector<Taken>& visible, std::vector<Taken>& hidden);
  template <class Visit>
  void for_each_lane(Visit&& visit);

  AgeWindow& ages_;
  std::vector<Lane*> buckets_;  ///< as many as a power of two
  std::size_t size_ = 0;
  Lane *first_open_ = nullptr, *last_open_ = nullptr;
  std::uint64_t open_messages_ = 0;
  std::uint64_t waiting_ = 0;      ///< messages in the waiting lists of all lanes
  std::size_t next_bucket_ = 0;    ///< where closed_lane_with_visible() goes on
  boost::unordered_flat_map<Chunk*, LaneChunk*> records_;
  LaneChunk *oldest_ = nullptr, *youngest_ = nullptr;
  std::vector<Taken> ended_;
  LaneChunk* last_entered_ = nullptr;  ///< a chunk's messages come one after the other
  std::int64_t idle_ = 0;
  Recycled<LaneMessage, &LaneMessage::next> message_memory_;
  Recycled<Lane, &Lane::next_in_bucket> lane_memory_;
  Recycled<LaneChunk, &LaneChunk::next> record_memory_;
};

}  // namespace sluice::core
