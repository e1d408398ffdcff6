// What makes a queue a FIFO queue: routing and lanes.
//
//   logs, backlog ──route──▶ [deduplication] ──▶ lanes ──take──▶ consumer ──settle──▶ lanes
//
// Routing moves what was published from the logs into the lanes of its groups, without what was sent
// before. One thread at a time routes (`routing_`); a consumer that finds it busy takes what is in the
// lanes already. A publisher whose log is full, the ticker with a message whose delay is over, and whoever
// operates the queue wait for it, and put what they have into the backlog, which is routed first: so the
// order of each publisher is kept.
//
// Locks: `routing_` before `lanes_mutex_`, and neither is held while anybody is called who could wait or
// call back, as origins do. A batch takes `lanes_mutex_` once when it is received and once
// when it is settled, for some list operations a message; no atomic protocol between lanes stands where
// one short lock does, and purge, retention and counters stay exact.
//
// Thread safety: everything from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "message/evacuator.hpp"
#include "queue/deduplication.hpp"
#include "queue/lanes.hpp"

namespace sluice::core {

class Queue;
struct Subscription;

class Fifo {
 public:
  /// A message in hand that comes back as `now`, a copy of it.
  struct Return {
    LaneMessage* place;
    Taken now;
    std::int64_t tick;     ///< when it shall be visible; -1: at once
    std::uint32_t purges;  ///< of the queue, when it was received
  };

  /// `queue` is the one that it belongs to.
  explicit Fifo(Queue& queue);

  /// Held while something is taken from the queue's logs.
  std::mutex& routing() { return routing_; }
  /// Takes what was published, later than all that was before. REQUIRES: routing() is held.
  void add_to_backlog(Taken taken);
  /// What was published with a delay is visible now. `purges`: of the queue, when it was published.
  void arrive(Taken taken, std::uint32_t purges);
  /// Puts messages at the end of their groups whose deduplication id does not matter: dead letters.
  void append(Taken taken, std::uint32_t purges);

  /// At most `count_max` messages of open groups. `purges` becomes that of the queue.
  void take(std::uint32_t count_max, std::int64_t now_ms, std::vector<LaneMessage*>& taken, std::uint32_t* purges);
  /// When what take() left for want of room in the deduplication table should be tried again; 0: nothing is, or
  /// that was said already.
  std::int64_t table_opens_ms() { return table_opens_ms_.exchange(0, std::memory_order_relaxed); }
  /// It is tried again.
  void try_again() { table_is_full_.store(false, std::memory_order_seq_cst); }
  /// `ended` are at their end (nullptr: passed over), `returns` come back. A return that is purged, and so needs
  /// no show(), gets tick -1. What was received too often becomes a dead letter once it is visible and nothing of its
  /// group stands before it: so a group's letters are in order.
  void settle(const std::vector<LaneMessage*>& ended, std::vector<Return>& returns);
  /// A lease ends: its messages, those of `was` that follow `first` in its lane, come back as `copies`, in order;
  /// nullptr: they are at their end here.
  void expire(LaneMessage* first, Taken was, const std::vector<Taken>* copies, std::uint32_t purges);
  /// A returned message's tick has come: it is visible, or, where it is kept since before `horizon_ms`, expires.
  void show(LaneMessage& message, std::int64_t horizon_ms);

  /// Takes visible messages out for good, all of one chunk: from the lanes, else what waits to be routed. `closed_too`:
  /// also from groups that are in hand.
  Taken take_away(std::uint32_t count_max, bool closed_too, std::int64_t* freed);
  /// Takes the queue's own letters that are visible out for good; all else keeps its place.
  std::vector<Taken> take_letters();
  /// True if take() would find something. seq_cst, for the last look before parking.
  bool has_news() const;
  void sweep(std::int64_t horizon_ms);
  /// How many messages are gone now.
  std::uint64_t purge();
  void leave_rest_behind();
  /// Shows visible messages of open groups; nothing else happens to the queue while it lasts.
  void peek(std::uint32_t count_max, std::int64_t now_ms, const std::function<void(const Chunk&, std::uint64_t mask)>& each);
  /// When the oldest of the backlog was sent; AgeWindow::kNone: there is none.
  std::int64_t backlog_oldest_ms() const { return backlog_oldest_ms_.load(std::memory_order_relaxed); }

 private:
  /// So many messages in open lanes are enough to choose from: the rest waits in the logs, at less memory.
  static constexpr std::uint64_t kRoutedAhead = 1024;
  static constexpr std::int64_t kForgetEveryMs = 1000;
  /// So much of slabs may lie idle, at most, before what waits is copied out of them: a copying of all is soon over.
  static constexpr std::int64_t kIdleMax = (std::int64_t{16} << 20) / kCreditUnit;

  struct Routed {
    TextKey group;
    std::uint32_t bit;
  };

  void route(std::uint64_t open_wanted, std::int64_t now_ms);
  Taken next_unrouted(std::int64_t* freed);
  void route_chunk(Taken taken, std::int64_t now_ms);
  Deduplication::Verdict judge(const Chunk& chunk, std::uint32_t bit, std::int64_t now_ms);
  void forget(std::int64_t now_ms);
  void wait_for_table(Taken rest);
  void end_duplicates(const std::vector<Taken>& duplicates);
  /// What does not go on in the lanes; it is ended without their lock.
  struct Gone {
    std::vector<Taken> purged, expired;
  };
  void take_back(Return& returned, Gone& gone);
  void end(const Gone& gone);
  void remove_all(const std::vector<Taken>& all, Atomic<std::uint64_t>& counter);
  void publish_lanes();
  void compact(std::vector<Taken>& left);
  void publish_backlog();
  void wake();

  Queue& queue_;
  std::mutex routing_;
  // Guarded by routing_.
  std::deque<Taken> backlog_;
  Subscription* turn_ = nullptr;
  Deduplication table_;
  std::vector<Routed> routed_;
  std::vector<Taken> duplicates_;
  std::int64_t forgot_ms_ = 0;
  bool told_full_ = false;

  std::mutex lanes_mutex_;
  // Guarded by lanes_mutex_.
  Lanes lanes_;
  ChunkPool pool_;
  Evacuator evacuator_{pool_, Evacuator::Expects::many};
  std::int64_t charged_idle_ = 0;  ///< units
  const std::int64_t idle_max_;    ///< units
  std::int64_t compacts_above_;    ///< idle units

  // Everybody's.
  Atomic<std::uint64_t> open_messages_{0};  ///< of lanes_
  Atomic<std::uint64_t> backlog_size_{0};
  Atomic<std::int64_t> backlog_oldest_ms_{AgeWindow::kNone};
  Atomic<bool> table_is_full_{false};       ///< nothing is routed for now
  Atomic<std::int64_t> table_opens_ms_{0};
};

}  // namespace sluice::core
