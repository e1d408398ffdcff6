#include "service/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::core {
namespace {

/// Rounds without work before a thread parks: some microseconds, a tenth of what a wake-up costs.
constexpr std::uint32_t kIdleRounds = kExplored ? 1 : 64;
/// A round that emptied its queues and found fewer messages than this polls a publisher that sends them
/// one by one; each poll takes the line that the publisher writes, so the next one waits a little.
constexpr std::uint64_t kFewMessages = 8;
constexpr int kPauses = 16;
/// Small batches of one service follow one another until they come to so many messages.
constexpr std::uint32_t kVisitMessages = 64;
/// How often it is looked whether a batch takes long, while a parked thread could help and while none could: then a look
/// takes a core from who works.
constexpr std::int64_t kWatchMs = 10, kSeldomMs = 100;
/// A service that is ahead of the others by less takes part in the round: so those with small batches share a round's cost.
constexpr std::int64_t kAheadMax = 1'000'000;
/// One batch in so many is timed.
constexpr std::uint32_t kTimedEvery = 64;

void pause(int times) {
  for (int i = 0; i < times; ++i) {
    pause_core();
  }
}

}  // namespace

Pool::Pool(PoolOptions options, ReadySet& ready, Timers& timers, Permits& permits)
    : options_(std::move(options)),
      ready_(ready),
      timers_(timers),
      permits_(permits),
      services_(std::size_t{ready.words()} * 64, nullptr),
      mine_(ready.words(), 0),
      work_(std::make_unique<WorkThread[]>(options_.threads)),
      watch_(timers.on_demand([this] { watch(); })) {}

void Pool::add(Service& service) {
  services_[service.index()] = &service;
  mine_[service.index() / 64] |= std::uint64_t{1} << service.index() % 64;
}

void Pool::start() {
  running_.store(options_.threads, std::memory_order_release);
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    int core = i < options_.cores.size() ? options_.cores[i] : -1;
    threads_.emplace_back(fmt::format("pool/{}", i), [this, i] { run(i); }, core);
  }
  have_watched();
}

void Pool::run(std::uint32_t number) {
  PoolThread thread{.work = work_[number]};
  std::uint32_t idle_rounds = 0;
  permits_.acquire(permits_.now());
  while (!options_.stopping->load(std::memory_order_relaxed)) {
    Worked worked = round(thread);
    if (worked.first_start != Worked::kNothing) {
      idle_rounds = 0;
      permits_.advance_to(worked.first_start);
      if (permits_.wanted_before(worked.first_start)) [[unlikely]] {
        permits_.give_way(worked.first_start);
      }
      if (worked.caught_up && worked.messages < kFewMessages) {
        pause(kPauses);
      }
      continue;
    }
    look(thread, true);
    if (++idle_rounds < kIdleRounds) {
      pause(kPauses);
      continue;
    }
    look(thread, false);
    idle_rounds = 0;
    if (!clear_idle()) {
      permits_.release();
      park();
      permits_.acquire(permits_.now());
    }
  }
  look(thread, false);
  permits_.release();
  running_.fetch_sub(1, std::memory_order_acq_rel);
}

/// While it looks, nobody else is woken: so it must not count as looking once it has a batch in hand.
void Pool::look(PoolThread& thread, bool looks) {
  if (thread.looks != looks) {
    thread.looks = looks;
    looking_.fetch_add(looks ? 1 : ~std::uint32_t{0}, std::memory_order_seq_cst);
  }
}

Pool::Worked Pool::round(PoolThread& thread) {
  Worked worked;
  std::int64_t now_tick = timers_.now_tick();
  const std::int64_t now = permits_.now();
  std::uint32_t words = ready_.words();
  for (std::uint32_t i = 0; i < words; ++i) {
    std::uint32_t word = (thread.turn + i) % words;
    for (std::uint64_t left = ready_.word(word) & mine_[word]; left != 0; left &= left - 1) {
      Service& service = *services_[word * 64 + lowest_bit(left)];
      const std::int64_t start = service.share().start(now);
      // Those with small batches go on together where all weigh the same: each then reads a chunk while it is in the cache.
      if (start - now > kAheadMax && (options_.weighted || service.is_long())) {
        worked.first_start = std::min(worked.first_start, start);
        continue;
      }
      if (visit(service, thread, now_tick, &worked)) {
        worked.first_start = std::min(worked.first_start, start);
      }
      if (service.is_long()) {
        now_tick = timers_.now_tick();  // the next service's leases begin now, not when the round did
      }
    }
  }
  thread.work.releases.flush();
  thread.turn = (thread.turn + 1) % words;
  return worked;
}

/// False: there was nothing to do.
bool Pool::visit(Service& service, PoolThread& thread, std::int64_t now_tick, Worked* worked) {
  Worker* worker = service.try_acquire();
  if (worker == nullptr) {
    return false;
  }
  const bool is_long = service.is_long();
  bool caught_up = false;
  std::uint32_t messages = 0;
  while (!caught_up && messages < kVisitMessages) {
    std::uint32_t count = worker->receive(now_tick);
    if (count == 0) {
      worker->idle();
      caught_up = true;
      break;
    }
    caught_up = worker->caught_up();
    look(thread, false);
    messages += count;
    worked->messages += count;
    if (is_long) {
      thread.work.releases.flush();
      before_long_work(service);
    }
    if (!work(service, *worker, thread, is_long)) {
      service.failed();  // its worker stays taken: a component that cannot go on is not called again
      return true;
    }
    if (is_long) {
      break;
    }
  }
  worked->caught_up &= caught_up;
  service.release(worker);
  // What came while this batch ran found the bit cleared or set; either way somebody looks: a set bit
  // is looked at in the next round, a cleared one was followed by a notify.
  return messages != 0;
}

/// Works off the batch that the worker has in hand. False: a stage failed fatally.
bool Pool::work(Service& service, Worker& worker, PoolThread& thread, bool is_long) {
  const std::int64_t start = service.share().start(permits_.now());
  if (!is_long && ++thread.batches % kTimedEvery != 0) {
    service.share().charge(start, service.batch_ns());
    return worker.work(thread.work);
  }
  const std::uint32_t messages = worker.in_hand();
  std::int64_t begin = timers_.clock().steady_ns();
  bool fine = worker.work(thread.work);
  const std::int64_t ns = timers_.clock().steady_ns() - begin;
  service.share().charge(start, ns);
  service.timed(ns, messages);
  return fine;
}

/// From here on new messages of this service wake another thread, and so does what is left now.
void Pool::before_long_work(Service& service) {
  ready_.clear(service.index());
  full_fence();  // pairs with wake_for: Service::release
  bool more = service.can_work();
  if (service.queue().has_news()) {
    ready_.set(service.index());
  }
  for (std::uint32_t word = 0; !more && word < ready_.words(); ++word) {
    std::uint64_t others = ready_.word(word) & mine_[word];
    if (service.index() / 64 == word) {
      others &= ~(std::uint64_t{1} << service.index() % 64);
    }
    more = others != 0;
  }
  if (more && looking_.load(std::memory_order_seq_cst) == 0) {
    wake_one();
  }
}

bool Pool::clear_idle() {
  bool work = false;
  for (std::uint32_t word = 0; word < ready_.words(); ++word) {
    for (std::uint64_t left = ready_.word(word) & mine_[word]; left != 0; left &= left - 1) {
      std::uint32_t index = word * 64 + lowest_bit(left);
      Service& service = *services_[index];
      ready_.clear(index);
      if (!service.queue().has_news()) {
        continue;
      }
      // It stays set while there is news: a busy worker's thread looks again when it is done, and who
      // gives credit back to a worker that lacks it wakes a thread whether the bit is set or not.
      ready_.set(index);
      work |= service.can_work();
    }
  }
  return work;
}

void Pool::park() {
  parked_.fetch_add(1, std::memory_order_seq_cst);
  full_fence();  // pairs with wake_for: Service::release
  std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
  bool work = options_.stopping->load(std::memory_order_seq_cst);
  for (std::uint32_t word = 0; !work && word < ready_.words(); ++word) {
    for (std::uint64_t left = ready_.word(word) & mine_[word]; !work && left != 0; left &= left - 1) {
      // A bit without news was set by a late notice of what was received already. Nobody hears of what comes next as
      // long as it stands: it is cleared first.
      work = !services_[word * 64 + lowest_bit(left)]->is_held_up();
    }
  }
  if (!work) {
    have_watched();
    futex_wait(epoch_, epoch);
  }
  parked_.fetch_sub(1, std::memory_order_seq_cst);
  have_watched();
}

/// Who parks and who wakes up sees to it. (Explored without: whatever must be heard of must be heard of without a watch.)
void Pool::have_watched() {
  const std::uint32_t parked = parked_.load(std::memory_order_seq_cst);
  if (kExplored || parked >= running_.load(std::memory_order_relaxed)) {
    return;
  }
  const std::int64_t tick = timers_.now_tick() + (parked != 0 ? kWatchMs : kSeldomMs);
  std::int64_t looks_at = looks_at_.load(std::memory_order_seq_cst);
  while (tick < looks_at && !looks_at_.compare_exchange_weak(looks_at, tick, std::memory_order_seq_cst)) {
  }
  if (tick < looks_at) {
    timers_.run_at(tick, watch_);
  }
}

/// On the ticker. Of a thread that has found long work, what comes meanwhile may have found its bit set.
void Pool::watch() {
  if (timers_.now_tick() < looks_at_.load(std::memory_order_seq_cst)) {
    return;  // an earlier one took its place
  }
  looks_at_.store(kNever, std::memory_order_seq_cst);  // before the look: who wakes up after it sees to the next one
  bool long_work = false;
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    long_work |= work_[i].flush_if_stuck();
  }
  if (long_work && parked_.load(std::memory_order_seq_cst) != 0 &&
      std::ranges::any_of(services_, [](Service* service) { return service != nullptr && service->can_work(); })) {
    wake_one();
  }
  have_watched();
}

void Pool::wake_one() {
  if (parked_.load(std::memory_order_seq_cst) != 0) {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(epoch_, 1);
  }
}

void Pool::wake_for(Service& service) {
  if (looking_.load(std::memory_order_seq_cst) == 0 && service.has_free_worker()) {
    wake_one();
  }
}

void Pool::wake_all() {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1 << 30);
}

void Pool::join() { threads_.clear(); }

void Pool::abandon() {
  for (Thread& thread : threads_) {
    thread.abandon();
  }
}

}  // namespace sluice::core
