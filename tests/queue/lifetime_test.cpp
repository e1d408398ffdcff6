// How long a message is hidden, kept and held: delay, retention, purge, the limit of messages in
// flight.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <utility>

#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/ticker_counters.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Outcome;
using core::Publisher;
using core::Queue;
using Texts = std::vector<std::string>;

constexpr std::int64_t kUnits = (std::int64_t{256} << 20) / core::kCreditUnit;

/// One queue with its dead-letter queue, a publisher and two consumers.
struct Lane {
  explicit Lane(core::QueueOptions options = {})
      : dead(line.queue({.name = "dead"})),
        queue(line.queue(named(std::move(options)), &dead)),
        publisher(line.publisher({&queue})),
        one(line.hand(queue, 64, 2)),
        two(line.hand(queue, 64, 2)) {
    EXPECT_TRUE(line.open());
  }
  static core::QueueOptions named(core::QueueOptions options) {
    options.name = "q";
    return options;
  }
  void emit(const std::string& body, std::int64_t delay_ms = 0) {
    publisher.append({.body = bytes_of(body), .delay_ms = delay_ms, .cookie = ++cookie},
                     Admission::overdraw);
    publisher.flush(true);
  }
  /// At rest, with nothing left: all is accounted for and all credit is back.
  void expect_empty() {
    publisher.close();
    one.consumer.idle();
    two.consumer.idle();
    const core::QueueCounters n = queue.counters();
    EXPECT_EQ(n.visible + n.in_flight + n.delayed, 0u);
    EXPECT_EQ(conservation_gap(n), 0);
    EXPECT_EQ(queue.credits().messages(), queue.options().capacity);
    EXPECT_EQ(queue.credits().units(), kUnits);
    EXPECT_EQ(line.settled.count(), cookie);
  }

  Line line;
  Queue& dead;
  Queue& queue;
  Publisher& publisher;
  Hand& one;
  Hand& two;
  std::uint64_t cookie = 0;
};

TEST(Delay, of_a_queue_hides_each_message_from_its_publishing_on) {
  Lane lane({.delay_ms = 500});
  lane.emit("a");
  lane.line.advance(200);
  lane.emit("b");
  EXPECT_EQ(lane.one.receive(), Texts{});
  EXPECT_EQ(lane.queue.counters().delayed, 2u);
  EXPECT_EQ(lane.queue.counters().visible, 0u);
  lane.line.advance(299);
  EXPECT_EQ(lane.one.receive(), Texts{});
  lane.line.advance(1);
  EXPECT_EQ(lane.one.receive(), Texts{"a"});
  lane.one.settle();
  EXPECT_EQ(lane.queue.counters().delayed, 1u);
  lane.line.advance(200);
  EXPECT_EQ(lane.one.drain(), 1u);
  lane.expect_empty();
}

TEST(Delay, of_a_message_stands_over_the_queues) {
  Lane lane({.delay_ms = 500});
  lane.emit("queue's");
  lane.emit("longer", 900);
  lane.emit("none", -1);
  lane.line.timers.advance();
  EXPECT_EQ(lane.one.receive(), Texts{"none"});
  lane.one.settle();
  lane.line.advance(500);
  EXPECT_EQ(lane.one.receive(), Texts{"queue's"});
  lane.one.settle();
  lane.line.advance(399);
  EXPECT_EQ(lane.one.receive(), Texts{});
  lane.line.advance(1);
  EXPECT_EQ(lane.one.receive(), Texts{"longer"});
  lane.one.settle();
  lane.expect_empty();
}

TEST(Delay, of_one_message_holds_up_neither_its_neighbours_nor_their_slab) {
  Lane lane;
  for (int i = 0; i < 64; ++i) {
    lane.emit("x", i == 7 ? 60'000 : 0);
  }
  EXPECT_EQ(lane.one.drain(), 63u);
  EXPECT_EQ(lane.line.settled.count(), 63u);
  EXPECT_EQ(lane.queue.counters().delayed, 1u);
  lane.line.advance(60'000);
  EXPECT_EQ(lane.one.drain(), 1u);
  lane.expect_empty();
}

TEST(Delay, ends_with_the_retention_of_its_queue) {
  Lane lane({.delay_ms = 120'000, .retention_ms = 60'000});
  lane.emit("a");
  lane.line.advance(60'000);
  EXPECT_EQ(lane.queue.counters().delayed, 1u);
  lane.line.advance(1);
  EXPECT_EQ(lane.queue.counters().delayed, 0u);
  EXPECT_EQ(lane.one.receive(), Texts{});
  EXPECT_EQ(lane.queue.counters().expired, 1u);
  EXPECT_EQ(lane.line.settled.count(), 1u) << "its source hears of it";
  lane.expect_empty();
}

/// The workers' clock may be a millisecond behind: who found it visible would still receive it, before its delay is over.
TEST(Delay, that_the_retention_cut_short_makes_nothing_visible) {
  Lane lane({.delay_ms = 120'000, .retention_ms = 60'000});
  lane.emit("a");
  lane.line.advance(60'001);
  EXPECT_EQ(lane.queue.counters().visible, 0u);
  EXPECT_EQ(lane.queue.counters().expired, 1u);
  lane.expect_empty();
}

TEST(Age, of_a_queue_whose_log_has_much_for_others_and_nothing_for_it_is_none) {
  Line line;
  Queue &sibling = line.queue({.name = "sibling"}), &queue = line.queue({.name = "q", .delay_ms = 120'000, .retention_ms = 60'000});
  Publisher& publisher = line.publisher({&sibling, &queue});
  ASSERT_TRUE(line.open());
  for (int i = 0; i < 200; ++i) {
    line.publish(publisher, {"a"});
  }
  line.advance(60'001);
  EXPECT_EQ(queue.counters().expired, 200u);
  EXPECT_EQ(queue.oldest_ms(), core::AgeWindow::kNone);
  EXPECT_NE(sibling.oldest_ms(), core::AgeWindow::kNone);
}

TEST(Delay, is_no_receive) {
  Lane lane({.max_receive_count = 1, .delay_ms = 10});
  lane.emit("a");
  lane.line.advance(10);
  EXPECT_EQ(lane.one.receive(), Texts{"a"});
  core::ChunkViews views;
  const core::Lease& lease = lane.one.consumer.leases()[0];
  views.show(*lease.taken.chunk, lease.taken.mask);
  EXPECT_EQ(views.pointers()[0]->receive_count, 1u);
  lane.one.settle();
  lane.expect_empty();
}

TEST(Delay, does_not_follow_a_wall_clock_that_jumps) {
  Lane lane({.delay_ms = 1000});
  lane.emit("a");
  lane.line.clock.jump_wall_ms(std::int64_t{365} * 86'400'000);
  lane.line.timers.advance();
  EXPECT_EQ(lane.one.receive(), Texts{});
  lane.line.clock.jump_wall_ms(-std::int64_t{366} * 86'400'000);
  lane.line.advance(1000);
  EXPECT_EQ(lane.one.drain(), 1u);
  lane.expect_empty();
}

TEST(Retention, runs_from_sending_and_ends_a_message_that_nobody_received) {
  Lane lane({.retention_ms = 60'000});
  lane.emit("old");
  lane.line.advance(30'000);
  lane.emit("young");
  lane.line.advance(30'001);
  EXPECT_EQ(lane.one.receive(), Texts{"young"});
  lane.one.settle();
  EXPECT_EQ(lane.queue.counters().expired, 1u);
  EXPECT_EQ(lane.queue.counters().received, 1u);
  EXPECT_EQ(lane.line.settled.all(),
            (std::vector<Settlements::Settlement>{{1, true, 1}, {2, false, 1}}));
  lane.expect_empty();
}

TEST(Retention, frees_a_queue_that_nobody_reads) {
  Lane lane({.retention_ms = 60'000});
  for (int i = 0; i < 100; ++i) {
    lane.emit("x");
  }
  lane.line.advance(60'001);
  lane.emit("young");
  lane.queue.sweep(lane.line.timers.now_ms());
  EXPECT_EQ(lane.queue.counters().expired, 100u);
  EXPECT_EQ(lane.queue.counters().visible, 1u);
  EXPECT_EQ(lane.one.drain(), 1u);
  lane.expect_empty();
}

TEST(Retention, ends_what_is_delayed_or_in_flight_once_it_would_be_visible) {
  Lane lane({.visibility_timeout_ms = 10'000, .retention_ms = 60'000});
  lane.emit("in flight");
  lane.emit("delayed", 61'000);
  ASSERT_EQ(lane.one.receive(), Texts{"in flight"});
  lane.one.fail_first(Outcome::Status::retry, 70'000);
  lane.line.advance(70'000);
  lane.queue.sweep(lane.line.timers.now_ms());
  EXPECT_EQ(lane.queue.counters().expired, 2u);
  EXPECT_EQ(lane.one.receive(), Texts{});
  lane.expect_empty();
}

TEST(Retention, leaves_what_a_worker_has_in_hand_to_it) {
  Lane lane({.visibility_timeout_ms = 100'000, .retention_ms = 60'000});
  lane.emit("a");
  ASSERT_EQ(lane.one.receive(), Texts{"a"});
  lane.line.advance(61'000);
  EXPECT_EQ(lane.one.settle().ok, 1u);
  EXPECT_EQ(lane.queue.counters().deleted, 1u);
  lane.expect_empty();
}

TEST(Retention, does_not_follow_a_wall_clock_that_jumps) {
  Lane lane({.retention_ms = 60'000});
  lane.emit("a");
  lane.line.clock.jump_wall_ms(std::int64_t{365} * 86'400'000);
  lane.queue.sweep(lane.line.timers.now_ms());
  EXPECT_EQ(lane.one.receive(), Texts{"a"});
  lane.one.settle();
  lane.expect_empty();
}

TEST(Retention, of_a_dead_letter_takes_it_out_of_the_file) {
  LogLines quiet;
  Line line;
  Queue& dead = line.queue({.name = "dead", .retention_ms = 60'000});
  Queue& queue = line.queue({.name = "q"}, &dead);
  Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a"});
  hand.receive();
  hand.fail_first(Outcome::Status::reject);
  line.letters.write_waiting();
  EXPECT_EQ(line.letters.stored(), 1u);
  line.advance(60'001);
  dead.sweep(line.timers.now_ms());
  line.letters.write_waiting();
  EXPECT_EQ(line.letters.stored(), 0u);
  EXPECT_EQ(dead.counters().expired, 1u);
  EXPECT_EQ(conservation_gap(dead.counters()), 0);
}

/// Of a standard queue's from when it was sent.
TEST(Retention, of_a_dead_letter_of_a_fifo_queue_counts_from_when_it_became_one) {
  for (const bool fifo : {false, true}) {
    LogLines quiet;
    Line line;
    Queue& dead = line.queue({.name = "dead", .retention_ms = 60'000, .fifo = fifo});
    Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 60'000, .fifo = fifo}, &dead);
    Publisher& publisher = line.publisher({&queue});
    Hand& hand = line.hand(queue);
    ASSERT_TRUE(line.open());
    publisher.append({.body = bytes_of("a"), .parts = {.group_id = "g", .deduplication_id = "a"}, .cookie = 1}, core::Admission::wait);
    publisher.flush(true);
    hand.receive();
    line.advance(50'000);
    hand.fail_first(Outcome::Status::reject);
    line.letters.write_waiting();
    line.advance(59'999);
    dead.sweep(line.timers.now_ms());
    EXPECT_EQ(dead.counters().visible, fifo ? 1u : 0u);
    line.advance(2);
    dead.sweep(line.timers.now_ms());
    EXPECT_EQ(dead.counters().expired, 1u);
    line.letters.write_waiting();
    EXPECT_EQ(line.letters.stored(), 0u);
  }
}

TEST(Retention, of_a_letter_that_does_not_say_when_it_became_one_counts_from_when_it_was_sent) {
  for (const bool fifo : {false, true}) {
    LogLines quiet;
    Line line;
    Queue& dead = line.queue({.name = "dead", .retention_ms = 60'000, .fifo = fifo});
    Queue& queue = line.queue({.name = "q", .fifo = fifo}, &dead);
    line.publisher({&queue});
    line.storage.put("dead/dead.jsonl", fmt::format(R"({{"id":"019b76da-a800-7ad9-8d9b-792efcd46840","body":"a","sent":{},"dead_letter":{{"queue":"dead","reason":"r"}}}})"
                                                    "\n",
                                                    line.timers.now_ms()));
    ASSERT_TRUE(line.open());
    EXPECT_EQ(line.letters.stored(), 1u);
    dead.sweep(line.timers.now_ms());
    line.letters.write_waiting();
    EXPECT_EQ(line.letters.stored(), 1u);
    line.advance(60'001);
    dead.sweep(line.timers.now_ms());
    line.letters.write_waiting();
    EXPECT_EQ(line.letters.stored(), 0u);
  }
}

TEST(Purge, ends_what_is_visible_at_once_and_the_rest_when_it_comes_back) {
  Lane lane({.visibility_timeout_ms = 1000});
  lane.emit("expires");
  ASSERT_EQ(lane.one.receive(), Texts{"expires"});
  lane.emit("fails");
  ASSERT_EQ(lane.two.receive(), Texts{"fails"});
  lane.emit("delayed", 500);
  lane.emit("visible");
  lane.queue.purge();
  EXPECT_EQ(lane.queue.counters().purged, 1u);
  EXPECT_EQ(lane.queue.counters().visible, 0u);
  lane.emit("after");
  lane.two.fail_first(Outcome::Status::retry, 0);
  lane.line.advance(1000);
  EXPECT_EQ(lane.two.receive(), Texts{"after"});
  lane.two.settle();
  EXPECT_EQ(lane.one.settle().stale, 1u);
  EXPECT_EQ(lane.two.receive(), Texts{});
  EXPECT_EQ(lane.queue.counters().purged, 4u);
  lane.expect_empty();
}

TEST(Purge, ends_what_is_delayed_or_hidden_at_the_next_turn_and_nothing_that_comes_later) {
  Lane lane({.visibility_timeout_ms = 1000});
  lane.emit("fails");
  ASSERT_EQ(lane.one.receive(), Texts{"fails"});
  lane.one.fail_first(Outcome::Status::retry, 5000);
  lane.emit("delayed", 700'000);
  lane.emit("delayed too", 60);
  lane.queue.purge();
  lane.emit("delayed after", 500);
  std::future<std::uint64_t> ended = lane.line.timers.end_purged(lane.queue);
  lane.line.timers.advance();
  EXPECT_EQ(ended.get(), 3u);
  const core::QueueCounters counters = lane.queue.counters();
  EXPECT_EQ(counters.purged, 3u);
  EXPECT_EQ(counters.delayed, 1u);
  EXPECT_EQ(counters.in_flight, 0u);
  EXPECT_EQ(counters.visible, 0u) << "nobody need look for them to go";
  EXPECT_EQ(conservation_gap(counters), 0);
  lane.line.advance(500);
  EXPECT_EQ(lane.one.receive(), Texts{"delayed after"});
  lane.one.settle();
  lane.expect_empty();
}

/// A purge during which something else happens: as it gives back the first credit.
struct InterruptedPurge {
  explicit InterruptedPurge(std::function<void()> meanwhile) : interrupts(std::move(meanwhile)) { lane.queue.credits().add_waiter(waiter, 0); }
  std::uint64_t run() {
    lane.queue.credits().announce_wait();
    const std::uint64_t purged = lane.queue.purge();
    lane.queue.credits().withdraw();
    return purged;
  }
  /// Each comes back to the queue by itself.
  void emit_and_return(const Texts& bodies) {
    std::vector<core::Failure> failures;
    for (const std::string& body : bodies) {
      lane.emit(body);
      failures.push_back({static_cast<std::uint32_t>(failures.size()), {Outcome::Status::retry, 0, {}, {}, {}}});
    }
    EXPECT_EQ(lane.one.receive(), bodies);
    lane.one.settle(std::move(failures));
  }

  std::function<void()> interrupts;
  core::ReadySet waiter{1, [this](std::uint32_t) {
    if (const std::function<void()> once = std::exchange(interrupts, nullptr)) {
      once();
    }
  }};
  Lane lane;
};

TEST(Purge, counts_what_a_consumer_comes_upon_meanwhile) {
  InterruptedPurge purge([&] { EXPECT_EQ(purge.lane.two.receive(), Texts{}); });
  purge.emit_and_return({"a", "b", "c"});
  EXPECT_EQ(purge.run(), 3u);
  EXPECT_EQ(purge.lane.queue.counters().purged, 3u);
  purge.lane.expect_empty();
}

TEST(Purge, takes_nothing_that_is_sent_meanwhile_in_the_place_of_what_a_consumer_came_upon) {
  InterruptedPurge purge([&] {
    EXPECT_EQ(purge.lane.two.receive(), Texts{});
    purge.lane.emit("sent meanwhile");
  });
  purge.emit_and_return({"a", "b", "c"});
  EXPECT_EQ(purge.run(), 3u);
  EXPECT_EQ(purge.lane.two.receive(), Texts{"sent meanwhile"});
  purge.lane.two.settle();
  EXPECT_EQ(purge.lane.queue.counters().purged, 3u);
  purge.lane.expect_empty();
}

TEST(Purge, takes_of_a_chunk_that_grows_what_was_there_before) {
  InterruptedPurge purge([&] { purge.lane.emit("sent meanwhile"); });
  purge.emit_and_return({"a"});
  purge.lane.emit("waits");
  EXPECT_EQ(purge.run(), 2u);
  EXPECT_EQ(purge.lane.one.receive(), Texts{"sent meanwhile"});
  purge.lane.one.settle();
  purge.lane.expect_empty();
}

/// The end of another queue's purge comes between the two: the wheel keeps no order within a tick.
TEST(Purge, leaves_the_order_of_another_queues_delayed_messages_as_it_is) {
  Line line;
  Queue &queue = line.queue({.name = "q", .delay_ms = 60, .fifo = true}), &other = line.queue({.name = "other"});
  Publisher& publisher = line.publisher({&queue});
  line.publisher({&other});
  Hand& hand = line.hand(queue);
  ASSERT_TRUE(line.open());
  line.timers.advance();
  line.clock.advance_ms(10);
  line.publish(publisher, {"first"});
  line.timers.advance();  // it is taken in first, so that it stands further out in the wheel than the second, due then, too
  line.publish(publisher, {"second"});
  line.timers.advance();
  line.clock.advance_ms(60);
  std::future<std::uint64_t> ended = line.timers.end_purged(other);
  line.timers.advance();
  EXPECT_EQ(ended.get(), 0u);
  EXPECT_EQ(hand.receive(), (Texts{"first", "second"}));
  hand.settle();
}

TEST(Purge, leaves_a_result_that_is_ok_as_it_is) {
  Lane lane;
  lane.emit("a");
  ASSERT_EQ(lane.one.receive(), Texts{"a"});
  lane.queue.purge();
  EXPECT_EQ(lane.one.settle().ok, 1u);
  EXPECT_EQ(lane.queue.counters().deleted, 1u);
  EXPECT_EQ(lane.queue.counters().purged, 0u);
  lane.expect_empty();
}

TEST(InFlightLimit, lets_no_more_be_received_until_something_is_settled) {
  Lane lane({.in_flight_max = 3});
  for (int i = 0; i < 5; ++i) {
    lane.emit(std::to_string(i));
  }
  EXPECT_EQ(lane.one.receive(), (Texts{"0", "1", "2"}));
  EXPECT_EQ(lane.two.receive(), Texts{});
  EXPECT_EQ(lane.queue.over_limit.load(), 1u);
  EXPECT_FALSE(lane.queue.has_news()) << "nobody looks";
  lane.one.settle();
  EXPECT_TRUE(lane.queue.has_news()) << "at once";
  EXPECT_EQ(lane.two.receive(), (Texts{"3", "4"}));
  lane.two.settle();
  lane.expect_empty();
}

TEST(InFlightLimit, is_looked_at_ten_times_a_second_while_nothing_ends) {
  Lane lane({.in_flight_max = 1});
  lane.emit("a");
  lane.emit("b");
  ASSERT_EQ(lane.one.receive(), Texts{"a"});
  for (std::uint32_t look = 1; look <= 5; ++look) {
    EXPECT_EQ(lane.two.receive(), Texts{});
    lane.line.advance(99);
    EXPECT_FALSE(lane.queue.has_news());
    lane.line.advance(1);
    EXPECT_TRUE(lane.queue.has_news()) << "who found the limit while something ended was not heard";
    EXPECT_EQ(lane.queue.over_limit.load(), look);
  }
  lane.one.settle();
  lane.two.drain();
  lane.expect_empty();
}

TEST(InFlightLimit, that_is_met_again_and_again_posts_one_look_for_all) {
  Lane lane({.in_flight_max = 1});
  for (int round = 0; round < 50; ++round) {
    lane.emit(std::to_string(round));
  }
  for (int round = 0; round < 40; ++round) {
    ASSERT_EQ(lane.one.receive().size(), 1u);
    EXPECT_EQ(lane.two.receive(), Texts{});
    lane.one.settle();
  }
  EXPECT_EQ(lane.queue.over_limit.load(), 40u);
  lane.line.timers.advance();
  EXPECT_LE((lane.line.timers.*member(TimersPosted())).load(), 3u) << "one look, and each slot's entry";
  lane.one.drain();
  lane.expect_empty();
}

TEST(InFlightLimit, makes_room_with_whatever_comes_back_or_is_dead_lettered) {
  Line line;
  core::Queue& dead = line.queue({.name = "dead"});
  core::Queue& queue = line.queue({.name = "q", .visibility_timeout_ms = 1000, .max_receive_count = 4, .in_flight_max = 1}, &dead);
  core::Publisher& publisher = line.publisher({&queue});
  Hand& one = line.hand(queue, 1);
  line.hand(queue, 1);  // two could pass the limit
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a", "b", "c"});
  auto room_after = [&](const char* what, auto&& act) {
    ASSERT_EQ(one.receive().size(), 1u) << what;
    ASSERT_EQ(queue.in_flight_room(), 0u) << what;
    queue.limited.store(true);
    act();
    EXPECT_TRUE(queue.has_news()) << what;
  };
  room_after("retried at once", [&] { one.fail_first(Outcome::Status::retry, 0); });
  room_after("expired", [&] { line.advance(1000); });
  one.settle();
  room_after("retried later", [&] {
    one.fail_first(Outcome::Status::retry, 500);
    queue.limited.store(true);
    line.advance(500);
  });
  room_after("received too often", [&] {
    one.fail_first(Outcome::Status::retry, 0);
    queue.limited.store(true);
    line.letters.write_waiting();
  });
  room_after("rejected", [&] {
    one.fail_first(Outcome::Status::reject, 0);
    queue.limited.store(true);
    line.letters.write_waiting();
  });
}

TEST(InFlightLimit, counts_what_failed_and_waits) {
  Lane lane({.in_flight_max = 130});
  for (int i = 0; i < 140; ++i) {
    lane.emit(std::to_string(i));
  }
  for (int round = 0; round < 2; ++round) {
    const std::size_t count = lane.one.receive().size();
    ASSERT_EQ(count, 64u);
    std::vector<core::Failure> failures;
    for (std::uint32_t i = 0; i < count; ++i) {
      failures.push_back({i, {Outcome::Status::retry, 5000, {}, {}, {}}});
    }
    lane.one.settle(std::move(failures));
  }
  EXPECT_EQ(lane.one.receive().size(), 2u);
  EXPECT_EQ(lane.two.receive().size(), 0u);
  lane.one.settle();
  lane.line.advance(10);
  EXPECT_EQ(lane.two.receive().size(), 2u);
  lane.two.settle();
  lane.line.advance(5000);
  for (int round = 0; round < 20; ++round) {
    lane.one.drain();
    lane.line.advance(10);
  }
  lane.expect_empty();
}

TEST(Receive, may_add_to_what_is_in_hand) {
  Lane lane;
  lane.emit("a");
  ASSERT_EQ(lane.one.receive(), Texts{"a"});
  EXPECT_EQ(lane.one.consumer.receive_more(lane.line.timers.now_tick()), 0u);
  lane.emit("b");
  lane.emit("c");
  EXPECT_EQ(lane.one.consumer.receive_more(lane.line.timers.now_tick()), 2u);
  EXPECT_EQ(lane.one.settle().ok, 3u);
  lane.expect_empty();
}

TEST(Receive, may_have_a_visibility_timeout_of_its_own) {
  Lane lane({.visibility_timeout_ms = 1000});
  core::ChunkPool pool;
  core::Consumer patient(
      lane.queue, lane.line.timers, lane.line.letters, pool,
      {.service = "patient", .batch_size = 10, .consumers = 3, .visibility_timeout_ms = 5000});
  lane.emit("a");
  EXPECT_EQ(patient.receive(lane.line.timers.now_tick()), 1u);
  lane.line.advance(4999);
  EXPECT_EQ(lane.one.receive(), Texts{});
  lane.line.advance(1);
  EXPECT_EQ(lane.one.receive(), Texts{"a"});
  core::Releases releases;
  EXPECT_EQ(patient.end({}, releases).stale, 1u);
  lane.one.settle();
}

}  // namespace
}  // namespace sluice::test
