// What a consumer sees of a queue: visibility timeout, receive counts, retries, stale results.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "support/line.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Outcome;
using core::Queue;
using Texts = std::vector<std::string>;

class Visibility : public ::testing::Test {
 protected:
  Visibility()
      : dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = 1000, .max_receive_count = 3}, &dead)),
        publisher(line.publisher({&queue})),
        one(line.hand(queue)),
        two(line.hand(queue)) {
    EXPECT_TRUE(line.open());
  }

  Line line;
  Queue& dead;
  Queue& queue;
  core::Publisher& publisher;
  Hand& one;
  Hand& two;
};

TEST_F(Visibility, a_received_message_is_invisible_until_its_timeout_ends_and_visible_then) {
  line.publish(publisher, {"a"});
  EXPECT_EQ(one.receive(), Texts{"a"});
  line.advance(999);
  EXPECT_EQ(two.receive(), Texts{});
  line.advance(1);
  EXPECT_EQ(two.receive(), Texts{"a"});
  EXPECT_EQ(one.settle().stale, 1u);
  EXPECT_EQ(two.settle().ok, 1u);
  EXPECT_EQ(line.settled.count(), 1u);
}

TEST_F(Visibility, a_result_on_an_expired_lease_has_no_effect) {
  line.publish(publisher, {"a"});
  one.receive();
  line.advance(1000);
  EXPECT_EQ(one.fail_first(Outcome::Status::reject).stale, 1u);
  line.letters.write_waiting();
  EXPECT_EQ(queue.counters().moved_to_dead_letter, 0u);
  EXPECT_EQ(queue.counters().visible, 1u);
  EXPECT_EQ(line.settled.count(), 0u);
  EXPECT_EQ(two.drain(), 1u);
}

TEST(Batches, a_batch_that_may_hold_a_chunk_ends_where_it_would_split_one) {
  Line line;
  core::Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& large = line.hand(queue, 64);
  Hand& small = line.hand(queue, 40);
  ASSERT_TRUE(line.open());
  line.publish(publisher, std::vector<std::string>(200, "a"));  // chunks of 64, 64, 64 and 8
  EXPECT_EQ(small.receive().size(), 40u);
  EXPECT_EQ(large.receive().size(), 24u);
  small.settle();
  large.settle();
  EXPECT_EQ(small.receive().size(), 40u);
  small.settle();
  EXPECT_EQ(small.receive().size(), 40u) << "24 of one chunk and 16 of the next";
  small.settle();
  EXPECT_EQ(large.receive().size(), 56u) << "48 and the 8 that are there";
  large.settle();
}

TEST_F(Visibility, each_delivery_raises_the_receive_count_by_one) {
  line.publish(publisher, {"a", "b"});
  for (std::uint32_t count = 1; count <= 3; ++count) {
    ASSERT_EQ(one.receive().size(), 2u) << count;
    for (const core::Lease& lease : one.consumer.leases()) {
      core::ChunkViews views;
      views.show(*lease.taken.chunk, lease.taken.mask);
      EXPECT_EQ(views.pointers()[std::countr_zero(lease.taken.mask)]->receive_count, count);
    }
    one.settle({{0, {Outcome::Status::retry, 0, {}, {}, {}}}, {1, {Outcome::Status::retry, 0, {}, {}, {}}}});
  }
}

TEST_F(Visibility, a_look_shows_all_that_waits_each_time_and_leaves_it_in_its_order) {
  Texts sent;
  for (std::uint64_t i = 0; i < scaled(20'000); ++i) {
    sent.push_back(std::to_string(i));
  }
  const std::size_t half = sent.size() / 2;
  line.publish(publisher, Texts(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(half)));
  const auto look = [&] {
    Texts shown;
    queue.peek(UINT32_MAX, line.timers.now_ms(), [&](const core::Chunk& chunk, std::uint64_t mask) {
      for (std::uint64_t left = mask; left != 0; left &= left - 1) {
        shown.push_back(text_of(chunk.body(core::lowest_bit(left))));
      }
    });
    return shown;
  };
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(look().size(), half) << "nobody hides it from another who looks";
    }
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(look(), Texts(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(half)));
  }
  other.join();
  std::atomic<bool> over{false};
  std::thread onlooker([&] {
    while (!over.load()) {
      const Texts shown = look();
      EXPECT_TRUE(std::ranges::is_sorted(shown, {}, [](const std::string& text) { return std::stoul(text); }));
    }
  });
  std::thread sender([&] { line.publish(publisher, Texts(sent.begin() + static_cast<std::ptrdiff_t>(half), sent.end()), half + 1); });
  Texts received;
  while (received.size() < sent.size()) {
    for (std::string& text : one.receive()) {
      received.push_back(std::move(text));
    }
    if (!one.consumer.leases().empty()) {
      one.settle();
    }
  }
  over = true;
  onlooker.join();
  sender.join();
  EXPECT_EQ(received, sent) << "in the order in which they were sent";
}

/// Who looked between found nothing, cleared the bit, and slept.
TEST_F(Visibility, what_came_back_and_a_batch_has_no_room_for_is_announced_again) {
  core::ReadySet ready(1, [](std::uint32_t) {});
  queue.set_service(&ready, 0);
  for (const char* text : {"a", "b", "c"}) {
    publisher.append({.body = bytes_of(text), .cookie = 1}, core::Admission::overdraw);
  }
  publisher.close();
  core::Subscription* turn = nullptr;
  std::int64_t freed = 0;
  queue.put_back(queue.take(3, &turn, &freed), true);
  ready.clear(0);
  EXPECT_EQ(core::bit_count(queue.take(2, &turn, &freed).mask), 2u);
  EXPECT_TRUE(ready.is_set(0));
  EXPECT_EQ(core::bit_count(queue.take(2, &turn, &freed).mask), 1u);
  queue.set_service(nullptr, 0);
}

TEST_F(Visibility, what_failed_max_receive_count_times_is_not_handed_out_again_but_dead_lettered) {
  line.publish(publisher, {"a"});
  for (int i = 0; i < 3; ++i) {
    line.letters.write_waiting();
    EXPECT_EQ(line.file(dead), "");
    ASSERT_EQ(one.receive(), Texts{"a"});
    one.fail_first(Outcome::Status::retry, 0, "no luck");
  }
  EXPECT_EQ(one.receive(), Texts{});
  line.letters.write_waiting();
  EXPECT_NE(line.file(dead).find("received 3 times, max_receive_count is 3"), std::string::npos) << line.file(dead);
  EXPECT_NE(line.file(dead).find("no luck: detail"), std::string::npos) << line.file(dead);
  EXPECT_EQ(queue.counters().moved_to_dead_letter, 1u);
  EXPECT_EQ(queue.counters().received, 3u);
  EXPECT_EQ(line.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}}));
}

TEST_F(Visibility, a_message_whose_leases_all_expired_is_dead_lettered_for_that) {
  line.publish(publisher, {"a"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(one.receive(), Texts{"a"});
    one.consumer.set_stage("import");
    line.advance(1000);
    EXPECT_EQ(one.settle().stale, 1u);
  }
  line.letters.write_waiting();
  EXPECT_NE(line.file(dead).find("visibility timeout expired"), std::string::npos) << line.file(dead);
  EXPECT_NE(line.file(dead).find("\"stage\":\"import\""), std::string::npos) << line.file(dead);
}

TEST_F(Visibility, nobody_need_poll_for_a_message_to_be_dead_lettered_but_its_last_visibility_timeout_must_end) {
  line.publish(publisher, {"a"});
  for (int i = 0; i < 3; ++i) {
    line.advance(500);
    ASSERT_EQ(one.receive(), Texts{"a"});
    one.fail_first(Outcome::Status::retry, 500, "no luck");
  }
  line.advance(499);
  line.letters.write_waiting();
  EXPECT_EQ(queue.counters().in_flight, 1u);
  EXPECT_EQ(line.file(dead), "");
  line.advance(1);
  line.letters.write_waiting();
  EXPECT_EQ(queue.counters().in_flight, 0u);
  EXPECT_EQ(queue.counters().visible, 0u);
  EXPECT_EQ(queue.counters().moved_to_dead_letter, 1u);
  EXPECT_EQ(dead.counters().visible, 1u);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
}

TEST_F(Visibility, a_message_whose_last_receive_was_retried_without_a_reason_is_dead_lettered_with_the_stage) {
  line.publish(publisher, {"a"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(one.receive(), Texts{"a"});
    one.fail_first(Outcome::Status::retry, 0, "");
  }
  EXPECT_EQ(one.receive(), Texts{});
  line.letters.write_waiting();
  EXPECT_NE(line.file(dead).find("retried without a reason"), std::string::npos) << line.file(dead);
  EXPECT_NE(line.file(dead).find("\"stage\":\"stage\""), std::string::npos) << line.file(dead);
}

TEST_F(Visibility, what_fails_after_a_purge_is_gone_and_not_hidden) {
  line.publish(publisher, {"a"});
  ASSERT_EQ(one.receive(), Texts{"a"});
  queue.purge();
  one.fail_first(Outcome::Status::retry);
  EXPECT_EQ(queue.counters().purged, 1u);
  EXPECT_EQ(queue.counters().in_flight, 0u);
}

TEST_F(Visibility, a_rejected_message_is_dead_lettered_at_its_first_receive) {
  line.publish(publisher, {"a", "b"});
  one.receive();
  EXPECT_EQ(one.fail_first(Outcome::Status::reject, -1, "damaged").rejected, 1u);
  EXPECT_EQ(line.settled.count(), 1u) << "b only: a letter counts once it is stored";
  line.letters.write_waiting();
  EXPECT_EQ(line.settled.count(), 2u);
  EXPECT_NE(line.file(dead).find("\"reason\":\"damaged\""), std::string::npos);
  EXPECT_NE(line.file(dead).find("\"receive_count\":1"), std::string::npos);
}

TEST_F(Visibility, a_rejected_message_without_a_dead_letter_queue_is_dropped_and_counted) {
  Line bare;
  Queue& lone = bare.queue({.name = "lone"});
  core::Publisher& to = bare.publisher({&lone});
  Hand& hand = bare.hand(lone);
  ASSERT_TRUE(bare.open());
  bare.publish(to, {"a"});
  hand.receive();
  hand.fail_first(Outcome::Status::reject);
  EXPECT_EQ(lone.counters().dropped, 1u);
  EXPECT_EQ(conservation_gap(lone.counters()), 0);
  EXPECT_EQ(bare.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}}));
}

TEST_F(Visibility, retry_after_sets_when_a_message_comes_back) {
  line.publish(publisher, {"now", "soon", "default"});
  ASSERT_EQ(one.receive().size(), 3u);
  one.settle({{0, {Outcome::Status::retry, 0, {}, {}, {}}},
              {1, {Outcome::Status::retry, 200, {}, {}, {}}},
              {2, {Outcome::Status::retry, -1, {}, {}, {}}}});
  EXPECT_EQ(two.receive(), Texts{"now"});
  line.advance(199);
  EXPECT_EQ(one.receive(), Texts{});
  line.advance(1);
  EXPECT_EQ(one.receive(), Texts{"soon"});
  one.settle();
  two.settle();
  line.advance(799);
  EXPECT_EQ(one.receive(), Texts{});
  line.advance(1);
  EXPECT_EQ(one.receive(), Texts{"default"});
  one.settle();
  EXPECT_EQ(line.settled.count(), 3u);
}

TEST_F(Visibility, retry_after_is_at_most_twelve_hours) {
  line.publish(publisher, {"a"});
  one.receive();
  one.fail_first(Outcome::Status::retry, std::int64_t{1} << 50);
  line.advance(43'200'000 - 1);
  EXPECT_EQ(one.receive(), Texts{});
  line.advance(1);
  EXPECT_EQ(one.receive(), Texts{"a"});
  one.settle();
}

TEST_F(Visibility, an_extended_lease_lasts_a_whole_timeout_from_then) {
  line.publish(publisher, {"a"});
  one.receive();
  line.advance(900);
  EXPECT_TRUE(one.consumer.extend());
  line.advance(999);
  EXPECT_EQ(two.receive(), Texts{});
  line.advance(1);
  EXPECT_FALSE(one.consumer.extend());
  EXPECT_EQ(one.settle().stale, 1u);
  EXPECT_EQ(two.drain(), 1u);
}

TEST_F(Visibility, one_retried_message_holds_up_neither_its_neighbours_nor_their_slab) {
  Texts many(64, "x");
  line.publish(publisher, many);
  while (one.receive().size() == 10) {
    one.settle();
  }
  one.fail_first(Outcome::Status::retry, 500);
  EXPECT_EQ(line.settled.count(), 63u);
  EXPECT_EQ(queue.counters().in_flight, 1u);
  line.advance(500);
  EXPECT_EQ(two.drain(), 1u);
  EXPECT_EQ(line.settled.count(), 64u);
}

TEST_F(Visibility, counters_keep_the_conservation_law_through_every_way) {
  line.publish(publisher, Texts(20, "x"));
  one.receive();
  one.settle({{1, {Outcome::Status::retry, 100, {}, {}, {}}},
              {2, {Outcome::Status::reject, -1, "s", "r", ""}},
              {5, {Outcome::Status::retry, 0, {}, {}, {}}}});
  line.letters.write_waiting();
  two.receive();
  core::QueueCounters n = queue.counters();
  EXPECT_EQ(conservation_gap(n), 0);
  EXPECT_EQ(n.in_flight, 11u);
  EXPECT_EQ(n.visible, 1u);
  line.advance(2000);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
  EXPECT_EQ(two.settle().stale, 10u);
  one.drain();
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
  EXPECT_EQ(queue.counters().deleted, 19u);
  EXPECT_EQ(conservation_gap(dead.counters()), 0);
}

TEST_F(Visibility, a_part_rejected_without_a_dead_letter_queue_counts_as_dropped_only) {
  Line bare;
  Queue& lone = bare.queue({.name = "lone"});
  core::Publisher& to = bare.publisher({&lone});
  Hand& hand = bare.hand(lone);
  ASSERT_TRUE(bare.open());
  bare.publish(to, {"a"});
  hand.receive();
  const core::Lease& lease = hand.consumer.leases()[0];
  hand.consumer.reject_part(bytes_of("row"), {}, lease.taken.chunk->lineage_of(0), "s", "r", "");
  hand.settle();
  core::QueueCounters n = lone.counters();
  EXPECT_EQ(n.dropped, 1u);
  EXPECT_EQ(conservation_gap(n), 0);
  EXPECT_EQ(n.visible, 0u);
  EXPECT_EQ(n.received, 1u);
  EXPECT_EQ(bare.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}})) << "its source hears of it";
}

TEST_F(Visibility, what_a_stale_worker_still_emits_never_touches_a_settled_origin) {
  line.publish(publisher, {"a"});
  one.receive();
  one.fail_first(Outcome::Status::retry, 0);  // from now on it is counted by itself
  ASSERT_EQ(one.receive(), Texts{"a"});
  line.advance(1000);
  ASSERT_EQ(two.drain(), 1u);
  // The first worker, long expired, sends a part to the dead letters: its parent must still be held.
  const core::Lease& lease = one.consumer.leases()[0];
  auto bit = static_cast<std::uint32_t>(std::countr_zero(lease.taken.mask));
  core::Uuid id{{1}};
  one.consumer.reject_part(bytes_of("part"), {.id = &id}, lease.taken.chunk->lineage_of(bit), "s", "r", "");
  EXPECT_EQ(one.settle().stale, 1u);
  EXPECT_EQ(line.settled.count(), 0u) << "the part is not stored yet";
  line.letters.write_waiting();
  EXPECT_EQ(line.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}}));
}

}  // namespace
}  // namespace sluice::test
