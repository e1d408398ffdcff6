// FIFO queues, from a consumer's side: groups, their order, what closes them and what opens them.
// (SQS developer guide, FIFO queue delivery logic.)
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Outcome;
using core::Publisher;
using core::Queue;
using Texts = std::vector<std::string>;

constexpr std::int64_t kTimeout = 1000;
constexpr std::int64_t kWindow = core::Deduplication::kWindowMs;

/// A FIFO queue with its dead-letter queue, which is one too, two publishers and three consumers. The first
/// letter of a body is its group.
struct Groups {
  explicit Groups(core::QueueOptions options = {})
      : dead(line.queue({.name = "dead", .fifo = true})),
        queue(line.queue(named(std::move(options)), &dead)),
        publisher(line.publisher({&queue})),
        other(line.publisher({&queue})),
        one(line.hand(queue, 3, 3)),
        two(line.hand(queue, 3, 3)),
        large(line.hand(queue, 200, 3)),
        undertaker(line.hand(dead, 10, 1)) {
    EXPECT_TRUE(line.open());
  }
  static core::QueueOptions named(core::QueueOptions options) {
    options.name = "q";
    options.fifo = true;
    options.visibility_timeout_ms = kTimeout;
    return options;
  }
  void emit(const std::string& body, const std::string& id = {}) { emit_by(publisher, body, id); }
  void emit_by(Publisher& who, const std::string& body, const std::string& id = {}, std::int64_t delay_ms = 0) {
    who.append({.body = bytes_of(body),
                .parts = {.group_id = std::string_view(body).substr(0, 1), .deduplication_id = id},
                .delay_ms = delay_ms,
                .cookie = ++cookie},
               Admission::overdraw);
    who.flush(true);
  }
  void emit_all(const Texts& bodies) {
    for (const std::string& body : bodies) {
      emit(body);
    }
  }
  /// Each in a chunk of its own: credit is asked for where one begins.
  void emit_apart(const Texts& bodies) {
    for (const std::string& body : bodies) {
      emit(body);
      publisher.close();
    }
  }
  static core::Failure fails(std::uint32_t message, std::int64_t retry_after_ms,
                             Outcome::Status status = Outcome::Status::retry) {
    return {message, {status, retry_after_ms, "stage", "reason", ""}};
  }
  /// At rest, with nothing left: all is accounted for and all credit is back.
  void expect_empty() {
    for (Hand* hand : {&one, &two, &large, &undertaker}) {
      hand->drain();
    }
    publisher.close();
    other.close();
    large.drain();  // passes the logs' ends
    const core::QueueCounters n = queue.counters();
    EXPECT_EQ(n.visible + n.in_flight + n.delayed, 0u);
    EXPECT_EQ(queue.invisible.load(), 0u);
    EXPECT_EQ(queue.oldest_ms(), core::AgeWindow::kNone);
    EXPECT_EQ(conservation_gap(n), 0);
    EXPECT_EQ(queue.credits().messages(), queue.options().capacity);
    EXPECT_EQ(queue.credits().units(), queue.options().capacity_bytes / core::kCreditUnit);
    EXPECT_EQ(line.settled.count(), cookie);
    EXPECT_FALSE(queue.has_news());
  }

  Line line;
  Queue& dead;
  Queue& queue;
  Publisher& publisher;
  Publisher& other;
  Hand& one;
  Hand& two;
  Hand& large;
  Hand& undertaker;
  std::uint64_t cookie = 0;
};

TEST(Groups, a_receive_takes_as_many_of_one_as_possible_and_goes_on_to_the_next) {
  Groups groups;
  groups.emit_all({"a1", "b1", "a2", "c1", "b2"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  EXPECT_EQ(groups.two.receive(), Texts{"c1"}) << "b is in hand, with what is left of it";
  groups.one.settle();
  EXPECT_EQ(groups.large.receive(), Texts{"b2"});
  groups.large.settle();
  groups.two.settle();
  groups.expect_empty();
}

TEST(Groups, one_that_is_in_hand_is_closed_for_what_comes_new) {
  Groups groups;
  groups.emit("a1");
  EXPECT_EQ(groups.one.receive(), Texts{"a1"});
  groups.emit_all({"a2", "b1"});
  EXPECT_EQ(groups.two.receive(), Texts{"b1"});
  EXPECT_EQ(groups.queue.counters().visible, 1u);
  EXPECT_FALSE(groups.queue.has_news()) << "a consumer may park";
  groups.one.settle();
  EXPECT_TRUE(groups.queue.has_news());
  EXPECT_EQ(groups.one.receive(), Texts{"a2"});
  groups.one.settle();
  groups.two.settle();
  groups.expect_empty();
}

TEST(Groups, a_message_without_one_belongs_to_the_one_of_the_empty_id) {
  Groups groups;
  groups.emit_by(groups.publisher, "");
  groups.line.publish(groups.publisher, {"x", "y"}, 2);
  groups.cookie += 2;
  EXPECT_EQ(groups.one.receive(), (Texts{"", "x", "y"}));
  groups.line.publish(groups.publisher, {"z"}, 4);
  ++groups.cookie;
  EXPECT_EQ(groups.two.receive(), Texts{});
  groups.one.settle();
  groups.expect_empty();
}

TEST(Groups, a_retried_one_goes_behind_those_that_wait_and_keeps_its_order) {
  Groups groups;
  groups.emit_all({"a1", "a2", "b1", "c1"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 0)});
  EXPECT_EQ(groups.large.receive(), (Texts{"c1", "a1", "a2"}));
  groups.large.settle();
  groups.expect_empty();
}

TEST(Groups, a_message_that_comes_back_takes_its_old_place) {
  Groups groups;
  groups.emit_all({"a1", "a2", "a3", "a4"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "a3"}));
  groups.one.settle({Groups::fails(0, 0), Groups::fails(2, 0)});
  EXPECT_EQ(groups.two.receive(), (Texts{"a1", "a3", "a4"}));
  groups.two.settle();
  groups.expect_empty();
}

TEST(Groups, a_hidden_message_hides_those_behind_it) {
  Groups groups;
  groups.emit_all({"foo", "fbar", "fbaz"});
  EXPECT_EQ(groups.one.receive(), (Texts{"foo", "fbar", "fbaz"}));
  groups.one.settle({Groups::fails(0, 100), Groups::fails(1, 300), Groups::fails(2, 0)});
  EXPECT_EQ(groups.two.receive(), Texts{});
  EXPECT_EQ(groups.queue.counters().in_flight, 2u);
  groups.line.advance(100);
  EXPECT_EQ(groups.two.receive(), Texts{"foo"});
  groups.line.advance(200);
  EXPECT_EQ(groups.one.receive(), Texts{}) << "foo is in hand";
  groups.two.settle();
  EXPECT_EQ(groups.one.receive(), (Texts{"fbar", "fbaz"}));
  groups.one.settle();
  groups.expect_empty();
}

TEST(Groups, a_retry_without_a_time_hides_until_the_leases_end) {
  Groups groups;
  groups.emit_all({"a1", "a2"});
  groups.one.receive();
  groups.line.advance(400);
  groups.one.settle({Groups::fails(0, -1), Groups::fails(1, -1)});
  groups.line.advance(599);
  EXPECT_EQ(groups.one.receive(), Texts{});
  groups.line.advance(1);
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"}));
  groups.one.settle();
  groups.expect_empty();
}

TEST(Groups, one_that_is_stuck_holds_up_no_other) {
  Groups groups;
  for (int i = 0; i < 30'000; ++i) {  // AWS looks among the first 20000 only
    groups.emit("a" + std::to_string(i));
  }
  EXPECT_EQ(groups.one.receive(), (Texts{"a0", "a1", "a2"}));
  groups.emit_all({"b1", "c1"});
  EXPECT_EQ(groups.two.receive(), (Texts{"b1", "c1"}));
  groups.one.settle();
  groups.two.settle();
  groups.expect_empty();
}

TEST(Groups, an_expired_lease_opens_them_and_its_result_has_no_effect) {
  Groups groups;
  groups.emit_all({"a1", "b1", "a2"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  groups.line.advance(kTimeout);
  EXPECT_EQ(groups.two.receive(), (Texts{"a1", "a2", "b1"}));
  EXPECT_EQ(groups.one.settle({Groups::fails(0, 0)}).stale, 3u);
  EXPECT_EQ(groups.large.receive(), Texts{});
  EXPECT_EQ(groups.two.settle().ok, 3u);
  groups.expect_empty();
}

TEST(Groups, an_extended_lease_keeps_them_closed) {
  Groups groups;
  groups.emit_all({"a1", "a2"});
  groups.one.receive();
  groups.line.advance(kTimeout - 1);
  EXPECT_TRUE(groups.one.consumer.extend());
  groups.line.advance(kTimeout - 1);
  groups.emit("a3");
  EXPECT_EQ(groups.two.receive(), Texts{});
  groups.one.settle();
  groups.expect_empty();
}

TEST(Groups, a_failure_blocks_until_the_move_to_the_dead_letters) {
  LogLines quiet;
  Groups groups({.max_receive_count = 2});
  groups.emit_all({"a1", "a2", "a3"});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "a3"}));
    groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 0), Groups::fails(2, 0)});
  }
  groups.emit("a4");
  EXPECT_EQ(groups.large.receive(), Texts{"a4"}) << "the others were received twice";
  groups.large.settle();
  groups.line.letters.write_waiting();
  EXPECT_EQ(groups.queue.counters().moved_to_dead_letter, 3u);
  EXPECT_EQ(groups.undertaker.receive(), (Texts{"a1", "a2", "a3"})) << "in their group, in order";
  groups.undertaker.settle();
  groups.expect_empty();
}

TEST(Groups, a_rejected_message_opens_its_group) {
  LogLines quiet;
  Groups groups;
  groups.emit_all({"a1", "a2", "a3", "a4"});
  groups.one.receive();
  groups.one.settle({Groups::fails(1, 0, Outcome::Status::reject)});
  EXPECT_EQ(groups.two.receive(), Texts{"a4"});
  groups.two.settle();
  groups.line.letters.write_waiting();
  EXPECT_EQ(groups.undertaker.receive(), Texts{"a2"});
  groups.undertaker.settle();
  groups.expect_empty();
}

TEST(Groups, keep_the_order_of_each_publisher) {
  Groups groups;
  for (int i = 0; i < 100; ++i) {
    groups.emit_by(groups.publisher, "a-one" + std::to_string(i));
    groups.emit_by(groups.other, "a-two" + std::to_string(i));
  }
  int next_one = 0, next_two = 0;
  const Texts got = groups.large.receive();
  EXPECT_EQ(got.size(), 200u);
  for (const std::string& text : got) {
    const bool of_one = text.starts_with("a-one");
    EXPECT_EQ(text.substr(5), std::to_string((of_one ? next_one : next_two)++));
  }
  groups.large.settle();
  groups.expect_empty();
}

TEST(Groups, keep_their_order_where_the_publisher_makes_room_in_its_log) {
  Line line;
  Queue& queue = line.queue({.name = "q", .capacity = 100, .when_full = core::WhenFull::drop_new, .fifo = true});
  Queue& plain = line.queue({.name = "plain"});
  Publisher& publisher = line.publisher({&queue, &plain});
  Hand &hand = line.hand(queue, 3), &drain = line.hand(plain, 64);
  ASSERT_TRUE(line.open());
  for (int i = 0; i < 70'000; ++i) {  // an entry each, most without a part for the FIFO queue: more than a log has
    const std::string body = "a" + std::to_string(i);
    publisher.append({.body = bytes_of(body), .cookie = 1}, Admission::overdraw);
    publisher.close();
    drain.receive();
    drain.settle();
    if (i == 10) {
      EXPECT_EQ(hand.receive(), (Texts{"a0", "a1", "a2"}));
    }
  }
  hand.settle();
  int next = 3;
  for (Texts got = hand.receive(); !got.empty(); got = hand.receive()) {
    for (const std::string& text : got) {
      ASSERT_EQ(text, "a" + std::to_string(next++));
    }
    hand.settle();
  }
  EXPECT_GE(next, 50);
  const core::QueueCounters n = queue.counters();
  EXPECT_EQ(n.deleted, static_cast<std::uint64_t>(next));
  EXPECT_EQ(n.deleted + n.dropped, n.sent);
}

TEST(Groups, a_batch_may_hold_one_message_of_each) {
  Groups groups;
  for (int i = 0; i < 200; ++i) {
    std::string body(1, static_cast<char>(i));
    groups.emit(body);
  }
  EXPECT_EQ(groups.large.receive().size(), 200u);
  groups.large.settle();
  groups.expect_empty();
}

TEST(Groups, are_gathered_over_time_into_one_batch) {
  Groups groups;
  groups.emit("a1");
  EXPECT_EQ(groups.one.receive(), Texts{"a1"});
  groups.emit_all({"a2", "b1"});
  EXPECT_EQ(groups.one.consumer.receive_more(groups.line.timers.now_tick()), 1u);
  groups.one.settle({Groups::fails(1, 0)});
  EXPECT_EQ(groups.two.receive(), (Texts{"a2", "b1"}));
  groups.two.settle();
  groups.expect_empty();
}

TEST(FifoDelay, hides_each_message_and_keeps_the_order) {
  Groups groups({.delay_ms = 500});
  for (int i = 0; i < 300; ++i) {  // over all levels of the timer wheel
    groups.emit("a" + std::to_string(100 + i));
    groups.line.clock.advance_ms(i % 7 == 0 ? 1 : 0);
    if (i % 40 == 0) {
      groups.line.timers.advance();
    }
  }
  EXPECT_EQ(groups.large.receive(), Texts{});
  EXPECT_EQ(groups.queue.counters().delayed, 300u);
  groups.line.advance(500);
  EXPECT_EQ(groups.queue.counters().delayed, 0u);
  int next = 100;
  for (int batch = 0; batch < 2; ++batch) {
    for (const std::string& text : groups.large.receive()) {
      EXPECT_EQ(text, "a" + std::to_string(next++));
    }
    groups.large.settle();
  }
  EXPECT_EQ(next, 400);
  groups.expect_empty();
}

TEST(FifoDelay, of_a_message_is_ignored) {
  Groups groups;
  groups.emit_by(groups.publisher, "a1", {}, 60'000);
  groups.emit("a2");
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"}));
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoPeek, shows_what_could_be_received_and_then_what_waits_behind_a_hidden_message) {
  Groups groups;
  groups.emit_all({"a1", "a2", "b1"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  groups.one.settle({Groups::fails(0, 10'000), Groups::fails(1, 0), Groups::fails(2, 0)});
  std::uint32_t shown = 0;
  Texts peeked;
  groups.queue.peek(10, groups.line.timers.now_ms(), [&](const core::Chunk& chunk, std::uint64_t mask) {
    ++shown;
    peeked.push_back(text_of(chunk.body(core::lowest_bit(mask))));
  });
  EXPECT_EQ(peeked, (Texts{"b1", "a2"}));
  EXPECT_EQ(groups.queue.counters().visible, shown);
  groups.line.advance(10'000);
  EXPECT_EQ(groups.one.receive().size(), 3u);
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoRetention, ends_what_is_old_and_gives_what_is_young) {
  Groups groups({.retention_ms = 60'000});
  groups.emit_all({"a1", "b1", "b2"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "b1", "b2"}));
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 70'000), Groups::fails(2, 0)});
  groups.line.advance(30'000);
  groups.emit_all({"a2", "b3"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"})) << "b1 hides the others";
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 0)});
  groups.line.advance(30'001);
  EXPECT_EQ(groups.one.receive(), (Texts{"a2", "b3"})) << "nothing is hidden for longer than it is kept";
  EXPECT_EQ(groups.queue.counters().expired, 3u);
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoRetention, of_what_nobody_asks_for_is_the_sweeps) {
  Groups groups({.retention_ms = 60'000});
  groups.emit_all({"a1", "a2", "b1"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  groups.one.settle({Groups::fails(0, 0)});
  groups.emit_all({"a3", "c1"});
  groups.line.advance(50'000);
  groups.emit_all({"a4", "c2"});
  groups.line.advance(10'001);
  groups.queue.sweep(groups.line.timers.now_ms());
  EXPECT_EQ(groups.queue.counters().expired, 3u);
  EXPECT_EQ(groups.queue.counters().visible, 2u);
  EXPECT_EQ(groups.one.receive(), (Texts{"a4", "c2"}));
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoRetention, ends_what_is_old_behind_a_redriven_letter_once_it_is_reached) {
  LogLines quiet;
  Groups groups({.retention_ms = 10'000});
  groups.emit("a1");
  groups.one.receive();
  groups.one.fail_first(Outcome::Status::reject);
  groups.line.letters.write_waiting();
  groups.emit("a2");
  groups.line.advance(9'000);
  ASSERT_TRUE(groups.line.letters.redrive(groups.dead, {}));
  while (groups.line.letters.redrive_some() >= 0) {
  }
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"}));
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 0)});
  groups.line.advance(1'001);
  groups.queue.sweep(groups.line.timers.now_ms());
  EXPECT_EQ(groups.queue.counters().expired, 0u) << "its group has a younger one before it";
  EXPECT_EQ(groups.one.receive(), Texts{"a1"});
  EXPECT_EQ(groups.queue.counters().expired, 1u);
  groups.one.settle();
  groups.line.letters.write_waiting();
  groups.expect_empty();
}

/// Two workers reject, a lease of each is over, and one is hidden for longer than what stands behind it.
TEST(FifoDeadLetters, of_a_group_are_in_its_order) {
  Groups groups({.max_receive_count = 1});
  groups.emit_all({"a1", "a2", "a3"});
  ASSERT_EQ(groups.large.receive(), (Texts{"a1", "a2", "a3"}));
  groups.large.settle({Groups::fails(0, 500), Groups::fails(1, 100), Groups::fails(2, 0)});
  groups.line.advance(499);
  groups.line.letters.write_waiting();
  EXPECT_EQ(groups.line.file(groups.dead), "") << "nothing is before what stands first";
  groups.emit("a4");
  groups.line.advance(1);
  ASSERT_EQ(groups.one.receive(), Texts{"a4"});
  groups.one.settle({Groups::fails(0, 0, Outcome::Status::reject)});
  groups.line.letters.write_waiting();
  EXPECT_EQ(groups.undertaker.receive(), (Texts{"a1", "a2", "a3", "a4"}));
  groups.undertaker.settle();
  groups.line.letters.write_waiting();
  groups.expect_empty();
}

TEST(FifoPurge, removes_all_but_what_is_in_hand_and_that_when_it_comes_back) {
  Groups groups;
  groups.emit_all({"a1", "a2", "b1", "c1", "d1", "d2"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "b1"}));
  EXPECT_EQ(groups.two.receive(), (Texts{"c1", "d1", "d2"}));
  groups.two.settle({Groups::fails(0, 0), Groups::fails(1, 5000)});
  groups.emit("a3");
  groups.queue.purge();
  EXPECT_EQ(groups.queue.counters().visible, 0u);
  EXPECT_EQ(groups.queue.counters().purged, 3u) << "c1, d1, which was hidden, and a3";
  EXPECT_EQ(groups.queue.counters().in_flight, 3u);
  groups.emit_all({"a4", "d3"});
  EXPECT_EQ(groups.two.receive(), Texts{"d3"}) << "what was hidden hides nothing any more";
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 5000)});
  EXPECT_EQ(groups.queue.counters().purged, 5u);
  EXPECT_EQ(groups.large.receive(), Texts{"a4"});
  groups.line.advance(5000);  // what was hidden would be shown now
  groups.two.settle();
  groups.large.settle();
  groups.expect_empty();
}

TEST(FifoPurge, removes_what_is_delayed_at_the_next_turn) {
  Groups groups({.delay_ms = 100});
  groups.emit("a1");
  groups.queue.purge();
  groups.emit("a2");
  groups.line.timers.end_purged(groups.queue);
  groups.line.timers.advance();
  EXPECT_EQ(groups.queue.counters().purged, 1u);
  EXPECT_EQ(groups.queue.counters().delayed, 1u);
  groups.line.advance(100);
  EXPECT_EQ(groups.one.receive(), Texts{"a2"});
  groups.one.settle();
  EXPECT_EQ(groups.queue.counters().purged, 1u);
  groups.expect_empty();
}

TEST(FifoPurge, of_an_expired_lease_removes_what_it_held) {
  Groups groups;
  groups.emit_all({"a1", "a2"});
  groups.one.receive();
  groups.queue.purge();
  groups.line.advance(kTimeout);
  EXPECT_EQ(groups.queue.counters().purged, 2u);
  EXPECT_EQ(groups.one.settle().stale, 2u);
  groups.expect_empty();
}

TEST(FifoInFlight, is_limited_over_all_groups) {
  Groups groups({.in_flight_max = 4});
  groups.emit_all({"a1", "a2", "b1", "b2", "c1", "c2"});
  EXPECT_EQ(groups.one.receive().size(), 3u);
  EXPECT_EQ(groups.two.receive().size(), 1u);
  EXPECT_EQ(groups.large.receive(), Texts{});
  EXPECT_FALSE(groups.queue.has_news());
  groups.one.settle();
  groups.two.settle();
  groups.line.advance(10);
  EXPECT_TRUE(groups.queue.has_news());
  groups.expect_empty();
}

TEST(FifoFull, drops_the_oldest_of_a_group_that_is_open_else_of_any) {
  Groups groups({.capacity = 4, .when_full = core::WhenFull::drop_old});
  groups.emit_apart({"a1", "a2", "a3"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "a3"}));
  groups.emit_apart({"a4"});
  EXPECT_EQ(groups.two.receive(), Texts{});  // routes a4
  groups.emit_apart({"b1"});
  EXPECT_EQ(groups.queue.counters().dropped, 1u) << "a is in hand, but what waits there alone is in the way";
  groups.one.settle();
  EXPECT_EQ(groups.one.receive(), Texts{"b1"});
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoFull, drops_what_stands_behind_a_hidden_one_for_the_sake_of_others) {
  Groups groups({.capacity = 4, .when_full = core::WhenFull::drop_old});
  groups.emit_apart({"a1", "a2"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"}));
  groups.one.settle({Groups::fails(0, 100), Groups::fails(1, 200)});  // both hidden
  groups.emit_apart({"a3", "a4"});
  EXPECT_EQ(groups.two.receive(), Texts{}) << "hidden ones hide them";
  groups.emit_apart({"b1", "b2"});
  EXPECT_EQ(groups.queue.counters().dropped, 2u);
  EXPECT_EQ(groups.two.receive(), (Texts{"b1", "b2"}));
  groups.two.settle();
  groups.emit_apart({"a5"});
  groups.line.advance(200);
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2", "a5"})) << "behind what was hidden";
  groups.one.settle();
  groups.expect_empty();
}

TEST(FifoFull, drops_what_is_new_or_makes_it_a_dead_letter) {
  LogLines quiet;
  for (const core::WhenFull when_full : {core::WhenFull::drop_new, core::WhenFull::dead_letter}) {
    Groups groups({.capacity = 2, .when_full = when_full});
    groups.emit_apart({"a1", "a2", "a3"});
    EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a2"}));
    groups.one.settle();
    groups.line.letters.write_waiting();
    EXPECT_EQ(groups.queue.counters().dropped + groups.queue.counters().moved_to_dead_letter, 1u);
    groups.expect_empty();
  }
}

TEST(FifoTake, for_good_takes_open_groups_in_order) {
  Groups groups;
  groups.emit_all({"a1", "a2", "b1"});
  EXPECT_EQ(groups.one.receive().size(), 3u);
  groups.one.settle({Groups::fails(0, 0), Groups::fails(1, 0), Groups::fails(2, 0)});
  core::Subscription* turn = nullptr;
  std::int64_t freed = 0;
  std::size_t count = 0;
  for (core::Taken taken = groups.queue.take(64, &turn, &freed); taken.mask != 0; taken = groups.queue.take(64, &turn, &freed)) {
    count += core::bit_count(taken.mask);
    groups.queue.remove(taken, groups.queue.dropped);
  }
  EXPECT_EQ(count, 3u);
  groups.expect_empty();
}

TEST(Deduplication, an_id_is_taken_once_within_five_minutes_of_the_first) {
  Groups groups;
  groups.emit("a1", "id");
  groups.line.advance(kWindow - 1);
  groups.emit("b2", "id");
  EXPECT_EQ(groups.one.receive(), Texts{"a1"}) << "the scope is the queue";
  EXPECT_EQ(groups.queue.counters().deduplicated, 1u);
  EXPECT_EQ(groups.queue.counters().deleted, 1u);
  EXPECT_EQ(conservation_gap(groups.queue.counters()), 0);
  groups.one.settle();
  EXPECT_EQ(groups.line.settled.all(), (std::vector<Settlements::Settlement>{{1, false, 1}, {2, false, 1}})) << "a duplicate is a success";
  groups.line.advance(1);
  groups.emit("a3", "id");
  EXPECT_EQ(groups.one.receive(), Texts{"a3"}) << "the window runs from the first, also after its deletion";
  groups.one.settle();
  groups.expect_empty();
}

TEST(Deduplication, needs_an_id) {
  Groups groups;
  groups.emit_all({"a1", "a1"});
  EXPECT_EQ(groups.one.receive(), (Texts{"a1", "a1"}));
  groups.one.settle();
  groups.expect_empty();
}

TEST(Deduplication, by_content_takes_the_sha_256_of_the_body_and_a_given_id_wins) {
  Groups groups({.content_based_deduplication = true});
  groups.emit("a1");
  groups.emit("a1");
  groups.emit("a1", "explicit");
  groups.emit("a-other", "explicit");
  groups.emit("b", "f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114");  // of "a1"
  EXPECT_EQ(groups.large.receive(), (Texts{"a1", "a1"}));
  groups.large.settle();
  EXPECT_EQ(groups.queue.counters().deduplicated, 3u);
  groups.expect_empty();
}

TEST(Deduplication, goes_by_when_messages_were_sent_however_late_they_are_met) {
  Groups groups;
  groups.emit_by(groups.publisher, "a1", "x");
  groups.line.advance(kWindow - 1);
  groups.emit_by(groups.other, "b2", "x");
  groups.line.advance(kWindow);
  groups.emit_by(groups.publisher, "a3", "x");
  groups.line.advance(2 * kWindow);
  EXPECT_EQ(groups.large.receive(), (Texts{"a1", "a3"}));
  groups.large.settle();
  groups.expect_empty();
}

TEST(Deduplication, is_cleared_by_a_purge) {
  Groups groups;
  groups.emit("a1", "x");
  EXPECT_EQ(groups.one.drain(), 1u);
  groups.queue.purge();
  groups.emit("a2", "x");
  EXPECT_EQ(groups.one.receive(), Texts{"a2"});
  groups.one.settle();
  groups.expect_empty();
}

TEST(Deduplication, does_not_concern_what_comes_back) {
  LogLines quiet;
  Groups groups;
  groups.emit("a1", "x");
  groups.one.receive();
  groups.one.settle({Groups::fails(0, 0)});
  EXPECT_EQ(groups.one.receive(), Texts{"a1"});
  groups.one.fail_first(Outcome::Status::reject);
  groups.line.letters.write_waiting();
  EXPECT_EQ(groups.undertaker.receive(), Texts{"a1"});
  groups.undertaker.settle();
  groups.expect_empty();
}

/// A queue of 1 MiB whose group a is held up, while chunks of 64 messages come, each of a group of its own.
struct HeldUp {
  static constexpr std::uint32_t kGroups = 64;
  static constexpr std::int64_t kCapacityBytes = 1 << 20;

  HeldUp()
      : groups({.capacity_bytes = kCapacityBytes}) {
    groups.emit("a");
    EXPECT_EQ(groups.one.receive(), Texts{"a"});
  }
  /// A chunk with one message of each group.
  void emit_chunk() {
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      const std::string name(1, static_cast<char>('a' + group));
      const std::string body = name + std::to_string(chunks) + std::string(200, '.');
      groups.publisher.append({.body = bytes_of(body), .parts = {.group_id = name}, .cookie = ++groups.cookie}, Admission::overdraw);
    }
    groups.publisher.flush(true);
    groups.publisher.close();
    ++chunks;
  }
  std::int64_t units_taken() const { return kCapacityBytes / core::kCreditUnit - groups.queue.credits().units(); }

  Groups groups;
  std::uint64_t chunks = 0;
};

TEST(HeldUpGroup, holds_the_slabs_of_its_chunks_only_within_the_credits) {
  HeldUp held;
  core::Queue& queue = held.groups.queue;
  std::int64_t most = 0;
  while (queue.credits().available()) {
    held.emit_chunk();
    held.groups.two.receive();
    held.groups.two.settle();
    most = std::max(most, held.units_taken());
    held.groups.large.drain();
    // Chunks whose other messages are at their end are home but for those that are charged.
    const std::uint64_t unsettled = held.groups.cookie - held.groups.line.settled.messages();
    const std::uint64_t waiting = queue.counters().visible;
    ASSERT_LE((unsettled - waiting) / (HeldUp::kGroups - 1) * core::ChunkPool::kSlabBytes[3], HeldUp::kCapacityBytes / 2)
        << unsettled << " messages are not settled, of which " << waiting << " wait";
  }
  // A message takes 5 units; with what lies idle, less than two and a half times that.
  EXPECT_GE(queue.counters().visible * 25 / 2, HeldUp::kCapacityBytes / core::kCreditUnit);
  EXPECT_LE(most, HeldUp::kCapacityBytes / core::kCreditUnit + std::int64_t{HeldUp::kGroups} * 6 + 1024);

  held.groups.one.settle();
  Texts expected, got;
  for (std::uint64_t chunk = 0; chunk < held.chunks; ++chunk) {
    expected.push_back("a" + std::to_string(chunk));
  }
  while (got.size() < held.chunks) {
    for (const std::string& body : held.groups.large.receive()) {
      got.push_back(body.substr(0, body.find('.')));
    }
    held.groups.large.settle();
  }
  EXPECT_EQ(got, expected) << "copied or not, in order";
  held.groups.expect_empty();
}

TEST(HeldUpGroup, leaves_the_acknowledgement_of_others_alone_once_it_is_copied) {
  HeldUp held;
  while (held.groups.line.settled.messages() == 0) {
    ASSERT_LT(held.chunks, 1000u);
    held.emit_chunk();
    held.groups.two.drain();
  }
  EXPECT_EQ(held.groups.queue.counters().in_flight, 1u);
  EXPECT_EQ(held.groups.queue.counters().visible, held.chunks) << "those of the group, all of them";
  held.groups.one.settle();
  held.groups.expect_empty();
}

TEST(HeldUpGroup, that_is_purged_gives_back_what_it_held) {
  HeldUp held;
  for (int i = 0; i < 200; ++i) {
    held.emit_chunk();
    held.groups.two.drain();
  }
  EXPECT_GT(held.units_taken(), 200 * 5);
  held.groups.queue.purge();
  held.groups.one.settle();
  held.groups.expect_empty();
}

TEST(Deduplication, table_that_is_full_takes_no_new_ids_until_the_oldest_is_out_of_the_window) {
  LogLines log;
  Groups groups({.deduplication_capacity = 3});
  groups.emit("a1", "1");
  groups.line.advance(1000);
  groups.emit("a2", "2");
  groups.emit("a3", "3");
  groups.emit("b1", "1");
  groups.emit("b4", "4");
  groups.emit("c5");
  EXPECT_EQ(groups.large.receive(), (Texts{"a1", "a2", "a3"})) << "in order: c5 waits behind b4";
  groups.large.settle();
  EXPECT_FALSE(groups.queue.has_news()) << "a consumer may park";
  EXPECT_EQ(groups.queue.counters().visible, 2u);
  groups.line.advance(kWindow - 1001);
  EXPECT_FALSE(groups.queue.has_news());
  groups.line.advance(1);
  EXPECT_TRUE(groups.queue.has_news());
  EXPECT_EQ(groups.large.receive(), (Texts{"b4", "c5"}));
  groups.large.settle();
  EXPECT_EQ(groups.queue.counters().deduplicated, 1u);
  groups.expect_empty();
}

TEST(Deduplication, forgets_in_order_and_finds_what_is_left) {
  core::Deduplication table(100'000);
  using Verdict = core::Deduplication::Verdict;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(table.judge(core::key_of(std::to_string(i)), i), Verdict::fresh);
  }
  EXPECT_EQ(table.judge(core::key_of("more"), 100'000), Verdict::full);
  table.forget_until(49'999 + kWindow);
  EXPECT_EQ(table.size(), 50'000u);
  for (int i = 50'000; i < 100'000; ++i) {
    ASSERT_EQ(table.judge(core::key_of(std::to_string(i)), 100'000), Verdict::duplicate);
  }
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_EQ(table.judge(core::key_of(std::to_string(i)), kWindow + 50'000), Verdict::fresh);
  }
  EXPECT_EQ(table.judge(core::key_of("99999"), 99'999 + kWindow), Verdict::full);
  table.forget_until(50'000 + 2 * kWindow);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_GT(core::Deduplication::bytes_max(10'000'000), 10'000'000 * 30);
}

}  // namespace
}  // namespace sluice::test
