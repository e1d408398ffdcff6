// Workers that come and go: how many run after each sample, and that who leaves finishes what it holds.
#include "pipeline/scaler.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <semaphore>
#include <thread>

#include "service/pool.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/no_threads.hpp"
#include "support/scale.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

using core::ScalingDecision;
using core::ScalingPolicy;
using core::Worker;

constexpr std::uint32_t kMost = 5;

/// 1 to 5 workers, the metric and target of the seed system; each low sample counts.
ScalingPolicy seed_policy() {
  ScalingPolicy policy;
  policy.max_capacity = kMost;
  policy.tracks_target = true;
  policy.evaluation.low_samples = 1;
  return policy;
}

/// A queue and its service, one of whose workers is open.
struct Shop {
  explicit Shop(bool own_threads, Script::Process work = [](const sluice_batch&, sluice_out*) { return int32_t{SLUICE_OK}; })
      : stage(Script::stage("work", own_threads ? SLUICE_BLOCKS : 0, std::move(work))),
        ready(1, [this](std::uint32_t) { pool != nullptr ? pool->wake_for(*service) : service->wake_one(); }),
        queue(line.queue({.name = "q"})),
        publisher(line.publisher({&queue})),
        hand(line.hand(queue, 64)) {
    queue.set_service(&ready, 0);
    publisher.wire_ready();
    core::WorkerOptions options;
    options.service = "svc";
    options.batch_size = 1;
    options.workers = kMost;
    options.max_body_bytes = 1000;
    options.stopping = options.aborting = &stopping;
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint32_t i = 0; i < kMost; ++i) {
      workers.push_back(std::make_unique<Worker>(queue, line.timers, line.letters, options));
    }
    EXPECT_TRUE(open(*workers[0]));
    service = std::make_unique<core::Service>(
        core::ServiceOptions{.name = "svc", .index = 0, .own_threads = own_threads, .share = &share, .stopping = &stopping, .failed = {},
                             .open_worker = [this](Worker& worker) { return open(worker); }},
        queue, line.timers, ready, std::move(workers));
    EXPECT_TRUE(line.open());
    EXPECT_TRUE(service->start());
  }
  ~Shop() {
    stopping.store(true, std::memory_order_seq_cst);
    service->wake_all();
    if (pool != nullptr) {
      pool->wake_all();
      pool->join();
    }
    service->join();
    for (const std::unique_ptr<Worker>& worker : service->workers()) {
      worker->close();
    }
    publisher.close();
    hand.consumer.idle();
  }
  core::Result<void> open(Worker& worker) {
    if (fails) {
      return core::fail(core::Errc::unavailable, "no such library");
    }
    ++made;
    std::vector<core::Instance> stages;
    stages.push_back(stage->instance("svc"));
    worker.open(std::move(stages));
    return {};
  }
  void send(std::uint32_t messages) {
    for (std::uint32_t i = 0; i < messages; ++i) {
      publisher.append({.body = bytes_of("body"), .cookie = ++sent}, core::Admission::overdraw);
      publisher.flush(true);
    }
  }
  std::uint32_t open_workers() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(service->workers(), [](const std::unique_ptr<Worker>& worker) { return worker->is_open(); }));
  }
  Worker& worker(std::size_t number) const { return *service->workers()[number]; }
  void wait_until(const std::function<bool()>& done) const {
    while (!done()) {
      std::this_thread::yield();
    }
  }

  core::Atomic<bool> stopping{false};
  std::unique_ptr<Script> stage;
  Line line;
  core::ReadySet ready;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand& hand;
  core::Permits permits{2};
  core::Share share;
  std::unique_ptr<core::Service> service;
  std::unique_ptr<core::Pool> pool;
  std::uint32_t made = 0;
  bool fails = false;
  std::uint64_t sent = 0;
};

TEST(Scaler, samples_once_a_period_and_runs_as_many_as_the_policy_says) {
  const LogLines log;
  Shop shop(false);
  const ScalingPolicy policy = seed_policy();
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  const std::int64_t start_ns = shop.line.clock.steady_ns();
  EXPECT_EQ(scaler.step(), start_ns + 10'000'000'000) << "the first sample is a period away";
  shop.send(21);
  shop.line.advance(9'999);
  EXPECT_EQ(scaler.step(), start_ns + 10'000'000'000);
  EXPECT_EQ(shop.open_workers(), 1u);
  shop.line.advance(1);
  EXPECT_EQ(scaler.step(), start_ns + 20'000'000'000);
  EXPECT_EQ(shop.service->wanted(), 5u) << "1 x 450 / 100";
  EXPECT_EQ(shop.open_workers(), 5u);
  EXPECT_EQ(shop.made, 5u) << "stages of its own for each";
  EXPECT_EQ(log.with("info    svc: scales out from 1 to 5 workers: metric 450 is above the target of 100").size(), 1u);
  shop.hand.drain();
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(shop.service->wanted(), 3u) << "5 x 50 / 100, rounded up";
  EXPECT_EQ(shop.open_workers(), 3u);
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(shop.service->wanted(), 3u) << "the cooldown";
  for (int sample = 0; sample < 6; ++sample) {
    shop.line.advance(10'000);
    scaler.step();
  }
  EXPECT_EQ(shop.service->wanted(), 1u);
  EXPECT_EQ(shop.open_workers(), 1u);
  EXPECT_EQ(shop.service->most_wanted(), 5u);
}

TEST(Scaler, tells_of_the_last_sample_with_all_that_it_takes_to_check_it) {
  Shop shop(false);
  const ScalingPolicy policy = seed_policy();
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  EXPECT_FALSE(scaler.facts(*shop.service));
  shop.send(7);
  shop.line.advance(10'000);
  scaler.step();
  ASSERT_TRUE(scaler.facts(*shop.service));
  const core::ScalingFacts facts = *scaler.facts(*shop.service);
  EXPECT_EQ(facts.visible, 7u);
  EXPECT_EQ(facts.in_flight, 0u);
  EXPECT_EQ(facts.decision.action, ScalingDecision::Action::out);
  EXPECT_EQ(facts.decision.count, 1u);
  EXPECT_EQ(facts.decision.desired, 3u);
  EXPECT_EQ(facts.time_ms, shop.line.clock.wall_ms());
  EXPECT_NE(facts.reason.find("rounds up to 3"), std::string::npos) << facts.reason;
  shop.hand.drain();
}

TEST(Scaler, a_jump_of_the_wall_clock_makes_no_message_older_or_younger) {
  Shop shop(false);
  ScalingPolicy policy = seed_policy();
  policy.metric.type = core::ScalingMetric::Type::age_of_oldest;
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  shop.send(1);
  shop.line.clock.jump_wall_ms(3'600'000);
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(scaler.facts(*shop.service)->decision.metric, 10);
  shop.line.clock.jump_wall_ms(-7'200'000);
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(scaler.facts(*shop.service)->decision.metric, 20);
  shop.hand.drain();
}

TEST(Scaler, does_nothing_with_a_service_without_a_policy) {
  Shop shop(false);
  ScalingPolicy policy;
  policy.max_capacity = kMost;
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  shop.send(1000);
  shop.line.advance(1'000'000);
  EXPECT_EQ(scaler.step(), INT64_MAX);
  EXPECT_EQ(shop.service->wanted(), 1u);
  shop.hand.drain();
}

TEST(Scaler, samples_once_after_periods_that_it_slept_through) {
  Shop shop(false);
  ScalingPolicy policy = seed_policy();
  policy.evaluation.low_samples = 3;
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  shop.send(21);
  shop.line.advance(10'000);
  scaler.step();
  shop.hand.drain();
  const std::int64_t begin_ns = shop.line.clock.steady_ns();
  shop.line.advance(95'000);
  EXPECT_EQ(scaler.step(), begin_ns + 100'000'000'000) << "at the end of the period that runs";
  EXPECT_EQ(shop.service->wanted(), 5u) << "one low sample is no three";
}

TEST(Scaler, tries_again_where_stages_cannot_be_made) {
  const LogLines log;
  Shop shop(false);
  const ScalingPolicy policy = seed_policy();
  core::Scaler scaler(shop.line.timers);
  scaler.add(*shop.service, policy);
  shop.send(21);
  shop.fails = true;
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(shop.service->wanted(), 1u);
  EXPECT_EQ(log.with("svc: 1 of 5 workers run: no such library").size(), 1u);
  shop.fails = false;
  shop.line.advance(10'000);
  scaler.step();
  EXPECT_EQ(shop.service->wanted(), 5u);
  shop.hand.drain();
}

TEST(Threads, where_the_system_gives_no_more_as_many_workers_run_as_there_are) {
  Shop shop(true);
  ASSERT_TRUE(shop.service->run_workers(2));
  {
    const NoThreads none;
    const core::Result<void> run = shop.service->run_workers(4);
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, core::Errc::unavailable);
    EXPECT_EQ(run.error().message, "cannot start a thread for worker 3: Resource temporarily unavailable");
  }
  EXPECT_EQ(shop.service->wanted(), 2u);
  EXPECT_EQ(shop.service->running(), 2u);
  EXPECT_EQ(shop.open_workers(), 2u);
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 0) << "signals come as before";
  ASSERT_TRUE(shop.service->run_workers(4));
  EXPECT_EQ(shop.service->running(), 4u);
  shop.send(4);
  shop.wait_until([&] { return shop.queue.counters().deleted == 4; });
}

TEST(Leaving, a_worker_of_the_pool_ends_when_no_thread_has_it_any_more) {
  Shop shop(false);
  ASSERT_TRUE(shop.service->run_workers(3));
  std::vector<Worker*> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(shop.service->try_acquire());
  }
  ASSERT_EQ(held[2], &shop.worker(2));
  ASSERT_TRUE(shop.service->run_workers(1));
  EXPECT_EQ(shop.service->wanted(), 1u);
  EXPECT_EQ(shop.open_workers(), 3u) << "they finish what they hold";
  shop.service->release(held[2]);
  EXPECT_FALSE(shop.service->has_free_worker()) << "who leaves gets nothing more";
  EXPECT_EQ(shop.service->try_acquire(), nullptr);
  EXPECT_TRUE(shop.service->retire_workers()) << "another is still at work";
  EXPECT_FALSE(shop.worker(2).is_open());
  shop.service->release(held[1]);
  EXPECT_FALSE(shop.service->retire_workers());
  EXPECT_EQ(shop.open_workers(), 1u);
  shop.service->release(held[0]);
  EXPECT_EQ(shop.service->try_acquire(), held[0]);
  shop.service->release(held[0]);
}

TEST(Leaving, a_worker_that_is_wanted_again_stays_with_the_stages_it_has) {
  Shop shop(false);
  ASSERT_TRUE(shop.service->run_workers(2));
  Worker* first = shop.service->try_acquire();
  Worker* second = shop.service->try_acquire();
  ASSERT_TRUE(shop.service->run_workers(1));
  ASSERT_TRUE(shop.service->run_workers(2));
  EXPECT_EQ(shop.made, 2u);
  shop.service->release(first);
  shop.service->release(second);
  EXPECT_FALSE(shop.service->retire_workers());
  EXPECT_EQ(shop.open_workers(), 2u);
  ASSERT_TRUE(shop.service->run_workers(1));
  ASSERT_TRUE(shop.service->run_workers(2));
  EXPECT_EQ(shop.made, 3u) << "once it has ended it gets new ones";
}

/// The scale-in comes in the midst of a batch: it is settled as ever, and the other worker takes what follows.
TEST(Leaving, a_worker_with_a_thread_of_its_own_settles_its_batch_and_spends_no_receive) {
  std::counting_semaphore<> may_end(0);
  std::atomic<std::uint32_t> begun{0};
  Shop shop(true, [&](const sluice_batch&, sluice_out*) {
    begun.fetch_add(1);
    may_end.acquire();
    return int32_t{SLUICE_OK};
  });
  ASSERT_TRUE(shop.service->run_workers(2));
  shop.send(2);
  shop.wait_until([&] { return begun.load() == 2; });
  ASSERT_TRUE(shop.service->run_workers(1));
  EXPECT_EQ(shop.open_workers(), 2u);
  EXPECT_EQ(shop.service->running(), 2u);
  shop.send(2);
  may_end.release(4);
  shop.wait_until([&] { return !shop.service->retire_workers(); });
  EXPECT_EQ(shop.open_workers(), 1u);
  EXPECT_EQ(shop.service->running(), 1u);
  shop.wait_until([&] { return shop.queue.counters().deleted == 4; });
  EXPECT_EQ(shop.queue.counters().received, 4u) << "nothing was received twice";
  EXPECT_EQ(shop.queue.counters().in_flight, 0u);
}

/// A message may wake the very worker that leaves: then it must wake another. A lost wake-up is a round without end.
void expect_no_wake_up_is_lost(Shop& shop, const std::atomic<std::uint64_t>& received) {
  for (std::uint64_t round = 1; round <= scaled(3000); ++round) {
    ASSERT_TRUE(shop.service->run_workers(static_cast<std::uint32_t>(1 + round % kMost)));
    shop.send(1);
    ASSERT_TRUE(shop.service->run_workers(static_cast<std::uint32_t>(1 + round * 7 % 3)));
    shop.wait_until([&] { return received.load() == round; });
    shop.service->retire_workers();
  }
}

TEST(Leaving, workers_with_threads_of_their_own_take_no_wake_up_along) {
  std::atomic<std::uint64_t> received{0};
  Shop shop(true, [&](const sluice_batch& batch, sluice_out*) {
    received.fetch_add(batch.count);
    return int32_t{SLUICE_OK};
  });
  expect_no_wake_up_is_lost(shop, received);
}

TEST(Leaving, workers_of_the_pool_take_no_wake_up_along) {
  std::atomic<std::uint64_t> received{0};
  Shop shop(false, [&](const sluice_batch& batch, sluice_out*) {
    received.fetch_add(batch.count);
    return int32_t{SLUICE_OK};
  });
  shop.pool = std::make_unique<core::Pool>(core::PoolOptions{2, {}, &shop.stopping}, shop.ready, shop.line.timers, shop.permits);
  shop.pool->add(*shop.service);
  shop.pool->start();
  expect_no_wake_up_is_lost(shop, received);
}

}  // namespace
}  // namespace sluice::test
