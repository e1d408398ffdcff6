// The timer wheel against a sorted map; leases that expire, extend and settle at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <compare>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

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

/// Leases of one message each, opened at once, of as many slots: the wheel holds all of them. The ticker sleeps for as long
/// as advance() says, and no longer.
struct ManyLeases {
  static constexpr std::int64_t kHalfADay = 12 * 3'600'000;
  struct Held {
    core::LeaseSlot slot;
    core::Taken taken;
    std::uint64_t word = 0;
    std::int64_t deadline = 0;
    bool is_settled = false;
    std::uint32_t expired = 0;  ///< how often
  };
  /// What its worker does with one; an extension comes before what is done in the same tick.
  struct Event {
    std::int64_t tick;
    bool settles;
    std::size_t lease;
    auto operator<=>(const Event&) const = default;
  };

  explicit ManyLeases(std::size_t count) : leases(count) {
    EXPECT_TRUE(line.open());
    holder.queue = &queue;
    holder.visibility_timeout_ms = kHalfADay;
    holder.ack_deadline_ms = 4 * kHalfADay;
    for (std::uint64_t i = 0; i < count; ++i) {
      publisher.append({.body = {reinterpret_cast<const std::uint8_t*>(&i), sizeof i}, .cookie = i}, core::Admission::overdraw);
    }
    publisher.close();
  }
  std::int64_t tick_within(std::int64_t ticks) { return static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(ticks)); }
  static std::size_t number_of(const core::Chunk& chunk, std::uint64_t mask) {
    std::uint64_t number = 0;
    std::memcpy(&number, chunk.body(core::lowest_bit(mask)).data(), sizeof number);
    return number;
  }
  /// Half are settled, a tenth is extended, each at any time before its deadline.
  void open() {
    core::Subscription* turn = nullptr;
    for (core::Taken taken = queue.take(1, &turn, &freed); taken.mask != 0; taken = queue.take(1, &turn, &freed)) {
      const std::size_t number = number_of(*taken.chunk, taken.mask);
      Held& lease = leases[number];
      core::add_alone(counters.taken, 1);
      lease.taken = taken;
      lease.deadline = 1 + tick_within(kHalfADay);
      lease.slot.holder = &holder;
      lease.word = lease.slot.open(taken.chunk, taken.mask, lease.deadline, queue.purges());
      line.timers.watch(lease.slot, lease.deadline);
      const bool extends = random.next() % 10 == 0, settles = random.next() % 2 == 0;
      const std::int64_t first = tick_within(lease.deadline);
      if (extends) {
        events.push_back({first, false, number});
      }
      if (settles) {
        events.push_back({first + tick_within(lease.deadline - first), true, number});
      }
    }
    std::ranges::sort(events);
  }
  void happen(const Event& event) {
    Held& lease = leases[event.lease];
    if (!event.settles) {
      refused += lease.slot.extend(&lease.word, event.tick + kHalfADay) ? 0 : 1;
      lease.deadline = event.tick + kHalfADay;
      return;
    }
    refused += lease.slot.close(lease.word) == core::LeaseSlot::End::settled ? 0 : 1;
    lease.is_settled = true;
    core::add_alone(counters.deleted, 1);
    queue.give_credit(1, static_cast<std::int64_t>(lease.taken.chunk->charge_of_mask(lease.taken.mask)));
    core::release_chunk(lease.taken.chunk, 1);
  }
  void pass_until(std::int64_t tick) {
    for (std::int64_t next = turn(); next >= 0 && next <= tick; next = turn()) {
      line.clock.advance_ms(next - line.timers.now_tick());
    }
    line.clock.advance_ms(tick - line.timers.now_tick());
  }
  /// What expires is seen in the tick in which it does.
  std::int64_t turn() {
    const std::int64_t next = line.timers.advance(), now = line.timers.now_tick();
    core::Subscription* at = nullptr;
    for (core::Taken back = queue.take(1, &at, &freed); back.mask != 0; back = queue.take(1, &at, &freed)) {
      Held& lease = leases[number_of(*back.chunk, back.mask)];
      ++lease.expired;
      early += now < lease.deadline ? 1 : 0;
      late += now > lease.deadline + 1 ? 1 : 0;
      queue.remove(back, queue.dropped);
    }
    return next;
  }
  /// Their workers come back with what has expired.
  void come_back() {
    for (Held& lease : leases) {
      if (!lease.is_settled) {
        refused += lease.slot.close(lease.word) == core::LeaseSlot::End::expired ? 0 : 1;
        core::release_chunk(lease.taken.chunk, core::Chunk::kPin);
        line.timers.returned_late();
      }
    }
    queue.give_credit(0, freed);
  }

  std::vector<Held> leases;  // the timers know them
  std::vector<Event> events;
  core::LeaseHolder holder;
  Random random{17};
  Line line;
  core::Queue& queue{line.queue({.name = "q"})};
  core::Publisher& publisher{line.publisher({&queue})};
  core::ConsumerCounters& counters{queue.lend_counters()};
  std::int64_t freed = 0;
  std::uint64_t refused = 0, early = 0, late = 0;
};

TEST(Timers, end_each_of_many_leases_within_a_tick_after_its_deadline_and_none_before) {
  const LogLines quiet;
  const std::size_t count = scaled(1'000'000);
  ManyLeases many(count);
  many.open();
  for (const ManyLeases::Event& event : many.events) {
    many.pass_until(event.tick);
    many.happen(event);
  }
  many.pass_until(2 * ManyLeases::kHalfADay + 1);
  many.come_back();
  EXPECT_EQ(many.early, 0u);
  EXPECT_EQ(many.late, 0u);
  EXPECT_EQ(many.refused, 0u) << "each was still its worker's when it was settled or extended, and no more when it expired";
  const auto settled = static_cast<std::uint64_t>(std::ranges::count(many.leases, true, &ManyLeases::Held::is_settled));
  EXPECT_EQ(std::ranges::count_if(many.leases, [](const ManyLeases::Held& lease) { return lease.expired != (lease.is_settled ? 0 : 1); }), 0)
      << "settled, or expired once";
  EXPECT_EQ(many.line.timers.expirations(), count - settled);
  EXPECT_EQ(many.queue.counters().deleted, settled);
  EXPECT_EQ(many.queue.counters().dropped, count - settled);
  EXPECT_EQ(conservation_gap(many.queue.counters()), 0);
  EXPECT_EQ(many.queue.credits().messages(), many.queue.options().capacity);
  EXPECT_EQ(many.line.settled.messages(), count);
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
