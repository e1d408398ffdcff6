// Queues of a stopped engine: what of their files cannot be read is told, and a full disk leaves a
// redrive that can be asked for again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "admin/stored.hpp"

namespace sluice::test {
namespace {

using core::Errc;
using core::Error;
using core::RedriveState;

const std::string kFile = "state/dead-letters/jobs-dead.jsonl";

TEST(StoredQueues, count_what_can_be_read_and_tell_of_what_cannot) {
  Stored stored;
  stored.storage.put(kFile, Stored::letter(1, "damaged") + "who wrote this\n" + Stored::letter(2, "gone"));
  const auto listed = stored.queues->list();
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->at(1).visible, 2U);
  const std::vector<Error> faults = stored.queues->unreadable();
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].code, Errc::bad_data);
  const std::string where =
      "'" + kFile + "', line 2 (from byte " + std::to_string(Stored::letter(1, "damaged").size()) + "): ";
  EXPECT_EQ(faults[0].message.find(where + "no dead letter can be read from it: no JSON: "), 0U) << faults[0].message;
  EXPECT_NE(faults[0].message.find("correct or delete it while no engine runs"), std::string::npos);
}

TEST(StoredQueues, tell_it_once_whatever_was_asked_of_them) {
  Stored stored;
  stored.storage.put(kFile, stored.file() + "who wrote this\n");
  ASSERT_TRUE(stored.queues->list());
  EXPECT_EQ(stored.queues->peek("jobs-dead", 10)->messages.size(), 2U);
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {}));
  ASSERT_TRUE(stored.queues->cancel_redrive("jobs-dead"));
  EXPECT_EQ(stored.queues->unreadable().size(), 1U);
}

TEST(Peek, shows_so_many_bytes_and_no_more) {
  const std::string half(core::kPeekBytesMax / 2 - 1, 'x');  // and what separates them
  core::Peeked peeked;
  EXPECT_TRUE(peeked.add(half, 0));
  EXPECT_TRUE(peeked.add(half, 0));
  EXPECT_FALSE(peeked.more);
  EXPECT_FALSE(peeked.add("", 0));
  EXPECT_TRUE(peeked.more);
  EXPECT_EQ(peeked.messages.size(), 2U);
}

TEST(Peek, looks_at_so_many_bytes_and_no_more_however_little_it_shows) {
  core::Peeked peeked;
  EXPECT_TRUE(peeked.add("{}", core::kPeekLookMax - 1));
  EXPECT_TRUE(peeked.add("{}", std::size_t{1} << 30)) << "what was looked at is shown";
  EXPECT_FALSE(peeked.add("{}", 1));
  EXPECT_TRUE(peeked.more);
}

TEST(StoredQueues, that_are_purged_tell_where_the_rest_of_the_file_is_now) {
  Stored stored;
  stored.storage.put(kFile, stored.file() + "who wrote this\n");
  EXPECT_EQ(stored.queues->purge("jobs-dead"), 2U);
  ASSERT_EQ(stored.queues->unreadable().size(), 1U);
  EXPECT_NE(stored.queues->unreadable()[0].message.find("line 1 (from byte 0)"), std::string::npos);
}

TEST(StoredQueues, tell_of_many_such_lines_in_few) {
  Stored stored;
  std::string text;
  for (int i = 0; i < 25; ++i)
    text += "who wrote this\n";
  stored.storage.put(kFile, text);
  ASSERT_TRUE(stored.queues->list());
  const std::vector<Error> faults = stored.queues->unreadable();
  ASSERT_EQ(faults.size(), 11U);
  EXPECT_EQ(faults.back().message, "'" + kFile + "': 15 more lines no dead letter can be read from");
}

TEST(StoredQueues, of_whole_files_have_nothing_to_tell) {
  Stored stored;
  stored.storage.put(kFile, stored.file() + R"({"id":"torn)");
  ASSERT_TRUE(stored.queues->list());
  EXPECT_EQ(stored.queues->unreadable().size(), 0U) << "a torn last line counts as not written";
}

/// Many letters, and room for some of their marks.
struct Full : Stored {
  static constexpr std::uint64_t kLetters = 100;
  Full() {
    std::string text;
    for (std::uint64_t i = 0; i < kLetters; ++i) {
      std::string one = letter(0, "damaged");
      one.replace(one.find("0000-4000"), 4, fmt::format("{:04}", i));
      text += one;
    }
    storage.put(kFile, text);
  }
  void leave(std::uint64_t bytes) { storage.set_capacity(file().size() + bytes); }
  std::uint64_t marked() {
    const auto status = queues->redrive_status("jobs-dead");
    return status ? status->marked : 0;
  }
};

TEST(StoredQueues, on_a_full_disk_a_redrive_tells_how_many_letters_it_has_marked_and_what_to_do) {
  Full stored;
  stored.leave(3000);
  const auto refused = stored.queues->redrive("jobs-dead", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::io);
  const std::uint64_t marked = stored.marked();
  EXPECT_GT(marked, 0U);
  EXPECT_LT(marked, Full::kLetters);
  const std::string& text = refused.error().message;
  EXPECT_NE(text.find("no space left on device"), std::string::npos) << text;
  EXPECT_NE(text.find(fmt::format("{} of the 100 letters in '{}' are marked to go", marked, kFile)), std::string::npos) << text;
  EXPECT_NE(text.find("make room and repeat the command"), std::string::npos) << text;
}

TEST(StoredQueues, a_redrive_that_is_asked_for_again_goes_on_and_marks_no_letter_twice) {
  Full stored;
  for (int round = 0; round < 3; ++round) {
    stored.leave(2000);
    EXPECT_FALSE(stored.queues->redrive("jobs-dead", {}));
  }
  stored.leave(1 << 20);
  const auto whole = stored.queues->redrive("jobs-dead", {});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->state, RedriveState::marked);
  EXPECT_EQ(whole->moved, 0U) << "they go when the engine starts";
  EXPECT_EQ(whole->marked, Full::kLetters) << "those of the first times, too";
  const std::string once = stored.file();
  EXPECT_EQ(std::ranges::count(once, '\n'), 2 * std::int64_t{Full::kLetters}) << "a letter and a mark each, nothing torn";
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {}));
  EXPECT_EQ(stored.file(), once) << "there was nothing left to do";
}

TEST(StoredQueues, a_letter_that_is_marked_for_another_queue_is_marked_anew) {
  Stored stored;
  core::QueueDescription spare;
  spare.name = "spare";
  stored.pipeline.queues.push_back(spare);
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {}));
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {.to = "spare"}));
  EXPECT_EQ(stored.queues->redrive_status("jobs-dead")->marked_for.at("spare"), 2U);
}

TEST(StoredQueues, that_are_marked_say_so_whether_all_could_be_or_not) {
  for (const std::uint64_t room : {3000, 1 << 20}) {
    Full stored;
    stored.leave(room);
    (void)stored.queues->redrive("jobs-dead", {});
    const auto status = stored.queues->redrive_status("jobs-dead");
    ASSERT_TRUE(status);
    EXPECT_EQ(status->state, RedriveState::marked);
    EXPECT_EQ(status->moved, 0U);
    EXPECT_TRUE(status->moved_to.empty());
    EXPECT_EQ(status->marked_for.at("jobs"), status->marked);
  }
}

TEST(StoredQueues, a_full_disk_has_room_to_take_marks_away) {
  Full stored;
  const std::string before = stored.file();
  stored.leave(3000);
  EXPECT_FALSE(stored.queues->redrive("jobs-dead", {}));
  const auto cancelled = stored.queues->cancel_redrive("jobs-dead");
  ASSERT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(cancelled->state, RedriveState::cancelled);
  EXPECT_GT(cancelled->marked, 0U);
  EXPECT_EQ(stored.file(), before);
}

/// An engine was stopped in the middle of their redrive, say.
TEST(StoredQueues, on_a_full_disk_marks_amid_letters_that_cannot_be_taken_away_are_told_of) {
  Full stored;
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {}));
  stored.storage.put(kFile, stored.file() + Stored::letter(0, "damaged"));
  stored.leave(3000);
  const auto refused = stored.queues->cancel_redrive("jobs-dead");
  ASSERT_FALSE(refused);
  const std::string& text = refused.error().message;
  EXPECT_NE(text.find(fmt::format("{} of the 100 letters in '{}' are marked", stored.marked(), kFile)), std::string::npos) << text;
  stored.leave(1 << 20);
  ASSERT_TRUE(stored.queues->cancel_redrive("jobs-dead"));
  EXPECT_EQ(stored.marked(), 0U);
}

}  // namespace
}  // namespace sluice::test
