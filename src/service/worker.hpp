// A worker: one active consumer of a service (an ECS task). Receives a batch, runs the stages over
// it, settles it. One thread at a time; which one, the pool or the worker's own thread decides.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "queue/consumer.hpp"
#include "service/chain.hpp"
#include "service/work_thread.hpp"
#include "topic/publisher.hpp"

namespace sluice::core {

/// Counters of a worker: one writer, read by anybody. DESIGN §5, Summary.
struct alignas(kCacheLine) WorkerCounters {
  Atomic<std::uint64_t> processed{0}, retried{0}, rejected{0}, stale{0}, ignored{0};
};

struct WorkerOptions {
  std::string service;
  std::uint32_t batch_size;
  std::uint32_t workers;               ///< of the service
  std::int64_t visibility_timeout_ms = -1;  ///< of what it receives; -1: the queue's
  std::int64_t ack_deadline_ms = kInvisibleMaxMs;  ///< how long a batch may be in hand, extensions included
  std::int64_t batch_window_ms = 0;    ///< how long a batch may gather; 0: not at all
  RateLimit* rate = nullptr;           ///< of the service; nullptr: none
  std::int64_t max_body_bytes;
  Permits* permits = nullptr;          ///< nullptr: runs on the pool, whose threads hold one
  Share* share = nullptr;              ///< of the service; where there are permits
  bool may_wait = false;               ///< emit may wait for credit
  std::vector<Queue*> publish_to;      ///< the branches of its target; empty and has_target false: none
  bool has_target = false;
  const Atomic<bool>* stopping;        ///< nothing more is received
  const Atomic<bool>* aborting;        ///< work in hand is to stop
};

class Worker {
 public:
  Worker(Queue& queue, Timers& timers, DeadLetters& dead_letters, WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Gives it stages: until then it must not be given work. [control, while no thread has it]
  void open(std::vector<Instance> stages);
  /// Ends them. After close(). [control, while no thread has it]
  void retire();
  bool is_open() const { return chain_.has_value(); }  ///< [control]

  /// Takes a batch. The number of messages in hand; 0: nothing there, or no credit to publish or to reject parts.
  std::uint32_t receive(std::int64_t now_tick);
  std::uint32_t in_hand() const { return in_hand_; }
  /// The last receive() took all that was there.
  bool caught_up() const { return in_hand_ < options_.batch_size; }
  /// Adds to the batch what has come since. True: no more fits.
  bool receive_more(std::int64_t now_tick);
  /// Works the batch off. False: a stage failed fatally.
  bool work(WorkThread& thread);
  /// Nothing was received: gives back credit that it gathered.
  void idle() { consumer_.idle(); }
  /// Between two batches, on its own thread: others may come first by now.
  void give_way() {
    if (chain_) {
      chain_->give_way();
    }
  }
  /// Its own thread is about to wait: it holds no core meanwhile.
  void rest() {
    if (chain_) {
      chain_->give_core_back();
    }
  }
  /// Publishes and lets go of what it holds. Before retire() or destruction, when no batch is in hand.
  void close();

  /// Asks stages that are at work to return soon. [control]
  void cancel() const {
    if (chain_) {
      chain_->cancel();
    }
  }
  /// A pool worker that could not receive for want of credit, and still lacks it. [any]
  bool lacks_credit() const {
    return waits_for_credit_.load(std::memory_order_seq_cst) &&
           !((publisher_ == nullptr || publisher_->queues_have_credit()) && has_room_for_parts());
  }
  /// What it has in hand while it waits, in the midst of a batch, for room where it publishes to; 0: it does not. [any]
  std::uint32_t waits_with() const { return waits_with_.load(std::memory_order_acquire); }
  Publisher* publisher() { return publisher_.get(); }
  const WorkerCounters& counters() const { return counters_; }

  /// What it is meant to do. Control's, but for the last step of one with a thread of its own.
  enum class State : std::uint8_t {
    closed,   ///< no thread may have it
    working,
    leaving,  ///< finishes what it holds, and receives nothing more
    gone      ///< its own thread has ended, or is about to
  };
  Atomic<State> state{State::closed};
  Atomic<bool> busy{false};  ///< pool: a thread has it, or control

 private:
  bool receives_now();
  bool has_credit() const { return (publisher_ == nullptr || publisher_->has_credit()) && has_room_for_parts(); }
  bool has_room_for_parts() const {
    return !rejects_parts_.load(std::memory_order_relaxed) || part_credits_.available();
  }
  void announce_wait(bool waits);
  void wait_begins();
  void wait_ends();
  const sluice_message* const* show(ViewCache& views, std::uint32_t count);
  void count(const Settled& settled);

  const WorkerOptions options_;
  Timers& timers_;
  ChunkPool pool_;
  Consumer consumer_;
  std::unique_ptr<Publisher> publisher_;
  std::optional<Chain> chain_;  ///< while it is open
  std::uint32_t in_hand_ = 0;
  Atomic<std::uint32_t> waits_with_{0};
  Atomic<bool> waits_for_credit_{false};  ///< announced to the queues that it publishes to, and to the parts'
  Atomic<bool> rejects_parts_{false};     ///< a stage of it did
  Credits& part_credits_;
  std::vector<const sluice_message*> messages_;
  WorkerCounters counters_;
};

}  // namespace sluice::core
