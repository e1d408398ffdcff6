// A service: a queue's consumers. Its workers run on the shared CPU pool, or, if a stage may wait,
// each on a thread of its own (DESIGN §2.7).
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/futex.hpp"
#include "base/result.hpp"
#include "queue/ready.hpp"
#include "service/permits.hpp"
#include "service/thread.hpp"
#include "service/worker.hpp"

namespace sluice::core {

struct ServiceOptions {
  std::string name;
  std::uint32_t index;   ///< its bit in the ReadySet
  bool own_threads;
  Share* share;          ///< of the cores
  std::int64_t batch_window_ms = 0;  ///< own threads: how long a batch may gather; 0: not at all
  const Atomic<bool>* stopping;
  std::function<void(const std::string& service)> failed;  ///< a stage failed fatally
  std::function<Result<void>(Worker& worker)> open_worker = {};  ///< gives it stages. [control]
};

class Service {
 public:
  /// `workers`: all that it may have; those that are open run from the start.
  Service(ServiceOptions options, Queue& queue, Timers& timers, ReadySet& ready,
          std::vector<std::unique_ptr<Worker>> workers);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const std::string& name() const { return options_.name; }
  std::uint32_t index() const { return options_.index; }
  bool own_threads() const { return options_.own_threads; }
  Share& share() { return *options_.share; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  Queue& queue() { return queue_; }

  /// Own threads: starts those of its open workers. Errors: unavailable, where the system gives no thread; some may run then.
  Result<void> start();
  /// Workers that are meant to run: those that still finish what they hold are not among them. [any]
  std::uint32_t wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// Others, which finish what they hold. [any]
  std::uint32_t leaving() const;
  /// The most that ever were. [any]
  std::uint32_t most_wanted() const { return most_wanted_.load(std::memory_order_relaxed); }
  /// From now on so many are, at most workers().size(): opens those that lack, and lets the last ones leave. One that still
  /// leaves is kept. Where stages cannot be made, or a thread cannot be started, as many run as there are, and the error says
  /// why. [control]
  Result<void> run_workers(std::uint32_t count);
  /// Ends those that have left. True: some still finish what they hold. [control]
  bool retire_workers();
  /// Own threads: wakes one that is parked. [any]
  void wake_one();
  void wake_all();  ///< [any] to see `stopping`
  /// Own threads: how many still run. [any]
  std::uint32_t running() const { return running_.load(std::memory_order_acquire); }
  void join();
  void abandon();

  // Pool.
  /// A worker that no thread has, now the caller's; nullptr: all are at work. [pool thread]
  Worker* try_acquire();
  /// Release order is enough: before the thread parks or takes long it passes a fence (Pool), then looks at
  /// the ready bits again.
  void release(Worker* worker) { worker->busy.store(false, std::memory_order_release); }
  bool has_free_worker() const;
  /// There are messages, and a worker that is free and may publish. [any]
  bool can_work() const;
  /// There are messages, and no such worker. [any]
  bool is_held_up() const;
  /// Batches take long (50 us and more) or were never timed: others are woken before one is run.
  bool is_long() const { return batch_ns_.load(std::memory_order_relaxed) >= kLongNs; }
  /// A batch of so many messages took as long.
  void timed(std::int64_t ns, std::uint32_t messages) {
    average(batch_ns_, ns);
    average(message_ns_, ns / std::max(messages, 1u));
  }
  /// What a batch lately took. REQUIRES: !is_long(), for that was timed.
  std::int64_t batch_ns() const { return batch_ns_.load(std::memory_order_relaxed); }
  /// What a worker lately took for a message; nullopt: none was timed yet. [any]
  std::optional<double> message_seconds() const {
    const std::int64_t ns = message_ns_.load(std::memory_order_relaxed);
    return ns == kUntimed ? std::nullopt : std::optional(static_cast<double>(ns) / 1e9);
  }
  void failed() { options_.failed(options_.name); }

 private:
  bool has_worker_for_news() const;
  static constexpr std::int64_t kLongNs = 50'000;
  static constexpr std::int64_t kUntimed = INT64_MAX;
  static void average(Atomic<std::int64_t>& lately, std::int64_t ns) {
    const std::int64_t before = lately.load(std::memory_order_relaxed);
    lately.store(before == kUntimed ? ns : before + (ns - before) / 4, std::memory_order_relaxed);
  }
  Result<void> open(std::size_t worker);
  Result<void> start_thread(std::size_t worker);
  void run(Worker& worker);
  bool leaves(Worker& worker);
  bool must_end(const Worker& worker) const;
  void gather(Worker& worker);
  void park(Worker& worker, std::int64_t timeout_ns = -1);

  const ServiceOptions options_;
  Queue& queue_;
  Timers& timers_;
  ReadySet& ready_;
  const std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Thread> threads_;  ///< of the worker with that number, if it has one
  Atomic<std::uint32_t> wanted_{0}, most_wanted_{0};
  Atomic<std::int64_t> batch_ns_{kUntimed}, message_ns_{kUntimed};
  alignas(kCacheLine) Atomic<std::uint32_t> parked_{0};
  Atomic<std::uint32_t> epoch_{0};
  Atomic<std::uint32_t> running_{0};
};

}  // namespace sluice::core
