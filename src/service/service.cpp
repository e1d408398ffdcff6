#include "service/service.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::core {

Service::Service(ServiceOptions options, Queue& queue, Timers& timers, ReadySet& ready,
                 std::vector<std::unique_ptr<Worker>> workers)
    : options_(std::move(options)),
      queue_(queue),
      timers_(timers),
      ready_(ready),
      workers_(std::move(workers)) {}

Service::~Service() = default;

void Service::start() {
  if (!options_.own_threads) {
    return;
  }
  running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_release);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    threads_.emplace_back(fmt::format("{}/{}", options_.name, i), [this, i] { run(*workers_[i]); });
  }
}

void Service::run(Worker& worker) {
  WorkThread thread;
  while (!options_.stopping->load(std::memory_order_relaxed)) {
    if (worker.receive(timers_.now_tick()) == 0) {
      worker.idle();
      park();
      continue;
    }
    gather(worker);
    // The work may take long: from here on new messages wake another worker. What is there already
    // does so now; the look comes after the clearing, so nothing slips through between.
    ready_.clear(options_.index);
    if (queue_.has_news()) {
      ready_.notify(options_.index);
    }
    bool fine = worker.work(thread);
    thread.releases.flush();
    if (!fine) {
      options_.failed(options_.name);
      break;
    }
  }
  worker.close();
  running_.fetch_sub(1, std::memory_order_acq_rel);
}

/// A batch that is not full waits for more, from its first message on.
void Service::gather(Worker& worker) {
  if (options_.batch_window_ms == 0) {
    return;
  }
  const std::int64_t until_ns = timers_.clock().steady_ns() + options_.batch_window_ms * 1'000'000;
  while (!worker.receive_more(timers_.now_tick()) && !options_.stopping->load(std::memory_order_relaxed)) {
    const std::int64_t left_ns = until_ns - timers_.clock().steady_ns();
    if (left_ns <= 0) {
      return;
    }
    park(left_ns);
  }
}

void Service::park(std::int64_t timeout_ns) {
  ready_.clear(options_.index);
  if (queue_.has_news()) {
    ready_.set(options_.index);
    return;
  }
  parked_.fetch_add(1, std::memory_order_seq_cst);
  std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
  if (!ready_.is_set(options_.index) && !options_.stopping->load(std::memory_order_seq_cst)) {
    futex_wait(epoch_, epoch, timeout_ns);
  }
  parked_.fetch_sub(1, std::memory_order_relaxed);
}

void Service::wake_one() {
  if (parked_.load(std::memory_order_seq_cst) != 0) {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(epoch_, 1);
  }
}

void Service::wake_all() {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1 << 30);
}

void Service::join() { threads_.clear(); }

void Service::abandon() {
  for (Thread& thread : threads_) {
    thread.abandon();
  }
}

Worker* Service::try_acquire() {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (!worker->busy.load(std::memory_order_relaxed) && !worker->busy.exchange(true, std::memory_order_acquire)) {
      return worker.get();
    }
  }
  return nullptr;
}

bool Service::can_work() const { return queue_.has_news() && has_worker_for_news(); }

bool Service::is_held_up() const { return queue_.has_news() && !has_worker_for_news(); }

bool Service::has_worker_for_news() const {
  return std::ranges::any_of(workers_, [](const std::unique_ptr<Worker>& worker) {
    return !worker->busy.load(std::memory_order_seq_cst) && !worker->lacks_credit();
  });
}

bool Service::has_free_worker() const {
  return std::ranges::any_of(workers_, [](const std::unique_ptr<Worker>& worker) {
    return !worker->busy.load(std::memory_order_seq_cst);
  });
}

}  // namespace sluice::core
