#include "bucket_events/ledger.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sluice/plugin.hpp>

#include <csignal>

#include "bucket_events/progress.hpp"
#include "directory/temporary_folder.hpp"

namespace sluice::bucket_events {
namespace {

constexpr std::size_t kHead = 16, kRecord = 20;

VersionHash version(int number) {
  return version_hash("key" + std::to_string(number), "1-1");
}

class Ledgers : public testing::Test {
 protected:
  void append(int from, int to) {
    Ledger ledger(folder_.path());
    for (int i = from; i < to; ++i) {
      const VersionHash one[] = {version(i)};
      ledger.append(one);
    }
  }
  std::set<int> held(int to) {
    const Ledger ledger(folder_.path());
    std::set<int> result;
    for (int i = 0; i < to; ++i) {
      if (ledger.holds(version(i)))
        result.insert(i);
    }
    return result;
  }

  test::TemporaryFolder folder_;
};

TEST_F(Ledgers, what_was_appended_is_there_after_a_restart) {
  append(0, 3);
  append(3, 5);

  EXPECT_EQ(held(10), (std::set<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(folder_.read("ledger").size(), kHead + 5 * kRecord);
}

TEST_F(Ledgers, key_and_etag_make_a_version_together) {
  EXPECT_NE(version_hash("a", "bc"), version_hash("ab", "c"));
  EXPECT_NE(version_hash("a", "1-1"), version_hash("a", "1-2"));
  EXPECT_EQ(version_hash("a", "1-1"), version_hash("a", "1-1"));
}

TEST_F(Ledgers, a_file_cut_anywhere_keeps_its_whole_records_and_can_be_continued) {
  append(0, 3);
  const std::string whole = folder_.read("ledger");
  for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    folder_.write("ledger", whole.substr(0, bytes));
    const int records = bytes < kHead ? 0 : static_cast<int>((bytes - kHead) / kRecord);

    append(7, 8);

    std::set<int> expected{7};
    for (int i = 0; i < records; ++i)
      expected.insert(i);
    EXPECT_EQ(held(10), expected) << "cut to " << bytes << " bytes";
  }
}

TEST_F(Ledgers, a_damaged_record_is_passed_over_alone) {
  append(0, 3);
  const std::string whole = folder_.read("ledger");
  for (std::size_t at = kHead; at < kHead + kRecord; ++at) {
    std::string damaged = whole;
    damaged[at + kRecord] = static_cast<char>(damaged[at + kRecord] ^ 4);
    folder_.write("ledger", damaged);

    EXPECT_EQ(held(10), (std::set<int>{0, 2})) << at;
    EXPECT_EQ(Ledger(folder_.path()).damaged(), 1U);
  }
}

TEST_F(Ledgers, a_foreign_file_is_refused_and_left_alone) {
  folder_.write("ledger", "{\"not\":\"a ledger\"}\n");

  EXPECT_THROW(Ledger(folder_.path()), Failure);
  EXPECT_EQ(folder_.read("ledger"), "{\"not\":\"a ledger\"}\n");
}

TEST_F(Ledgers, compaction_keeps_what_is_asked_for_and_the_file_goes_on) {
  append(0, 10);
  {
    Ledger ledger(folder_.path());
    ledger.compact([](const VersionHash& one) { return one == version(2) || one == version(5); });
    EXPECT_EQ(ledger.size(), 2U);
    const VersionHash more[] = {version(11)};
    ledger.append(more);
  }
  EXPECT_EQ(held(12), (std::set<int>{2, 5, 11}));
  EXPECT_EQ(folder_.read("ledger").size(), kHead + 3 * kRecord);
  EXPECT_FALSE(folder_.exists("ledger.new"));
}

TEST_F(Ledgers, a_write_that_fails_halfway_leaves_whole_records_and_is_tried_again) {
  Progress progress(folder_.path());
  std::vector<std::uint64_t> cookies;
  for (int i = 0; i < 10; ++i)
    cookies.push_back(*progress.begin(version(i)));
  for (const std::uint64_t cookie : cookies)
    progress.settled(cookie);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {kHead + 3 * kRecord + 7, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(progress.write_settled(), Failure);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  EXPECT_EQ((folder_.read("ledger").size() - kHead) % kRecord, 0U);

  progress.write_settled();

  EXPECT_EQ(held(20).size(), 10U);
}

TEST(Progressing, a_version_is_told_once_until_it_is_forgotten) {
  test::TemporaryFolder folder;
  Progress progress(folder.path());

  const auto cookie = progress.begin(version(1));
  ASSERT_TRUE(cookie);
  EXPECT_FALSE(progress.begin(version(1)));  // in hand
  progress.forget(*cookie);
  const auto again = progress.begin(version(1));
  ASSERT_TRUE(again);
  progress.settled(*again);
  EXPECT_FALSE(progress.begin(version(1)));  // settled, not yet written
  progress.write_settled();
  EXPECT_FALSE(progress.begin(version(1)));  // in the ledger
  EXPECT_EQ(progress.in_hand(), 0U);
  EXPECT_TRUE(progress.begin(version_hash("key1", "1-2")));  // a new version
}

TEST(Progressing, compaction_is_due_when_most_of_the_ledger_was_not_met_in_the_scan) {
  test::TemporaryFolder folder;
  constexpr int kAll = Progress::kCompactMin + 1000;
  {
    Progress progress(folder.path());
    for (int i = 0; i < kAll; ++i)
      progress.settled(*progress.begin(version(i)));
    progress.write_settled();
  }
  Progress progress(folder.path());
  VersionSet present;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(progress.begin(version(i)));
    present.insert(version(i));
  }
  progress.scanned();
  ASSERT_TRUE(progress.is_compaction_due());

  progress.compact(present);

  EXPECT_EQ(progress.ledger().size(), 100U);
  EXPECT_FALSE(progress.is_compaction_due());
  EXPECT_FALSE(progress.begin(version(5)));
  EXPECT_TRUE(progress.begin(version(500)));
}

}  // namespace
}  // namespace sluice::bucket_events
