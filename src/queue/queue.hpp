// A queue: cursors into the logs it subscribes to, and what came back to it.
//
// Fresh messages are taken from the logs by their cursors; what came back (retried, expired, read
// from the dead letters) waits in a moodycamel queue beside them and is taken first. A FIFO queue keeps
// both in lanes instead, by group (fifo.hpp).
//
// Conservation, at any quiet moment (DESIGN §7.1): sent + moved_in = visible + in_flight + delayed +
// deleted + moved_to_dead_letter + expired + dropped + purged.
//
// Thread safety: [control] functions before traffic; everything else from any thread.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/append_list.hpp"
#include "message/chunk.hpp"
#include "queue/age_window.hpp"
#include "queue/credits.hpp"
#include "queue/fifo.hpp"
#include "queue/log.hpp"
#include "queue/ready.hpp"

namespace sluice::core {

class DeadLetters;

/// The numbers of DESIGN §5's summary.
struct QueueCounters {
  std::uint64_t sent = 0, moved_in = 0, received = 0, deleted = 0;
  std::uint64_t visible = 0, in_flight = 0, delayed = 0;
  std::uint64_t moved_to_dead_letter = 0, expired = 0, dropped = 0, purged = 0;
  std::uint64_t deduplicated = 0;  ///< of the deleted: nobody received them
  std::uint64_t ack_deadline_exceeded = 0;  ///< of the dead-lettered and dropped: not settled within an ack deadline
};

/// Adds to a counter that nobody else writes.
inline void add_alone(Atomic<std::uint64_t>& counter, std::uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_release);
}

/// Plain counters of one consumer: one writer, read by anybody.
struct alignas(kCacheLine) ConsumerCounters {
  Atomic<std::uint64_t> taken{0};    ///< receives, repeated ones too
  Atomic<std::uint64_t> deleted{0};
  Atomic<std::int64_t> oldest_ms{AgeWindow::kNone};  ///< when the oldest that it has in hand was sent, or its chunk begun
  Atomic<ConsumerCounters*> next{nullptr};
};

/// What one publisher sent to one of its branches. [any]
struct SentCounter {
  const Atomic<std::uint64_t>* published;  ///< all that it published
  const Atomic<std::uint64_t>* matched;    ///< of it, what the branch got; counted once `filters` is set
  const Atomic<bool>* filters;
  const Atomic<std::uint64_t>* forgone;  ///< of those, what it unsubscribed from before it was delivered

  std::uint64_t load() const {
    std::uint64_t gone = forgone->load(std::memory_order_acquire);  // first: what is forgone was counted before
    return (filters->load(std::memory_order_acquire) ? matched : published)->load(std::memory_order_acquire) - gone;
  }
};

/// When the oldest message of `taken` was sent, or became a dead letter; AgeWindow::kNone of none.
std::int64_t oldest_of(const Taken& taken);

/// A queue's place in a log, one of those that it reads.
struct Subscription : Cursor {
  Atomic<Subscription*> older;  ///< the queue's place in the log that this one took the place of; nullptr: done with
  Atomic<Subscription*> next{nullptr};
  SentCounter sent;

  Subscription(Log& used_log, std::uint32_t used_branch, const SentCounter& used_sent, Subscription* used_older)
      : Cursor(used_log, used_branch), older(used_older), sent(used_sent) {}

  /// What is read next of its publisher's: this one, or the oldest log before it that is not at its end.
  Subscription& front();
  /// Log::take() there: of what its publisher published, the oldest.
  Taken take(std::uint32_t count_max, std::int64_t* freed, bool whole = false);
};

/// What becomes of a message that is published to a queue without credit (DESIGN §2.7).
enum class WhenFull : std::uint8_t {
  block,       ///< its publisher waits
  drop_new,    ///< it is dropped
  drop_old,    ///< the oldest visible ones are dropped for it; it is, if there are none
  dead_letter  ///< it goes to the dead-letter queue
};

struct QueueOptions {
  std::string name;
  std::int64_t capacity = 100'000;
  std::int64_t capacity_bytes = std::int64_t{256} << 20;
  std::int64_t visibility_timeout_ms = 30'000;
  std::uint32_t max_receive_count = 0;  ///< 0: no limit
  std::int64_t delay_ms = 0;            ///< from publishing to visible, where the message does not say
  std::int64_t retention_ms = 0;        ///< from sending to expiry; 0: for ever
  std::uint32_t in_flight_max = 120'000;
  WhenFull when_full = WhenFull::block;
  bool fifo = false;
  bool content_based_deduplication = false;          ///< fifo: a message without an id has that of its body
  std::int64_t deduplication_capacity = 10'000'000;  ///< fifo: ids within the window
};

class Queue {
 public:
  explicit Queue(QueueOptions options)
      : options_(std::move(options)),
        fifo_(options_.fifo ? std::make_unique<Fifo>(*this) : nullptr) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  const QueueOptions& options() const { return options_; }
  const std::string& name() const { return options_.name; }

  // [control] Wiring, in this order: subscribe for each publisher, then set_service, then open.
  /// A cursor into `log`, which reaches this queue as its `branch`. `sent` counts what was published
  /// there. Also under traffic, before anything is published in `log`. `older`: in the log that this one
  /// follows; nothing is taken here before that one is retired and at its end.
  Subscription& subscribe(Log& log, std::uint32_t branch, const SentCounter& sent, Subscription* older = nullptr);
  /// Who consumes; `ready` outlives the queue.
  void set_service(ReadySet* ready, std::uint32_t service);
  void set_dead_letter_queue(Queue* queue) { dead_letter_queue_ = queue; }
  /// Who keeps its messages in a file: it is a dead-letter queue.
  void set_letters(DeadLetters* letters) { letters_ = letters; }
  /// Who receives from it, and where what was received too often goes.
  void set_consumer(const std::string& service, DeadLetters& dead_letters) {
    service_ = service;
    dead_letters_ = &dead_letters;
  }
  void open();

  Queue* dead_letter_queue() const { return dead_letter_queue_; }
  bool has_service() const { return ready_ != nullptr; }
  Credits& credits() { return credits_; }
  /// nullptr: it is none.
  Fifo* fifo() const { return fifo_.get(); }

  /// At most `count_max` messages of one chunk: returned ones first, then from the logs, beginning
  /// with `*turn` (nullptr: any), which moves on. Empty mask: nothing there. `whole`: no part of what a log's chunk has.
  /// Credit units that the caller is to give back are added to `freed` (Log::take). From a FIFO queue's lanes they
  /// are taken for good; its consumers take from fifo().
  Taken take(std::uint32_t count_max, Subscription** turn, std::int64_t* freed, bool whole = false);
  /// True if take() would find something; for the last look before parking.
  bool has_news() const;
  /// Puts messages (of an evacuated chunk, or handed over from a log) back, visible now, and wakes the service. Those that
  /// were received too often become dead letters instead.
  /// `purges`: as it was after they were taken; where the queue was purged since, they are removed instead. What is kept
  /// since before `horizon_ms` expires instead.
  void put_back(Taken taken, bool was_in_flight, std::uint32_t purges, std::int64_t horizon_ms = INT64_MIN);
  void put_back(Taken taken, bool was_in_flight) { put_back(taken, was_in_flight, purges()); }
  /// Takes letters of its own file that wait here out of memory; `each` hears of them. The rest stays. [letters' writer]
  void recall_letters(const std::function<void(const Uuid&, const LetterPlace&, std::int64_t since_ms)>& each);
  /// Shows the oldest visible messages, at most `count_max`, by chunk; they stay, in their order, but what came back to
  /// the queue goes behind what did so meanwhile. While it lasts they cannot be received.
  void peek(std::uint32_t count_max, std::int64_t now_ms, const std::function<void(const Chunk&, std::uint64_t mask)>& each);
  /// How often it was purged. Read after taking.
  std::uint32_t purges() const { return purges_.load(std::memory_order_acquire); }

  /// Ends messages that nobody was handed, in a chunk that the caller holds: their credit goes back, their origins
  /// hear of a rejection. `counter` is one of expired, purged, dropped.
  void remove(Taken taken, Atomic<std::uint64_t>& counter);
  /// Of `taken`, what was sent before `horizon_ms` expires; returns the rest.
  Taken remove_older(Taken taken, std::int64_t horizon_ms);
  /// Messages that somebody was handed, and whom nobody waits for any longer, are dropped.
  void drop_in_flight(Taken taken) {
    came_back_.fetch_add(bit_count(taken.mask), std::memory_order_release);
    remove(taken, dropped);
  }
  /// A message of so many receives is not handed out again: it becomes a dead letter when it would be visible (SQS
  /// developer guide, dead-letter queues: at its next receive; here nobody need ask for it).
  bool is_overdue(std::uint32_t receive_count) const {
    return options_.max_receive_count != 0 && receive_count >= options_.max_receive_count;
  }
  /// Messages of `mask` are at their end: what is counted by itself is dropped.
  void let_go(Chunk& chunk, std::uint64_t mask);
  /// Removes what is older than its retention. One thread at a time.
  void sweep(std::int64_t now_ms);
  /// Removes all that is visible, and what is in flight as soon as it comes back; Timers::end_purged() removes what is
  /// delayed or hidden. How many are gone now. Of what is sent meanwhile it may remove as many as are received meanwhile.
  std::uint64_t purge();
  /// Removes the oldest visible messages of one chunk, at most `count_max`; how many.
  std::uint32_t drop_oldest(std::uint32_t count_max, Subscription** turn);

  /// At the end of a run: leaves all that nobody received behind (leave_behind). Its counters stay as they are. [control,
  /// when nobody publishes or receives any more]
  void leave_rest_behind();

  /// A consumer will have at most so many in hand at once. [control]
  void expect_in_hand(std::uint32_t messages) { in_hand_max_ += messages; }
  /// How many more may be received now. Consumers that ask at the same time may pass the limit by a batch each.
  std::uint32_t in_flight_room() const;
  /// Something in flight has come to its end: who found as much in flight as may be looks again.
  void make_room();
  /// Wakes the service if it sleeps. After publishing.
  void notify() {
    if (ready_ != nullptr) {
      ready_->notify(ready_bits_);
    }
  }
  ReadySet* ready() const { return ready_; }
  const ReadyBits& ready_bits() const { return ready_bits_; }
  /// Gives credit back and wakes who waits for it.
  void give_credit(std::int64_t messages, std::int64_t units);

  /// Counters of a consumer; lives as long as the queue. [control]
  ConsumerCounters& lend_counters() { return consumers_.append(); }
  QueueCounters counters() const;
  /// Messages that were ever put in, and that came to their end. Read ended() of all queues before
  /// created() of any: equal sums prove that nothing was under way in between.
  std::uint64_t created() const;
  std::uint64_t ended() const;
  /// When the oldest message that has not ended was sent, to within a chunk or a second or so; AgeWindow::kNone: there
  /// is none. A dead letter counts from when it became one.
  std::int64_t oldest_ms() const;
  /// Every second or so. One thread at a time.
  void turn_ages() { ages_.turn(); }
  AgeWindow& ages() { return ages_; }

  // Rare events, counted where they happen.
  Atomic<std::uint64_t> moved_in{0};
  Atomic<std::uint64_t> moved_to_dead_letter{0};
  Atomic<std::uint64_t> dropped{0}, expired{0}, purged{0};
  Atomic<std::uint64_t> redriven{0};   ///< dead letters that went back to a queue; they count as deleted
  Atomic<std::uint64_t> deduplicated{0};
  Atomic<std::uint64_t> withdrawn{0};  ///< of those four, what nobody had taken
  Atomic<std::uint64_t> diverted{0};   ///< no consumer took it: dead-lettered for want of credit, or received too often
  Atomic<std::uint64_t> delayed{0};    ///< now
  Atomic<std::uint64_t> invisible{0};  ///< now, of those in flight: failed, and to come back later
  Atomic<std::uint64_t> ack_deadline_exceeded{0};  ///< of dropped and dead-lettered ones: not settled within an ack deadline
  Atomic<std::uint64_t> over_limit{0};  ///< how often a receive got nothing for that
  Atomic<bool> limited{false};         ///< too much is in flight: nothing is received until something ends
  Atomic<bool> look_posted{false};     ///< the ticker will look then, whatever ends
  Atomic<bool> paced{false};           ///< its service's max_rate is used up: nothing is received until the ticker looks
  Atomic<bool> loading{false};        ///< a load of dead letters was asked for
  Atomic<std::uint64_t> unloaded{0};  ///< dead letters that are in the file only; they count as visible
  Atomic<std::int64_t> recalled_since_ms{AgeWindow::kNone};  ///< of those that a redrive put there the oldest became one then

 private:
  friend class Fifo;

  /// A message that came back, and what purges() was when it was taken.
  struct Returned {
    Taken taken;
    std::uint32_t purges;
    std::uint8_t age;  ///< its place in the window
  };

  std::uint64_t overdue_of(const Taken& taken) const;
  void give_up(Taken overdue);
  std::uint64_t letters_of(const Taken& taken) const;
  Returned take_returned(std::uint32_t count_max);
  Taken take_from_logs(std::uint32_t count_max, Subscription** turn, std::int64_t* freed, bool whole);
  void hand_over(Taken taken, std::int64_t freed, Evacuator& evacuator);
  void evacuated(Taken taken);

  std::mutex operated_;  ///< peek(), purge() and sweep(): one at a time
  // Constant after open().
  const QueueOptions options_;
  const std::unique_ptr<Fifo> fifo_;
  ReadySet* ready_ = nullptr;
  ReadyBits ready_bits_{};
  Queue* dead_letter_queue_ = nullptr;
  DeadLetters* letters_ = nullptr;       ///< nullptr: it is no dead-letter queue
  DeadLetters* dead_letters_ = nullptr;  ///< nullptr: it has no consumer
  std::string service_;
  std::uint32_t in_hand_max_ = 0;
  // Grow under traffic.
  AppendList<Subscription> subscriptions_;
  std::uint32_t subscribed_ = 0;  ///< control's
  // Everybody's.
  Credits credits_;
  moodycamel::ConcurrentQueue<Returned> returned_;
  alignas(kCacheLine) Atomic<std::int64_t> returned_items_{0};
  Atomic<std::uint64_t> came_back_{0};  ///< messages that became visible again
  Atomic<std::uint32_t> purges_{0};
  Atomic<std::uint64_t> stale_removed_{0};  ///< of the purged: visible once, and removed by who came upon them
  AgeWindow ages_;
  AppendList<ConsumerCounters> consumers_;
};

}  // namespace sluice::core
