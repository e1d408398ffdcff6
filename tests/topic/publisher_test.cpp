// A publisher: chunks that fill and roll over, cookies across them, branches without credit.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "support/line.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Chunk;
using core::Publisher;
using core::Queue;
using core::Admission;
using Outcome = Publisher::Outcome;
using Settlement = Settlements::Settlement;
using All = std::vector<Settlement>;
using Texts = std::vector<std::string>;

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest()
      : queue(line.queue({.name = "q"})),
        publisher(line.publisher({&queue})),
        hand(line.hand(queue, 64)) {
    EXPECT_TRUE(line.open());
  }
  Outcome emit(const std::string& text, std::uint64_t cookie,
               const core::MessageParts& parts = {}) {
    return publisher.append({.body = bytes_of(text), .parts = parts, .cookie = cookie},
                            Admission::wait);
  }

  Line line;
  Queue& queue;
  Publisher& publisher;
  Hand& hand;
};

TEST_F(PublisherTest, what_is_flushed_is_visible_at_once_be_it_one_message) {
  emit("a", 1);
  EXPECT_EQ(hand.receive(), Texts{});
  publisher.flush(true);
  EXPECT_EQ(hand.receive(), Texts{"a"});
  hand.settle();
  EXPECT_EQ(line.settled.all(), (All{{1, false, 1}}));
}

TEST_F(PublisherTest, sixty_four_messages_are_published_without_a_flush) {
  for (std::uint64_t i = 0; i < 65; ++i) {
    emit(std::to_string(i), i);
  }
  EXPECT_EQ(hand.receive().size(), 64u);
  hand.settle();
  EXPECT_EQ(queue.counters().sent, 64u);
  EXPECT_EQ(line.settled.count(), 64u);
}

TEST_F(PublisherTest, order_is_kept_over_chunks_and_flushes) {
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    emit(std::to_string(i) + std::string(i * 37 % 3000, '.'), i);
    if (i % 7 == 0) {
      publisher.flush(true);
    }
    if (i % 50 == 0 || i == 999) {
      publisher.flush(true);
      for (Texts batch = hand.receive(); !batch.empty(); batch = hand.receive()) {
        for (const std::string& body : batch) {
          EXPECT_EQ(std::stoull(body), next++);
        }
        hand.settle();
      }
    }
  }
  EXPECT_EQ(next, 1000u);
  EXPECT_EQ(line.settled.count(), 1000u);
}

TEST_F(PublisherTest,
       a_cookie_over_several_chunks_is_settled_once_when_all_are_done_and_it_is_closed) {
  for (int i = 0; i < 150; ++i) {
    emit("x", 7);
  }
  EXPECT_EQ(hand.drain(), 128u);
  EXPECT_EQ(line.settled.count(), 0u) << "22 are not published, and the cookie is open";
  publisher.flush(true);
  EXPECT_EQ(line.settled.count(), 0u);
  EXPECT_EQ(hand.drain(), 22u);
  EXPECT_EQ(line.settled.all(), (All{{7, false, 150}}));
}

/// The leak search of the sanitizer build, at the end of the program, is the judge.
TEST(AbandonedPublisher, leaves_no_memory_of_an_open_cookie_over_several_chunks) {
  for (std::size_t settled : {0u, 64u, 128u}) {  // none, the first, the first and the middle one
    Line line;
    Queue& queue = line.queue({.name = "q"});
    Publisher& publisher = line.publisher({&queue});
    Hand& hand = line.hand(queue, 64);
    ASSERT_TRUE(line.open());
    for (int i = 0; i < 150; ++i) {
      publisher.append({.body = bytes_of("x"), .cookie = 7}, Admission::wait);
    }
    publisher.flush(false);
    for (std::size_t done = 0; done < settled; done += 64) {
      ASSERT_EQ(hand.receive().size(), 64u);
      hand.settle();
    }
    EXPECT_EQ(line.settled.count(), 0u);
  }
}

TEST_F(PublisherTest, a_cookie_that_fills_its_chunk_exactly_is_closed_by_the_next_one) {
  for (int i = 0; i < 64; ++i) {
    emit("x", 1);
  }
  hand.drain();
  EXPECT_EQ(line.settled.count(), 0u);
  emit("y", 2);
  EXPECT_EQ(line.settled.all(), (All{{1, false, 64}}));
  publisher.flush(true);
  hand.drain();
  EXPECT_EQ(line.settled.count(), 2u);
}

TEST_F(PublisherTest, cookies_side_by_side_are_settled_each_for_itself) {
  emit("a", 1);
  emit("b", 1);
  emit("c", 2);
  emit("d", 1);
  publisher.flush(true);
  EXPECT_EQ(hand.drain(), 4u);
  EXPECT_EQ(line.settled.all(), (All{{1, false, 2}, {2, false, 1}, {1, false, 1}}));
}

TEST_F(PublisherTest, the_same_cookie_after_a_flush_is_a_new_one) {
  emit("a", 1);
  publisher.flush(true);
  emit("b", 1);
  publisher.flush(true);
  hand.drain();
  EXPECT_EQ(line.settled.all(), (All{{1, false, 1}, {1, false, 1}}));
}

TEST_F(PublisherTest, close_lets_go_of_everything_and_of_all_credit) {
  std::int64_t before = queue.credits().messages();
  emit("a", 1);
  publisher.close();
  hand.drain();
  EXPECT_EQ(line.settled.count(), 1u);
  EXPECT_EQ(queue.credits().messages(), before);
  EXPECT_EQ(queue.credits().units(), (std::int64_t{256} << 20) / core::kCreditUnit);
}

TEST_F(PublisherTest, credit_comes_back_whole_whatever_was_published_and_how) {
  for (int round = 0; round < 400; ++round) {
    emit(std::string(static_cast<std::size_t>(round) * 97 % 9000, 'x'), 1);
    if (round % 3 == 0) {
      publisher.flush(true);
    }
    if (round % 11 == 0) {
      hand.drain();
    }
  }
  publisher.close();
  hand.drain();
  EXPECT_EQ(queue.credits().messages(), 100'000);
  EXPECT_EQ(queue.credits().units(), (std::int64_t{256} << 20) / core::kCreditUnit);
}

TEST_F(PublisherTest, a_body_written_in_place_is_published_as_it_was_written) {
  Outcome outcome = Outcome::ok;
  for (int i = 0; i < 70; ++i) {
    std::uint8_t* place = publisher.reserve(100, Admission::wait, &outcome);
    ASSERT_NE(place, nullptr);
    std::memset(place, 'a' + i % 26, 100);
    EXPECT_EQ(publisher.commit(static_cast<std::uint64_t>(i % 100), {.cookie = 1}, Admission::wait),
              Outcome::ok);
  }
  publisher.flush(true);
  Texts first = hand.receive();
  ASSERT_EQ(first.size(), 64u);
  EXPECT_EQ(first[3], "ddd");
  hand.settle();
  EXPECT_EQ(hand.drain(), 6u);
}

TEST_F(PublisherTest, a_reserved_body_whose_attributes_need_a_larger_slab_moves_there) {
  std::string value(12'000, 'v'), name = "n";
  sluice_attribute large{
      sizeof large, SLUICE_STRING, {name.data(), 1}, {value.data(), value.size()}};
  const sluice_attribute* attributes[] = {&large};
  for (int i = 0; i < 64; ++i) {  // a full chunk whose cookie goes on: it must not be lost
    emit("x", 1);
  }
  Outcome outcome = Outcome::ok;
  std::uint8_t* place = publisher.reserve(core::kInlineBodyMax, Admission::wait, &outcome);
  ASSERT_NE(place, nullptr);
  std::memset(place, 'b', core::kInlineBodyMax);
  core::MessageParts parts{.attribute_count = 1, .attributes = attributes};
  EXPECT_EQ(publisher.commit(core::kInlineBodyMax, {.parts = parts, .cookie = 1}, Admission::wait),
            Outcome::ok);
  publisher.flush(true);
  EXPECT_EQ(hand.receive().size(), 64u);
  hand.settle();
  EXPECT_EQ(hand.receive(), Texts{std::string(core::kInlineBodyMax, 'b')});
  hand.settle();
  EXPECT_EQ(line.settled.all(), (All{{1, false, 65}}));
}

TEST_F(PublisherTest, a_reservation_that_is_never_committed_costs_nothing) {
  Outcome outcome = Outcome::ok;
  publisher.reserve(10, Admission::wait, &outcome);
  publisher.flush(true);
  emit("a", 1);
  publisher.reserve(4000, Admission::wait, &outcome);
  publisher.flush(true);
  EXPECT_EQ(hand.receive(), Texts{"a"});
  hand.settle();
  hand.consumer.idle();
  publisher.close();
  EXPECT_EQ(line.settled.count(), 1u);
  EXPECT_EQ(queue.credits().messages(), 100'000);
}

TEST_F(PublisherTest, sent_times_follow_the_clock_also_without_a_flush) {
  for (int i = 0; i < 65; ++i) {
    emit("x", 1);
    line.clock.advance_ms(10);
  }
  publisher.flush(true);
  hand.receive();
  std::int64_t first = hand.consumer.leases()[0].taken.chunk->sent_ms[0];
  hand.settle();
  hand.receive();
  EXPECT_EQ(hand.consumer.leases()[0].taken.chunk->sent_ms[0], first + 640);
  hand.settle();
}

TEST_F(PublisherTest, ids_are_unique_and_stay) {
  emit("a", 1);
  core::Uuid given{{1, 2, 3}};
  emit("b", 1, {.id = &given});
  publisher.flush(true);
  hand.receive();
  Chunk* chunk = hand.consumer.leases()[0].taken.chunk;
  EXPECT_EQ(chunk->id(1), given);
  EXPECT_NE(chunk->id(0), given);
  EXPECT_EQ(chunk->id(0).bytes[6] >> 4, 7) << "version 7";
  hand.settle();
}

TEST_F(PublisherTest, a_topic_without_subscriptions_settles_at_once) {
  Line lone;
  Publisher& to_nobody = lone.publisher({});
  ASSERT_TRUE(lone.open());
  for (std::uint64_t i = 0; i < 200; ++i) {
    to_nobody.append({.body = bytes_of("x"), .cookie = i}, Admission::wait);
  }
  to_nobody.flush(true);
  EXPECT_EQ(lone.settled.count(), 200u);
}

TEST_F(PublisherTest, a_body_that_can_never_fit_is_too_large_and_its_owner_hears_of_it) {
  static int released;
  released = 0;
  std::string value(40'000, 'v');
  sluice_attribute large{sizeof large, SLUICE_STRING, {"n", 1}, {value.data(), value.size()}};
  const sluice_attribute* attributes[] = {&large};
  core::ExternalBody* outside = core::ExternalBody::adopt(
      nullptr, 0, [](void*) { ++released; }, nullptr);
  EXPECT_EQ(publisher.append(
                {.external = outside, .parts = {.attribute_count = 1, .attributes = attributes}},
                Admission::wait),
            Outcome::too_large);
  EXPECT_EQ(released, 1);
}

TEST_F(PublisherTest, big_bodies_do_not_gather_in_one_chunk) {
  std::string big(600'000, 'B');
  for (std::uint64_t i = 0; i < 4; ++i) {
    publisher.append({.external = core::ExternalBody::copy_of(bytes_of(big)), .cookie = i},
                     Admission::wait);
  }
  EXPECT_EQ(queue.counters().sent, 2u) << "a chunk is published when its bodies come to 1 MiB";
  publisher.flush(true);
  EXPECT_EQ(hand.drain(), 4u);
}

/// Two queues with room for little.
struct Narrow {
  explicit Narrow(std::int64_t capacity, core::PublisherOptions options = {})
      : full(line.queue({.name = "full", .capacity = capacity})),
        open(line.queue({.name = "open", .capacity = 1000})),
        publisher(line.publisher({&full, &open}, std::move(options))),
        full_hand(line.hand(full, 64)),
        open_hand(line.hand(open, 64)) {
    EXPECT_TRUE(line.open());
  }
  Outcome emit(std::uint64_t cookie, Admission admission) {
    Outcome outcome =
        publisher.append({.body = bytes_of(std::to_string(cookie)), .cookie = cookie}, admission);
    publisher.flush(true);
    return outcome;
  }

  Line line;
  Queue& full;
  Queue& open;
  Publisher& publisher;
  Hand& full_hand;
  Hand& open_hand;
};

TEST(NarrowPublisher, try_emit_says_would_block_takes_no_credit_and_works_again_later) {
  Narrow narrow(1);
  EXPECT_EQ(narrow.emit(1, Admission::refuse), Outcome::ok);
  narrow.publisher.append({.body = bytes_of("fills the open chunk"), .cookie = 2},
                          Admission::overdraw);
  narrow.publisher.close();
  EXPECT_EQ(narrow.emit(3, Admission::refuse), Outcome::would_block);
  EXPECT_EQ(narrow.open.credits().messages(), 1000 - 2)
      << "nothing is held of the queue that has credit";
  narrow.full_hand.drain();
  EXPECT_EQ(narrow.emit(4, Admission::refuse), Outcome::ok);
  narrow.full_hand.drain();
  EXPECT_EQ(narrow.open_hand.drain(), 3u);
  EXPECT_EQ(narrow.line.settled.count(), 3u);
}

TEST(NarrowPublisher, passes_the_capacity_by_no_more_than_the_chunk_that_had_credit_for_one_message) {
  Narrow narrow(1);
  std::int64_t sent = 0;
  while (narrow.emit(static_cast<std::uint64_t>(sent), Admission::refuse) == Outcome::ok) {
    ASSERT_LT(++sent, 65);
  }
  EXPECT_GT(sent, 1) << "a chunk is taken whole";
  EXPECT_EQ(narrow.full.credits().messages(), 1 - sent);
}

TEST(NarrowPublisher, overdraw_goes_below_zero_and_never_waits) {
  Narrow narrow(1);
  for (std::uint64_t i = 0; i < 300; ++i) {
    EXPECT_EQ(narrow.emit(i, Admission::overdraw), Outcome::ok);
  }
  EXPECT_LT(narrow.full.credits().messages(), -200);
  EXPECT_EQ(narrow.full_hand.drain(), 300u);
  EXPECT_EQ(narrow.open_hand.drain(), 300u);
  narrow.publisher.close();
  EXPECT_EQ(narrow.full.credits().messages(), 1);
  EXPECT_EQ(narrow.open.credits().messages(), 1000);
}

Texts drain_texts(Hand& hand) {
  Texts all;
  for (Texts batch = hand.receive(); !batch.empty(); batch = hand.receive()) {
    all.insert(all.end(), batch.begin(), batch.end());
    hand.settle();
  }
  hand.consumer.idle();
  return all;
}

TEST(NarrowPublisher,
     a_branch_without_credit_gets_its_messages_later_in_order_and_the_other_at_once) {
  Narrow* self = nullptr;
  int looks = 0;
  Texts open_early, full_first;
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  options.wait.keep_on = [&] {  // called while it waits: the consumers' turn
    if (++looks == 1) {
      open_early = drain_texts(self->open_hand);
      EXPECT_FALSE(std::ranges::any_of(self->line.settled.all(),
                                       [](Settlement each) { return each.cookie == 64; }));
      full_first = drain_texts(self->full_hand);
    }
    return true;
  };
  Narrow narrow(1, std::move(options));
  self = &narrow;
  for (std::uint64_t i = 0; i < 64; ++i) {
    narrow.publisher.append({.body = bytes_of(std::to_string(i)), .cookie = i}, Admission::wait);
  }
  narrow.emit(64, Admission::wait);  // finds no credit: waits
  EXPECT_EQ(open_early.size(), 65u);
  EXPECT_EQ(full_first.size(), 64u);
  narrow.emit(65, Admission::overdraw);
  EXPECT_EQ(drain_texts(narrow.full_hand), (Texts{"64", "65"}));
  EXPECT_EQ(drain_texts(narrow.open_hand), (Texts{"65"}));
  EXPECT_EQ(narrow.line.settled.count(), 66u);
  narrow.publisher.close();
  EXPECT_EQ(narrow.full.credits().messages(), 1);
  EXPECT_EQ(narrow.open.credits().messages(), 1000);
}

TEST(NarrowPublisher, one_that_is_told_to_stop_waiting_overdraws) {
  core::PublisherOptions options;
  options.wait.keep_on = [] { return false; };
  Narrow narrow(1, std::move(options));
  for (std::uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(narrow.emit(i, Admission::wait), Outcome::ok);
  }
  EXPECT_EQ(narrow.full_hand.drain(), 200u);
  EXPECT_EQ(narrow.open_hand.drain(), 200u);
  EXPECT_EQ(narrow.line.settled.count(), 200u);
}

/// A waiting publisher that only a ring wakes (the step is an hour) against consumers: order,
/// credit and acknowledgement hold, and no wake-up is lost.
TEST(NarrowPublisher, publishers_and_consumers_on_threads_lose_no_wake_up_and_no_message) {
  core::PublisherOptions options;
  options.wait.step_ms = 3'600'000;
  Narrow narrow(70, std::move(options));
  const std::uint64_t total = scaled(100'000);
  auto consume = [total](Hand& hand) {
    std::uint64_t next = 0;
    while (next < total) {
      Texts batch = hand.receive();
      for (const std::string& body : batch) {
        ASSERT_EQ(std::stoull(body), next++);
      }
      hand.settle();
      if (batch.empty()) {
        hand.consumer.idle();
        std::this_thread::yield();
      }
    }
    hand.consumer.idle();
  };
  std::thread one(consume, std::ref(narrow.full_hand)), two(consume, std::ref(narrow.open_hand));
  for (std::uint64_t i = 0; i < total; ++i) {
    narrow.publisher.append({.body = bytes_of(std::to_string(i)), .cookie = i}, Admission::wait);
    if (i % 5 == 0 || i + 1 == total) {
      narrow.publisher.flush(true);
    }
  }
  one.join();
  two.join();
  narrow.publisher.close();
  EXPECT_EQ(narrow.line.settled.count(), total);
  EXPECT_EQ(narrow.full.credits().messages(), 70);
  EXPECT_EQ(narrow.open.credits().messages(), 1000);
}

}  // namespace
}  // namespace sluice::test
