// The timer wheel against a sorted map; leases that expire, extend and settle at the same time.
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.hpp"
#include "queue/timer_wheel.hpp"
#include "support/allocations.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Random;
using core::TimerWheel;

TEST(TimerWheel, fires_each_entry_at_its_tick_and_in_their_order) {
  Random random(7);
  for (std::uint64_t round = 0; round < scaled(40); ++round) {
    // Now and then where 32 bits, the ticks of a lease, or all slots of all levels end.
    constexpr std::int64_t kEnds[] = {std::int64_t{1} << 32, std::int64_t{1} << 38, std::int64_t{1} << 30, std::int64_t{1} << 60};
    auto now = round % 2 == 0 ? static_cast<std::int64_t>(random.next() % (std::uint64_t{1} << (random.next() % 40)))
                              : kEnds[round / 2 % 4] - static_cast<std::int64_t>(random.next() % 100);
    TimerWheel<int> wheel(now);
    std::multimap<std::int64_t, int> expected;
    for (int step = 0; step < 300; ++step) {
      int entries = static_cast<int>(random.next() % 8);
      for (int i = 0; i < entries; ++i) {
        std::int64_t tick = now + static_cast<std::int64_t>(random.next() % (std::uint64_t{2} << (random.next() % 34)));
        wheel.add(tick, i);
        expected.emplace(tick, i);
      }
      std::int64_t next = wheel.next_tick();
      ASSERT_EQ(next == -1, expected.empty());
      if (!expected.empty()) {
        ASSERT_LE(next, expected.begin()->first) << "it may stop earlier, never later";
      }
      std::int64_t to = now + static_cast<std::int64_t>(random.next() % (std::uint64_t{1} << (random.next() % 32)));
      std::int64_t last = INT64_MIN;
      wheel.advance(to, [&](int, std::int64_t tick) {
        EXPECT_LE(tick, to);
        EXPECT_GE(tick, last);
        last = tick;
        auto found = expected.find(tick);
        ASSERT_NE(found, expected.end());
        expected.erase(found);
      });
      now = to;
      ASSERT_TRUE(expected.empty() || expected.begin()->first > now);
      ASSERT_EQ(wheel.size(), expected.size());
    }
  }
}

TEST(TimerWheel, entries_of_the_past_fire_at_the_next_turn) {
  TimerWheel<int> wheel(1000);
  wheel.add(5, 1);
  wheel.add(1000, 2);
  int fired = 0;
  wheel.advance(1000, [&](int, std::int64_t) { ++fired; });
  EXPECT_EQ(fired, 2);
}

TEST(TimerWheel, an_entry_beyond_the_wheels_reach_waits_for_its_time) {
  TimerWheel<int> wheel(3);
  constexpr std::int64_t kFar = std::int64_t{1} << 33;  // 99 days
  wheel.add(kFar, 1);
  int fired = 0;
  wheel.advance(kFar - 1, [&](int, std::int64_t) { ++fired; });
  EXPECT_EQ(fired, 0);
  wheel.advance(kFar, [&](int, std::int64_t) { ++fired; });
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, what_fires_may_add_to_the_wheel) {
  TimerWheel<int> wheel(0);
  wheel.add(10, 3);
  std::vector<std::int64_t> ticks;
  for (int turn = 0; turn < 5; ++turn) {
    wheel.advance(100 * (turn + 1), [&](int left, std::int64_t tick) {
      ticks.push_back(tick);
      if (left > 0) {
        wheel.add(tick + 7, left - 1);
      }
    });
  }
  EXPECT_EQ(ticks, (std::vector<std::int64_t>{10, 17, 24, 31}));
}

TEST(TimerWheel, allocates_nothing_while_it_goes_on_as_it_did) {
  TimerWheel<int> wheel(0);
  for (int period : {7, 60, 1000, 30'000}) {
    wheel.add(period, period);
  }
  auto turn_until = [&](std::int64_t end) {
    for (std::int64_t now = wheel.next_tick(); now < end; now = wheel.next_tick()) {
      wheel.advance(now, [&](int period, std::int64_t tick) { wheel.add(tick + period, period); });
    }
  };
  turn_until(60'000);
  const std::uint64_t before = allocations();
  turn_until(600'000);
  EXPECT_EQ(allocations(), before);
}

TEST(TimerWheel, gives_out_what_is_meant_before_its_time_and_fires_the_rest_as_ever) {
  Random random(11);
  for (std::uint64_t round = 0; round < scaled(200); ++round) {
    auto now = static_cast<std::int64_t>(random.next() % (std::uint64_t{1} << (random.next() % 40)));
    TimerWheel<int> wheel(now);
    std::multimap<std::int64_t, int> odd;
    std::size_t even = 0;
    for (int i = 0; i < 100; ++i) {
      std::int64_t tick = now + static_cast<std::int64_t>(random.next() % (std::uint64_t{2} << (random.next() % 34)));
      wheel.add(tick, i);
      if (i % 2 == 1) {
        odd.emplace(tick, i);
      } else {
        ++even;
      }
    }
    wheel.take_if([](int i) { return i % 2 == 0; }, [&](int i) {
      EXPECT_EQ(i % 2, 0);
      --even;
    });
    EXPECT_EQ(even, 0u);
    EXPECT_EQ(wheel.size(), odd.size());
    while (!odd.empty()) {
      const std::int64_t next = odd.begin()->first;
      std::size_t fired = 0;
      wheel.advance(next, [&](int, std::int64_t tick) {
        EXPECT_EQ(tick, next);
        ++fired;
      });
      ASSERT_EQ(fired, odd.count(next));
      odd.erase(next);
    }
  }
}

TEST(Timers, tell_of_expired_messages_in_a_line_a_second_for_each_queue) {
  Line line;
  core::Queue& queue = line.queue({.name = "jobs", .visibility_timeout_ms = 1000});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& one = line.hand(queue, 2);
  Hand& two = line.hand(queue, 1);
  ASSERT_TRUE(line.open());
  const LogLines log;
  line.publish(publisher, {"a", "b", "c", "d"});
  ASSERT_EQ(one.receive().size(), 2u);
  line.advance(100);
  ASSERT_EQ(two.receive().size(), 1u);
  line.advance(900);
  EXPECT_EQ(log.all().size(), 1u);
  EXPECT_EQ(log.with("jobs: 2 messages of service 'svc' were not settled within the visibility timeout of 1s").size(), 1u);
  line.advance(100);
  EXPECT_EQ(log.all().size(), 1u) << "within a second";
  one.settle();
  two.settle();
  ASSERT_EQ(one.receive().size(), 2u);
  line.advance(1000);
  EXPECT_EQ(log.all().size(), 2u);
  EXPECT_EQ(log.with("jobs: 3 messages of").size(), 1u);
  one.settle();
  one.drain();
}

TEST(Timers, a_wall_clock_that_jumps_expires_nothing) {
  Line line;
  core::Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 1000});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a"});
  hand.receive();
  line.clock.jump_wall_ms(365ll * 86'400'000);
  line.timers.advance();
  line.clock.jump_wall_ms(-2 * 365ll * 86'400'000);
  line.timers.advance();
  EXPECT_EQ(hand.settle().ok, 1u);
}

TEST(Timers, a_slot_used_again_and_again_keeps_one_entry_in_the_wheel) {
  Line line;
  core::Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 1000});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 1);
  ASSERT_TRUE(line.open());
  for (int i = 0; i < 1000; ++i) {
    line.publish(publisher, {"a"});
    ASSERT_EQ(hand.drain(), 1u);
    line.advance(1);
  }
  EXPECT_EQ(line.timers.expirations(), 0u);
  line.publish(publisher, {"last"});
  hand.receive();
  line.advance(1000);
  EXPECT_EQ(hand.settle().stale, 1u) << "and that one is enough";
}

TEST(Timers, a_lease_after_a_long_idle_time_ends_at_its_own_timeout) {
  for (std::int64_t timeout : {0, 1, 30, 1000, 30'000}) {
    Line line;
    core::Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = timeout});
    core::Publisher& publisher = line.publisher({&queue});
    Hand& hand = line.hand(queue, 1);
    ASSERT_TRUE(line.open());
    line.publish(publisher, {"first"});
    ASSERT_EQ(hand.drain(), 1u);
    for (int i = 0; i < 77; ++i) {
      line.advance(timeout / 3 + 1);
    }
    line.publish(publisher, {"second"});
    hand.receive();
    if (timeout > 1) {
      line.advance(timeout - 1);
      EXPECT_EQ(line.timers.expirations(), 0u) << timeout;
    }
    line.advance(timeout < 100 ? 101 : 1);  // Timers: shorter leases may end so much late
    EXPECT_EQ(line.timers.expirations(), 1u) << timeout;
    EXPECT_EQ(hand.settle().stale, 1u);
  }
}

/// A worker that settles, extends or dawdles while the ticker expires its leases: each message comes to
/// its end exactly once, and every receive is answered by exactly one of ok and stale.
void race_for_leases(std::uint64_t total, std::uint32_t batch, std::uint32_t other_batch, std::uint64_t seed) {
  Line line;
  core::Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 2});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& one = line.hand(queue, batch, 2);
  Hand& two = line.hand(queue, other_batch, 2);
  ASSERT_TRUE(line.open());
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> ok{0}, stale{0};
  std::thread ticker([&] {
    while (!over.load(std::memory_order_relaxed)) {
      line.clock.advance_ms(1);
      line.timers.advance();
      std::this_thread::yield();
    }
  });
  auto work = [&](Hand& hand, std::uint64_t dice) {
    Random random(dice);
    while (ok.load(std::memory_order_relaxed) < total) {
      if (hand.consumer.receive(line.timers.now_tick()) == 0) {
        hand.consumer.idle();
        std::this_thread::yield();
        continue;
      }
      if (random.next() % 4 == 0) {
        hand.consumer.extend();
      }
      if (random.next() % 8 == 0) {
        std::this_thread::yield();
      }
      core::Settled settled = hand.settle();
      ok += settled.ok;
      stale += settled.stale;
    }
  };
  std::thread first(work, std::ref(one), 2 * seed), second(work, std::ref(two), 2 * seed + 1);
  for (std::uint64_t i = 0; i < total; ++i) {
    publisher.append({.body = bytes_of("body"), .cookie = i}, core::Admission::wait);
    if (i % 5 == 0) {
      publisher.flush(true);
    }
  }
  publisher.flush(true);
  first.join();
  second.join();
  over = true;
  ticker.join();
  one.consumer.idle();
  two.consumer.idle();
  EXPECT_EQ(ok.load(), total);
  EXPECT_EQ(line.settled.messages(), total);
  EXPECT_EQ(line.settled.count(), total);
  EXPECT_EQ(queue.counters().received, ok + stale);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
}

/// In every other round a lease is of at most three messages, so that there are many.
TEST(Timers, expiry_against_settling_and_extending_gives_each_message_to_exactly_one) {
  constexpr std::uint64_t kMessages = 100'000;  // of a round: each leaves a note of its end
  for (std::uint64_t round = 0; round < scaled(30) && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const bool many = round % 2 == 0;
    race_for_leases(kMessages, many ? 1 : 7, many ? 3 : 64, round);
  }
}

/// The ticker sleeps for ever unless it is told; each round posts one entry that is due.
TEST(Timers, a_posted_entry_always_wakes_the_sleeping_ticker) {
  core::Timers timers(core::system_clock());
  core::Queue queue({.name = "q"});
  queue.open();
  const std::uint64_t rounds = scaled(20'000);
  std::atomic<bool> over{false};
  std::thread ticker([&] {
    while (!over.load(std::memory_order_seq_cst)) {
      timers.sleep_until(timers.advance());
    }
  });
  core::ChunkPool pool;
  core::Evacuator evacuator(pool);
  const core::Evacuator::Copy copy = evacuator.store(bytes_of("again and again"), {}, 0, {});
  core::Subscription* turn = nullptr;
  std::int64_t freed = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    timers.return_at(queue, {copy.chunk, std::uint64_t{1} << copy.index}, 0, 0);
    while (queue.take(64, &turn, &freed).mask == 0) {
      std::this_thread::yield();  // a lost wake-up hangs here
    }
  }
  over.store(true, std::memory_order_seq_cst);
  timers.stop();
  ticker.join();
  core::release_chunk(copy.chunk, 1);
}

TEST(Timers, a_stopped_ticker_does_not_fall_asleep_whenever_it_is_told) {
  for (std::uint64_t round = 0; round < scaled(2000); ++round) {
    core::Timers timers(core::system_clock());
    std::thread ticker([&] { timers.sleep_until(timers.advance()); });
    timers.stop();
    ticker.join();
  }
}

}  // namespace
}  // namespace sluice::test
