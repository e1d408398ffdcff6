// Dead letters are stored before they count, and survive what storage does to them.
#include <gtest/gtest.h>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Outcome;
using core::Queue;
using Texts = std::vector<std::string>;

std::size_t lines_of(const std::string& text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

/// A queue whose first receive of each message rejects it.
struct Graveyard {
  explicit Graveyard(TestStorage* storage_before = nullptr, std::int64_t dead_capacity = 1000)
      : dead(line.queue({.name = "dead", .capacity = dead_capacity})),
        queue(line.queue({.name = "q"}, &dead)),
        publisher(line.publisher({&queue})),
        hand(line.hand(queue)),
        reader(line.hand(dead)) {
    if (storage_before != nullptr) {
      line.storage.put("dead/dead.jsonl", storage_before->content("dead/dead.jsonl"));
    }
  }
  void reject(const std::string& text, const core::Uuid* id = nullptr) {
    publisher.append({.body = bytes_of(text), .parts = {.id = id}, .cookie = ++cookie}, core::WhenFull::overdraw);
    publisher.flush(true);
    EXPECT_EQ(hand.receive(), Texts{text});
    hand.fail_first(Outcome::Status::reject, -1, "because");
  }
  std::string file() const { return line.file(dead); }

  Line line;
  Queue& dead;
  Queue& queue;
  core::Publisher& publisher;
  Hand& hand;
  Hand& reader;
  std::uint64_t cookie = 0;
};

TEST(DeadLetters, a_letter_is_appended_then_synced_then_settled_with_one_sync_for_all_that_wait) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.reject("b");
  EXPECT_EQ(yard.line.settled.count(), 0u);
  EXPECT_FALSE(yard.line.letters.quiet());
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.storage.calls(), (Texts{"append dead/dead.jsonl", "append dead/dead.jsonl", "sync dead/dead.jsonl"}));
  EXPECT_EQ(yard.line.settled.count(), 2u);
  EXPECT_TRUE(yard.line.letters.quiet());
  EXPECT_EQ(yard.line.letters.stored(), 2u);
}

TEST(DeadLetters, a_failing_sync_settles_nothing_and_is_told_once) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.line.storage.fail_sync(1);
  yard.reject("a");
  yard.line.letters.write_waiting();
  yard.reject("b");
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.settled.count(), 0u);
  EXPECT_EQ(yard.line.errors.size(), 1u);
  EXPECT_EQ(yard.queue.counters().moved_to_dead_letter, 0u);
}

TEST(DeadLetters, a_full_disk_settles_nothing_and_leaves_a_readable_file) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.line.letters.write_waiting();
  yard.line.storage.set_capacity(yard.file().size() + 20);
  yard.reject("b");
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.settled.count(), 1u);
  EXPECT_EQ(yard.line.errors.size(), 1u);
  Graveyard next(&yard.line.storage);
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(next.reader.receive(), Texts{"a"});
  EXPECT_EQ(lines_of(next.file()), 1u) << "the torn line is gone";
  next.reader.settle();
}

TEST(DeadLetters, an_id_that_is_stored_is_not_stored_again) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  core::Uuid id{{7, 7, 7}};
  yard.reject("a", &id);
  yard.line.letters.write_waiting();
  yard.reject("a", &id);
  yard.line.letters.write_waiting();
  EXPECT_EQ(lines_of(yard.file()), 1u);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  EXPECT_EQ(yard.line.settled.count(), 2u);
  EXPECT_EQ(conservation_gap(yard.queue.counters()), 0);
  EXPECT_EQ(conservation_gap(yard.dead.counters()), 0);
}

TEST(DeadLetters, letters_are_read_back_at_start_whole) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  std::string binary("\xff\0bin", 5);
  yard.reject("plain");
  yard.reject(binary);
  yard.line.letters.write_waiting();
  Graveyard next(&yard.line.storage);
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(next.dead.counters().moved_in, 2u);
  EXPECT_EQ(next.dead.counters().visible, 2u);
  EXPECT_EQ(next.line.letters.stored(), 2u);
  EXPECT_EQ(next.reader.receive(), (Texts{"plain", binary}));
  next.reader.settle();
}

TEST(DeadLetters, a_letter_that_left_leaves_a_tombstone_and_is_gone_after_the_next_start) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("gone");
  yard.reject("stays");
  yard.line.letters.write_waiting();
  ASSERT_EQ(yard.reader.receive().size(), 2u);
  yard.reader.settle({{1, {Outcome::Status::retry, 0, {}, {}, {}}}});
  yard.line.letters.write_waiting();
  EXPECT_EQ(lines_of(yard.file()), 3u);
  EXPECT_NE(yard.file().find("{\"deleted\":\""), std::string::npos);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  Graveyard next(&yard.line.storage);
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(lines_of(next.file()), 1u) << "compacted";
  EXPECT_EQ(next.reader.receive(), Texts{"stays"});
  next.reader.settle();
}

TEST(DeadLetters, lines_that_are_no_letters_stay_in_the_file_and_are_not_delivered) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.line.letters.write_waiting();
  TestStorage damaged;
  damaged.put("dead/dead.jsonl", "not json\n" + yard.file() + "{\"id\":\"zzz\"}\n\n" + yard.file() + "{\"id\":\"00");
  Graveyard next(&damaged);
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(next.reader.receive(), Texts{"a"});
  EXPECT_EQ(next.file(), "not json\n" + yard.file() + "{\"id\":\"zzz\"}\n\n");  // the torn tail alone is cut
  next.reader.settle();
}

TEST(DeadLetters, what_the_capacity_does_not_hold_stays_in_the_file_and_comes_when_there_is_room) {
  Graveyard yard(nullptr, 2);
  ASSERT_TRUE(yard.line.open());
  for (int i = 0; i < 7; ++i) {
    yard.reject(std::to_string(i));
  }
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.dead.counters().visible, 7u);
  EXPECT_EQ(yard.dead.unloaded.load(), 5u);
  Texts seen;
  for (int round = 0; round < 20 && seen.size() < 7; ++round) {
    for (const std::string& text : yard.reader.receive()) {
      seen.push_back(text);
    }
    yard.reader.settle();
    yard.reader.consumer.idle();
    yard.line.letters.write_waiting();
  }
  EXPECT_EQ(seen, (Texts{"0", "1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_EQ(conservation_gap(yard.dead.counters()), 0);
}

TEST(DeadLetters, a_letter_that_finds_room_when_nobody_asks_is_loaded_all_the_same) {
  Graveyard yard(nullptr, 1);
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.line.letters.write_waiting();
  yard.reject("b");
  ASSERT_EQ(yard.reader.receive(), Texts{"a"});
  yard.line.letters.write_waiting();  // no room for b
  EXPECT_EQ(yard.dead.unloaded.load(), 1u);
  yard.reader.settle();
  yard.reader.consumer.idle();
  yard.reject("c");                   // arrives behind b
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.reader.drain(), 1u);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.reader.drain(), 1u);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.dead.unloaded.load(), 0u);
  EXPECT_EQ(yard.dead.counters().deleted, 3u);
}

TEST(DeadLetters, a_letter_that_moves_on_is_stored_there_before_it_is_deleted_here) {
  Line line;
  Queue& last = line.queue({.name = "last"});
  Queue& dead = line.queue({.name = "dead", .max_receive_count = 10}, &last);
  Queue& queue = line.queue({.name = "q"}, &dead);
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue);
  Hand& grave = line.hand(dead);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a", "b"});
  hand.receive();
  hand.settle({{0, {Outcome::Status::reject, -1, "s", "r", ""}}, {1, {Outcome::Status::reject, -1, "s", "r", ""}}});
  line.letters.write_waiting();
  grave.receive();
  // a is done with (its tombstone is written first), b moves on.
  grave.settle({{1, {Outcome::Status::reject, -1, "s", "again", ""}}});
  std::size_t before = line.storage.calls().size();
  line.letters.write_waiting();
  Texts calls = line.storage.calls();
  calls.erase(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(before));
  auto stored = std::ranges::find(calls, "sync dead/last.jsonl");
  auto removed = std::find(calls.rbegin(), calls.rend(), "append dead/dead.jsonl").base() - 1;
  ASSERT_NE(stored, calls.end());
  EXPECT_LT(stored - calls.begin(), removed - calls.begin()) << "b's tombstone may only follow its letter's sync";
  EXPECT_EQ(line.letters.stored(), 1u);
  EXPECT_EQ(conservation_gap(dead.counters()), 0);
  EXPECT_EQ(conservation_gap(last.counters()), 0);
}

TEST(DeadLetters, a_power_cut_loses_no_letter_that_was_settled) {
  for (std::uint64_t torn : {0u, 1u, 40u, 100u}) {
    Graveyard yard;
    ASSERT_TRUE(yard.line.open());
    yard.reject("kept");
    yard.line.letters.write_waiting();
    yard.line.storage.fail_sync(1);
    yard.reject("unsettled");
    yard.line.letters.write_waiting();
    yard.line.storage.cut_power(torn);
    ASSERT_EQ(yard.line.settled.count(), 1u);
    Graveyard next(&yard.line.storage);
    ASSERT_TRUE(next.line.open());
    EXPECT_EQ(next.reader.receive(), Texts{"kept"}) << torn;
    next.reader.settle();
  }
}

TEST(DeadLetters, a_letter_is_logged_once_it_is_stored_with_its_queue_id_reason_and_place) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  LogLines log;
  core::Uuid id = *core::parse_uuid("bd1c57a0-f91e-5664-b24f-a90f58ed9739");
  yard.reject("a", &id);
  EXPECT_TRUE(log.all().empty());
  yard.line.letters.write_waiting();
  EXPECT_EQ(log.all(), (Texts{"warning q: message bd1c57a0-f91e-5664-b24f-a90f58ed9739 is "
                              "dead-lettered: because: detail; "
                              "it lies in 'dead/dead.jsonl'"}));
}

TEST(DeadLetters, a_flood_of_letters_is_cut_in_the_log_and_counted) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  LogLines log;
  for (int i = 0; i < 25; ++i) {
    yard.reject("a");
  }
  yard.line.letters.write_waiting();
  EXPECT_EQ(log.all().size(), 10u);
  yard.line.advance(1000);
  yard.reject("b");
  yard.line.letters.write_waiting();
  EXPECT_EQ(log.with("15 more dead letters left out").size(), 1u);
  EXPECT_EQ(log.all().size(), 12u);
}

TEST(DeadLetters, letters_of_a_file_are_counted_without_those_that_were_deleted) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.reject("b");
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.reader.receive().size(), 2u);
  yard.reader.fail_first(Outcome::Status::retry);  // "a" stays, "b" leaves
  yard.line.letters.write_waiting();
  EXPECT_EQ(core::DeadLetters::count_in(yard.line.storage, "dead/dead.jsonl").value(), 1u);
}

}  // namespace
}  // namespace sluice::test
