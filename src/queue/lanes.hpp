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
// Thread safety: one owner at a time (fifo.hpp holds the lock); a message in hand may be read by who
// took it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "queue/age_window.hpp"
#include "queue/deduplication.hpp"
#include "queue/log.hpp"

namespace sluice::core {

struct Lane;

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
  std::uint32_t bit;   ///< in the chunk
  State state;
  bool is_listed;      ///< the lane leads to it
  bool will_be_shown;  ///< show() is still to come
  std::uint8_t age;    ///< its place in the queue's AgeWindow

  std::uint64_t mask() const { return std::uint64_t{1} << bit; }
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

  /// Puts a message at the end of its group, as old as from `since_ms` on.
  void append(const TextKey& group, Chunk* chunk, std::uint32_t bit, std::int64_t since_ms);
  /// Adds at most `count_max` messages of open lanes to `taken`, in order, as few groups as possible.
  void take(std::uint32_t count_max, std::vector<LaneMessage*>& taken);
  /// A message in hand is at its end.
  void end(LaneMessage& message);
  /// A message in hand comes back as `now` (a copy of it). Hidden: show() is called once, when it shall be visible.
  void put_back(LaneMessage& message, Taken now, bool hidden);
  /// True: it is visible from now on. False: it ended meanwhile. The message is not to be used any more.
  bool show(LaneMessage& message);

  /// Takes the first visible messages of one group, all of one chunk, out for good: of an open lane, else, if
  /// `closed_too`, of any. They count as visible until the caller ends them.
  Taken take_away(std::uint32_t count_max, bool closed_too);
  /// Takes what was sent before `horizon_ms` out for good, as far as it is visible and nothing younger of
  /// its group stands before it.
  void take_older(std::int64_t horizon_ms, std::vector<Taken>& old);
  /// Takes all out for good, but what is in hand.
  void clear(std::vector<Taken>& visible, std::vector<Taken>& hidden);

  /// Shows the messages that wait, in the order that take() would have, then those behind one that is hidden or in hand,
  /// until `each` says false. They stay.
  void look(const std::function<bool(const LaneMessage&)>& each) const;

  /// Messages in open lanes.
  std::uint64_t open_messages() const { return open_messages_; }
  /// Groups that have messages.
  std::size_t size() const { return size_; }

  /// Memory of so many messages, each in a group of its own.
  static std::int64_t bytes_max(std::int64_t messages);

 private:
  static bool look(const Lane& lane, const std::function<bool(const LaneMessage&)>& each);
  static void push_back(Lane::List& list, LaneMessage* message);
  Lane** bucket_of(const TextKey& group) { return &buckets_[group.low & (buckets_.size() - 1)]; }
  Lane& lane_of(const TextKey& group);
  void grow();
  LaneMessage* make_message();
  void unlist(LaneMessage* message);
  LaneMessage* pop_waiting(Lane& lane);
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
  // Memory: recycled, never given back while the lanes live.
  std::vector<std::unique_ptr<LaneMessage[]>> message_blocks_;
  std::vector<std::unique_ptr<Lane[]>> lane_blocks_;
  LaneMessage* free_messages_ = nullptr;
  Lane* free_lanes_ = nullptr;
};

}  // namespace sluice::core
