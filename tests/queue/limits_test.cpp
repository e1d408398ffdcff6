// A queue's limits, at them and one beyond (reliability catalogue B9).
#include <gtest/gtest.h>

#include <algorithm>

#include "support/line.hpp"

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

}  // namespace
}  // namespace sluice::test
