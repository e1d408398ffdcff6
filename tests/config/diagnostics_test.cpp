#include "config/diagnostics.hpp"

#include <gtest/gtest.h>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

std::string rendered(const std::string& line, std::size_t column) {
  return render(
      Diagnostic{Diagnostic::Severity::error, Errc::config, 0, {"f.json:1:1", line, column}, "bad"},
      false);
}

TEST(Diagnostics, the_line_and_a_caret_stand_below_the_text) {
  EXPECT_EQ(rendered("  \"a\": 0,", 7), "f.json:1:1: error: bad\n    \"a\": 0,\n         ^\n");
}

TEST(Diagnostics, the_caret_stands_right_behind_tabs) {
  EXPECT_EQ(rendered("\t\"a\": 0,", 6), "f.json:1:1: error: bad\n  \t\"a\": 0,\n  \t     ^\n");
}

TEST(Diagnostics, the_caret_counts_characters_not_bytes) {
  EXPECT_EQ(rendered("\"\xC3\xA4\xC3\xB6\": 0", 8),
            "f.json:1:1: error: bad\n  \"\xC3\xA4\xC3\xB6\": 0\n        ^\n");
}

TEST(Diagnostics, a_long_line_is_cut_around_the_caret) {
  std::string line(5000, 'a');
  line[3000] = 'X';
  const std::string text = rendered(line, 3000);

  const std::size_t first = text.find('\n') + 1, second = text.find('\n', first) + 1;
  const std::string shown = text.substr(first, second - first - 1), caret = text.substr(second);
  EXPECT_LT(shown.size(), 120U);
  EXPECT_TRUE(shown.starts_with("  ...a")) << shown;
  EXPECT_TRUE(shown.ends_with("...")) << shown;
  EXPECT_EQ(shown.find('X'), caret.find('^'));
}

TEST(Diagnostics, a_cut_never_splits_a_character) {
  std::string line;
  for (int i = 0; i < 200; ++i)
    line += "\xC3\xA4";
  const std::string text = rendered(line, 200);
  EXPECT_EQ(text.find("...\xA4"), std::string::npos);
  EXPECT_EQ(text.find("\xC3..."), std::string::npos);
}

TEST(Diagnostics, control_characters_never_reach_the_terminal) {
  EXPECT_EQ(rendered("\"\x1B[2J\": 0", 0).find('\x1B'), std::string::npos);
  EXPECT_EQ(in_quotes("a\x1B[2Jb\n"), "\"a\\x1b[2Jb\\x0a\"");
}

TEST(Diagnostics, an_escape_in_a_name_is_shown_as_text) {
  const Loaded loaded(R"({"queues": {"\u001b[2J": {}}})");
  EXPECT_EQ(loaded.text().find('\x1B'), std::string::npos) << loaded.text();
}

TEST(Diagnostics, a_long_value_is_shortened_at_a_whole_character) {
  std::string value(79, 'a');
  EXPECT_EQ(in_quotes(value + "\xC3\xA4zzz"), "\"" + value + "...\"");
}

TEST(Diagnostics, colour_marks_the_severity_and_the_caret) {
  const Diagnostic warning{
      Diagnostic::Severity::warning, Errc::config, 0, {"f:1:1", "x", 0}, "odd"};
  EXPECT_NE(render(warning, true).find("\033[1;35mwarning:\033[0m odd"), std::string::npos);
  EXPECT_EQ(render(warning, false).find('\033'), std::string::npos);
}

TEST(Diagnostics, carriage_returns_do_not_count_as_part_of_the_line) {
  const Loaded loaded("{\r\n\t\"nme\": 1\r\n}");
  ASSERT_EQ(loaded.diagnostics.errors(), 1U);
  EXPECT_EQ(loaded.diagnostics.all()[0].place.label, "/configs/test.json:2:2");
  EXPECT_EQ(loaded.diagnostics.all()[0].place.line, "\t\"nme\": 1");
}

}  // namespace
}  // namespace sluice::core
