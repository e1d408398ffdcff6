// A queue without credit: what becomes of what is published to it, and to its siblings.
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Outcome;
using core::Publisher;
using core::Queue;
using core::WhenFull;
using Texts = std::vector<std::string>;

constexpr std::int64_t kUnits = (std::int64_t{256} << 20) / core::kCreditUnit;

/// A topic with one queue of small capacity and one that takes all.
struct Fork {
  explicit Fork(WhenFull when_full, std::int64_t capacity = 64)
      : dead(line.queue({.name = "dead"})),
        small(line.queue({.name = "small", .capacity = capacity, .when_full = when_full}, &dead)),
        large(line.queue({.name = "large"})),
        publisher(line.publisher({&small, &large}, waiting())),
        small_hand(line.hand(small, 64)),
        large_hand(line.hand(large, 64)) {
    EXPECT_TRUE(line.open());
  }
  static core::PublisherOptions waiting() {
    core::PublisherOptions options;
    options.wait.keep_on = [] {
      ADD_FAILURE() << "it waits";
      return false;
    };
    return options;
  }
  /// Bodies "0", "1", ... one chunk each.
  void emit(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string body = std::to_string(sent++);
      publisher.append({.body = bytes_of(body), .cookie = sent}, Admission::wait);
      publisher.close();
    }
  }
  Texts rest_of(Hand& hand) {
    Texts all;
    for (Texts batch = hand.receive(); !batch.empty(); batch = hand.receive()) {
      all.insert(all.end(), batch.begin(), batch.end());
      hand.settle();
    }
    hand.consumer.idle();
    return all;
  }
  void expect_all_accounted_for() {
    EXPECT_EQ(rest_of(large_hand).size(), sent);
    EXPECT_EQ(line.settled.count(), sent);
    for (const Queue* queue : {&small, &large}) {
      EXPECT_EQ(conservation_gap(queue->counters()), 0);
      EXPECT_EQ(queue->counters().sent, sent);
    }
    EXPECT_EQ(small.credits().messages(), small.options().capacity);
    EXPECT_EQ(small.credits().units(), kUnits);
  }

  Line line;
  Queue& dead;
  Queue& small;
  Queue& large;
  Publisher& publisher;
  Hand& small_hand;
  Hand& large_hand;
  std::uint64_t sent = 0;
};

TEST(FullQueue, that_drops_the_new_keeps_what_it_has) {
  Fork fork(WhenFull::drop_new, 3);
  fork.emit(5);
  EXPECT_EQ(fork.small.counters().dropped, 2u);
  EXPECT_EQ(fork.small.counters().visible, 3u);
  EXPECT_EQ(fork.small.counters().in_flight, 0u);
  EXPECT_EQ(fork.rest_of(fork.small_hand), (Texts{"0", "1", "2"}));
  fork.emit(1);
  EXPECT_EQ(fork.rest_of(fork.small_hand), Texts{"5"});
  fork.expect_all_accounted_for();
}

TEST(FullQueue, that_drops_the_old_keeps_the_newest) {
  Fork fork(WhenFull::drop_old, 3);
  fork.emit(5);
  EXPECT_EQ(fork.small.counters().dropped, 2u);
  EXPECT_EQ(fork.small.counters().visible, 3u);
  EXPECT_EQ(fork.rest_of(fork.small_hand), (Texts{"2", "3", "4"}));
  fork.expect_all_accounted_for();
}

TEST(FullQueue, that_drops_the_old_drops_the_new_where_all_is_in_flight) {
  Fork fork(WhenFull::drop_old, 3);
  fork.emit(3);
  ASSERT_EQ(fork.small_hand.receive().size(), 3u);
  fork.emit(2);
  EXPECT_EQ(fork.small.counters().dropped, 2u);
  fork.small_hand.settle();
  fork.small_hand.consumer.idle();
  fork.expect_all_accounted_for();
}

/// A slow sibling keeps a chunk open for as long as it holds a message of it.
TEST(FullQueue, takes_messages_again_as_soon_as_it_has_room_though_their_chunk_was_begun_when_it_had_none) {
  for (const WhenFull when_full : {WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    LogLines quiet;
    Line line;
    Queue& dead = line.queue({.name = "dead"});
    Queue &small = line.queue({.name = "small", .capacity = 1, .when_full = when_full}, &dead), &slow = line.queue({.name = "slow"});
    Publisher& publisher = line.publisher({&small, &slow});
    Hand &hand = line.hand(small), &slow_hand = line.hand(slow);
    ASSERT_TRUE(line.open());
    line.publish(publisher, {"0"});
    publisher.close();
    ASSERT_EQ(hand.receive(), Texts{"0"});
    line.publish(publisher, {"1"});  // in flight is full, too
    hand.settle();
    hand.consumer.idle();
    line.letters.write_waiting();
    line.publish(publisher, {"2"});
    EXPECT_EQ(hand.receive(), Texts{"2"});
    hand.settle();
    EXPECT_EQ(small.counters().dropped + small.counters().moved_to_dead_letter, 1u);
    EXPECT_EQ(conservation_gap(small.counters()), 0);
    slow_hand.drain();
    hand.consumer.idle();
    publisher.close();
    EXPECT_EQ(small.credits().messages(), 1);
  }
}

TEST(FullQueue, pays_for_the_whole_slab_that_it_keeps_though_it_got_only_the_last_messages_of_it) {
  for (const WhenFull when_full : {WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    LogLines quiet;
    Line line;
    Queue& dead = line.queue({.name = "dead"});
    Queue &small = line.queue({.name = "small", .capacity = 1, .when_full = when_full}, &dead), &slow = line.queue({.name = "slow"});
    Publisher& publisher = line.publisher({&small, &slow});
    Hand &hand = line.hand(small), &slow_hand = line.hand(slow);
    ASSERT_TRUE(line.open());
    line.publish(publisher, {"0"});
    publisher.close();
    ASSERT_EQ(hand.receive(), Texts{"0"});
    line.publish(publisher, {std::string(20'000, '1')});  // finds no room, and is most of the slab
    hand.settle();
    hand.consumer.idle();
    line.letters.write_waiting();
    ASSERT_EQ(small.credits().units(), kUnits);
    line.publish(publisher, {"2"});
    ASSERT_EQ(hand.receive(), Texts{"2"});
    publisher.close();
    const auto slab_units = static_cast<std::int64_t>(hand.consumer.leases()[0].taken.chunk->slab_bytes / core::kCreditUnit);
    EXPECT_EQ(kUnits - small.credits().units(), slab_units);
    hand.settle();
    hand.drain();
    EXPECT_EQ(small.credits().units(), kUnits);
    EXPECT_EQ(conservation_gap(small.counters()), 0);
    slow_hand.drain();
  }
}

TEST(FullQueue, keeps_no_slab_for_a_delayed_message_where_it_got_only_the_last_of_it) {
  LogLines quiet;
  Line line;
  Queue &small = line.queue({.name = "small", .capacity = 1, .delay_ms = 1000, .when_full = WhenFull::drop_new});
  Queue& slow = line.queue({.name = "slow"});
  Publisher& publisher = line.publisher({&small, &slow});
  Hand &hand = line.hand(small), &slow_hand = line.hand(slow);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"0"});
  publisher.close();
  line.publish(publisher, {std::string(20'000, '1')});
  line.advance(1000);
  ASSERT_EQ(hand.drain(), 1u);
  line.publish(publisher, {"2"});
  publisher.close();
  EXPECT_EQ(slow_hand.drain(), 3u);
  line.advance(1000);
  EXPECT_EQ(hand.receive(), Texts{"2"});
  EXPECT_EQ(hand.consumer.leases()[0].taken.chunk->kind, core::Chunk::Kind::evacuated);
  hand.settle();
  hand.drain();
  EXPECT_EQ(line.settled.count(), 3u);
  EXPECT_EQ(small.credits().units(), kUnits);
}

TEST(FullQueue, that_drops_the_old_drops_nothing_for_a_chunk_of_which_nothing_more_comes) {
  Line line;
  Queue &small = line.queue({.name = "small", .capacity = 3, .when_full = WhenFull::drop_old}), &slow = line.queue({.name = "slow"});
  Publisher& publisher = line.publisher({&small, &slow});
  Hand &hand = line.hand(small), &slow_hand = line.hand(slow);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"0", "1", "2"});
  publisher.close();
  ASSERT_EQ(hand.receive().size(), 3u);
  line.publish(publisher, {"3"});
  EXPECT_EQ(small.counters().dropped, 1u) << "all the older ones are in flight";
  hand.settle({{0, {Outcome::Status::retry, 0, {}, {}, {}}}, {1, {Outcome::Status::retry, 0, {}, {}, {}}}, {2, {Outcome::Status::retry, 0, {}, {}, {}}}});
  publisher.close();
  EXPECT_EQ(small.counters().dropped, 1u);
  EXPECT_EQ(hand.receive(), (Texts{"0", "1", "2"}));
  hand.settle();
  slow_hand.drain();
}

TEST(FullQueue, a_drop_counts_as_a_rejection_for_its_source) {
  Fork fork(WhenFull::drop_new, 1);
  fork.emit(2);
  fork.rest_of(fork.small_hand);
  fork.rest_of(fork.large_hand);
  EXPECT_EQ(fork.line.settled.all(),
            (std::vector<Settlements::Settlement>{{1, false, 1}, {2, true, 1}}));
}

TEST(FullQueue, that_dead_letters_stores_what_finds_no_room) {
  LogLines quiet;
  Fork fork(WhenFull::dead_letter, 3);
  fork.emit(5);
  EXPECT_EQ(fork.small.counters().in_flight, 2u) << "on the way to the dead letters";
  EXPECT_EQ(fork.line.settled.count(), 0u);
  fork.line.letters.write_waiting();
  EXPECT_EQ(fork.small.counters().moved_to_dead_letter, 2u);
  EXPECT_EQ(fork.line.letters.stored(), 2u);
  EXPECT_NE(fork.line.file(fork.dead).find("\"reason\":\"the queue was full\""), std::string::npos)
      << fork.line.file(fork.dead);
  EXPECT_NE(fork.line.file(fork.dead).find("\"receive_count\":0"), std::string::npos);
  EXPECT_EQ(fork.rest_of(fork.small_hand), (Texts{"0", "1", "2"}));
  fork.expect_all_accounted_for();
}

TEST(FullQueue, that_dead_letters_waits_where_too_many_are_not_stored_yet) {
  LogLines quiet;
  Line line;
  Queue& dead = line.queue({.name = "dead"});
  Queue& queue =
      line.queue({.name = "q", .capacity = 64, .when_full = WhenFull::dead_letter}, &dead);
  int waits = 0;
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  options.wait.keep_on = [&] {
    ++waits;
    line.letters.write_waiting();
    return true;
  };
  Publisher& publisher = line.publisher({&queue}, std::move(options));
  Hand& hand = line.hand(queue, 64);
  ASSERT_TRUE(line.open());
  for (std::uint64_t i = 0; i < 300; ++i) {
    publisher.append({.body = bytes_of("x"), .cookie = i}, Admission::wait);
    publisher.close();
    EXPECT_GE(queue.credits().messages(), -64);
  }
  EXPECT_GT(waits, 0);
  line.letters.write_waiting();
  EXPECT_EQ(hand.drain(), 64u);
  EXPECT_EQ(line.letters.stored(), 236u);
  EXPECT_EQ(line.settled.count(), 300u);
  EXPECT_EQ(queue.credits().messages(), 64);
}

TEST(FullQueue, that_dead_letters_waits_where_too_many_bytes_are_not_stored_yet) {
  LogLines quiet;
  Line line;
  Queue& dead = line.queue({.name = "dead"});
  Queue& queue = line.queue(
      {.name = "q", .capacity = 1, .capacity_bytes = 4 << 20, .when_full = WhenFull::dead_letter},
      &dead);
  int waits = 0;
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  options.wait.keep_on = [&] {
    ++waits;
    line.letters.write_waiting();
    return true;
  };
  Publisher& publisher = line.publisher({&queue}, std::move(options));
  Hand& hand = line.hand(queue, 64);
  ASSERT_TRUE(line.open());
  const std::string large(400 << 10, 'x');
  for (std::uint64_t i = 0; i < 20; ++i) {
    publisher.append(
        {.body = {}, .external = core::ExternalBody::copy_of(bytes_of(large)), .cookie = i},
        Admission::wait);
    publisher.close();
  }
  EXPECT_GT(waits, 0) << "twenty of them are 8 MB, of which 5 may be there";
  line.letters.write_waiting();
  EXPECT_EQ(hand.drain(), 1u);
  EXPECT_EQ(line.settled.count(), 20u);
  EXPECT_EQ(queue.credits().messages(), 1);
}

TEST(FullQueue, of_any_kind_but_block_holds_up_no_worker_of_the_pool) {
  for (const WhenFull when_full : {WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    Fork fork(when_full, 1);
    fork.emit(1);
    EXPECT_TRUE(fork.publisher.has_credit());
    EXPECT_TRUE(fork.publisher.queues_have_credit());
    fork.rest_of(fork.small_hand);
  }
  Fork fork(WhenFull::block, 1);
  fork.emit(1);
  EXPECT_FALSE(fork.publisher.has_credit());
  EXPECT_FALSE(fork.publisher.queues_have_credit());
}

}  // namespace
}  // namespace sluice::test
