// Queues of a stopped engine: what of their files cannot be read is told.
#include <gtest/gtest.h>

#include "admin/stored.hpp"

namespace sluice::test {
namespace {

using core::Errc;
using core::Error;

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
  EXPECT_EQ(stored.queues->peek("jobs-dead", 10)->size(), 2U);
  ASSERT_TRUE(stored.queues->redrive("jobs-dead", {}));
  ASSERT_TRUE(stored.queues->cancel_redrive("jobs-dead"));
  EXPECT_EQ(stored.queues->unreadable().size(), 1U);
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

}  // namespace
}  // namespace sluice::test
