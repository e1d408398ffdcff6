// The edge of a visibility timeout, to the tick; slots and their generations; many deadlines at once.
#include <gtest/gtest.h>

#include <thread>

#include "base/random.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::LeaseSlot;

constexpr std::int64_t kTimeout = 1000;

struct Edge {
  Edge()
      : queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout})),
        publisher(line.publisher({&queue})),
        first(line.hand(queue, 10, 2)),
        second(line.hand(queue, 10, 2)) {
    EXPECT_TRUE(line.open());
    line.publish(publisher, {"a"});
    EXPECT_EQ(first.receive().size(), 1u);
  }
  Line line;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand &first, &second;
};

TEST(Deadline, is_kept_to_the_tick_by_whoever_settles) {
  for (const std::int64_t tick : {-1, 0, 1}) {
    Edge edge;
    edge.line.advance(kTimeout + tick);
    const bool in_time = tick < 0;
    EXPECT_EQ(edge.second.receive().size(), in_time ? 0u : 1u) << tick << ": one lease at a time";
    const core::Settled settled = edge.first.settle();
    EXPECT_EQ(settled.ok, in_time ? 1u : 0u) << tick;
    EXPECT_EQ(settled.stale, in_time ? 0u : 1u) << tick;
    edge.second.settle();
    EXPECT_EQ(edge.line.settled.messages(), 1u) << tick;
    EXPECT_EQ(conservation_gap(edge.queue.counters()), 0);
  }
}

TEST(Deadline, moves_if_it_is_extended_before_it_and_not_after) {
  for (const std::int64_t tick : {-1, 0, 1}) {
    Edge edge;
    edge.line.advance(kTimeout + tick);
    const bool in_time = tick < 0;
    EXPECT_EQ(edge.first.consumer.extend(), in_time) << tick;
    edge.line.advance(kTimeout - 1);
    EXPECT_EQ(edge.second.receive().size(), in_time ? 0u : 1u) << tick;
    edge.line.advance(1);
    EXPECT_EQ(edge.first.settle().stale, 1u) << tick << ": the extension has its edge as well";
    while (!edge.second.consumer.leases().empty()) {
      edge.second.settle();
    }
    EXPECT_EQ(edge.second.drain(), in_time ? 1u : 0u) << tick;
  }
}

TEST(Deadline, that_passed_while_no_ticker_ran_is_still_the_workers_to_beat) {
  Edge edge;
  edge.line.clock.advance_ms(kTimeout + 1);  // the ticker is late: nobody else has the message yet
  EXPECT_EQ(edge.first.settle().ok, 1u);
  edge.line.timers.advance();
  EXPECT_EQ(edge.second.receive().size(), 0u);
  EXPECT_EQ(edge.line.timers.expirations(), 0u);
}

TEST(Deadline, raced_for_by_two_consumers_has_one_winner_each_time) {
  LogLines quiet;  // each expired lease is a line
  for (std::uint64_t round = 0; round < scaled(1000); ++round) {
    Edge edge;
    edge.line.advance(kTimeout);  // the message is back: the second receives as the first settles
    core::Settled late, fresh;
    std::thread other([&] {
      if (edge.second.receive().size() != 0) {
        fresh = edge.second.settle();
      }
    });
    late = edge.first.settle();
    other.join();
    ASSERT_EQ(late.stale, 1u);
    ASSERT_EQ(fresh.ok, 1u);
    ASSERT_EQ(edge.line.settled.count(), 1u);
  }
}

TEST(LeaseSlot, survives_the_wrap_of_its_generation) {
  LeaseSlot slot;
  slot.generation = LeaseSlot::kGenerationMask - 3;
  std::uint64_t before = 0;
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t word = slot.open(nullptr, 1, 5, 0);
    EXPECT_NE(word, 0u);
    EXPECT_NE(word & LeaseSlot::kGenerationMask, 0u) << "0 is a free slot's";
    EXPECT_NE(word, before) << "a look at the lease before takes this one for another";
    EXPECT_EQ(LeaseSlot::deadline_of(word), 5);
    EXPECT_EQ(slot.close(word), LeaseSlot::End::settled);
    before = word;
  }
}

TEST(LeaseSlot, holds_deadlines_up_to_the_end_of_its_bits_and_comes_round_over_all_generations) {
  LeaseSlot slot;
  const std::int64_t last = (std::int64_t{1} << 38) - 1;  // 8 years of milliseconds
  for (std::uint64_t i = 0; i < scaled(std::uint64_t{1} << 24) + 10; ++i) {
    std::uint64_t word = slot.open(nullptr, 1, last - 1, 0);
    ASSERT_EQ(word & (LeaseSlot::kExpired | LeaseSlot::kGivenUp), 0u);
    if (i % 1024 == 0) {
      ASSERT_TRUE(slot.extend(&word, last));
      ASSERT_EQ(LeaseSlot::deadline_of(word), last);
    }
    ASSERT_EQ(slot.close(word), LeaseSlot::End::settled);
  }
}

/// 12 hours, one entry per slot as Timers keeps them: half are settled before, a tenth extended.
TEST(TimerWheel, of_a_million_leases_fires_none_early_and_each_within_a_tick) {
  constexpr std::int64_t kHours = 12 * 3'600'000;
  const std::uint64_t leases = scaled(1'000'000);
  core::Random random(5);
  std::vector<std::int64_t> deadlines(leases);  // -1: settled, or expired
  core::TimerWheel<std::uint32_t> wheel(0);
  std::uint64_t open = 0, fired = 0;
  for (std::uint32_t i = 0; i < leases; ++i) {
    const auto deadline = static_cast<std::int64_t>(1 + random.next() % kHours);
    wheel.add(deadline, i);
    const std::uint64_t fate = random.next() % 10;
    deadlines[i] = fate < 5 ? -1 : fate < 6 ? deadline + static_cast<std::int64_t>(random.next() % kHours) : deadline;
    open += deadlines[i] >= 0 ? 1 : 0;
  }
  std::int64_t now = 0;
  while (wheel.size() != 0) {
    now = std::max(now + 1, wheel.next_tick());
    wheel.advance(now, [&](std::uint32_t lease, std::int64_t tick) {
      ASSERT_EQ(tick, now) << "within the tick, not before";
      if (deadlines[lease] > now) {
        wheel.add(deadlines[lease], lease);  // extended: looked at again then
      } else if (deadlines[lease] >= 0) {
        ASSERT_EQ(deadlines[lease], now);
        deadlines[lease] = -1;
        ++fired;
      }
    });
  }
  EXPECT_EQ(fired, open);
}

}  // namespace
}  // namespace sluice::test
