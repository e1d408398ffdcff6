// Dead letters are stored before they count, and survive what storage does to them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/fault.hpp"
#include "base/log.hpp"
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
    publisher.append({.body = bytes_of(text), .parts = {.id = id}, .cookie = ++cookie}, core::Admission::overdraw);
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

TEST(DeadLetters, letters_are_appended_then_synced_then_settled_in_one_go_for_all_that_wait) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.reject("b");
  EXPECT_EQ(yard.line.settled.count(), 0u);
  EXPECT_FALSE(yard.line.letters.quiet());
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.storage.calls(), (Texts{"append dead/dead.jsonl", "sync dead/dead.jsonl"}));
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
  EXPECT_EQ(yard.line.letters.stored(), 0u);
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

TEST(DeadLetters, of_a_write_that_fails_none_stays_in_the_file_for_their_messages_come_again) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("a");
  yard.line.letters.write_waiting();
  const std::string before = yard.file();
  yard.line.storage.set_capacity(2 * before.size() + 20);  // b has room, and c has not
  yard.reject("b");
  yard.reject("c");
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.settled.count(), 1u);
  EXPECT_EQ(yard.file(), before);
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

TEST(DeadLetters, two_messages_of_one_id_are_told_of) {
  const LogLines log;
  const core::Uuid id{{1, 2, 3}};
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  for (const char* body : {"a", "a", "b"}) {
    yard.reject(body, &id);
    yard.line.letters.write_waiting();
  }
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  EXPECT_EQ(log.with("is dead-lettered again with another body").size(), 1u) << "of b, not of a, which comes again";
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
  // Of the letter that stands there twice the later line is kept; the torn tail is cut.
  EXPECT_EQ(next.file(), "not json\n{\"id\":\"zzz\"}\n\n" + yard.file());
  next.reader.settle();
}

TEST(DeadLetters, a_letter_whose_content_is_unreadable_is_set_aside_in_the_file_and_told_of) {
  const std::string id = R"({"id":"07070000-0000-0000-0000-000000000000",)";
  for (const std::string& content :
       {std::string(R"("body_base64":"@@@"})"), R"("body":"x","attributes":{"a":{"type":"String","value":")" +
        std::string(70'000, 'v') + R"("}}})", R"("group_id":")" + std::string(300, 'g') + R"("})"}) {
    TestStorage damaged;
    damaged.put("dead/dead.jsonl", id + content + "\n");
    std::string log;
    core::set_log_sink([&](std::string_view line) { log += line; });
    Graveyard yard(&damaged);
    ASSERT_TRUE(yard.line.open());
    core::set_log_sink({});
    EXPECT_NE(log.find("'dead/dead.jsonl': 1 line no dead letter can be read from, the first is line 1"), std::string::npos) << log;
    EXPECT_EQ(yard.dead.counters().visible, 0u) << "nobody waits for what never comes";
    EXPECT_EQ(yard.line.letters.stored(), 0u);
    EXPECT_EQ(yard.reader.receive(), Texts{});
    core::Uuid same{{7, 7}};
    yard.reject("whole", &same);
    yard.line.letters.write_waiting();
    EXPECT_EQ(lines_of(yard.file()), 2u) << "neither is lost";
    EXPECT_EQ(yard.reader.receive(), Texts{"whole"});
    yard.reader.settle();
  }
}

/// Attributes that fill a message's meta to the last byte: more than one emission may add, so some of
/// them are inherited.
struct FullMeta {
  FullMeta() {
    for (int i = 0; i < 100; ++i) {
      names.push_back("name" + std::to_string(100 + i));
    }
    for (const std::string& name : names) {
      attributes.push_back({sizeof(sluice_attribute), SLUICE_STRING, {name.data(), name.size()}, {}});
    }
    for (const sluice_attribute& attribute : attributes) {
      pointers.push_back(&attribute);
    }
    parts.attribute_count = static_cast<std::uint32_t>(pointers.size());
    parts.attributes = pointers.data();
    value.assign(core::kMetaMax - core::Chunk::meta_bytes(parts), 'v');
    attributes.back().value = {value.data(), value.size()};
  }
  std::vector<std::string> names;
  std::string value;
  std::vector<sluice_attribute> attributes;
  std::vector<const sluice_attribute*> pointers;
  core::MessageParts parts;
};

TEST(DeadLetters, a_letter_with_all_the_attributes_that_a_message_can_have_is_read_back) {
  const FullMeta full;
  ASSERT_EQ(core::Chunk::meta_bytes(full.parts), core::kMetaMax);
  const std::string body(core::kInlineBodyMax, 'b');
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.publisher.append({.body = bytes_of(body), .parts = full.parts, .cookie = 1}, core::Admission::overdraw);
  yard.publisher.flush(true);
  ASSERT_EQ(yard.hand.receive(), Texts{body});
  yard.hand.fail_first(Outcome::Status::reject);
  yard.line.letters.write_waiting();
  Graveyard next(&yard.line.storage);
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(next.reader.receive(), Texts{body});
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

/// DESIGN 2.6, aws-semantics 1.3: the receive count goes on; how often its service may try a letter does not depend on it.
TEST(DeadLetters, that_are_received_count_on_and_have_all_tries_of_their_queue) {
  std::string letters;
  for (const bool is_read_back : {false, true}) {
    Line line;
    line.storage.put("dead/dead.jsonl", letters);
    Queue& last = line.queue({.name = "last"});
    Queue& dead = line.queue({.name = "dead", .max_receive_count = 2}, &last);
    Queue& queue = line.queue({.name = "q", .max_receive_count = 2}, &dead);
    core::Publisher& publisher = line.publisher({&queue});
    Hand &hand = line.hand(queue), &grave = line.hand(dead);
    ASSERT_TRUE(line.open());
    if (!is_read_back) {
      line.publish(publisher, {"a"});
      for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(hand.receive(), Texts{"a"});
        hand.fail_first(Outcome::Status::retry, 0);
      }
      line.letters.write_waiting();
      letters = line.file(dead);
      EXPECT_NE(letters.find("\"receive_count\":2"), std::string::npos);
    }
    for (std::uint32_t receives : {3u, 4u}) {
      ASSERT_EQ(grave.receive(), Texts{"a"});
      core::ChunkViews views;
      const core::Taken taken = grave.consumer.leases()[0].taken;
      views.show(*taken.chunk, taken.mask);
      EXPECT_EQ(views.pointers()[core::lowest_bit(taken.mask)]->receive_count, receives);
      grave.fail_first(Outcome::Status::retry, 0);
    }
    line.letters.write_waiting();
    EXPECT_EQ(line.file(last).find("received 4 times"), std::string::npos);
    EXPECT_NE(line.file(last).find("received 2 times, max_receive_count is 2"), std::string::npos) << line.file(last);
    EXPECT_NE(line.file(last).find("\"receive_count\":4"), std::string::npos);
    EXPECT_EQ(line.letters.stored(), 1u);
    EXPECT_EQ(conservation_gap(dead.counters()), 0);
  }
}

/// Two branches of a topic, whose messages have the same id, share a dead-letter queue, and its service gives both up.
TEST(DeadLetters, of_two_branches_that_move_on_are_two_letters_there_too_and_after_a_crash_no_more) {
  std::string letters, moved_on;
  for (const bool is_crash_over : {false, true}) {
    Line line;
    line.storage.put("dead/dead.jsonl", letters);
    line.storage.put("dead/last.jsonl", moved_on);
    Queue& last = line.queue({.name = "last"});
    Queue& dead = line.queue({.name = "dead", .max_receive_count = 10}, &last);
    Queue &one = line.queue({.name = "one"}, &dead), &two = line.queue({.name = "two"}, &dead);
    core::Publisher& topic = line.publisher({&one, &two});
    Hand& grave = line.hand(dead);
    Hand *hands[] = {&line.hand(one), &line.hand(two)};
    ASSERT_TRUE(line.open());
    if (!is_crash_over) {
      line.publish(topic, {"a"});
      for (Hand* hand : hands) {
        hand->receive();
        hand->fail_first(Outcome::Status::reject);
      }
      line.letters.write_waiting();
      letters = line.file(dead);
    }
    ASSERT_EQ(grave.receive(), (Texts{"a", "a"}));
    grave.settle({{0, {Outcome::Status::reject, -1, "s", "r", ""}}, {1, {Outcome::Status::reject, -1, "s", "r", ""}}});
    line.letters.write_waiting();
    EXPECT_EQ(lines_of(line.file(last)), 2u) << line.file(last);
    EXPECT_EQ(line.letters.stored(), 2u);
    moved_on = line.file(last);  // the power fails before they leave `dead`
  }
}

TEST(DeadLetters, of_two_branches_that_were_redriven_and_move_on_again_are_two_still) {
  LogLines quiet;
  Line line;
  Queue& last = line.queue({.name = "last"});
  Queue& dead = line.queue({.name = "dead", .max_receive_count = 10}, &last);
  Queue &one = line.queue({.name = "one"}, &dead), &two = line.queue({.name = "two"}, &dead);
  core::Publisher& topic = line.publisher({&one, &two});
  Hand& grave = line.hand(dead);
  Hand *hands[] = {&line.hand(one), &line.hand(two)};
  ASSERT_TRUE(line.open());
  line.publish(topic, {"a"});
  for (Hand* hand : hands) {
    hand->receive();
    hand->fail_first(Outcome::Status::reject);
  }
  line.letters.write_waiting();
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(grave.receive(), (Texts{"a", "a"}));
    grave.settle({{0, {Outcome::Status::reject, -1, "s", "r", ""}}, {1, {Outcome::Status::reject, -1, "s", "r", ""}}});
    line.letters.write_waiting();
    EXPECT_EQ(line.letters.stored(), 2u);
    for (const char* branch : {"one", "two"}) {
      EXPECT_NE(line.file(last).find(fmt::format("\"letter_of\":\"{}\"", branch)), std::string::npos) << line.file(last);
    }
    ASSERT_TRUE(line.letters.redrive(last, {}));
    for (int i = 0; i < 1000 && line.letters.redrives().status(last)->state == core::RedriveState::running; ++i) {
      line.letters.redrive_some();
      line.letters.write_waiting();
    }
  }
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

TEST(DeadLetters, without_a_queue_for_them_are_dropped_and_a_flood_of_them_is_counted_in_the_log) {
  Line line;
  Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue);
  ASSERT_TRUE(line.open());
  LogLines log;
  auto reject = [&] {
    line.publish(publisher, {"a"});
    ASSERT_EQ(hand.receive(), Texts{"a"});
    hand.fail_first(Outcome::Status::reject, -1, "because");
  };
  for (int i = 0; i < 25; ++i) {
    reject();
  }
  EXPECT_EQ(log.with(" is dropped: because: detail; the queue's redrive_policy is null").size(), 10u);
  line.advance(1000);
  reject();
  EXPECT_EQ(log.with("15 more dropped messages left out").size(), 1u);
  EXPECT_EQ(queue.counters().dropped, 26u);
  EXPECT_EQ(line.settled.count(), 26u);
  EXPECT_EQ(conservation_gap(queue.counters()), 0);
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
  EXPECT_EQ(core::LetterFile::open(yard.line.storage, "dead/dead.jsonl")->count(), 1u);
}

/// A queue whose letters come and go all the time.
TEST(DeadLetters, a_file_is_written_anew_once_most_of_it_is_of_no_use) {
  Graveyard yard;
  ASSERT_TRUE(yard.line.open());
  yard.reject("kept");
  yard.line.letters.write_waiting();
  Hand& other = yard.line.hand(yard.dead, 1);
  ASSERT_EQ(other.receive(), Texts{"kept"});
  const std::string body(8000, 'x');
  const auto size = [&] { return (*yard.line.storage.open_append("dead/dead.jsonl"))->size(); };
  std::uint64_t largest = 0;
  for (int i = 0; i < 2200; ++i) {
    yard.reject(body);
    yard.line.letters.write_waiting();
    EXPECT_EQ(yard.reader.drain(), 1u);
    yard.line.letters.write_waiting();
    largest = std::max(largest, size());
  }
  EXPECT_GT(largest, std::uint64_t{15} << 20);
  EXPECT_LT(largest, std::uint64_t{17} << 20);
  EXPECT_LT(size(), std::uint64_t{4} << 20);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  other.settle();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_EQ(conservation_gap(yard.dead.counters()), 0);
}

#ifdef SLUICE_FAULT_POINTS
constexpr core::Uuid kComesAgain{{7, 7, 7}};

/// A letter is written and the program dies at the fault point `name`: what of it is on the disk.
std::unique_ptr<TestStorage> die_at(std::string_view name) {
  auto disk = std::make_unique<TestStorage>();
  Graveyard yard;
  EXPECT_TRUE(yard.line.open());
  core::set_fault_handler([&](std::string_view point) {
    if (point == name) {
      EXPECT_EQ(yard.line.settled.count(), 0u) << "settled before it was safe";
      disk->put("dead/dead.jsonl", yard.line.storage.durable_content("dead/dead.jsonl"));
    }
    return point == name;
  });
  yard.reject("a", &kComesAgain);
  yard.line.letters.write_waiting();
  core::set_fault_handler([](std::string_view) { return false; });
  return disk;
}

/// After a crash the source, which heard nothing, brings the message again.
void expect_one_letter_when_it_comes_again(Graveyard& next) {
  next.reject("a", &kComesAgain);
  next.line.letters.write_waiting();
  EXPECT_EQ(next.line.settled.count(), 1u);
  EXPECT_EQ(next.line.letters.stored(), 1u);
  EXPECT_EQ(lines_of(next.file()), 1u);
  EXPECT_EQ(conservation_gap(next.dead.counters()), 0);
}

TEST(DeadLetters, a_crash_before_the_sync_settles_nothing_and_the_letter_is_stored_when_it_comes_again) {
  Graveyard next(die_at("dead_letters.before_sync").get());
  ASSERT_TRUE(next.line.open());
  EXPECT_EQ(next.reader.receive(), Texts{});
  expect_one_letter_when_it_comes_again(next);
  EXPECT_EQ(next.reader.receive(), Texts{"a"});
  next.reader.settle();
}

TEST(DeadLetters, a_crash_after_the_sync_keeps_the_letter_and_delivers_it_once_though_it_comes_again) {
  Graveyard next(die_at("dead_letters.after_sync").get());
  ASSERT_TRUE(next.line.open());
  expect_one_letter_when_it_comes_again(next);
  EXPECT_EQ(next.reader.receive(), Texts{"a"});
  next.reader.settle();
  EXPECT_EQ(next.reader.receive(), Texts{});
}
#endif

}  // namespace
}  // namespace sluice::test
