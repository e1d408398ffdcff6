// A redrive moves dead letters back to their queues: none is lost, none is moved twice, whatever
// happens in between.
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

#include "base/fault.hpp"
#include "base/log.hpp"
#include "support/line.hpp"

namespace sluice::test {
namespace {

using core::Outcome;
using core::Queue;
using core::RedriveState;
using core::RedriveStatus;
using Texts = std::vector<std::string>;

/// Two queues that share a dead-letter queue.
struct Yard {
  explicit Yard(const std::string& dead_before = {}, std::int64_t dead_capacity = 1000, std::int64_t capacity = 1000,
                std::int64_t capacity_bytes = 1 << 20)
      : dead(line.queue({.name = "dead", .capacity = dead_capacity})),
        one(line.queue({.name = "one", .capacity = capacity, .capacity_bytes = capacity_bytes}, &dead)),
        two(line.queue({.name = "two"}, &dead)),
        other(line.queue({.name = "other"})),
        to_one(line.publisher({&one})),
        to_two(line.publisher({&two})),
        at_one(line.hand(one)),
        at_two(line.hand(two)),
        at_other(line.hand(other)),
        at_dead(line.hand(dead)) {
    if (!dead_before.empty()) {
      line.storage.put("dead/dead.jsonl", dead_before);
    }
    EXPECT_TRUE(line.open());
  }

  void bury(core::Publisher& publisher, Hand& hand, const std::string& text, const std::string& reason = "because") {
    line.publish(publisher, {text}, ++cookie);
    ASSERT_EQ(hand.receive(), Texts{text});
    hand.fail_first(Outcome::Status::reject, -1, reason);
    line.letters.write_waiting();
  }
  /// Steps until it is at its end.
  RedriveStatus redrive(core::RedriveRequest request = {}) {
    core::Result<void> begun = line.letters.redrive(dead, std::move(request));
    EXPECT_TRUE(begun) << begun.error().message;
    for (int i = 0; i < 1000 && status().state == RedriveState::running; ++i) {
      line.letters.redrive_some();
      line.letters.write_waiting();
    }
    return status();
  }
  RedriveStatus status() const { return *line.letters.redrives().status(dead); }
  /// Writes until `ask` is answered; nothing is written after that.
  template <class Ask>
  auto answer(Ask ask) {
    auto asked = std::async(std::launch::async, std::move(ask));
    while (asked.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      line.letters.write_waiting();
    }
    return asked.get();
  }
  core::Result<std::uint64_t> purge() {
    return answer([this] { return line.letters.purge(dead); });
  }
  core::Result<void> wait_until_written() {
    return answer([this] { return line.letters.wait_until_written(); });
  }
  void expect_conserved() {
    for (Queue* queue : {&dead, &one, &two, &other}) {
      EXPECT_EQ(conservation_gap(queue->counters()), 0) << queue->name();
    }
  }
  std::string file() const { return line.file(dead); }

  Line line;
  Queue &dead, &one, &two, &other;
  core::Publisher &to_one, &to_two;
  Hand &at_one, &at_two, &at_other, &at_dead;
  std::uint64_t cookie = 0;
};

TEST(Redrive, moves_each_letter_to_the_queue_that_it_came_from) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.bury(yard.to_two, yard.at_two, "b");
  RedriveStatus status = yard.redrive();
  EXPECT_EQ(status.state, RedriveState::completed);
  EXPECT_EQ(status.letters, 2u);
  EXPECT_EQ(status.moved, 2u);
  EXPECT_EQ(status.moved_to, (std::map<std::string, std::uint64_t, std::less<>>{{"one", 1}, {"two", 1}}));
  EXPECT_EQ(yard.dead.counters().visible, 0u);
  EXPECT_EQ(yard.dead.counters().deleted, 2u) << "redriven away counts as deleted";
  EXPECT_EQ(yard.at_one.receive(), Texts{"a"});
  EXPECT_EQ(yard.at_two.receive(), Texts{"b"});
  yard.at_one.settle();
  yard.at_two.settle();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_TRUE(yard.line.letters.quiet());
  yard.expect_conserved();
}

TEST(Redrive, of_what_fails_again_is_counted_in_its_letter) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  EXPECT_EQ(yard.file().find("redrive_count"), std::string::npos);
  for (const char* count : {"\"redrive_count\":1}", "\"redrive_count\":2}"}) {
    ASSERT_EQ(yard.redrive().moved, 1u);
    ASSERT_EQ(yard.at_one.receive(), Texts{"a"});
    yard.at_one.fail_first(Outcome::Status::reject);
    yard.line.letters.write_waiting();
    EXPECT_NE(yard.file().find(count), std::string::npos) << yard.file();
  }
  Yard next(yard.file());
  ASSERT_EQ(next.redrive({.to = "two"}).moved, 1u);
  ASSERT_EQ(next.at_two.receive(), Texts{"a"});
  next.at_two.fail_first(Outcome::Status::reject);
  next.line.letters.write_waiting();
  EXPECT_NE(next.file().find("\"source_queue\":\"two\",\"redrive_count\":3}"), std::string::npos) << next.file();
}

/// Messages of a topic's branches have the same id.
TEST(Redrive, of_branches_that_share_a_dead_letter_queue_moves_each_message_back_to_its_own) {
  Yard yard;
  core::Publisher& topic = yard.line.publisher({&yard.one, &yard.two});
  yard.line.publish(topic, {"a"});
  for (Hand* hand : {&yard.at_one, &yard.at_two}) {
    ASSERT_EQ(hand->receive(), Texts{"a"});
    hand->fail_first(Outcome::Status::reject);
  }
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 2u);
  EXPECT_EQ(yard.dead.counters().visible, 2u);
  EXPECT_EQ(yard.redrive().moved, 2u);
  EXPECT_EQ(yard.at_one.drain(), 1u);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 1u) << "the other branch's stands until its own end";
  Yard next(yard.file());
  EXPECT_EQ(next.redrive().moved_to, (std::map<std::string, std::uint64_t, std::less<>>{{"two", 1}}));
  EXPECT_EQ(yard.at_two.drain(), 1u);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  yard.expect_conserved();
}

TEST(Redrive, of_a_letter_that_fails_elsewhere_leaves_one_letter_which_came_from_there) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  EXPECT_EQ(yard.redrive({.to = "two"}).moved, 1u);
  ASSERT_EQ(yard.at_two.receive(), Texts{"a"});
  yard.at_two.fail_first(Outcome::Status::reject);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.status().came_back, 1u);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  EXPECT_EQ(yard.redrive({.dry_run = true}).moved_to, (std::map<std::string, std::uint64_t, std::less<>>{{"two", 1}}));
  EXPECT_EQ(yard.at_dead.receive(), Texts{"a"});
  yard.at_dead.settle();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  yard.expect_conserved();
}

TEST(Redrive, keeps_the_id_and_begins_a_new_count_of_receives) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  const std::string before = yard.file();
  yard.line.advance(5000);
  yard.redrive();
  ASSERT_EQ(yard.at_one.receive(), Texts{"a"});
  const core::Taken taken = yard.at_one.consumer.leases()[0].taken;
  const std::uint32_t index = core::lowest_bit(taken.mask);
  EXPECT_NE(before.find(core::to_text(taken.chunk->id(index))), std::string::npos);
  EXPECT_EQ(taken.chunk->lineage[index].receive_count, 0u);
  EXPECT_EQ(taken.chunk->sent_ms[index], yard.line.clock.wall_ms()) << "or its retention would end it at once";
  yard.at_one.settle();
}

TEST(Redrive, a_letter_stays_stored_until_its_end_in_its_queue) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.redrive();
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  {
    Yard after_a_crash(yard.line.storage.durable_content("dead/dead.jsonl"));
    EXPECT_EQ(after_a_crash.at_dead.receive(), Texts{"a"});
    after_a_crash.at_dead.settle();
  }
  yard.at_one.receive();
  yard.at_one.settle();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  Yard next(yard.file());
  EXPECT_EQ(next.at_dead.receive(), Texts{});
}

TEST(Redrive, a_letter_that_fails_again_is_a_dead_letter_again_with_its_new_reason_and_is_not_moved_twice) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a", "first reason");
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.messages_per_second = 1}));
  yard.line.letters.redrive_some();
  ASSERT_EQ(yard.at_one.receive(), Texts{"a"});
  yard.at_one.fail_first(Outcome::Status::reject, -1, "second reason");
  yard.line.letters.write_waiting();
  for (int i = 0; i < 100; ++i) {
    yard.line.advance(1000);
    yard.line.letters.redrive_some();
  }
  EXPECT_EQ(yard.status().state, RedriveState::completed);
  EXPECT_EQ(yard.status().moved, 1u);
  EXPECT_EQ(yard.status().came_back, 1u);
  EXPECT_EQ(yard.at_one.receive(), Texts{});
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  EXPECT_EQ(yard.dead.counters().visible, 1u);
  Yard next(yard.file());
  EXPECT_NE(next.file().find("second reason"), std::string::npos);
  EXPECT_EQ(next.file().find("first reason"), std::string::npos) << "compacted";
  EXPECT_EQ(next.redrive().moved, 1u) << "a redrive that is begun later moves it";
  next.at_one.drain();
  next.expect_conserved();
  yard.expect_conserved();
}

TEST(Redrive, takes_only_letters_of_a_reason) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a", "access denied");
  yard.bury(yard.to_one, yard.at_one, "b", "damaged");
  RedriveStatus status = yard.redrive({.reason = "denied"});
  EXPECT_EQ(status.moved, 1u);
  EXPECT_EQ(status.filtered, 1u);
  EXPECT_EQ(yard.at_one.receive(), Texts{"a"});
  yard.at_one.settle();
  EXPECT_EQ(yard.at_dead.receive(), Texts{"b"}) << "what stays is there again";
  yard.at_dead.settle();
  yard.expect_conserved();
}

TEST(Redrive, takes_letters_elsewhere_where_that_is_asked_for) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  EXPECT_EQ(yard.redrive({.to = "other"}).moved, 1u);
  EXPECT_EQ(yard.at_other.receive(), Texts{"a"});
  yard.at_other.settle();
}

TEST(Redrive, of_a_dry_run_counts_and_moves_nothing) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  RedriveStatus status = yard.redrive({.dry_run = true});
  EXPECT_EQ(status.state, RedriveState::completed);
  EXPECT_EQ(status.moved, 1u);
  EXPECT_EQ(status.moved_to.at("one"), 1u);
  EXPECT_EQ(yard.at_one.receive(), Texts{});
  EXPECT_EQ(yard.at_dead.receive(), Texts{"a"});
  yard.at_dead.settle();
}

TEST(Redrive, of_a_dry_run_counts_what_a_redrive_would_move_now) {
  Yard yard({}, 1000, 2);
  for (const char* text : {"a", "b", "c", "d", "e"}) {
    yard.bury(yard.to_one, yard.at_one, text);
    yard.at_one.consumer.idle();
  }
  Hand& single = yard.line.hand(yard.dead, 1);
  ASSERT_EQ(single.receive(), Texts{"a"});
  const RedriveStatus dry = yard.redrive({.dry_run = true}), moving = yard.redrive();
  EXPECT_EQ(moving.in_use, 1u);
  EXPECT_EQ(moving.without_room, 2u);
  for (auto count : {&RedriveStatus::moved, &RedriveStatus::in_use, &RedriveStatus::without_room}) {
    EXPECT_EQ(dry.*count, moving.*count);
  }
  EXPECT_EQ(yard.redrive({.dry_run = true}).in_use, 3u) << "those on their way, too";
  single.settle();
  yard.at_one.drain();
  yard.expect_conserved();
}

TEST(Redrive, of_a_dry_run_reckons_with_the_bytes_that_a_queue_has_room_for) {
  Yard yard({}, 1000, 1000, 1024);
  for (int i = 0; i < 5; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::string(450, 'x'));
    yard.at_one.consumer.idle();
  }
  const RedriveStatus dry = yard.redrive({.dry_run = true}), moving = yard.redrive();
  EXPECT_GT(moving.without_room, 0u);
  EXPECT_EQ(dry.without_room, moving.without_room);
  EXPECT_EQ(dry.moved, moving.moved);
  yard.at_one.drain();
}

TEST(Redrive, skips_and_counts_rejected_parts) {
  Yard yard;
  yard.line.publish(yard.to_one, {"whole"});
  ASSERT_EQ(yard.at_one.receive(), Texts{"whole"});
  yard.at_one.consumer.reject_part(bytes_of("row"), {}, {}, "stage", "bad row", "");
  yard.at_one.settle();
  yard.line.letters.write_waiting();
  RedriveStatus status = yard.redrive();
  EXPECT_EQ(status.parts, 1u);
  EXPECT_EQ(status.moved, 0u);
  EXPECT_EQ(yard.at_dead.receive(), Texts{"row"});
  yard.at_dead.settle();
  EXPECT_NE(yard.file().find("\"part\":true"), std::string::npos);
}

TEST(Redrive, leaves_letters_whose_queue_is_gone_and_counts_them) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  std::string file = yard.file();
  const std::string from = "\"source_queue\":\"one\"";
  ASSERT_NE(file.find(from), std::string::npos);
  Yard next(file.replace(file.find(from), from.size(), "\"source_queue\":\"gone\""));
  EXPECT_EQ(next.redrive().without_queue, 1u);
  EXPECT_EQ(next.at_dead.receive(), Texts{"a"});
  next.at_dead.settle();
}

/// Its last error is the copy's that is taken out of memory: the leak check of the sanitizers sees it.
TEST(Redrive, takes_a_letter_that_was_retried_where_it_lay) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  ASSERT_EQ(yard.at_dead.receive(), Texts{"a"});
  yard.at_dead.fail_first(Outcome::Status::retry, 0, "not yet");
  EXPECT_EQ(yard.redrive().moved, 1u);
  EXPECT_EQ(yard.at_one.drain(), 1u);
  yard.expect_conserved();
}

TEST(Redrive, leaves_letters_that_a_worker_has_in_hand) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.bury(yard.to_one, yard.at_one, "b");
  Hand& single = yard.line.hand(yard.dead, 1);
  ASSERT_EQ(single.receive(), Texts{"a"});
  RedriveStatus status = yard.redrive();
  EXPECT_EQ(status.in_use, 1u);
  EXPECT_EQ(status.moved, 1u);
  single.settle();
  EXPECT_EQ(yard.at_one.receive(), Texts{"b"});
  yard.at_one.settle();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  yard.expect_conserved();
}

TEST(Redrive, does_not_move_what_is_on_its_way_already) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.redrive();
  RedriveStatus again = yard.redrive();
  EXPECT_EQ(again.moved, 0u);
  EXPECT_EQ(again.in_use, 1u);
  EXPECT_EQ(yard.at_one.receive(), Texts{"a"});
  yard.at_one.settle();
}

TEST(Redrive, goes_at_its_rate) {
  Yard yard;
  for (int i = 0; i < 500; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.messages_per_second = 100}));
  yard.line.letters.redrive_some();
  for (int second = 1; second <= 3; ++second) {
    for (int step = 0; step < 200; ++step) {
      yard.line.advance(5);
      yard.line.letters.redrive_some();
    }
    EXPECT_NEAR(static_cast<double>(yard.status().moved), 100.0 * second, 5.0 * second);
  }
  yard.line.advance(60'000);
  yard.line.letters.redrive_some();
  EXPECT_LE(yard.status().moved, 320u) << "what was not used for a minute does not come at once";
}

TEST(Redrive, waits_for_a_full_queue_that_has_a_service) {
  core::ReadySet ready(1, [](std::uint32_t) {});
  Yard yard({}, 1000, 2);
  yard.one.set_service(&ready, 0);
  for (int i = 0; i < 5; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
    yard.at_one.consumer.idle();
  }
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {}));
  yard.line.letters.redrive_some();
  EXPECT_EQ(yard.line.letters.redrives().waiting_for_room(), Texts{"dead"});
  EXPECT_TRUE(yard.line.letters.quiet(true));
  EXPECT_FALSE(yard.line.letters.quiet());
  std::size_t received = yard.at_one.drain();
  EXPECT_EQ(yard.line.letters.redrives().waiting_for_room(), Texts{}) << "nothing is in the way, though it has not looked since";
  for (int i = 0; i < 100 && received < 5; ++i) {
    yard.line.letters.redrive_some();
    EXPECT_LE(yard.one.counters().visible, 2u);
    received += yard.at_one.drain();
    yard.line.letters.write_waiting();
  }
  EXPECT_EQ(received, 5u);
  yard.line.letters.redrive_some();
  EXPECT_EQ(yard.status().state, RedriveState::completed);
  yard.expect_conserved();
}

TEST(Redrive, leaves_what_a_full_queue_without_a_service_has_no_room_for) {
  Yard yard({}, 1000, 2);
  for (int i = 0; i < 5; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
    yard.at_one.consumer.idle();
  }
  RedriveStatus status = yard.redrive();
  EXPECT_EQ(status.state, RedriveState::completed) << "or a run until idle would never end";
  EXPECT_EQ(status.moved, 2u);
  EXPECT_EQ(status.without_room, 3u);
  EXPECT_EQ(yard.at_one.drain(), 2u);
  EXPECT_EQ(yard.at_dead.drain(), 3u);
  yard.expect_conserved();
}

TEST(Redrive, moves_letters_that_are_in_the_file_only) {
  Yard yard({}, 2);
  for (int i = 0; i < 7; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  EXPECT_EQ(yard.redrive().moved, 7u);
  EXPECT_EQ(yard.at_one.drain(), 7u);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_EQ(yard.dead.credits().messages(), 2) << "what was in memory gave its credit back";
  yard.expect_conserved();
}

TEST(Redrive, that_is_cancelled_leaves_the_rest_where_it_is) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.bury(yard.to_one, yard.at_one, "b");
  EXPECT_FALSE(yard.line.letters.cancel_redrive(yard.dead));
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.messages_per_second = 1}));
  yard.line.letters.redrive_some();
  EXPECT_TRUE(yard.line.letters.cancel_redrive(yard.dead));
  EXPECT_EQ(yard.status().state, RedriveState::cancelling);
  yard.line.letters.redrive_some();
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.status().state, RedriveState::cancelled);
  EXPECT_EQ(yard.status().moved, 1u);
  EXPECT_TRUE(yard.line.letters.quiet());
  EXPECT_EQ(yard.redrive().moved, 1u) << "it can be taken up again";
  EXPECT_EQ(yard.at_one.drain(), 2u);
  yard.expect_conserved();
}

/// A log line may take long where nobody reads it.
TEST(Redrive, that_is_seen_to_have_ended_is_in_nobodys_way_while_its_end_is_being_told) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.reason = "another"}));
  core::set_log_sink([&](std::string_view line) {
    EXPECT_NE(line.find("redrive COMPLETED"), std::string_view::npos) << line;
    EXPECT_EQ(yard.status().state, RedriveState::completed);
    EXPECT_TRUE(yard.line.letters.redrive(yard.dead, {.dry_run = true}));
  });
  yard.line.letters.redrive_some();
  core::set_log_sink({});
  EXPECT_TRUE(yard.status().request.dry_run) << "the next one has begun";
  EXPECT_FALSE(yard.line.letters.quiet());
  while (yard.line.letters.redrive_some() >= 0) {
  }
  EXPECT_TRUE(yard.line.letters.quiet());
  EXPECT_EQ(yard.at_dead.drain(), 1u);
}

/// ThreadSanitizer sees it: the end is told of while somebody else writes the state.
TEST(Redrive, that_is_told_of_may_be_cancelled_on_another_thread) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {}));
  std::jthread other([&] {
    while (yard.status().state != RedriveState::completed) {
      std::this_thread::yield();
    }
    yard.line.letters.cancel_redrives();
  });
  while (yard.line.letters.redrive_some() >= 0) {
  }
  other.join();
  EXPECT_EQ(yard.status().state, RedriveState::completed);
  EXPECT_EQ(yard.at_one.drain(), 1u);
}

TEST(Redrive, is_one_at_a_time_and_needs_a_queue_that_keeps_no_letters_itself) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  EXPECT_FALSE(yard.line.letters.redrive(yard.one, {}));
  EXPECT_FALSE(yard.line.letters.redrive(yard.dead, {.to = "nowhere"}));
  EXPECT_FALSE(yard.line.letters.redrive(yard.dead, {.to = "dead"}));
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.messages_per_second = 1}));
  core::Result<void> second = yard.line.letters.redrive(yard.dead, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, core::Errc::unavailable);
  EXPECT_FALSE(yard.line.letters.purge(yard.dead));
  EXPECT_FALSE(yard.line.letters.quiet()) << "or a run until idle would end now";
  yard.line.letters.cancel_redrives();
  yard.line.letters.redrive_some();
}

TEST(Redrive, of_letters_that_were_marked_while_nothing_ran_begins_at_the_start) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.bury(yard.to_one, yard.at_one, "b");
  {
    core::LetterFile file = std::move(*core::LetterFile::open(yard.line.storage, "dead/dead.jsonl"));
    core::LetterKey first = file.letters().begin()->first;
    ASSERT_TRUE(file.append_redrive(first, "two"));
    ASSERT_TRUE(file.sync());
  }
  Yard next(yard.file());
  EXPECT_FALSE(next.line.letters.quiet());
  next.line.letters.redrive_some();
  EXPECT_EQ(next.status().moved, 1u);
  EXPECT_EQ(next.at_two.drain(), 1u);
  next.line.letters.write_waiting();
  EXPECT_EQ(next.at_dead.drain(), 1u);
  next.expect_conserved();
}

TEST(Redrive, of_marked_letters_that_is_cancelled_takes_the_marks_away_and_one_that_is_stopped_keeps_them) {
  for (const bool cancelled : {true, false}) {
    Yard yard;
    yard.bury(yard.to_one, yard.at_one, "a");
    {
      core::LetterFile file = std::move(*core::LetterFile::open(yard.line.storage, "dead/dead.jsonl"));
      core::LetterKey only = file.letters().begin()->first;
      ASSERT_TRUE(file.append_redrive(only, "two"));
      ASSERT_TRUE(file.sync());
    }
    Yard next(yard.file());
    if (cancelled) {
      EXPECT_TRUE(next.line.letters.cancel_redrive(next.dead));
    } else {
      next.line.letters.cancel_redrives();
    }
    next.line.letters.redrive_some();
    EXPECT_EQ(core::LetterFile::open(next.line.storage, "dead/dead.jsonl")->marked().size(), cancelled ? 0u : 1u);
    EXPECT_EQ(next.at_dead.drain(), 1u);
  }
}

/// An engine that moves marked letters: two of five have gone, so that their removals stand behind the marks.
struct MarkedYard {
  MarkedYard() {
    yard.one.set_service(&ready, 0);
    yard.line.letters.redrive_some();
    EXPECT_EQ(yard.at_one.drain(), 2u);
    yard.line.letters.write_waiting();
  }
  /// With room for so many bytes.
  void cancel(std::uint64_t room) {
    yard.line.storage.set_capacity(yard.file().size() + room);
    EXPECT_TRUE(yard.line.letters.cancel_redrive(yard.dead));
    yard.line.letters.redrive_some();
    EXPECT_TRUE(yard.line.letters.quiet());
    yard.line.storage.set_capacity(1 << 20);
  }
  core::LetterFile read_back() { return std::move(*core::LetterFile::open(yard.line.storage, "dead/dead.jsonl")); }

  static std::string marked_file() {
    Yard before;
    for (int i = 0; i < 5; ++i) {
      before.bury(before.to_one, before.at_one, std::to_string(i));
    }
    core::LetterFile file = std::move(*core::LetterFile::open(before.line.storage, "dead/dead.jsonl"));
    for (const auto& [key, place] : file.letters()) {
      EXPECT_TRUE(file.append_redrive(key, "one"));
    }
    EXPECT_TRUE(file.sync());
    return before.file();
  }

  core::ReadySet ready{1, [](std::uint32_t) {}};
  Yard yard{marked_file(), 1000, 2};
};

TEST(Redrive, of_marked_letters_that_is_cancelled_after_some_have_gone_takes_the_other_marks_away) {
  MarkedYard marked;
  marked.cancel(1 << 20);
  EXPECT_EQ(marked.yard.status().state, RedriveState::cancelled);
  EXPECT_EQ(marked.read_back().marked().size(), 0u);
  EXPECT_EQ(marked.yard.at_dead.drain(), 3u);
}

TEST(Redrive, of_marked_letters_that_is_cancelled_on_a_full_disk_leaves_queue_and_file_as_they_were) {
  MarkedYard marked;
  Yard& yard = marked.yard;
  const std::string before = yard.file();
  marked.cancel(20);
  EXPECT_EQ(yard.status().state, RedriveState::failed);
  EXPECT_NE(yard.status().failure.find("no space left on device; 3 letters still marked"), std::string::npos) << yard.status().failure;
  EXPECT_EQ(yard.file(), before) << "nothing torn to go on behind";
  yard.bury(yard.to_one, yard.at_one, "later");
  EXPECT_TRUE(yard.line.errors.empty());
  core::LetterFile file = marked.read_back();
  EXPECT_EQ(file.count(), 4u);
  EXPECT_EQ(file.foreign(), 0u);
  EXPECT_EQ(file.marked().size(), 3u);
  EXPECT_EQ(yard.at_dead.drain(), 4u);
  yard.line.letters.write_waiting();
  yard.expect_conserved();
}

TEST(Redrive, of_marked_letters_that_is_cancelled_and_leaves_a_torn_line_ends_the_engine_before_more_is_written) {
  MarkedYard marked;
  Yard& yard = marked.yard;
  yard.line.storage.fail_truncate(1);
  marked.cancel(20);
  EXPECT_EQ(yard.status().state, RedriveState::failed);
  const std::size_t settled = yard.line.settled.count();
  yard.bury(yard.to_one, yard.at_one, "later");
  ASSERT_EQ(yard.line.errors.size(), 1u);
  EXPECT_NE(yard.line.errors[0].find("ends in what a write that failed has left"), std::string::npos) << yard.line.errors[0];
  EXPECT_EQ(yard.line.settled.count(), settled) << "its message comes again";
  EXPECT_EQ(yard.file().find("later"), std::string::npos);
}

/// One round of the writer may hold all three: what is written is not in memory and not counted yet.
TEST(Purge, and_a_load_in_the_round_that_stores_letters_neither_double_nor_forget_them) {
  Yard yard;
  yard.line.publish(yard.to_one, {"a", "b"});
  ASSERT_EQ(yard.at_one.receive(), (Texts{"a", "b"}));
  yard.line.letters.submit_load(yard.dead);
  yard.at_one.settle({{0, {Outcome::Status::reject, -1, "s", "r", ""}}, {1, {Outcome::Status::reject, -1, "s", "r", ""}}});
  yard.line.letters.submit_load(yard.dead);
  EXPECT_TRUE(yard.purge());
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.dead.counters().moved_in, 2u);
  EXPECT_EQ(yard.dead.counters().visible, 0u);
  EXPECT_EQ(yard.at_dead.receive(), Texts{});
  yard.expect_conserved();
}

TEST(Purge, of_a_dead_letter_queue_deletes_letters_in_memory_and_in_the_file) {
  Yard yard({}, 2);
  for (int i = 0; i < 7; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  EXPECT_EQ(yard.purge().value(), 7u);
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_EQ(yard.dead.counters().purged, 7u);
  yard.expect_conserved();
  EXPECT_EQ(Yard(yard.file()).at_dead.receive(), Texts{});
}

TEST(Purge, that_was_answered_outlives_a_power_cut) {
  Yard yard({}, 2);
  for (int i = 0; i < 5; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  EXPECT_EQ(yard.purge().value(), 5u);
  Yard next(yard.line.storage.durable_content("dead/dead.jsonl"));
  EXPECT_EQ(next.at_dead.receive(), Texts{});
  EXPECT_EQ(next.line.letters.stored(), 0u);
}

TEST(Purge, of_redriven_letters_outlives_a_power_cut_once_all_is_written) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  ASSERT_EQ(yard.redrive().moved, 1u);
  EXPECT_EQ(yard.one.purge(), 1u);
  EXPECT_TRUE(yard.wait_until_written());
  Yard next(yard.line.storage.durable_content("dead/dead.jsonl"));
  EXPECT_EQ(next.at_dead.receive(), Texts{});
  EXPECT_EQ(next.line.letters.stored(), 0u);
}

TEST(Purge, that_cannot_be_written_says_so) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  ASSERT_EQ(yard.redrive().moved, 1u);
  yard.one.purge();
  yard.line.storage.fail_sync(1);
  for (int i = 0; i < 2; ++i) {
    const core::Result<void> written = yard.wait_until_written();
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, core::Errc::io);
  }
}

TEST(Purge, of_letters_that_nobody_holds_takes_no_room_on_a_full_disk) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.bury(yard.to_one, yard.at_one, "b");
  yard.line.storage.set_capacity(yard.file().size());
  EXPECT_EQ(yard.purge().value(), 2u);
  EXPECT_EQ(yard.file(), "");
  EXPECT_EQ(yard.line.errors, Texts{});
  yard.bury(yard.to_one, yard.at_one, "c");
  EXPECT_EQ(yard.at_dead.receive(), Texts{"c"}) << "there is room again";
  yard.at_dead.settle();
  yard.expect_conserved();
}

TEST(Purge, ends_a_letter_that_somebody_holds_when_it_comes_back) {
  Yard yard;
  Hand& one_at_a_time = yard.line.hand(yard.dead, 1);
  for (const char* text : {"a", "b", "c"}) {
    yard.bury(yard.to_one, yard.at_one, text);
  }
  ASSERT_EQ(one_at_a_time.receive(), Texts{"a"});
  EXPECT_EQ(yard.purge().value(), 2u);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
  one_at_a_time.fail_first(Outcome::Status::retry, 0);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.line.letters.stored(), 0u);
  EXPECT_EQ(Yard(yard.file()).at_dead.receive(), Texts{});
  EXPECT_EQ(yard.dead.counters().purged, 3u);
  yard.expect_conserved();
}

TEST(Purge, leaves_the_queue_to_the_letters_that_come_after_it) {
  Yard yard({}, 2);
  for (int i = 0; i < 4; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  EXPECT_EQ(yard.purge().value(), 4u);
  for (int i = 4; i < 8; ++i) {
    yard.bury(yard.to_one, yard.at_one, std::to_string(i));
  }
  Texts got;
  while (got.size() < 4) {
    const Texts more = yard.at_dead.receive();
    ASSERT_FALSE(more.empty());
    got.insert(got.end(), more.begin(), more.end());
    yard.at_dead.settle();
    yard.at_dead.consumer.idle();
    yard.line.letters.write_waiting();
  }
  EXPECT_EQ(got, (Texts{"4", "5", "6", "7"}));
  yard.expect_conserved();
}

TEST(Redrive, that_is_tried_dry_is_not_told_of_what_an_earlier_one_moved) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  yard.redrive();
  ASSERT_EQ(yard.at_one.receive(), Texts{"a"});
  yard.redrive({.dry_run = true});
  yard.at_one.fail_first(Outcome::Status::reject);
  yard.line.letters.write_waiting();
  EXPECT_EQ(yard.status().came_back, 0u);
}

TEST(Peek, shows_the_oldest_and_spends_nothing) {
  Yard yard;
  yard.line.publish(yard.to_one, {"a", "b", "c"});
  for (int i = 0; i < 2; ++i) {
    Texts seen;
    yard.one.peek(2, yard.line.timers.now_ms(), [&](const core::Chunk& chunk, std::uint64_t mask) {
      for (; mask != 0; mask &= mask - 1) {
        seen.push_back(text_of(chunk.body(core::lowest_bit(mask))));
      }
    });
    EXPECT_EQ(seen, (Texts{"a", "b"}));
    EXPECT_EQ(yard.one.counters().visible, 3u);
    EXPECT_EQ(yard.one.counters().received, 0u);
  }
  EXPECT_EQ(yard.at_one.receive(), (Texts{"a", "b", "c"}));
  yard.at_one.settle();
  yard.expect_conserved();
}

/// It moved them into their groups' lanes, and a consumer that looked meanwhile saw them nowhere.
TEST(Peek, of_a_fifo_queue_wakes_its_consumer) {
  core::ReadySet ready(1, [](std::uint32_t) {});
  Line line;
  Queue& queue = line.queue({.name = "q", .fifo = true});
  queue.set_service(&ready, 0);
  core::Publisher& publisher = line.publisher({&queue});
  publisher.wire_ready();
  Hand& hand = line.hand(queue);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a"});
  ready.clear(0);  // it is about to park
  queue.peek(1, line.timers.now_ms(), [](const core::Chunk&, std::uint64_t) {});
  EXPECT_TRUE(ready.is_set(0));
  hand.drain();
}

TEST(Age, is_that_of_the_oldest_message_that_has_not_ended) {
  Yard yard;
  EXPECT_EQ(yard.one.oldest_ms(), core::AgeWindow::kNone);
  const std::int64_t begin = yard.line.timers.now_ms();
  yard.line.publish(yard.to_one, {"a"});
  yard.line.advance(3000);
  yard.line.publish(yard.to_one, {"b"});
  EXPECT_EQ(yard.one.oldest_ms(), begin);
  yard.at_one.receive();
  EXPECT_EQ(yard.one.oldest_ms(), begin) << "in flight";
  yard.at_one.settle({{1, {Outcome::Status::retry, 60'000, {}, {}, {}}}});
  yard.one.turn_ages();
  EXPECT_EQ(yard.one.oldest_ms(), begin + 3000) << "invisible for a minute";
  yard.line.advance(60'000);
  yard.at_one.drain();
  EXPECT_EQ(yard.one.oldest_ms(), core::AgeWindow::kNone);
  yard.to_one.close();
  EXPECT_EQ(yard.one.oldest_ms(), core::AgeWindow::kNone) << "its publisher has ended, and nobody looked since";
  yard.bury(yard.to_one, yard.at_one, "dies");
  const std::int64_t moved = yard.line.clock.wall_ms();
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "a dead letter counts from when it became one";
  yard.at_dead.drain();
}

TEST(Age, of_dead_letters_is_known_while_a_redrive_is_at_work) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  const std::int64_t moved = yard.line.clock.wall_ms();
  yard.line.advance(1000);
  yard.bury(yard.to_one, yard.at_one, "b");
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.messages_per_second = 1}));
  yard.line.letters.redrive_some();
  ASSERT_EQ(yard.status().state, RedriveState::running);
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "to within what went since it began";
  yard.line.advance(1000);
  yard.line.letters.redrive_some();
  EXPECT_EQ(yard.status().state, RedriveState::completed);
  EXPECT_EQ(yard.dead.oldest_ms(), core::AgeWindow::kNone);
  yard.at_one.drain();
  yard.line.letters.write_waiting();
}

TEST(Age, of_a_dead_letter_counts_from_when_it_became_one_whatever_is_done_to_it) {
  Yard yard;
  yard.line.publish(yard.to_one, {"a"});
  yard.line.advance(3000);
  ASSERT_EQ(yard.at_one.receive(), Texts{"a"});
  yard.at_one.fail_first(Outcome::Status::reject);
  yard.line.letters.write_waiting();
  const std::int64_t moved = yard.line.clock.wall_ms();
  yard.line.advance(3000);
  yard.redrive({.dry_run = true});
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "shown";
  ASSERT_EQ(yard.at_dead.receive(), Texts{"a"});
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "in flight";
  yard.at_dead.fail_first(Outcome::Status::retry, 1000);
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "hidden";
  yard.line.advance(1000);
  EXPECT_EQ(yard.dead.oldest_ms(), moved) << "visible again";
  yard.at_dead.drain();
}

TEST(Purge, that_a_redrive_came_before_is_refused) {
  Yard yard;
  yard.bury(yard.to_one, yard.at_one, "a");
  auto purged = std::async(std::launch::async, [&] { return yard.line.letters.purge(yard.dead); });
  while (yard.line.letters.quiet()) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(yard.line.letters.redrive(yard.dead, {.to = "two", .reason = "another"}));
  while (!yard.line.letters.write_waiting()) {  // it is counted before it is there
    std::this_thread::yield();
  }
  const core::Result<std::uint64_t> answer = purged.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, core::Errc::unavailable);
  while (yard.line.letters.redrive_some() >= 0) {
  }
  EXPECT_EQ(yard.status().state, RedriveState::completed);
  EXPECT_EQ(yard.line.letters.stored(), 1u);
}

TEST(Redrive, leaves_what_is_no_letter_in_a_fifo_queue_of_letters_where_it_is) {
  Line line;
  core::Queue& dead = line.queue({.name = "dead", .fifo = true});
  core::Queue& queue = line.queue({.name = "q"}, &dead);
  core::Publisher &to_queue = line.publisher({&queue}), &to_dead = line.publisher({&dead});
  Hand &hand = line.hand(queue), &grave = line.hand(dead);
  ASSERT_TRUE(line.open());
  const auto send = [&](const std::string& body) {
    to_dead.append({.body = bytes_of(body), .parts = {.group_id = std::string_view(body).substr(0, 1)}, .cookie = 9}, core::Admission::overdraw);
    to_dead.close();
  };
  for (const char* body : {"a1", "a2", "a3", "b1"}) {
    send(body);
  }
  dead.peek(10, line.timers.now_ms(), [&](const core::Chunk&, std::uint64_t) {});  // which routes them
  line.publish(to_queue, {"x", "y"});
  hand.receive();
  hand.settle({{0, {Outcome::Status::reject, -1, "s", "r", ""}}, {1, {Outcome::Status::reject, -1, "s", "r", ""}}});
  line.letters.write_waiting();
  ASSERT_TRUE(line.letters.redrive(dead, {}));
  while (line.letters.redrive_some() >= 0) {
  }
  EXPECT_EQ(line.letters.redrives().status(dead)->moved, 2u);
  EXPECT_EQ(hand.receive(), (Texts{"x", "y"}));
  hand.settle();
  EXPECT_EQ(grave.receive(), (Texts{"a1", "a2", "a3", "b1"}));
  grave.settle();
  line.letters.write_waiting();
}

#ifdef SLUICE_FAULT_POINTS
TEST(Redrive, a_crash_at_any_write_loses_nothing) {
  for (std::string_view point : {"dead_letters.before_sync", "dead_letters.after_sync"}) {
    std::string on_disk;
    {
      Yard yard;
      yard.bury(yard.to_one, yard.at_one, "ends");
      yard.bury(yard.to_one, yard.at_one, "fails");
      yard.redrive();
      ASSERT_EQ(yard.at_one.receive(), (Texts{"ends", "fails"}));
      yard.at_one.settle({{1, {Outcome::Status::reject, -1, "s", "again", ""}}});
      core::set_fault_handler([&](std::string_view name) {
        if (name == point) {
          on_disk = yard.line.storage.durable_content("dead/dead.jsonl");
        }
        return name == point;
      });
      yard.line.letters.write_waiting();
      core::set_fault_handler([](std::string_view) { return false; });
    }
    Yard next(on_disk);
    Texts left = next.at_dead.receive();
    EXPECT_NE(std::ranges::find(left, "fails"), left.end()) << point;
    EXPECT_EQ(std::ranges::count(left, "fails"), 1) << point;
    next.at_dead.settle();
  }
}
#endif

}  // namespace
}  // namespace sluice::test
