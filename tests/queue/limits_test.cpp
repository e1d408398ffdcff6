// A queue's limits, at them and one beyond (reliability catalogue B9).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <thread>

#include "support/line.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Queue;

struct Lane {
  explicit Lane(core::QueueOptions options = {}) : queue(line.queue(named(std::move(options)))), publisher(line.publisher({&queue})) {}
  static core::QueueOptions named(core::QueueOptions options) {
    options.name = "q";
    options.capacity = 200'000;
    return options;
  }
  void publish(std::uint64_t messages) {
    for (std::uint64_t i = 0; i < messages; ++i) {
      publisher.append({.body = bytes_of("x"), .cookie = i}, core::Admission::overdraw);
    }
    publisher.flush(true);
  }

  Line line;
  Queue& queue;
  core::Publisher& publisher;
};

TEST(Limits, a_batch_has_what_was_asked_for_and_not_one_more) {
  for (const std::uint32_t batch_size : {1u, 63u, 64u, 65u, 9'999u, 10'000u}) {
    Lane lane;
    Hand& hand = lane.line.hand(lane.queue, batch_size);
    ASSERT_TRUE(lane.line.open());
    lane.publish(2 * batch_size + 1);
    std::size_t received = 0, batches = 0;
    for (std::size_t count = hand.receive().size(); count != 0; count = hand.receive().size()) {
      EXPECT_LE(count, batch_size);
      // One that may hold a chunk ends where it would split one.
      EXPECT_GT(count + core::kChunkMessages, std::min<std::size_t>(batch_size, 2 * batch_size + 1 - received)) << batch_size;
      received += count;
      ++batches;
      hand.settle();
    }
    EXPECT_EQ(received, 2 * batch_size + 1) << batch_size;
    EXPECT_GE(batches, 3u) << batch_size;
    EXPECT_EQ(conservation_gap(lane.queue.counters()), 0);
  }
}

TEST(Limits, no_more_is_in_flight_than_the_queue_allows_and_the_rest_is_given_when_some_is_settled) {
  for (const std::uint32_t in_flight_max : {1u, 64u, 120'000u}) {
    Lane lane(in_flight_max == 120'000u ? core::QueueOptions{} : core::QueueOptions{.in_flight_max = in_flight_max});
    EXPECT_EQ(lane.queue.options().in_flight_max, in_flight_max) << "the last is what it is without a word";
    std::vector<Hand*> hands;
    for (std::uint32_t i = 0; i <= std::max(1u, in_flight_max / 10'000); ++i) {
      hands.push_back(&lane.line.hand(lane.queue, 10'000));
    }
    ASSERT_TRUE(lane.line.open());
    lane.publish(in_flight_max + 10);
    std::size_t received = 0;
    for (Hand* hand : hands) {
      const std::size_t count = hand->receive().size();
      received += count;
      EXPECT_LE(received, in_flight_max);
    }
    // Batches of 10 000 end at the end of a chunk: what is missing has no hand left.
    EXPECT_GT(received + (in_flight_max < 10'000 ? 1 : core::kChunkMessages * hands.size()), in_flight_max);
    EXPECT_EQ(lane.queue.counters().in_flight, received);
    EXPECT_EQ(lane.queue.counters().visible, in_flight_max + 10 - received);
    for (Hand* hand : hands) {
      hand->settle();
    }
    for (int look = 0; look < 100 && received < in_flight_max + 10; ++look) {
      lane.line.advance(10);
      received += hands[0]->drain();
    }
    EXPECT_EQ(received, in_flight_max + 10);
    EXPECT_EQ(conservation_gap(lane.queue.counters()), 0);
  }
}

/// Four threads receive at the same moment, again and again; each second batch fails and is hidden for a second. Those
/// that look while there is room for one batch may all take one.
TEST(Limits, threads_that_receive_at_the_same_moment_pass_the_in_flight_limit_by_a_batch_each_at_most) {
  constexpr std::uint32_t kThreads = 4, kBatch = 10, kInFlightMax = 100;
  constexpr std::uint64_t kBeyond = (kThreads - 1) * kBatch;  // the first that looked had room
  const std::uint64_t messages = 2000 + scaled(50'000);
  Lane lane({.visibility_timeout_ms = 3'600'000, .in_flight_max = kInFlightMax});
  std::vector<Hand*> hands;
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    hands.push_back(&lane.line.hand(lane.queue, kBatch, kThreads));
  }
  ASSERT_TRUE(lane.line.open());
  lane.publish(messages);
  std::atomic<std::uint64_t> in_hand{0};
  std::uint64_t most = 0, refused = 0, full = 0;
  bool received = false, over = false;
  // What follows is done by one thread while the others wait.
  auto all_received = [&]() noexcept {
    const core::QueueCounters now = lane.queue.counters();
    most = std::max(most, now.in_flight);
    received = in_hand != 0;
    EXPECT_GE(now.in_flight, in_hand);
    EXPECT_LE(now.in_flight, kInFlightMax + kBeyond);
    full += now.in_flight >= kInFlightMax ? 1 : 0;
    if (!received && now.visible != 0) {
      EXPECT_GE(now.in_flight, kInFlightMax) << "nothing came, and there was room";
      ++refused;
    }
  };
  auto all_settled = [&]() noexcept {
    in_hand = 0;
    EXPECT_EQ(conservation_gap(lane.queue.counters()), 0);
    if (!received) {
      lane.line.advance(1000);  // what was hidden is visible again
    }
    over = lane.queue.counters().deleted == messages;
  };
  std::barrier receives(kThreads, all_received);
  std::barrier settles(kThreads, all_settled);
  std::vector<std::thread> threads;
  for (Hand* hand : hands) {
    threads.emplace_back([&, hand] {
      for (std::uint64_t batch = 0; !over;) {
        const auto count = static_cast<std::uint32_t>(hand->receive().size());
        in_hand += count;
        receives.arrive_and_wait();
        std::vector<core::Failure> failures;
        for (std::uint32_t i = 0; i < count && batch % 2 != 0; ++i) {
          failures.push_back({i, {core::Outcome::Status::retry, 1000, {}, {}, {}}});
        }
        batch += count != 0 ? 1 : 0;
        hand->settle(std::move(failures));
        settles.arrive_and_wait();
      }
      hand->consumer.idle();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(full, refused) << "it was met while messages came";
  EXPECT_GE(most, kInFlightMax);
  EXPECT_EQ(lane.line.settled.messages(), messages);
  EXPECT_EQ(conservation_gap(lane.queue.counters()), 0);
}

}  // namespace
}  // namespace sluice::test
