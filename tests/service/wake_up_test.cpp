// Lost wake-ups: one message at a time for a service that parks in between, with delays of all lengths
// before each. A lost one is a round that never ends; the messages of the next do not come before it. A round
// that takes long is as bad, but not where the machine is away or busy with others: it is measured by the CPU time of
// who waits for its end and looks all the while.
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <thread>

#include "base/random.hpp"
#include "service/pool.hpp"
#include "support/line.hpp"
#include "support/scale.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

/// What this thread has had of a core.
std::chrono::nanoseconds own_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// A service of one worker, on a thread of its own or on the pool, that counts what it is given.
struct Sleeper {
  explicit Sleeper(bool on_pool)
      : stage(Script::stage("count", 0, [this](const sluice_batch& batch, sluice_out*) {
          received.fetch_add(batch.count, std::memory_order_release);
          return int32_t{SLUICE_OK};
        })),
        ready(1, [this](std::uint32_t) { pool != nullptr ? pool->wake_for(*service) : service->wake_one(); }),
        queue(line.queue({.name = "q"})),
        publisher(line.publisher({&queue})) {
    queue.set_service(&ready, 0);
    publisher.wire_ready();
    EXPECT_TRUE(line.open());
    core::WorkerOptions options;
    options.service = "svc";
    options.batch_size = 10;
    options.workers = 1;
    options.max_body_bytes = 1000;
    options.stopping = options.aborting = &stopping;
    std::vector<core::Instance> instances;
    instances.push_back(stage->instance("svc"));
    std::vector<std::unique_ptr<core::Worker>> workers;
    workers.push_back(std::make_unique<core::Worker>(queue, line.timers, line.letters, options));
    workers.back()->open(std::move(instances));
    service = std::make_unique<core::Service>(
        core::ServiceOptions{.name = "svc", .index = 0, .own_threads = !on_pool, .share = &share, .stopping = &stopping, .failed = {}}, queue, line.timers,
        ready, std::move(workers));
    if (on_pool) {
      pool = std::make_unique<core::Pool>(core::PoolOptions{1, {}, &stopping}, ready, line.timers, permits);
      pool->add(*service);
      pool->start();
    } else {
      EXPECT_TRUE(service->start());
    }
  }
  ~Sleeper() {
    stopping.store(true, std::memory_order_seq_cst);
    service->wake_all();
    if (pool != nullptr) {
      pool->wake_all();
      pool->join();
      service->workers()[0]->close();
    }
    service->join();
    publisher.close();
  }
  /// Sends one message and waits until it was received. False: it took more than a second.
  bool round(std::uint64_t number) {
    publisher.append({.body = bytes_of("a"), .cookie = number}, core::Admission::overdraw);
    publisher.flush(true);
    const std::chrono::nanoseconds begin = own_time();
    while (received.load(std::memory_order_acquire) != number) {
      if (own_time() - begin > std::chrono::seconds(1)) {
        return false;
      }
      std::this_thread::yield();
    }
    return true;
  }

  std::atomic<std::uint64_t> received{0};
  core::Atomic<bool> stopping{false};
  std::unique_ptr<Script> stage;
  Line line;
  core::Permits permits{2};
  core::Share share;
  core::ReadySet ready;
  core::Queue& queue;
  core::Publisher& publisher;
  std::unique_ptr<core::Service> service;
  std::unique_ptr<core::Pool> pool;
};

TEST(WakeUp, is_never_lost_however_a_message_meets_the_parking) {
  const std::uint64_t rounds = scaled(1'000'000);
  for (const bool on_pool : {false, true}) {
    Sleeper sleeper(on_pool);
    core::Random random(3);
    for (std::uint64_t number = 1; number <= rounds; ++number) {
      for (std::uint64_t pauses = random.next() % (std::uint64_t{1} << random.next() % 11); pauses > 0; --pauses) {
        core::pause_core();
      }
      ASSERT_TRUE(sleeper.round(number)) << number << ", on the pool: " << on_pool;
    }
  }
}

}  // namespace
}  // namespace sluice::test
