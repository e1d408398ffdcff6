// What must happen later: leases that expire, messages that become visible again. One wheel for the
// engine; any thread posts, one thread (the ticker) turns it.
//
// A lease slot has one entry in the wheel for as long as both live. When it fires it is put back at the
// slot's deadline, or, if no lease is open, a visibility timeout later; so entries are bounded by slots,
// not by leases, and who opens a lease need not tell anybody.
//
// Ticks are milliseconds of the steady clock since the Timers were made.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "message/evacuator.hpp"
#include "queue/lease.hpp"
#include "queue/queue.hpp"
#include "queue/timer_wheel.hpp"

namespace sluice::core {

class Timers {
 public:
  explicit Timers(Clock& clock);

  /// What messages that wait for their time may take, beside themselves: each its place in the inbox and in a slot of the
  /// wheel, and that again while the slot grows to twice its size.
  static constexpr std::int64_t bytes_max(std::int64_t messages) {
    return messages * 4 * std::int64_t{sizeof(Entry)};
  }

  /// The current tick. [any]
  std::int64_t now_tick() const { return (clock_.steady_ns() - start_ns_) / 1'000'000; }
  /// The first tick that is not before that time of the steady clock. [any]
  std::int64_t tick_at(std::int64_t steady_ns) const { return (steady_ns - start_ns_ + 999'999) / 1'000'000; }
  Clock& clock() const { return clock_; }
  /// Wall clock of a tick, by the wall clock when the timers were made: it never jumps. [any]
  std::int64_t wall_ms_of(std::int64_t tick) const { return start_wall_ms_ + tick; }
  std::int64_t now_ms() const { return wall_ms_of(now_tick()); }
  /// The same, some milliseconds late: what messages are stamped with. [any]
  std::int64_t stamp_ms() const { return start_wall_ms_ + clock_.coarse_steady_ms() - start_ns_ / 1'000'000; }

  /// The slot's first lease was opened: from now on its deadlines are looked at. [slot's worker]
  void watch(LeaseSlot& slot, std::int64_t deadline_tick);
  /// Where a queue has a retention, nothing of it is hidden for longer: `tick`, or the one at which the last of `taken`
  /// has expired, when it is shown and ends. [any that has them]
  std::int64_t hidden_until(const Queue& queue, const Taken& taken, std::int64_t tick) const;
  /// Messages of an evacuated chunk become visible at `tick`; they count as in flight until then. `purges`: of the
  /// queue, when they were taken. [any]
  void return_at(Queue& queue, Taken taken, std::int64_t tick, std::uint32_t purges);
  /// Messages that were just published become visible at `tick`; they count as delayed until then. [any]
  void delay(Queue& queue, Taken taken, std::int64_t tick);
  /// A message of a FIFO queue that was put back hidden is to be shown at `tick`. [any]
  void show_at(Queue& queue, LaneMessage& message, std::int64_t tick);
  /// Ends what is hidden or delayed of a queue that was purged; how many messages, once the ticker has done so. [any]
  std::future<std::uint64_t> end_purged(Queue& queue);
  /// The queue's consumers look again at `tick`. [any]
  void look_again(Queue& queue, std::int64_t tick);
  /// Calls `task` every `period_ms` on the ticker. [control, before it runs]
  void every(std::int64_t period_ms, std::function<void()> task);
  /// A task that runs on the ticker when it is asked for: its number. [control, before it runs]
  std::uint32_t on_demand(std::function<void()> task);
  void run_at(std::int64_t tick, std::uint32_t task);  ///< once [any]

  /// Does all that is due now. Returns the tick of what comes next, -1 for nothing. [ticker]
  std::int64_t advance();
  /// Sleeps until `next_tick` (-1: for ever) or until something earlier is posted. [ticker]
  void sleep_until(std::int64_t next_tick);
  /// From now on sleep_until() returns at once. [any]
  void stop();
  /// At the end of a run: leaves what is delayed or hidden behind (leave_behind). [ticker, at its end]
  void leave_rest_behind();

  /// Messages whose lease expired. [any]
  std::uint64_t expirations() const { return expirations_.load(std::memory_order_relaxed); }
  /// Leases that expired; and of them, what cannot have an effect any more: their workers came back, or were given up.
  /// [any]
  std::uint64_t expired_leases() const { return expired_leases_.load(std::memory_order_acquire); }
  std::uint64_t ended_late() const { return ended_late_.load(std::memory_order_acquire); }
  /// A worker came back with a lease that had expired, and has published what it emits. [any]
  void returned_late() { ended_late_.fetch_add(1, std::memory_order_release); }

 private:
  struct Item {
    enum class Kind : std::uint8_t { lease, returned, delayed, hidden, look, purged, task } kind;
    std::uint8_t age;      ///< returned and delayed: its place in the queue's AgeWindow
    std::uint32_t purges;  ///< returned and delayed: Queue::purges() when they were taken; task: its number
    Queue* queue;
    union {
      LeaseSlot* slot;       ///< lease
      LaneMessage* message;  ///< hidden
      std::uint64_t number;  ///< delayed: in the order of publishing, in FIFO queues
      std::promise<std::uint64_t>* ended;  ///< purged
    };
    Taken taken;           ///< returned and delayed
  };
  /// What is in the inbox, and with all its fields as the wheel has it.
  struct Entry {
    std::int64_t tick;
    Item item;
  };
  struct Task {
    std::int64_t period_ms;  ///< 0: when it is asked for
    std::function<void()> run;
  };
  /// A slot without a lease is looked at no more often than this. So a lease of less may end so much late.
  static constexpr std::int64_t kIdleLookMs = 100;
  /// Of a queue's expired leases there is a line no more often than this.
  static constexpr std::int64_t kTellMs = 1000;
  /// A queue's expired messages: where they are copied to, and what nobody was told of yet.
  struct Expirations {
    explicit Expirations(ChunkPool& pool) : evacuator(pool) {}
    Evacuator evacuator;
    std::uint64_t untold = 0;             ///< messages
    std::int64_t tells_again_tick = 0;
    const LeaseHolder* holder = nullptr;  ///< the last; consumers outlive the ticker
    std::string stage = {};
  };
  void post(std::int64_t tick, const Item& item);
  void interrupt();
  void take_in();
  void handle(Item& item, std::int64_t tick);
  void end_purged(Item& item);
  std::int64_t horizon_ms(const Queue& queue) const;
  void hand_over_arrived();
  void look_at_lease(Item& item);
  std::int64_t next_look(const LeaseSlot& slot, std::uint64_t word) const;
  void expire(LeaseSlot& slot, std::uint64_t word);
  void reject(const LeaseHolder& holder, const std::string& stage, const std::vector<Taken>& copies);
  bool give_up(LeaseSlot& slot, std::uint64_t word);
  void tell_expired();
  Expirations& expirations_of(Queue& queue);

  Clock& clock_;
  const std::int64_t start_ns_, start_wall_ms_;
  // Everybody's.
  moodycamel::ConcurrentQueue<Entry> inbox_;
  Atomic<std::int64_t> wakes_at_{0};  ///< the ticker sleeps until then; 0: it is awake
  Atomic<std::uint32_t> epoch_{0};
  Atomic<std::uint64_t> posted_{0};   ///< items ever put into the inbox
  Atomic<std::uint64_t> delays_{0};   ///< numbers for Item::number
  Atomic<bool> stopped_{false};
  Atomic<std::uint64_t> expirations_{0};
  Atomic<std::uint64_t> expired_leases_{0}, ended_late_{0};
  // The ticker's.
  std::uint64_t received_ = 0;        ///< items ever taken from the inbox
  TimerWheel<Item> wheel_;
  std::int64_t now_ = 0;              ///< tick of this advance()
  std::vector<Task> tasks_;
  std::vector<Entry> arrived_;        ///< delayed ones of FIFO queues that are due
  std::vector<std::pair<std::unique_ptr<std::promise<std::uint64_t>>, std::uint64_t>> ended_purges_;  ///< to be told
  ChunkPool pool_;
  std::map<Queue*, Expirations> expired_;  ///< of queues that ever had an expired lease
  bool has_untold_ = false;
};

}  // namespace sluice::core
