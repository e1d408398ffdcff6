// The engine in process: from start to summary.
#include <algorithm>
#include <latch>
#include <semaphore>
#include <thread>

#include <sys/resource.h>

#include "base/log.hpp"
#include "engine_fixture.hpp"
#include "support/log_lines.hpp"
#include "support/no_threads.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Summary;

TEST(Engine, until_idle_ends_with_everything_acknowledged) {
  Plan plan;
  Record<std::string> a, b;
  auto source = counting_source(1000);
  auto stage_a = keeping_stage(a), stage_b = keeping_stage(b, SLUICE_BLOCKS);
  std::uint32_t qa = plan.queue("a"), qb = plan.queue("b");
  plan.source(*source, plan.topic({qa, qb}));
  plan.service("a", qa, {stage_a.get()});
  plan.service("b", qb, {stage_b.get()}).scaling.desired_capacity = 3;
  Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(a.size(), 1000u);
  EXPECT_EQ(b.size(), 1000u);
  EXPECT_EQ(summary.sources[0].events, 1000u);
  EXPECT_EQ(summary.sources[0].acknowledged, 1000u);
  EXPECT_EQ(summary.services[1].processed, 1000u);
  expect_conservation(summary);
}

TEST(Engine, an_empty_pipeline_without_a_source_is_idle_at_once) {
  Plan plan;
  Record<std::string> seen;
  auto stage = keeping_stage(seen);
  plan.service("a", plan.queue("a"), {stage.get()});
  EXPECT_EQ(plan.run().exit, 0);
}

/// The permit is taken before the receive: Lambda's poller receives first, and its throttled batches use up receives.
TEST(Engine, a_service_of_one_worker_has_never_two_batches_at_work_and_spends_no_receive) {
  for (const std::uint32_t flags : {std::uint32_t{0}, std::uint32_t{SLUICE_BLOCKS}}) {
    Plan plan;
    std::atomic<int> at_work{0}, most{0};
    std::atomic<std::uint32_t> receives_max{0}, batch_max{0};
    auto source = counting_source(1000);
    auto stage = Script::stage("put", flags, [&](const sluice_batch& batch, sluice_out*) {
      most = std::max(most.load(), ++at_work);
      for (std::uint32_t i = 0; i < batch.count; ++i) {
        receives_max = std::max(receives_max.load(), batch.messages[i]->receive_count);
      }
      batch_max = std::max(batch_max.load(), batch.count);
      std::this_thread::yield();
      --at_work;
      return int32_t{SLUICE_OK};
    });
    const std::uint32_t rows = plan.queue_with_dead("rows", 1);
    plan.source(*source, Plan::to(rows));
    core::ServiceDescription& service = plan.service("rows", rows, {stage.get()});
    service.batch_size = 5;
    service.scaling.max_capacity = 1;
    const Summary summary = plan.run();
    EXPECT_EQ(summary.services[0].processed, 1000u);
    EXPECT_EQ(summary.dead_letters, 0u);
    EXPECT_EQ(most, 1);
    EXPECT_EQ(receives_max, 1u);
    EXPECT_LE(batch_max, 5u);
  }
}

TEST(Engine, one_slow_branch_does_not_hold_up_the_others) {
  Plan plan;
  constexpr std::uint64_t kMessages = 2000;
  Door door;
  std::latch fast_done(kMessages);
  auto source = counting_source(kMessages);
  auto fast = Script::stage("fast", 0, [&](const sluice_batch& batch, sluice_out*) {
    fast_done.count_down(batch.count);
    return int32_t{SLUICE_OK};
  });
  auto slow = Script::stage("slow", SLUICE_BLOCKS, [&](const sluice_batch&, sluice_out*) {
    door.wait();
    return int32_t{SLUICE_OK};
  });
  std::uint32_t a = plan.queue("fast"), b = plan.queue("slow");
  plan.source(*source, plan.topic({a, b}));
  plan.service("fast", a, {fast.get()});
  plan.service("slow", b, {slow.get()});
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  fast_done.wait();  // all of them, while the other has not finished one
  EXPECT_EQ((*engine)->snapshot().services[1].processed, 0u);
  door.open();
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(summary.services[1].processed, kMessages);
}

/// "x" blocks the one service until the other has worked "y" off. The pause before "y" varies, so that
/// the second thread is found at work, looking and parked.
TEST(Engine, a_long_batch_on_the_pool_does_not_hold_up_another_service_when_a_thread_is_free) {
  Plan plan;
  std::counting_semaphore<> begun(0), other_done(0), door(0);
  const std::uint64_t rounds = scaled(300);
  auto source = Script::source("s", 0, [&](sluice_out* out) {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      emit(out, 0, "x", 2 * i);
      host().flush(out);
      begun.acquire();
      std::int64_t until = core::system_clock().steady_ns() + static_cast<std::int64_t>(i % 30) * 10'000;
      while (core::system_clock().steady_ns() < until) {
      }
      emit(out, 0, "y", 2 * i + 1);
      host().flush(out);
      other_done.acquire();  // hangs if it is held up
      door.release();
    }
    return int32_t{SLUICE_END};
  });
  auto each = [](const sluice_batch& batch, const std::string& body, const std::function<void()>& act) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (body_of(*batch.messages[i]) == body) {
        act();
      }
    }
    return int32_t{SLUICE_OK};
  };
  auto longer = Script::stage("long", 0, [&](const sluice_batch& batch, sluice_out*) {
    return each(batch, "x", [&] {
      begun.release();
      door.acquire();
    });
  });
  auto other = Script::stage("other", 0, [&](const sluice_batch& batch, sluice_out*) {
    return each(batch, "y", [&] { other_done.release(); });
  });
  std::uint32_t a = plan.queue("long"), b = plan.queue("other");
  plan.source(*source, plan.topic({a, b}));
  plan.service("long", a, {longer.get()});
  plan.service("other", b, {other.get()});
  EXPECT_EQ(plan.run(2).exit, 0);
}

/// A service whose batches are short is not expected to take long: nobody is woken before one of them. "x" is one that
/// waits until the other service has worked "y" off.
TEST(Engine, a_batch_on_the_pool_that_takes_long_for_once_does_not_hold_up_another_service_when_a_thread_is_free) {
  Plan plan;
  std::counting_semaphore<> begun(0), short_done(0), other_done(0), door(0);
  const std::uint64_t rounds = scaled(100);
  constexpr int kShort = 200;
  auto source = Script::source("s", 0, [&](sluice_out* out) {
    std::uint64_t cookie = 0;
    const auto send = [&](const char* body) {
      emit(out, 0, body, cookie++);
      host().flush(out);
    };
    for (std::uint64_t i = 0; i < rounds; ++i) {
      for (int each = 0; each < kShort; ++each) {
        send("short");
        short_done.acquire();
      }
      send("x");
      begun.acquire();
      send("y");
      other_done.acquire();  // hangs if it is held up
      door.release();
    }
    return int32_t{SLUICE_END};
  });
  const auto act = [](const sluice_batch& batch, std::string_view body, const std::function<void()>& action) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (body_of(*batch.messages[i]) == body) {
        action();
      }
    }
  };
  auto odd = Script::stage("odd", 0, [&](const sluice_batch& batch, sluice_out*) {
    act(batch, "short", [&] { short_done.release(); });
    act(batch, "x", [&] {
      begun.release();
      door.acquire();
    });
    return int32_t{SLUICE_OK};
  });
  auto other = Script::stage("other", 0, [&](const sluice_batch& batch, sluice_out*) {
    act(batch, "y", [&] { other_done.release(); });
    return int32_t{SLUICE_OK};
  });
  std::uint32_t a = plan.queue("odd"), b = plan.queue("other");
  plan.source(*source, plan.topic({a, b}));
  plan.service("odd", a, {odd.get()});
  plan.service("other", b, {other.get()});
  EXPECT_EQ(plan.run(2).exit, 0);
}

TEST(Engine, an_idle_engine_uses_no_cpu_and_wakes_for_one_message) {
  Plan plan;
  Door door;
  std::latch first(1), second(1);
  auto source = Script::source("s", 0, [&](sluice_out* out) {
    emit(out, 0, "1", 1);
    host().flush(out);
    door.wait();
    emit(out, 0, "2", 2);
    return int32_t{SLUICE_END};
  });
  auto stage = Script::stage("mark", 0, [&](const sluice_batch& batch, sluice_out*) {
    (body_of(*batch.messages[0]) == "1" ? first : second).count_down();
    return int32_t{SLUICE_OK};
  });
  std::uint32_t q = plan.queue("q");
  plan.source(*source, Plan::to(q));
  plan.service("s", q, {stage.get()});
  auto engine = plan.start(false);
  ASSERT_TRUE(engine);
  first.wait();
  auto cpu_us = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  };
  (void)(*engine)->wait_for_end(std::chrono::milliseconds(100));  // to come to rest
  std::int64_t before = cpu_us();
  (void)(*engine)->wait_for_end(std::chrono::seconds(2));
  EXPECT_LT(cpu_us() - before, 10'000) << "0.5 % of a core";
  door.open();
  second.wait();
  (*engine)->request_stop();
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  EXPECT_EQ((*engine)->finish().exit, 0);
}

TEST(Engine, services_that_feed_each_other_through_narrow_queues_neither_deadlock_nor_lose) {
  for (std::uint32_t pool_threads : {1u, 2u}) {
    Plan plan;
    const std::uint64_t messages = scaled(5000);
    Record<std::string> seen;
    auto source = counting_source(messages);
    auto one = forwarding_stage(), two = forwarding_stage(SLUICE_BLOCKS), three = forwarding_stage();
    auto last = keeping_stage(seen);
    std::vector<std::uint32_t> q;
    for (int i = 0; i < 4; ++i) {
      core::QueueDescription narrow;
      narrow.name = "q" + std::to_string(i);
      narrow.capacity = i == 0 ? 5 : 1;
      q.push_back(plan.queue(std::move(narrow)));
    }
    plan.source(*source, Plan::to(q[0]));
    plan.service("s0", q[0], {one.get()}).publish_to = Plan::to(q[1]);
    core::ServiceDescription& middle = plan.service("s1", q[1], {two.get()});
    middle.publish_to = Plan::to(q[2]);
    middle.scaling.desired_capacity = 2;
    plan.service("s2", q[2], {three.get()}).publish_to = Plan::to(q[3]);
    plan.service("s3", q[3], {last.get()}).batch_size = 1;
    Summary summary = plan.run(pool_threads);
    EXPECT_EQ(summary.exit, 0);
    EXPECT_EQ(seen.size(), messages);
    EXPECT_EQ(summary.sources[0].acknowledged, messages);
    expect_conservation(summary);
  }
}

TEST(Engine, many_services_on_few_threads_all_come_to_rest_again_and_again) {
  const std::uint64_t rounds = scaled(20);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Plan plan;
    auto source = counting_source(200);
    auto stage = Script::stage("s", 0, [](const sluice_batch&, sluice_out*) { return int32_t{SLUICE_OK}; });
    std::vector<std::uint32_t> queues;
    for (int i = 0; i < 9; ++i) {
      queues.push_back(plan.queue("q" + std::to_string(i)));
    }
    plan.source(*source, plan.topic(queues));
    for (std::uint32_t queue : queues) {
      core::ServiceDescription& service = plan.service("s" + std::to_string(queue), queue, {stage.get()});
      service.batch_size = 1 + queue * 3;
      service.scaling.desired_capacity = 1 + queue % 2;
    }
    Summary summary = plan.run(3);
    ASSERT_EQ(summary.exit, 0);
    ASSERT_EQ(summary.sources[0].acknowledged, 200u);
  }
}

TEST(Engine, a_stage_that_keeps_failing_is_dead_lettered_after_max_receive_count) {
  Plan plan;
  auto source = counting_source(3);
  std::atomic<int> calls{0};
  auto stage = Script::stage("flaky", 0, [&](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (body_of(*batch.messages[i]) == "1") {
        ++calls;
        host().settle(out, i, SLUICE_RETRY, 0, str("endpoint_down"), str("try later"));
      }
    }
    return int32_t{SLUICE_OK};
  });
  std::uint32_t q = plan.queue_with_dead("q", 3);
  plan.source(*source, Plan::to(q));
  plan.service("s", q, {stage.get()});
  Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(summary.dead_letters, 1u);
  EXPECT_EQ(summary.services[0].processed, 2u);
  EXPECT_EQ(summary.services[0].retried, 3u);
  EXPECT_EQ(summary.sources[0].acknowledged, 3u);
  std::string letter = plan.dead_letters("q-dead");
  EXPECT_NE(letter.find("received 3 times, max_receive_count is 3"), std::string::npos) << letter;
  EXPECT_NE(letter.find("endpoint_down: try later"), std::string::npos) << letter;
  expect_conservation(summary);
}

TEST(Engine, a_rejected_message_is_dead_lettered_at_once_and_is_there_after_a_restart) {
  Plan plan;
  auto source = counting_source(5);
  std::atomic<int> calls{0};
  auto stage = Script::stage("strict", 0, [&](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (body_of(*batch.messages[i]) == "2") {
        ++calls;
        host().settle(out, i, SLUICE_REJECT, -1, str("damaged"), {});
      }
    }
    return int32_t{SLUICE_OK};
  });
  std::uint32_t q = plan.queue_with_dead("q", 3);
  plan.source(*source, Plan::to(q));
  plan.service("s", q, {stage.get()});
  Summary summary = plan.run();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(summary.exit, 0) << "nothing is left but stored dead letters";
  EXPECT_NE(plan.dead_letters("q-dead").find("\"reason\":\"damaged\""), std::string::npos);
  expect_conservation(summary);

  Plan again;
  std::filesystem::copy(plan.pipeline_state(), again.pipeline_state(), std::filesystem::copy_options::recursive);
  again.queue_with_dead("q", 3);
  Summary second = again.run();
  EXPECT_EQ(second.dead_letters, 1u);
  EXPECT_EQ(second.queues[0].visible, 1u);
  expect_conservation(second);
}

TEST(Engine, messages_that_were_published_to_a_dead_letter_queue_are_not_told_as_stored) {
  for (const bool published_there : {false, true}) {
    Plan plan;
    auto source = counting_source(5, SLUICE_REPEATS);
    auto stage = Script::stage("strict", 0, [&](const sluice_batch& batch, sluice_out* out) {
      for (std::uint32_t i = 0; i < batch.count; ++i) {
        host().settle(out, i, SLUICE_REJECT, -1, str("damaged"), {});
      }
      return int32_t{SLUICE_OK};
    });
    const std::uint32_t q = plan.queue_with_dead("q", 3);
    plan.source(*source, published_there ? plan.topic({q, 0}) : Plan::to(q));
    plan.service("s", q, {stage.get()});
    const Summary summary = plan.run();
    EXPECT_EQ(summary.dead_letters, 5u);
    ASSERT_EQ(summary.notes.size(), published_there ? 2u : 1u);
    EXPECT_EQ(summary.notes.front(), published_there ? "queue 'q-dead': 10 messages left; it has no service"
                                                     : "queue 'q-dead': 5 dead letters stored");
  }
}

TEST(Engine, dead_letters_of_a_queue_that_is_gone_are_warned_of_at_the_start) {
  Plan plan;
  auto source = counting_source(1);
  auto stage = Script::stage("strict", 0, [&](const sluice_batch&, sluice_out* out) {
    return host().settle(out, 0, SLUICE_REJECT, -1, str("damaged"), {});
  });
  std::uint32_t q = plan.queue_with_dead("q", 3);
  plan.source(*source, Plan::to(q));
  plan.service("s", q, {stage.get()});
  EXPECT_EQ(plan.run().dead_letters, 1u);

  Plan again;
  std::filesystem::copy(plan.pipeline_state(), again.pipeline_state(),
                        std::filesystem::copy_options::recursive);
  again.queue_with_dead("other", 3);
  LogLines log;
  again.run();
  auto lines = log.with("q-dead.jsonl' holds 1 dead letter of queue 'q-dead'");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("declare 'q-dead'"), std::string::npos) << lines[0];
  EXPECT_NE(again.dead_letters("q-dead").find("damaged"), std::string::npos) << "it is kept";
}

/// A stage that is done with its message when it is told so.
class Sleeper {
 public:
  std::unique_ptr<Script> stage() {
    return Script::stage("sleep", SLUICE_BLOCKS, [this](const sluice_batch& batch, sluice_out* out) {
      asleep_.release();
      wakes_.acquire();
      return emit(out, 0, body_of(*batch.messages[0])) == SLUICE_FATAL ? int32_t{SLUICE_FATAL} : int32_t{SLUICE_OK};
    });
  }
  void wait_until_asleep() { asleep_.acquire(); }
  void wake() { wakes_.release(); }

 private:
  std::counting_semaphore<> asleep_{0}, wakes_{0};
};

/// Reliability catalogue C6.
TEST(Engine, acknowledges_what_a_stage_swallows_and_its_neighbours_while_it_still_hangs) {
  Plan plan;
  Sleeper sleeper;
  Record<std::string> bodies;
  auto source = counting_source(1), sleep = sleeper.stage(), keep = keeping_stage(bodies);
  const std::uint32_t swallowed = plan.queue_with_dead("swallowed", 3), kept = plan.queue("kept"), out = plan.queue("out");
  plan.source(*source, plan.topic({swallowed, kept}));
  core::ServiceDescription& service = plan.service("sleeps", swallowed, {sleep.get()});
  service.ack_deadline_ms = 50;
  service.publish_to = Plan::to(out);
  plan.service("keeps", kept, {keep.get()});
  plan.service("last", out, {keep.get()});
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  sleeper.wait_until_asleep();
  EXPECT_FALSE((*engine)->wait_for_end(std::chrono::milliseconds(1)));
  const auto acknowledged = [&] { return (*engine)->snapshot().sources[0].acknowledged; };
  while (acknowledged() == 0) {
    (void)(*engine)->wait_for_end(std::chrono::milliseconds(5));
  }
  sleeper.wake();
  ASSERT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  const core::Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  expect_conservation(summary);
  EXPECT_EQ(summary.dead_letters, 1u);
  EXPECT_EQ(bodies.all(), std::vector<std::string>{"0"}) << "what it emits then is in vain";
}

TEST(Engine, is_not_idle_while_a_worker_still_publishes_what_comes_too_late) {
  Plan plan;
  Sleeper sleeper;
  Record<std::string> bodies;
  auto source = counting_source(1), sleep = sleeper.stage(), keep = keeping_stage(bodies);
  const std::uint32_t slow = plan.queue_with_dead("slow", 1, 20), out = plan.queue("out");
  plan.source(*source, Plan::to(slow));
  core::ServiceDescription& service = plan.service("sleeps", slow, {sleep.get()});
  service.scaling.desired_capacity = 2;
  service.publish_to = Plan::to(out);
  plan.service("last", out, {keep.get()});
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  sleeper.wait_until_asleep();
  while (plan.dead_letters("slow-dead").empty()) {
    EXPECT_FALSE((*engine)->wait_for_end(std::chrono::milliseconds(5)));
  }
  for (int look = 0; look < 10; ++look) {
    EXPECT_FALSE((*engine)->wait_for_end(std::chrono::milliseconds(5)));
  }
  sleeper.wake();
  ASSERT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  const core::Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  expect_conservation(summary);
  EXPECT_EQ(bodies.all(), std::vector<std::string>{"0"}) << "it came to its end";
}

TEST(Engine, a_state_folder_in_use_is_refused_with_73) {
  Plan plan;
  std::uint32_t q = plan.queue("q");
  (void)q;
  std::string state = plan.pipeline_state();
  auto first = plan.start(false);
  ASSERT_TRUE(first);
  Plan other;
  other.pipeline().state = state;
  auto second = other.start(false);
  ASSERT_FALSE(second);
  EXPECT_EQ(core::exit_code(second.error().code), 73);
  EXPECT_NE(second.error().message.find(state), std::string::npos);
  (*first)->request_stop();
  EXPECT_TRUE((*first)->wait_for_end(std::chrono::minutes(1)));
  EXPECT_EQ((*first)->finish().exit, 0);
}

TEST(Engine, a_start_without_threads_is_unavailable) {
  Plan plan;
  Record<std::string> bodies;
  auto source = counting_source(10);
  auto on_pool = keeping_stage(bodies), waiting = keeping_stage(bodies, SLUICE_BLOCKS);
  const std::uint32_t qa = plan.queue("a"), qb = plan.queue("b");
  plan.source(*source, plan.topic({qa, qb}));
  plan.service("a", qa, {on_pool.get()});
  plan.service("b", qb, {waiting.get()});
  const NoThreads none;
  const auto engine = plan.start();
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, core::Errc::unavailable);
  EXPECT_EQ(engine.error().message, "cannot start a thread: Resource temporarily unavailable");
  EXPECT_EQ(bodies.size(), 0u);
}

/// There are no more once the first source runs. There are so many that one of them comes after that.
TEST(Engine, a_start_that_gets_too_few_threads_ends_those_that_it_got) {
  std::optional<NoThreads> none;
  std::once_flag first;
  std::atomic<int> begun{0}, ended{0};
  Plan plan;
  Door door;
  Record<std::string> bodies;
  auto source = Script::source(
      "held", 0,
      [&](sluice_out*) {
        std::call_once(first, [&] { none.emplace(); });
        begun.fetch_add(1);
        door.wait();
        ended.fetch_add(1);
        return int32_t{SLUICE_CANCELLED};
      },
      {}, [&] { door.open(); });
  auto on_pool = keeping_stage(bodies), waiting = keeping_stage(bodies, SLUICE_BLOCKS);
  const std::uint32_t qa = plan.queue("a"), qb = plan.queue("b");
  plan.service("a", qa, {on_pool.get()});
  plan.service("b", qb, {waiting.get()});
  constexpr int kSources = 300;
  for (int i = 0; i < kSources; ++i) {
    plan.source(*source, Plan::to(qa));
  }
  const auto engine = plan.start(false);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, core::Errc::unavailable);
  EXPECT_GE(begun.load(), 1);
  EXPECT_LT(begun.load(), kSources);
  EXPECT_EQ(ended.load(), begun.load()) << "no thread is left";
}

/// A run that is stopped while a batch is in hand and more waits.
Summary stopped(std::uint32_t source_flags, bool finish_in_hand) {
  Plan plan;
  Door door;
  std::latch in_hand(1), emitted(1);
  plan.pipeline().drain_timeout_ms = finish_in_hand ? 60'000 : 1;
  auto source = Script::source("s", source_flags, [&](sluice_out* out) {
    for (std::uint64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(emit(out, 0, "x", i), SLUICE_OK);
    }
    host().flush(out);
    emitted.count_down();
    return int32_t{SLUICE_END};
  });
  auto script = Script::stage("held", SLUICE_BLOCKS, [&](const sluice_batch&, sluice_out* out) {
    in_hand.count_down();
    if (finish_in_hand) {
      door.wait();
      return int32_t{SLUICE_OK};
    }
    while (host().progress(out, 0, 0, 0) != SLUICE_CANCELLED) {
      std::this_thread::yield();
    }
    return int32_t{SLUICE_CANCELLED};
  });
  std::uint32_t q = plan.queue("q");
  plan.source(*source, Plan::to(q));
  plan.service("s", q, {script.get()}).batch_size = 4;
  auto engine = plan.start(false);
  EXPECT_TRUE(engine);
  emitted.wait();
  in_hand.wait();
  (*engine)->request_stop();
  EXPECT_FALSE((*engine)->wait_for_end(std::chrono::milliseconds(finish_in_hand ? 5 : 0)));
  door.open();
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  return (*engine)->finish();
}

TEST(Engine, a_stop_finishes_what_is_in_hand_and_receives_nothing_more) {
  Summary summary = stopped(SLUICE_REPEATS, true);
  EXPECT_GE(summary.services[0].processed, 1u);
  EXPECT_LE(summary.services[0].processed, 4u);
  EXPECT_FALSE(summary.threads_left);
  expect_conservation(summary);
}

TEST(Engine, what_is_left_of_a_source_that_repeats_is_75_of_another_76) {
  EXPECT_EQ(stopped(SLUICE_REPEATS, true).exit, 75);
  EXPECT_EQ(stopped(0, true).exit, 76);
}

TEST(Engine, after_the_drain_timeout_work_in_hand_is_told_to_stop_and_comes_again) {
  Summary summary = stopped(SLUICE_REPEATS, false);
  EXPECT_EQ(summary.exit, 75);
  EXPECT_EQ(summary.services[0].processed, 0u);
  EXPECT_FALSE(summary.threads_left);
  EXPECT_FALSE(summary.notes.empty());
  expect_conservation(summary);
}

TEST(Engine, a_stage_that_fails_fatally_ends_the_run_with_70) {
  Plan plan;
  auto source = counting_source(10, SLUICE_REPEATS);
  std::atomic<int> calls{0};
  auto stage = Script::stage("fatal", 0, [&](const sluice_batch&, sluice_out*) {
    ++calls;
    return int32_t{SLUICE_FATAL};
  });
  std::uint32_t q = plan.queue("q");
  plan.source(*source, Plan::to(q));
  plan.service("doomed", q, {stage.get()});
  Record<std::string> log;
  core::set_log_sink([&](std::string_view line) { log.add(std::string(line)); });
  Summary summary = plan.run();
  core::set_log_sink({});
  EXPECT_EQ(calls, 1) << "what cannot go on is not called again";
  EXPECT_EQ(summary.exit, 70);
  auto names_it = [](const std::string& line) {
    return line.find("'doomed' failed and cannot go on") != std::string::npos;
  };
  EXPECT_EQ(std::ranges::count_if(log.all(), names_it), 1);
  EXPECT_TRUE(std::ranges::none_of(summary.notes, names_it)) << "it was told already";
}

TEST(Engine, a_source_whose_endpoint_is_down_ends_the_run_with_69) {
  Plan plan;
  auto source = Script::source("s", 0, [](sluice_out*) { return int32_t{SLUICE_UNAVAILABLE}; });
  plan.source(*source, Plan::to(plan.queue("q")));
  EXPECT_EQ(plan.run().exit, 69);
}

}  // namespace
}  // namespace sluice::test
