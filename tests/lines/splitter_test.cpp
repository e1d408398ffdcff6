// Bytes cut into lines, however they come.
#include "lines/splitter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::lines {
namespace {

constexpr std::size_t kMax = 8;

/// Every line of `input`, given in pieces of `piece` bytes: "NUMBER@BEGIN-END TEXT", "!" too long,
/// "~" without a line end.
std::vector<std::string> lines(const std::string& input, std::size_t piece) {
  Splitter splitter(kMax, 0, 1);
  std::vector<std::string> found;
  const auto add = [&](const Line& line) {
    found.push_back(std::to_string(line.number) + "@" + std::to_string(line.begin) + "-" +
                    std::to_string(line.end) + " " + std::string(line.text) +
                    (line.too_long ? "!" : "") + (line.unterminated ? "~" : ""));
  };
  for (std::size_t at = 0; at < input.size(); at += piece) {
    const std::string part = input.substr(at, piece);
    part.copy(splitter.room().data(), part.size());
    splitter.added(part.size());
    while (const auto line = splitter.next())
      add(*line);
  }
  while (const auto line = splitter.rest())
    add(*line);
  return found;
}

using Lines = std::vector<std::string>;

TEST(Splitter, lines_know_their_number_and_place_however_the_bytes_come) {
  for (const std::size_t piece : {1, 2, 3, 7, 100}) {
    EXPECT_EQ(lines("ab\n\ncd\r\ne", piece), (Lines{"1@0-3 ab", "2@3-4 ", "3@4-8 cd", "4@8-9 e~"}));
    EXPECT_EQ(lines("", piece), Lines{});
    EXPECT_EQ(lines("a\n", piece), Lines{"1@0-2 a"});
    EXPECT_EQ(lines("\r\n\n", piece), (Lines{"1@0-2 ", "2@2-3 "}));
  }
}

TEST(Splitter, a_line_that_is_too_long_is_told_as_one_and_the_next_is_whole) {
  const std::string longest(kMax, 'x');
  for (const std::size_t piece : {1, 5, 9, 10, 100}) {
    EXPECT_EQ(
        lines(longest + "\n" + longest + "\r\n" + longest + "y\nok\n" + std::string(50, 'z'),
              piece),
        (Lines{"1@0-9 " + longest, "2@9-19 " + longest, "3@19-29 !", "4@29-32 ok", "5@32-82 !~"}));
  }
}

TEST(Splitter, a_line_without_end_needs_no_memory_without_end) {
  Splitter splitter(kMax, 0, 1);
  const char* place = splitter.room().data();
  for (int i = 0; i < 1000; ++i) {
    const std::span<char> room = splitter.room();
    EXPECT_EQ(room.data(), place);
    std::fill(room.begin(), room.end(), 'x');
    splitter.added(room.size());
    EXPECT_FALSE(splitter.next());
  }
}

TEST(Splitter, it_goes_on_at_any_offset_and_line_number) {
  Splitter splitter(kMax, 1000, 17);
  std::string("a\n").copy(splitter.room().data(), 2);
  splitter.added(2);
  const auto line = splitter.next();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->begin, 1000U);
  EXPECT_EQ(line->number, 17U);
}

}  // namespace
}  // namespace sluice::lines
