// Counters that come to the end of their bits: generations of leases, purges of a queue, numbers of posted timers,
// of delayed messages and of deduplication ids (reliability catalogue A8; the log's in log_test, the credits' epoch in
// credits_test, ticks in timers_test and deadline_test, each order at the ticker's wrap in explore/parking_test).
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.hpp"
#include "queue/deduplication.hpp"
#include "support/line.hpp"
#include "support/private_member.hpp"
#include "support/scale.hpp"
#include "support/ticker_counters.hpp"

namespace sluice::test {
struct QueuePurges {
  friend core::Atomic<std::uint32_t> core::Queue::* member(QueuePurges);
};
template struct PrivateMember<QueuePurges, &core::Queue::purges_>;
struct TimersDelays {
  friend core::Atomic<std::uint64_t> core::Timers::* member(TimersDelays);
};
template struct PrivateMember<TimersDelays, &core::Timers::delays_>;
struct FirstId {
  friend std::uint64_t core::Deduplication::* member(FirstId);
};
template struct PrivateMember<FirstId, &core::Deduplication::first_>;

namespace {

using core::Deduplication;
using core::LeaseSlot;
using core::Queue;
using Texts = std::vector<std::string>;

constexpr std::int64_t kTimeout = 1000;
constexpr std::uint64_t kEndOf32Bits = std::uint64_t{1} << 32;

/// Every other lease expires, and its worker comes back late: around the wrap none is taken for another.
TEST(Wrap, of_a_lease_slots_generation_changes_nothing_for_its_worker_and_the_timer) {
  Line line;
  Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = kTimeout});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 1);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"first"});
  ASSERT_EQ(hand.receive(), Texts{"first"});
  LeaseSlot& slot = *hand.consumer.leases().front().slot;
  EXPECT_EQ(hand.settle().ok, 1u);
  slot.generation = LeaseSlot::kGenerationMask - 4;
  std::uint64_t highest = 0, lowest = LeaseSlot::kGenerationMask;
  const auto receive = [&] {
    const Texts texts = hand.receive();
    highest = std::max(highest, slot.generation);
    lowest = std::min(lowest, slot.generation);
    return texts;
  };
  for (std::uint64_t round = 1; round <= 12; ++round) {
    const Texts texts{std::to_string(round)};
    line.publish(publisher, texts, round + 1);
    ASSERT_EQ(receive(), texts);
    ASSERT_EQ(hand.consumer.leases().front().slot, &slot);
    if (round % 2 == 1) {
      line.advance(kTimeout);
      EXPECT_FALSE(hand.consumer.extend());
      EXPECT_EQ(hand.settle().stale, 1u);
      ASSERT_EQ(receive(), texts) << "it came back once";
    }
    ASSERT_TRUE(hand.consumer.extend());
    EXPECT_EQ(hand.settle().ok, 1u);
  }
  EXPECT_EQ(highest, LeaseSlot::kGenerationMask);
  EXPECT_EQ(lowest, 1u) << "0 is a free slot's";
  EXPECT_EQ(line.timers.expired_leases(), 6u);
  EXPECT_EQ(line.timers.ended_late(), 6u);
  EXPECT_EQ(line.settled.count(), 13u);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
}

/// What is away while its queue is purged is purged as it comes back, and what comes later is not.
TEST(Wrap, of_the_count_of_purges_lets_none_of_them_be_forgotten) {
  for (const bool fifo : {false, true}) {
    Line line;
    Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = kTimeout, .fifo = fifo});
    core::Publisher& publisher = line.publisher({&queue});
    Hand &early = line.hand(queue, 1), &late = line.hand(queue, 1);
    ASSERT_TRUE(line.open());
    (queue.*member(QueuePurges())).store(~0u);
    publisher.append({.body = bytes_of("a"), .parts = {.group_id = "1"}, .cookie = 1}, core::Admission::overdraw);
    publisher.append({.body = bytes_of("b"), .parts = {.group_id = "2"}, .delay_ms = kTimeout, .cookie = 2}, core::Admission::overdraw);
    publisher.flush(true);
    ASSERT_EQ(early.receive(), Texts{"a"});
    queue.purge();
    EXPECT_EQ(queue.purges(), 0u);
    publisher.append({.body = bytes_of("c"), .parts = {.group_id = "3"}, .cookie = 3}, core::Admission::overdraw);
    publisher.flush(true);
    ASSERT_EQ(late.receive(), Texts{"c"});
    line.advance(kTimeout);
    EXPECT_EQ(late.settle().stale, 1u);
    EXPECT_EQ(early.settle().stale, 1u);
    EXPECT_EQ(late.receive(), Texts{"c"}) << "the others are gone";
    EXPECT_EQ(late.settle().ok, 1u);
    EXPECT_EQ(early.receive(), Texts{});
    EXPECT_EQ(queue.counters().purged, 2u);
    EXPECT_EQ(line.settled.count(), 3u);
    EXPECT_EQ(conservation_gap(queue.counters()), 0);
  }
}

/// The ticker would sleep for ever: a wake-up that is lost hangs the test.
TEST(Wrap, of_what_was_posted_and_of_its_epoch_loses_the_ticker_no_wake_up) {
  Line line;
  Queue& queue = line.queue({.name = "q"});
  const std::uint64_t rounds = scaled(20'000);
  (line.timers.*member(TimersPosted())).store(-(rounds / 2));
  line.timers.*member(TimersReceived()) = -(rounds / 2);
  (line.timers.*member(TimersEpoch())).store(~0u - 10);
  std::atomic<bool> done{false};
  std::thread ticker([&] {
    while (!done.load()) {
      line.timers.sleep_until(line.timers.advance());
    }
  });
  for (std::uint64_t round = 0; round < rounds; ++round) {
    queue.limited.store(true);
    line.timers.look_again(queue, 0);
    while (queue.limited.load()) {
      std::this_thread::yield();
    }
  }
  done.store(true);
  line.timers.stop();
  ticker.join();
}

TEST(Wrap, of_32_bits_by_the_numbers_of_delayed_messages_keeps_their_order) {
  Line line;
  Queue& queue = line.queue({.name = "q", .delay_ms = kTimeout, .fifo = true});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 10);
  ASSERT_TRUE(line.open());
  (line.timers.*member(TimersDelays())).store(kEndOf32Bits - 4);
  Texts texts;
  for (std::uint64_t cookie = 1; cookie <= 10; ++cookie) {
    texts.push_back(std::to_string(cookie));
    publisher.append({.body = bytes_of(texts.back()), .parts = {.group_id = "g"}, .cookie = cookie}, core::Admission::overdraw);
    publisher.flush(true);
  }
  line.advance(kTimeout);
  EXPECT_EQ(hand.receive(), texts);
  EXPECT_EQ(hand.settle().ok, 10u);
}

TEST(Wrap, of_32_bits_by_the_numbers_of_deduplication_ids_finds_each_of_them) {
  Deduplication table(1000);
  table.*member(FirstId()) = kEndOf32Bits - 100;
  core::Random random(23);
  std::map<std::string, std::int64_t> accepted;
  for (std::int64_t now = 0, step = 0; step < 2000; ++step) {
    now += static_cast<std::int64_t>(random.next() % 5000);
    const std::string id = std::to_string(random.next() % 200);
    const auto known = accepted.find(id);
    const bool is_known = known != accepted.end() && now < known->second + Deduplication::kWindowMs;
    ASSERT_EQ(table.judge(core::key_of(id), now), is_known ? Deduplication::Verdict::duplicate : Deduplication::Verdict::fresh) << step;
    if (!is_known) {
      accepted[id] = now;
    }
    if (random.next() % 10 == 0) {
      table.forget_until(now);
    }
  }
}

}  // namespace
}  // namespace sluice::test
