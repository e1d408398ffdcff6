// Parking: a thread that finds nothing sleeps, and what comes at that moment wakes it. The engine's own
// Service::run, Pool::run and ReadySet, with a worker that only takes; the ticker's sleep.
#include "explore/verify.hpp"
#include "service/pool.hpp"
#include "support/line.hpp"
#include "support/ticker_counters.hpp"

namespace sluice::explore {
namespace {

using core::ReadySet;
using core::Service;
using core::Worker;
using test::Line;

constexpr auto kSeqCst = std::memory_order_seq_cst;

/// A queue that a service of `workers` consumes; everybody stops when all messages were received.
struct Served {
  Served(std::uint32_t workers, bool pool_threads, std::uint32_t expected_messages)
      : ready(1, [this](std::uint32_t) { wake(); }),
        queue(line.queue({.name = "q"})),
        publisher(line.publisher({&queue})),
        expected(expected_messages) {
    queue.set_service(&ready, 0);
    publisher.wire_ready();
    (void)line.open();
    std::vector<std::unique_ptr<Worker>> made;
    for (std::uint32_t i = 0; i < workers; ++i) {
      made.push_back(std::make_unique<Worker>(queue, 1, [this](std::uint32_t count) { note(count); }));
    }
    service = std::make_unique<Service>(
        core::ServiceOptions{.name = "s", .index = 0, .own_threads = !pool_threads, .share = &share, .stopping = &stopping, .failed = {},
                             .open_worker = [](Worker&) { return core::Result<void>(); }}, queue,
        line.timers, ready, std::move(made));
    if (pool_threads) {
      pool = std::make_unique<core::Pool>(core::PoolOptions{workers, {}, &stopping}, ready, line.timers, permits);
      pool->add(*service);
      pool->start();
    } else {
      service->start();
    }
  }
  void wake() {
    if (pool != nullptr) {
      pool->wake_for(*service);
    } else {
      service->wake_one();
    }
  }
  void note(std::uint32_t count) {
    received += count;
    if (received == expected) {
      stopping.store(true, kSeqCst);
      service->wake_all();
      if (pool != nullptr) {
        pool->wake_all();
      }
    }
  }
  void publish() { line.publish(publisher, {"a"}); }
  /// Nobody takes it: only parking counts here.
  ~Served() {
    publisher.close();
    core::Subscription* turn = nullptr;
    std::int64_t freed = 0;
    while (queue.take(64, &turn, &freed).mask != 0) {
    }
  }

  Line line;
  ReadySet ready;
  core::Queue& queue;
  core::Publisher& publisher;
  const std::uint32_t expected;
  std::uint32_t received = 0;
  core::Atomic<bool> stopping{false};
  core::Permits permits{8};
  core::Share share;
  std::unique_ptr<Service> service;
  std::unique_ptr<core::Pool> pool;
};

Scenario publishing(std::uint32_t workers, bool pool, std::uint32_t messages) {
  return [=](Trial& trial) {
    Served served(workers, pool, messages);
    trial.threads({[&] {
      for (std::uint32_t i = 0; i < messages; ++i) {
        served.publish();
      }
    }});
    trial.expect(served.received == messages, "each message is received once");
  };
}

TEST(Service, that_parks_hears_of_what_comes_meanwhile) { verify(publishing(1, false, 2)); }

Scenario coming_back(std::uint32_t workers, bool pool) {
  return [=](Trial& trial) {
    Served served(workers, pool, 1);
    served.publish();
    core::Subscription* turn = nullptr;
    std::int64_t freed = 0;
    const core::Taken taken = served.queue.take(1, &turn, &freed);
    served.ready.clear(0);
    trial.threads({[&] { served.queue.put_back(taken, false); }});
    trial.expect(served.received == 1, "what came back is received");
  };
}

TEST(Service, hears_of_what_comes_back_to_its_queue) { verify(coming_back(1, false)); }

TEST(Service, of_two_workers_that_sleep_is_woken_for_what_comes) {
  verify(coming_back(2, false), {.store_buffer = 2, .begins_parked = true});
  verify(publishing(2, false, 2), {.store_buffer = 2, .begins_parked = true});
}

TEST(Pool, that_parks_hears_of_what_comes_meanwhile) { verify(publishing(1, true, 2)); }

/// Its first look finds a message before the sender has told of it.
Scenario noticing_late(bool pool) {
  return [=](Trial& trial) {
    Served served(1, pool, 2);
    served.ready.set(0);
    trial.threads({[&] {
      served.publish();
      served.publish();
    }});
    trial.expect(served.received == 2, "each message is received once");
  };
}

TEST(Pool, that_parks_after_a_late_notice_hears_of_what_comes_next) { verify(noticing_late(true)); }

TEST(Service, that_parks_after_a_late_notice_hears_of_what_comes_next) { verify(noticing_late(false)); }

TEST(Pool, hears_of_what_comes_back_to_a_queue) { verify(coming_back(1, true)); }

TEST(Pool, of_two_threads_that_sleep_is_woken_for_what_comes) {
  verify(coming_back(2, true), {.store_buffer = 2, .begins_parked = true});
  verify(publishing(2, true, 1), {.store_buffer = 2, .begins_parked = true});
}

/// One of two workers is told to leave as a message comes: it may be the one that is woken for it.
Scenario leaving(bool pool) {
  return [=](Trial& trial) {
    Served served(2, pool, 1);
    trial.threads({[&] { served.publish(); }, [&] { (void)served.service->run_workers(1); }});
    trial.expect(served.received == 1, "the other receives it");
  };
}

TEST(Service, whose_worker_leaves_gives_what_comes_to_another) { verify(leaving(false), {.store_buffer = 2, .begins_parked = true}); }

TEST(Pool, whose_worker_leaves_gives_what_comes_to_another) { verify(leaving(true), {.store_buffer = 2, .begins_parked = true}); }

/// It is wanted again before it has gone.
Scenario staying(bool pool) {
  return [=](Trial& trial) {
    Served served(1, pool, 1);
    trial.threads({[&] { served.publish(); }, [&] {
                     (void)served.service->run_workers(0);
                     (void)served.service->run_workers(1);
                   }});
    trial.expect(served.received == 1, "it is there again");
  };
}

TEST(Pool, whose_worker_leaves_and_stays_receives_what_came_meanwhile) { verify(staying(true), {.store_buffer = 2, .begins_parked = true}); }

TEST(ReadySet, is_told_twice_and_wakes_once) {
  verify([](Trial& trial) {
    int wakes = 0;
    ReadySet ready(2, [&](std::uint32_t) { ++wakes; });
    trial.threads({[&] { ready.notify(0); }, [&] { ready.notify(0); }, [&] { ready.notify(1); ready.notify(0); }});
    trial.expect(wakes == 2, "one wake-up for each service");
  });
}

TEST(ReadySet, wakes_nobody_while_somebody_looks) {
  verify([](Trial& trial) {
    int wakes = 0;
    ReadySet ready(1, [&](std::uint32_t) { ++wakes; });
    ready.set(0);
    trial.threads({[&] { ready.notify(0); }, [&] { ready.notify(0); }});
    trial.expect(wakes == 0, "the bit was set: a look is under way");
  });
}

/// The ticker would sleep for ever, when an entry is posted that is due. `before`: so much was posted before.
void posted_to_ticker(Trial& trial, std::uint64_t before) {
  Line line;
  (line.timers.*member(test::TimersPosted())).store(before, kSeqCst);
  line.timers.*member(test::TimersReceived()) = before;
  (line.timers.*member(test::TimersEpoch())).store(static_cast<std::uint32_t>(before), kSeqCst);
  core::Queue& queue = line.queue({.name = "q"});
  queue.limited.store(true, kSeqCst);
  trial.threads({[&] {
                   for (std::int64_t next = line.timers.advance(); queue.limited.load(kSeqCst); next = line.timers.advance()) {
                     line.timers.sleep_until(next);
                   }
                 },
                 [&] { line.timers.look_again(queue, 0); }});
}

void posted_to_new_ticker(Trial& trial) { posted_to_ticker(trial, 0); }

TEST(Ticker, that_falls_asleep_hears_of_what_is_posted) { verify(posted_to_new_ticker); }

TEST(Ticker, that_falls_asleep_as_its_counters_wrap_hears_of_what_is_posted) {
  verify([](Trial& trial) { posted_to_ticker(trial, ~std::uint64_t{0}); });
}

TEST(Ticker, that_falls_asleep_hears_of_the_stop) {
  verify([](Trial& trial) {
    Line line;
    trial.threads({[&] { line.timers.sleep_until(line.timers.advance()); }, [&] { line.timers.stop(); }});
  });
}

TEST(ParkingMutation, of_publishing_by_a_plain_store_is_found) {
  expect_found(publishing(1, false, 2), {.store_buffer = 2, .weaken = Weaken::exchange});
}

TEST(ParkingMutation, of_a_ready_bit_set_by_a_load_and_a_store_is_found) {
  expect_found(publishing(1, false, 2), {.store_buffer = 2, .weaken = Weaken::fetch});
}

TEST(ParkingMutation, of_a_ticker_that_announces_by_a_plain_store_is_found) {
  expect_found(posted_to_new_ticker, {.store_buffer = 2, .weaken = Weaken::exchange});
}

TEST(ParkingMutation, of_waking_nobody_is_found) {
  expect_found(publishing(1, false, 1), {.weaken = Weaken::wake});
  expect_found(publishing(1, true, 1), {.weaken = Weaken::wake});
}

}  // namespace
}  // namespace sluice::explore
