#include "service/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace sluice::core {
namespace {

bool is_free(const Worker& worker) {
  return worker.state.load(std::memory_order_relaxed) == Worker::State::working && !worker.busy.load(std::memory_order_seq_cst);
}

}  // namespace

Service::Service(ServiceOptions options, Queue& queue, Timers& timers, ReadySet& ready,
                 std::vector<std::unique_ptr<Worker>> workers)
    : options_(std::move(options)),
      queue_(queue),
      timers_(timers),
      ready_(ready),
      workers_(std::move(workers)),
      threads_(workers_.size()) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->is_open()) {
      worker->state.store(Worker::State::working, std::memory_order_relaxed);
      wanted_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  most_wanted_.store(wanted(), std::memory_order_relaxed);
}

Service::~Service() = default;

Result<void> Service::start() {
  for (std::size_t i = 0; options_.own_threads && i < wanted(); ++i) {
    if (Result<void> started = start_thread(i); !started) {
      return started;
    }
  }
  return {};
}

Result<void> Service::start_thread(std::size_t worker) {
  running_.fetch_add(1, std::memory_order_acq_rel);
  try {
    threads_[worker] = Thread(fmt::format("{}/{}", options_.name, worker), [this, worker] { run(*workers_[worker]); });
  } catch (const std::system_error& error) {
    running_.fetch_sub(1, std::memory_order_acq_rel);
    return fail(Errc::unavailable, fmt::format("cannot start a thread for worker {}: {}", worker + 1, error.code().message()));
  }
  return {};
}

Result<void> Service::run_workers(std::uint32_t count) {
  for (std::uint32_t i = wanted(); i < count; ++i) {
    if (Result<void> opened = open(i); !opened) {
      return opened;
    }
    wanted_.store(i + 1, std::memory_order_relaxed);
    most_wanted_.store(std::max(i + 1, most_wanted()), std::memory_order_relaxed);
  }
  const std::uint32_t before = wanted();
  wanted_.store(count, std::memory_order_relaxed);
  for (std::uint32_t i = count; i < before; ++i) {
    workers_[i]->state.store(Worker::State::leaving, std::memory_order_seq_cst);
  }
  if (count < before) {
    wake_all();
    retire_workers();
  }
  return {};
}

/// A worker that is there again: it stayed, or has stages anew.
Result<void> Service::open(std::size_t number) {
  Worker& worker = *workers_[number];
  Worker::State left = Worker::State::leaving;
  if (worker.state.compare_exchange_strong(left, Worker::State::working, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
    ready_.wake(options_.index);  // while it was leaving nobody gave it anything
    return {};
  }
  if (left == Worker::State::gone) {
    threads_[number].join();
    worker.retire();
  }
  if (Result<void> opened = options_.open_worker(worker); !opened) {
    worker.state.store(Worker::State::closed, std::memory_order_relaxed);
    return opened;
  }
  worker.state.store(Worker::State::working, std::memory_order_relaxed);
  if (!options_.own_threads) {
    worker.busy.store(false, std::memory_order_seq_cst);
    ready_.wake(options_.index);
    return {};
  }
  Result<void> started = start_thread(number);
  if (!started) {
    worker.close();
    worker.retire();
    worker.state.store(Worker::State::closed, std::memory_order_relaxed);
  }
  return started;
}

std::uint32_t Service::leaving() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(workers_, [](const std::unique_ptr<Worker>& worker) {
    return worker->state.load(std::memory_order_relaxed) == Worker::State::leaving;
  }));
}

bool Service::retire_workers() {
  bool all = true;
  for (std::size_t i = wanted(); i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    const Worker::State state = worker.state.load(std::memory_order_acquire);
    if (state == Worker::State::closed) {
      continue;
    }
    if (options_.own_threads ? state == Worker::State::leaving : worker.busy.exchange(true, std::memory_order_acquire)) {
      all = false;
      continue;
    }
    if (options_.own_threads) {
      threads_[i].join();
    } else {
      worker.close();
    }
    worker.retire();
    worker.state.store(Worker::State::closed, std::memory_order_relaxed);
  }
  return !all;
}

void Service::run(Worker& worker) {
  WorkThread thread;
  while (!options_.stopping->load(std::memory_order_relaxed) && !leaves(worker)) {
    if (worker.receive(timers_.now_tick()) == 0) {
      worker.idle();
      park(worker);
      continue;
    }
    gather(worker);
    // The work may take long: from here on new messages wake another worker. What is there already
    // does so now; the look comes after the clearing, so nothing slips through between.
    ready_.clear(options_.index);
    if (queue_.has_news()) {
      ready_.notify(options_.index);
    }
    const std::uint32_t messages = worker.in_hand();
    const std::int64_t begin = timers_.clock().steady_ns();
    bool fine = worker.work(thread);
    timed(timers_.clock().steady_ns() - begin, messages);
    thread.releases.flush();
    worker.give_way();
    if (!fine) {
      options_.failed(options_.name);
      break;
    }
  }
  worker.close();
  running_.fetch_sub(1, std::memory_order_acq_rel);
}

/// It was told to, and no longer hears otherwise. What it was woken for another is to look at.
bool Service::leaves(Worker& worker) {
  Worker::State state = Worker::State::leaving;
  if (worker.state.load(std::memory_order_relaxed) != state ||
      !worker.state.compare_exchange_strong(state, Worker::State::gone, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
    return false;
  }
  ready_.clear(options_.index);
  if (queue_.has_news()) {
    ready_.notify(options_.index);
  }
  return true;
}

bool Service::must_end(const Worker& worker) const {
  return options_.stopping->load(std::memory_order_seq_cst) ||
         worker.state.load(std::memory_order_seq_cst) == Worker::State::leaving;
}

/// A batch that is not full waits for more, from its first message on.
void Service::gather(Worker& worker) {
  if (options_.batch_window_ms == 0) {
    return;
  }
  const std::int64_t until_ns = timers_.clock().steady_ns() + options_.batch_window_ms * 1'000'000;
  while (!worker.receive_more(timers_.now_tick()) && !must_end(worker)) {
    const std::int64_t left_ns = until_ns - timers_.clock().steady_ns();
    if (left_ns <= 0) {
      return;
    }
    worker.idle();
    park(worker, left_ns);
  }
}

void Service::park(Worker& worker, std::int64_t timeout_ns) {
  worker.rest();
  ready_.clear(options_.index);
  if (queue_.has_news()) {
    ready_.set(options_.index);
    return;
  }
  parked_.fetch_add(1, std::memory_order_seq_cst);
  std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
  if (!ready_.is_set(options_.index) && !must_end(worker)) {
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
    if (is_free(*worker) && !worker->busy.exchange(true, std::memory_order_acquire)) {
      return worker.get();
    }
  }
  return nullptr;
}

bool Service::can_work() const { return queue_.has_news() && has_worker_for_news(); }

bool Service::is_held_up() const { return queue_.has_news() && !has_worker_for_news(); }

bool Service::has_worker_for_news() const {
  return std::ranges::any_of(workers_,
                             [](const std::unique_ptr<Worker>& worker) { return is_free(*worker) && !worker->lacks_credit(); });
}

bool Service::has_free_worker() const {
  return std::ranges::any_of(workers_, [](const std::unique_ptr<Worker>& worker) { return is_free(*worker); });
}

}  // namespace sluice::core
