// A consumer: one worker's way of receiving from a queue and settling what it received.
//
// receive() gathers messages under leases, at most one lease per chunk; the worker does its work and
// calls end() once with the outcomes. A message that fails is copied out of its chunk at that moment
// (evacuated), so it holds up neither its slab nor its neighbours' acknowledgement.
//
// Thread safety: one thread at a time, except that extend() may be called by whoever runs the stage.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "queue/dead_letters.hpp"
#include "queue/lease.hpp"
#include "queue/queue.hpp"
#include "queue/rate_limit.hpp"
#include "queue/timers.hpp"

namespace sluice::core {

/// Messages of one chunk in hand.
struct Lease {
  LeaseSlot* slot;
  std::uint64_t word;
  Taken taken;
  std::uint32_t count;   ///< bits of taken.mask
  std::uint32_t purges;  ///< of the queue, when they were taken
};

/// How a received message fared. Messages of a batch are numbered through its leases, lowest bit first.
struct Outcome {
  enum class Status : std::uint8_t { ok, reject, retry };  // in rising order: the worst counts
  Status status = Status::ok;
  std::int64_t retry_after_ms = -1;  ///< -1: at the lease's own deadline
  std::string stage, reason, detail;
  bool counts = true;                ///< false: of a retry, as if it had not been received
};

/// The batch's failures, by message number; the rest is ok.
struct Failure {
  std::uint32_t message;
  Outcome outcome;
};

/// What end() did.
struct Settled {
  std::uint32_t ok = 0, retried = 0, rejected = 0, stale = 0;
};

/// Amazon SQS API reference, ChangeMessageVisibility: 12 hours, counted from the receive.
constexpr std::int64_t kInvisibleMaxMs = 43'200'000;

struct ConsumerOptions {
  std::string service;                     ///< named in dead letters
  std::uint32_t batch_size;
  std::uint32_t consumers;                 ///< of the service
  std::int64_t visibility_timeout_ms = -1; ///< of what it receives; -1: the queue's
  std::int64_t ack_deadline_ms = kInvisibleMaxMs;  ///< how long a batch may be in hand, extensions included
  bool gathers = false;                    ///< its batches grow over time, message by message
  RateLimit* rate = nullptr;               ///< of the service; nullptr: none
};

class Consumer {
 public:
  /// Everything outlives the consumer; `pool` is its own.
  Consumer(Queue& queue, Timers& timers, DeadLetters& dead_letters, ChunkPool& pool, ConsumerOptions options);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  Queue& queue() { return queue_; }

  /// Gathers at most the batch size; never waits. The number of messages in leases(). REQUIRES: end() was called.
  std::uint32_t receive(std::int64_t now_tick);
  /// The same, added to what is in hand already, up to the batch size. How many came.
  std::uint32_t receive_more(std::int64_t now_tick);
  std::span<const Lease> leases() const { return leases_; }
  /// Nothing more can be added to what is in hand.
  bool is_full() const { return in_hand_ == options_.batch_size || leases_.size() == slots_.size(); }
  /// Wall-clock end of the leases.
  std::int64_t lease_until_ms() const { return timers_.wall_ms_of(deadline_tick_); }

  /// Moves all deadlines to now + the visibility timeout, but not past the batch's ack deadline: what is not settled by
  /// then is rejected, as its stage swallows it. False: one has expired already.
  bool extend();
  DeadLetters& dead_letters() { return dead_letters_; }
  /// All leases of the batch have expired: what is done with it from now on is somebody else's.
  bool has_lost_all() const;
  /// How often who waits in the midst of a batch is to extend() it.
  std::int64_t extends_every_ms() const { return std::max<std::int64_t>(1, holder_.visibility_timeout_ms / 4); }
  /// Which stage has the batch; named where a lease expires, maybe when the worker is gone: `stage` outlives the ticker.
  void set_stage(const char* stage) { holder_.stage.store(stage, std::memory_order_relaxed); }

  /// A stage past its batch's ack deadline emits in vain: nobody waits for it, and what it names may be gone.
  bool is_given_up() const { return holder_.is_given_up(); }
  /// Around whatever names an origin of the batch's messages. False: given up, it must not.
  bool begin_emission() { return holder_.begin_emission(); }
  void end_emission() { holder_.end_emission(); }

  /// Settles the batch. `failures` is sorted by message. What it held of its chunks goes to `releases`.
  Settled end(std::span<Failure> failures, Releases& releases) noexcept;

  /// Sends a part of a received message to the dead letters alone.
  void reject_part(std::span<const std::uint8_t> body, const MessageParts& parts, const Lineage& parent,
                   std::string stage, std::string reason, std::string detail);

  /// Gives back what it holds of credit. Call when nothing was received.
  void idle();

 private:
  std::uint32_t gather(std::int64_t now_tick, std::uint32_t count_max);
  std::uint32_t gather_groups(std::int64_t now_tick, std::uint32_t count_max);
  std::uint32_t lease_groups(std::int64_t horizon_ms, std::uint32_t purges);
  std::uint32_t room(std::uint32_t count_max, std::int64_t now_tick);
  std::uint32_t allowed(std::uint32_t count_max);
  void give_back_allowance(std::uint32_t count);
  void end_pause();
  void set_deadline(std::int64_t now_tick);
  std::int64_t received_ms() const { return timers_.wall_ms_of(holder_.received_tick.load(std::memory_order_relaxed)); }
  bool may_be_old(const Taken& taken, std::int64_t horizon_ms) const;
  void open_lease(Taken taken, std::uint32_t count, std::uint32_t purges, LaneMessage* place = nullptr);
  void dead_letter(Chunk* chunk, std::uint32_t bit, Outcome& outcome);
  void retry(const Lease& lease, std::uint32_t bit, std::uint32_t number, Outcome& outcome);
  void settle_groups();
  void give_credit(std::int64_t messages, std::int64_t units);
  void finish(Chunk* chunk, std::uint64_t mask, std::uint32_t count);
  void flush_credit();

  // Constant after construction.
  Queue& queue_;
  Timers& timers_;
  DeadLetters& dead_letters_;
  const ConsumerOptions options_;
  LeaseHolder holder_;
  ConsumerCounters& counters_;
  const std::int64_t credit_step_messages_, credit_step_units_;
  // The worker's.
  Evacuator evacuator_;
  DelayEvacuator delayed_;  ///< what waits for a time: kept apart from what returns at once
  std::vector<std::unique_ptr<LeaseSlot>> slots_;
  std::vector<Lease> leases_;
  // Of a FIFO queue.
  std::vector<LaneMessage*> taken_;   ///< of one take
  std::vector<LaneMessage*> ended_;   ///< of it, what is not handed out
  std::vector<LaneMessage*> places_;  ///< of each message in leases_; nullptr: is not to be ended there
  std::vector<Fifo::Return> returns_;
  Subscription* turn_ = nullptr;
  std::uint64_t batch_ = 0;
  std::uint32_t in_hand_ = 0;  ///< messages in leases_
  std::int64_t deadline_tick_ = 0;
  std::int64_t credit_messages_ = 0, credit_units_ = 0;
};

}  // namespace sluice::core
