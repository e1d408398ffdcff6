// Clocks that jump (reliability catalogue B3): the wall clock, which somebody sets, moves nothing that
// waits; the steady clock, if it stood still or leapt, makes due what is due, in order, and once.
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Outcome;
using core::Queue;
using Texts = std::vector<std::string>;

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kYear = 365 * 24 * kHour;

class ClockJump : public ::testing::TestWithParam<std::int64_t> {
 protected:
  ClockJump()
      : dead(line.queue({.name = "dead", .retention_ms = 30 * kMinute})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = 10 * kMinute, .retention_ms = 40 * kMinute}, &dead)),
        publisher(line.publisher({&queue})),
        hand(line.hand(queue)),
        undertaker(line.hand(dead)) {
    EXPECT_TRUE(line.open());
  }
  void publish(const std::string& text, std::int64_t delay_ms = 0) {
    publisher.append({.body = bytes_of(text), .delay_ms = delay_ms, .cookie = ++cookie}, core::Admission::overdraw);
    publisher.flush(true);
  }
  void jump() {
    line.clock.jump_wall_ms(GetParam());
    sweep();
  }
  void sweep() {
    line.timers.advance();
    queue.sweep(line.timers.now_ms());
    dead.sweep(line.timers.now_ms());
  }

  LogLines quiet;
  Line line;
  Queue &dead, &queue;
  core::Publisher& publisher;
  Hand &hand, &undertaker;
  std::uint64_t cookie = 0;
};

TEST_P(ClockJump, of_the_wall_clock_ends_no_lease_and_no_message) {
  publish("in hand");
  publish("waits");
  Hand& single = line.hand(queue, 1);
  ASSERT_EQ(single.receive(), Texts{"in hand"});
  jump();
  line.advance(9 * kMinute);
  sweep();
  EXPECT_EQ(line.timers.expirations(), 0u);
  EXPECT_EQ(single.settle().ok, 1u);
  EXPECT_EQ(hand.receive(), Texts{"waits"});
  hand.settle();
  EXPECT_EQ(queue.counters().expired, 0u);
}

TEST_P(ClockJump, of_the_wall_clock_keeps_delays_and_retries_in_order_and_in_time) {
  publish("third", 15 * kMinute);
  publish("first", 5 * kMinute);
  publish("fourth");
  ASSERT_EQ(hand.receive(), Texts{"fourth"});
  hand.fail_first(Outcome::Status::retry, 20 * kMinute);
  publish("second", 10 * kMinute);
  jump();
  for (const char* next : {"first", "second", "third", "fourth"}) {
    line.advance(5 * kMinute - 1);
    sweep();
    EXPECT_EQ(hand.receive(), Texts{}) << "not before " << next;
    line.advance(1);
    EXPECT_EQ(hand.receive(), Texts{next});
    hand.settle();
  }
  EXPECT_EQ(line.settled.count(), cookie);
}

TEST_P(ClockJump, of_the_wall_clock_ends_no_dead_letter) {
  publish("a");
  ASSERT_EQ(hand.receive(), Texts{"a"});
  jump();
  hand.fail_first(Outcome::Status::reject);
  line.letters.write_waiting();
  line.advance(29 * kMinute);
  sweep();
  EXPECT_EQ(undertaker.receive(), Texts{"a"});
  undertaker.settle();
}

TEST_P(ClockJump, of_the_wall_clock_ends_no_letter_that_is_redriven) {
  publish("a");
  ASSERT_EQ(hand.receive(), Texts{"a"});
  hand.fail_first(Outcome::Status::reject);
  line.letters.write_waiting();
  jump();
  ASSERT_TRUE(line.letters.redrive(dead, {}));
  line.letters.redrive_some();
  line.advance(29 * kMinute);
  sweep();
  EXPECT_EQ(hand.receive(), Texts{"a"});
  hand.settle();
  line.letters.write_waiting();
  EXPECT_EQ(queue.counters().expired, 0u);
}

INSTANTIATE_TEST_SUITE_P(By, ClockJump, testing::Values(-kHour, kYear), [](const auto& row) {
  return row.param < 0 ? "an_hour_back" : "a_year_forward";
});

/// As after a stop of the whole machine, if its steady clock went on.
TEST(SteadyClock, that_leaps_ten_hours_makes_all_that_is_due_visible_once_and_in_order) {
  Line line;
  Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 30'000});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 1000);
  Hand& holder = line.hand(queue, 10);
  ASSERT_TRUE(line.open());
  line.publish(publisher, Texts(10, "leased"));
  ASSERT_EQ(holder.receive().size(), 10u);
  Texts expected;
  for (int i = 900; i > 0; --i) {
    const std::string text = std::to_string(1000 + i);
    publisher.append({.body = bytes_of(text), .delay_ms = i * 1000, .cookie = 1}, core::Admission::overdraw);
    expected.insert(expected.begin(), text);
  }
  publisher.flush(true);
  line.timers.advance();

  line.advance(10 * kHour);

  Texts found;
  for (Texts batch = hand.receive(); !batch.empty(); batch = hand.receive()) {
    found.insert(found.end(), batch.begin(), batch.end());
    hand.settle();
  }
  EXPECT_EQ(std::ranges::count(found, "leased"), 10);
  std::erase(found, "leased");
  EXPECT_EQ(found, expected);
  EXPECT_EQ(holder.settle().stale, 10u);
  EXPECT_EQ(line.timers.expirations(), 10u);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
  line.advance(10 * kHour);
  EXPECT_EQ(hand.receive(), Texts{}) << "nothing comes twice";
}

}  // namespace
}  // namespace sluice::test
