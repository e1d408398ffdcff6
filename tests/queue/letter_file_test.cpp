// The file of a dead-letter queue: what each line means, and that the last word on a letter counts.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "queue/letter_file.hpp"
#include "support/log_lines.hpp"
#include "support/test_storage.hpp"

namespace sluice::test {
namespace {

using core::LetterFile;
using Texts = std::vector<std::string>;

const core::Uuid kA{{0xa}}, kB{{0xb}};

std::string letter(const core::Uuid& id, const std::string& body, const std::string& source = "jobs") {
  return R"({"id":")" + core::to_text(id) + R"(","body":")" + body +
         R"(","attributes":{},"sent":1,"receive_count":1,"dead_letter":{"queue":"dead","source_queue":")" + source + R"("}})";
}

struct Files {
  LetterFile open() { return std::move(*LetterFile::open(storage, "dead.jsonl")); }
  std::string content() const { return storage.content("dead.jsonl"); }
  TestStorage storage;
};

/// Of a letter that came from `source`.
void append(LetterFile& file, const core::Uuid& id, const std::string& body, const std::string& source = "jobs") {
  ASSERT_TRUE(file.append_letter(file.key(id, source), letter(id, body, source)));
  ASSERT_TRUE(file.sync());
}
void remove(LetterFile& file, const core::Uuid& id, const std::string& source = "jobs") {
  ASSERT_TRUE(file.append_removal(file.key(id, source)));
  ASSERT_TRUE(file.sync());
}
void redrive(LetterFile& file, const core::Uuid& id, const std::string& to) {
  ASSERT_TRUE(file.append_redrive(file.key(id, "jobs"), to));
  ASSERT_TRUE(file.sync());
}

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
  append(file, kA, "a");
  append(file, kB, "b");
  remove(file, kA);
  EXPECT_EQ(file.count(), 1u);
  EXPECT_EQ(bodies(file), Texts{"b"});
  LetterFile again = files.open();
  EXPECT_EQ(again.count(), 1u);
  EXPECT_EQ(bodies(again), Texts{"b"});
}

TEST(LetterFile, a_later_line_of_a_letter_takes_the_place_of_the_earlier_one) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "first");
  append(file, kB, "b");
  append(file, kA, "second");
  for (LetterFile* each : {&file, new LetterFile(files.open())}) {
    EXPECT_EQ(each->count(), 2u);
    EXPECT_EQ(bodies(*each), (Texts{"b", "second"}));
    if (each != &file) {
      delete each;
    }
  }
}

/// Branches of a topic that share a dead-letter queue.
TEST(LetterFile, keeps_letters_of_the_same_id_that_come_from_different_queues_apart) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "of one", "one");
  append(file, kA, "of two", "two");
  append(file, kA, "of none", "");
  ASSERT_TRUE(file.append_redrive(file.key(kA, "two"), "one"));
  remove(file, kA, "one");
  for (LetterFile again = files.open(); LetterFile* each : {&file, &again}) {
    EXPECT_EQ(bodies(*each), (Texts{"of two", "of none"}));
    ASSERT_EQ(each->marked().size(), 1u);
    EXPECT_EQ(*each->marked().begin()->first.source, "two");
  }
  ASSERT_TRUE(file.compact());
  EXPECT_EQ(bodies(file), (Texts{"of two", "of none"}));
  EXPECT_EQ(files.open().marked().size(), 1u);
}

TEST(LetterFile, writes_what_was_appended_in_one_go) {
  Files files;
  LetterFile file = files.open();
  for (const core::Uuid& id : {kA, kB}) {
    ASSERT_TRUE(file.append_letter(file.key(id, "jobs"), letter(id, "x")));
  }
  EXPECT_EQ(files.content(), "");
  EXPECT_EQ(bodies(file).size(), 2u) << "whoever reads it sees all";
  ASSERT_TRUE(file.sync());
  EXPECT_EQ(files.storage.calls(), (Texts{"append dead.jsonl", "sync dead.jsonl"}));
}

TEST(LetterFile, is_cleared_without_room_for_more_and_of_letters_only) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "a");
  append(file, kB, "b");
  files.storage.set_capacity(files.content().size());
  const core::Result<std::uint64_t> cleared = file.clear();
  ASSERT_TRUE(cleared);
  EXPECT_EQ(*cleared, 2u);
  EXPECT_EQ(files.content(), "");
  files.storage.set_capacity(1 << 20);
  files.storage.put("dead.jsonl", "who wrote this\n" + letter(kA, "a") + "\n" + letter(kB, "torn").substr(0, 30));
  LetterFile other = files.open();
  ASSERT_TRUE(other.clear());
  EXPECT_EQ(files.open().count(), 0u);
  EXPECT_EQ(files.open().foreign(), 1u);
}

TEST(LetterFile, is_mostly_garbage_once_more_than_16_mib_and_half_of_it_are_of_no_use) {
  Files files;
  LetterFile file = files.open();
  const std::string mebibyte(1 << 20, 'x');
  auto removed = [](int i) { return core::Uuid{{static_cast<std::uint8_t>(i)}}; };
  for (int i = 0; i < 17; ++i) {
    append(file, removed(i), mebibyte);
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_FALSE(file.is_mostly_garbage()) << i;
    remove(file, removed(i));
  }
  EXPECT_TRUE(file.is_mostly_garbage());
  for (int i = 20; i < 40; ++i) {
    append(file, removed(i), mebibyte);
  }
  EXPECT_FALSE(file.is_mostly_garbage());
}

TEST(LetterFile, that_finds_no_room_to_be_written_anew_goes_on_as_it_is) {
  Files files;
  LetterFile file = files.open();
  const std::string mebibyte(1 << 20, 'x');
  auto letter_id = [](int i) { return core::Uuid{{static_cast<std::uint8_t>(i)}}; };
  for (int i = 0; i < 40; ++i) {
    append(file, letter_id(i), mebibyte);
  }
  for (int i = 0; i < 21; ++i) {
    remove(file, letter_id(i));
  }
  ASSERT_TRUE(file.is_mostly_garbage());
  const std::string before = files.content();
  files.storage.set_capacity(before.size() + (1 << 20));
  ASSERT_TRUE(file.compact());
  EXPECT_EQ(files.content(), before);
  EXPECT_FALSE(file.is_mostly_garbage()) << "not tried again before there is twice as much";
  EXPECT_EQ(file.count(), 19u);
  remove(file, letter_id(21));
  EXPECT_TRUE(file.sync()) << "the half that was written is gone, and took no room";

  files.storage.set_capacity(1 << 30);
  ASSERT_TRUE(file.compact());
  EXPECT_LT(files.content().size(), before.size() / 2);
  EXPECT_EQ(files.open().count(), 18u);
}

TEST(LetterFile, a_mark_lasts_until_the_letter_is_written_anew_removed_or_it_is_taken_back) {
  Files files;
  {
    LetterFile file = files.open();
    append(file, kA, "a");
    redrive(file, kA, "jobs");
    EXPECT_EQ(file.marked().at(file.key(kA, "jobs")), "jobs");
  }
  EXPECT_EQ(files.open().marked().begin()->second, "jobs");
  const std::string marked = files.content();
  auto expect_unmarked_after = [&](auto&& change) {
    files.storage.put("dead.jsonl", marked);
    LetterFile file = files.open();
    change(file);
    EXPECT_TRUE(file.marked().empty());
    EXPECT_TRUE(files.open().marked().empty());
  };
  expect_unmarked_after([](LetterFile& file) { append(file, kA, "again"); });
  expect_unmarked_after([](LetterFile& file) { remove(file, kA); });
  expect_unmarked_after([](LetterFile& file) { redrive(file, kA, ""); });
}

TEST(LetterFile, keeps_all_marks_until_it_is_durable_that_they_were_cut_off) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "a");
  append(file, kB, "b");
  redrive(file, kA, "jobs");
  redrive(file, kB, "jobs");
  files.storage.fail_sync(1);
  EXPECT_FALSE(file.unmark_all());
  EXPECT_EQ(file.marked().size(), 2u);
  EXPECT_FALSE(file.unmark_all()) << "there is nothing left to cut off, and it is no more durable";
  EXPECT_EQ(file.marked().size(), 2u);
  files.storage.cut_power();
  EXPECT_EQ(files.open().marked().size(), 2u);
  ASSERT_TRUE(file.unmark_all());
  EXPECT_EQ(file.marked().size(), 0u);
  files.storage.cut_power();
  EXPECT_EQ(files.open().marked().size(), 0u);
  EXPECT_EQ(files.open().count(), 2u);
}

TEST(LetterFile, compacting_keeps_letters_marks_and_foreign_lines_and_drops_the_rest) {
  Files files;
  {
    LetterFile file = files.open();
    append(file, kA, "old");
    append(file, kB, "b");
    remove(file, kB);
    append(file, kA, "new");
    redrive(file, kA, "jobs");
  }
  files.storage.put("dead.jsonl", "who wrote this\n" + files.content() + R"({"id":"torn)");
  LetterFile file = files.open();
  EXPECT_EQ(file.foreign(), 1u);
  EXPECT_EQ(file.faults().at(0).line, 1u);
  ASSERT_TRUE(file.prepare());
  EXPECT_EQ(files.content(), "who wrote this\n" + letter(kA, "new") + "\n" + R"({"redrive":")" + core::to_text(kA) +
                                 R"(","source_queue":"jobs","to":"jobs"})" + "\n");
  EXPECT_EQ(bodies(file), Texts{"new"}) << "the places are the new file's";
  EXPECT_EQ(file.letters().at(file.key(kA, "jobs")).end, std::string("who wrote this\n").size() + letter(kA, "new").size() + 1);
}

TEST(LetterFile, a_last_line_that_lacks_nothing_but_its_end_is_a_letter) {
  Files files;
  files.storage.put("dead.jsonl", letter(kA, "a") + "\n" + letter(kB, "b"));
  LetterFile file = files.open();
  EXPECT_EQ(file.count(), 2u);
  EXPECT_EQ(bodies(file), (Texts{"a", "b"})) << "who only looks sees it, too";
  ASSERT_TRUE(file.prepare());
  EXPECT_EQ(files.content(), letter(kA, "a") + "\n" + letter(kB, "b") + "\n");
  EXPECT_EQ(bodies(file), (Texts{"a", "b"}));
}

TEST(LetterFile, is_prepared_on_a_full_disk_with_a_torn_last_line_and_with_garbage) {
  Files files;
  const LogLines log;
  files.storage.put("dead.jsonl", letter(kA, "a") + "\n" + letter(kA, "again") + "\n" + letter(kB, "torn").substr(0, 40));
  files.storage.set_capacity(files.content().size());
  LetterFile file = files.open();
  ASSERT_TRUE(file.prepare());
  EXPECT_EQ(files.content(), letter(kA, "a") + "\n" + letter(kA, "again") + "\n");
  EXPECT_EQ(bodies(file), Texts{"again"});
  EXPECT_EQ(log.with("'dead.jsonl': its last line, 40 bytes from byte").size(), 1u) << "or who wrote it would look for it";
  EXPECT_EQ(file.letters().at(file.key(kA, "jobs")).end, files.content().size());
  files.storage.set_capacity(1 << 30);
  remove(file, kA);
  EXPECT_FALSE(file.is_mostly_garbage()) << "so little is not worth a new file, though one was refused";
}

TEST(LetterFile, that_is_cleared_keeps_foreign_lines_and_nothing_of_the_letters) {
  Files files;
  files.storage.put("dead.jsonl", "who wrote this\n" + letter(kA, "secret") + "\n");
  files.storage.set_capacity(files.content().size() + 20);
  LetterFile file = files.open();
  ASSERT_TRUE(file.clear());
  EXPECT_EQ(files.content(), "who wrote this\n");
  append(file, kB, "b");
  EXPECT_EQ(files.open().count(), 1u);
}

TEST(LetterFile, tells_of_each_line_that_is_no_letter_where_it_is_and_why) {
  const std::string id = R"({"id":")" + core::to_text(kB) + "\"";
  const std::pair<std::string, std::string> faults[] = {
      {"no json", "no JSON: "},
      {R"({"deleted":"x"})", "\"deleted\" is not a UUID"},
      {R"({"redrive":"x","to":"jobs"})", "\"redrive\" is not a UUID"},
      {R"({"redrive":")" + core::to_text(kB) + "\"}", "\"redrive\" has no \"to\""},
      {"[]", "a message must be a JSON object"},
      {R"({"body":"x"})", "the message has no \"id\""},
      {id + R"(,"body_base64":"@@@"})", "\"body_base64\" is not base64"},
      {R"({"deleted":")" + core::to_text(kA) + R"(","source_queue":5})", "\"source_queue\" must be a string"},
      {id + R"(,"body":"x","attributes":{"a":{"type":"String","value":")" + std::string(70'000, 'v') + R"("}}})",
       "its attributes take more room than a message has"}};
  Files files;
  std::string text = letter(kA, "a") + "\n";
  std::vector<std::uint64_t> offsets;
  for (const auto& [line, why] : faults) {
    offsets.push_back(text.size());
    text += line + "\n";
  }
  files.storage.put("dead.jsonl", text);
  const LetterFile file = files.open();
  ASSERT_EQ(file.faults().size(), std::size(faults));
  for (std::size_t i = 0; i < std::size(faults); ++i) {
    EXPECT_EQ(file.faults()[i].line, i + 2);
    EXPECT_EQ(file.faults()[i].offset, offsets[i]);
    EXPECT_EQ(file.faults()[i].why.find(faults[i].second), 0u) << file.faults()[i].why;
  }
}

TEST(LetterFile, takes_nothing_of_a_wrong_type_for_a_letter) {
  const std::pair<const char*, const char*> faults[] = {
      {R"("body":5)", "\"body\" must be a string"},
      {R"("body":{"a":1})", "\"body\" must be a string"},
      {R"("body_base64":1234)", "\"body_base64\" is not base64"},
      {R"("attributes":[])", "\"attributes\" must be an object"},
      {R"("group_id":5)", "\"group_id\" must be a string"},
      {R"("sent":-1)", "\"sent\" must be a whole number of 0 to "},
      {R"("sent":"1")", "\"sent\" must be a whole number"},
      {R"("sent":1.5)", "\"sent\" must be a whole number"},
      {R"("receive_count":4294967296)", "\"receive_count\" must be a whole number of 0 to 4294967295"},
      {R"("dead_letter":"x")", "\"dead_letter\" must be an object"},
      {R"("dead_letter":{"reason":5})", "dead_letter: \"reason\" must be a string"},
      {R"("dead_letter":{"source_queue":null})", "dead_letter: \"source_queue\" must be a string"},
      {R"("dead_letter":{"last":true})", "dead_letter: \"last\" must be a whole number"},
      {R"("dead_letter":{"part":"yes"})", "dead_letter: \"part\" must be true or false"}};
  for (const auto& [member, why] : faults) {
    Files files;
    files.storage.put("dead.jsonl", R"({"id":")" + core::to_text(kB) + "\"," + member + "}\n");
    LetterFile file = files.open();
    EXPECT_EQ(file.count(), 0u) << member;
    ASSERT_EQ(file.faults().size(), 1u) << member;
    EXPECT_EQ(file.faults()[0].why.find(why), 0u) << file.faults()[0].why;
    core::Peeked shown;
    EXPECT_TRUE(file.peek(10, shown));
    EXPECT_EQ(shown.messages, Texts{}) << member;
  }
}

TEST(LetterFile, tells_of_the_first_of_many_such_lines_and_counts_all) {
  Files files;
  std::string text;
  for (int i = 0; i < 25; ++i) {
    text += "who wrote this\n";
  }
  files.storage.put("dead.jsonl", text);
  const LetterFile file = files.open();
  EXPECT_EQ(file.foreign(), 25u);
  ASSERT_EQ(file.faults().size(), LetterFile::kFaultsMax);
  EXPECT_EQ(file.faults().back().line, LetterFile::kFaultsMax);
}

TEST(LetterFile, that_is_written_anew_tells_where_such_lines_are_now) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "a");
  append(file, kB, "b");
  remove(file, kA);
  files.storage.put("dead.jsonl", files.content() + "who wrote this\n" + letter(kA, "again") + "\nand this\n");
  LetterFile again = files.open();
  EXPECT_EQ(again.faults().at(0).line, 4u);
  ASSERT_TRUE(again.prepare());
  ASSERT_EQ(again.faults().size(), 2u);
  EXPECT_EQ(again.faults()[0].line, 2u);
  EXPECT_EQ(again.faults()[0].offset, letter(kB, "b").size() + 1);
  EXPECT_EQ(again.faults()[1].line, 4u);
  EXPECT_EQ(files.content().find("and this"), again.faults()[1].offset);
}

TEST(LetterFile, shows_a_letter_that_is_too_long_without_its_body_and_goes_on) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, std::string(core::kPeekBytesMax, 'x'));
  append(file, kB, "b");
  core::Peeked shown;
  ASSERT_TRUE(file.peek(10, shown));
  ASSERT_EQ(shown.messages.size(), 2u);
  EXPECT_EQ(shown.messages[0],
            R"({"id":")" + core::to_text(kA) + R"(","body_bytes":1048576,"attributes":{},"sent":1,"receive_count":1,)"
            R"("dead_letter":{"queue":"dead","service":"","stage":"","reason":"","detail":"","first":0,"last":0,"source_queue":"jobs"}})");
  EXPECT_EQ(shown.messages[1], letter(kB, "b"));
  EXPECT_FALSE(shown.more);
}

TEST(LetterFile, cuts_the_reason_and_the_detail_of_a_letter_that_is_too_long) {
  Files files;
  std::string text = letter(kA, "a");
  const std::string both = std::string(core::kPeekBytesMax, 'y');
  text.insert(text.find("\"source_queue\""), R"("reason":")" + both + R"(","detail":")" + both + R"(",)");
  files.storage.put("dead.jsonl", text + "\n");
  LetterFile file = files.open();
  core::Peeked shown;
  ASSERT_TRUE(file.peek(10, shown));
  ASSERT_EQ(shown.messages.size(), 1u);
  EXPECT_LT(shown.messages[0].size(), 3000u);
  EXPECT_NE(shown.messages[0].find("\"body_bytes\":1,"), std::string::npos);
  EXPECT_NE(shown.messages[0].find("\"reason\":\"yyy"), std::string::npos);
}

TEST(LetterFile, shows_no_more_than_a_peek_may) {
  Files files;
  LetterFile file = files.open();
  for (const core::Uuid& id : {kA, kB, core::Uuid{{0xc}}}) {
    append(file, id, std::string(400 << 10, 'x'));
  }
  core::Peeked shown, first;
  ASSERT_TRUE(file.peek(10, shown));
  EXPECT_EQ(shown.messages.size(), 2u);
  EXPECT_TRUE(shown.more);
  ASSERT_TRUE(file.peek(2, first));
  EXPECT_EQ(first.messages, shown.messages);
  EXPECT_FALSE(first.more) << "all that was asked for";
}

TEST(LetterFile, goes_on_behind_the_letter_that_was_handed_out_last) {
  Files files;
  LetterFile file = files.open();
  append(file, kA, "a");
  append(file, kB, "b");
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
