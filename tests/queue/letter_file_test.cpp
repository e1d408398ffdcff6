// The file of a dead-letter queue: what each line means, and that the last word on a letter counts.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "queue/letter_file.hpp"
#include "support/test_storage.hpp"

namespace sluice::test {
namespace {

using core::LetterFile;
using Texts = std::vector<std::string>;

const core::Uuid kA{{0xa}}, kB{{0xb}};

std::string letter(const core::Uuid& id, const std::string& body) {
  return R"({"id":")" + core::to_text(id) + R"(","body":")" + body + R"(","attributes":{},"sent":1,"receive_count":1})";
}

struct Files {
  LetterFile open() { return std::move(*LetterFile::open(storage, "dead.jsonl")); }
  std::string content() const { return storage.content("dead.jsonl"); }
  TestStorage storage;
};

Texts bodies(LetterFile& file) {
  Texts texts;
  EXPECT_TRUE(file.for_each(0, [&](const core::LetterLine& line) {
    texts.push_back(line.message.body);
    return true;
  }));
  return texts;
}

TEST(LetterFile, holds_what_was_appended_and_not_removed) {
  Files files;
  LetterFile file = files.open();
  ASSERT_TRUE(file.append_letter(kA, letter(kA, "a")));
  ASSERT_TRUE(file.append_letter(kB, letter(kB, "b")));
  ASSERT_TRUE(file.append_removal(kA));
  EXPECT_EQ(file.count(), 1u);
  EXPECT_EQ(bodies(file), Texts{"b"});
  LetterFile again = files.open();
  EXPECT_EQ(again.count(), 1u);
  EXPECT_EQ(bodies(again), Texts{"b"});
}

TEST(LetterFile, a_later_line_of_an_id_takes_the_place_of_the_earlier_one) {
  Files files;
  LetterFile file = files.open();
  ASSERT_TRUE(file.append_letter(kA, letter(kA, "first")));
  ASSERT_TRUE(file.append_letter(kB, letter(kB, "b")));
  ASSERT_TRUE(file.append_letter(kA, letter(kA, "second")));
  for (LetterFile* each : {&file, new LetterFile(files.open())}) {
    EXPECT_EQ(each->count(), 2u);
    EXPECT_EQ(bodies(*each), (Texts{"b", "second"}));
    if (each != &file) {
      delete each;
    }
  }
}

TEST(LetterFile, a_mark_lasts_until_the_letter_is_written_anew_removed_or_it_is_taken_back) {
  Files files;
  {
    LetterFile file = files.open();
    ASSERT_TRUE(file.append_letter(kA, letter(kA, "a")));
    ASSERT_TRUE(file.append_redrive(kA, "jobs"));
    EXPECT_EQ(file.marked().at(kA), "jobs");
  }
  EXPECT_EQ(files.open().marked().at(kA), "jobs");
  const std::string marked = files.content();
  auto expect_unmarked_after = [&](auto&& change) {
    files.storage.put("dead.jsonl", marked);
    LetterFile file = files.open();
    change(file);
    EXPECT_TRUE(file.marked().empty());
    EXPECT_TRUE(files.open().marked().empty());
  };
  expect_unmarked_after([](LetterFile& file) { ASSERT_TRUE(file.append_letter(kA, letter(kA, "again"))); });
  expect_unmarked_after([](LetterFile& file) { ASSERT_TRUE(file.append_removal(kA)); });
  expect_unmarked_after([](LetterFile& file) { ASSERT_TRUE(file.append_redrive(kA, "")); });
}

TEST(LetterFile, compacting_keeps_letters_marks_and_foreign_lines_and_drops_the_rest) {
  Files files;
  {
    LetterFile file = files.open();
    ASSERT_TRUE(file.append_letter(kA, letter(kA, "old")));
    ASSERT_TRUE(file.append_letter(kB, letter(kB, "b")));
    ASSERT_TRUE(file.append_removal(kB));
    ASSERT_TRUE(file.append_letter(kA, letter(kA, "new")));
    ASSERT_TRUE(file.append_redrive(kA, "jobs"));
  }
  files.storage.put("dead.jsonl", "who wrote this\n" + files.content() + R"({"id":"torn)");
  LetterFile file = files.open();
  EXPECT_EQ(file.foreign(), 1u);
  EXPECT_EQ(file.first_foreign(), 1u);
  ASSERT_TRUE(file.compact());
  EXPECT_EQ(files.content(), "who wrote this\n" + letter(kA, "new") + "\n" + R"({"redrive":")" + core::to_text(kA) +
                                 R"(","to":"jobs"})" + "\n");
  EXPECT_EQ(bodies(file), Texts{"new"}) << "the places are the new file's";
  EXPECT_EQ(file.letters().at(kA).end, std::string("who wrote this\n").size() + letter(kA, "new").size() + 1);
}

TEST(LetterFile, a_last_line_that_lacks_nothing_but_its_end_is_a_letter) {
  Files files;
  files.storage.put("dead.jsonl", letter(kA, "a") + "\n" + letter(kB, "b"));
  LetterFile file = files.open();
  EXPECT_EQ(file.count(), 2u);
  ASSERT_TRUE(file.compact());
  EXPECT_EQ(files.content(), letter(kA, "a") + "\n" + letter(kB, "b") + "\n");
  EXPECT_EQ(bodies(file), (Texts{"a", "b"}));
}

TEST(LetterFile, goes_on_behind_the_letter_that_was_handed_out_last) {
  Files files;
  LetterFile file = files.open();
  ASSERT_TRUE(file.append_letter(kA, letter(kA, "a")));
  ASSERT_TRUE(file.append_letter(kB, letter(kB, "b")));
  Texts seen;
  auto one = [&](const core::LetterLine& line) {
    if (seen.size() % 2 == 1) {
      seen.push_back("refused");
      return false;
    }
    seen.push_back(line.message.body);
    return true;
  };
  core::Result<std::uint64_t> next = file.for_each(0, one);
  ASSERT_TRUE(next);
  ASSERT_TRUE(file.for_each(*next, one));
  EXPECT_EQ(seen, (Texts{"a", "refused", "b"}));
}

}  // namespace
}  // namespace sluice::test
