#include "base/units.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::core {
namespace {

TEST(Units, durations_are_milliseconds) {
  const std::pair<std::string_view, std::int64_t> cases[] = {
      {"0s", 0},         {"10ms", 10},
      {"75s", 75'000},   {"5m", 300'000},
      {"2h", 7'200'000}, {"14d", 1'209'600'000},
      {"007s", 7'000},   {"9223372036854775807ms", std::numeric_limits<std::int64_t>::max()}};
  for (const auto& [text, ms] : cases) {
    EXPECT_EQ(parse_duration(text).value_or(-1), ms) << text;
  }
}

TEST(Units, sizes_are_bytes) {
  const std::pair<std::string_view, std::int64_t> cases[] = {{"0B", 0},
                                                             {"1B", 1},
                                                             {"256KiB", 262'144},
                                                             {"64MiB", 67'108'864},
                                                             {"3GiB", 3'221'225'472},
                                                             {"1TiB", 1'099'511'627'776}};
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(parse_size(text).value_or(-1), bytes) << text;
  }
}

TEST(Units, anything_but_a_whole_number_and_a_unit_is_refused) {
  for (std::string_view text : {"", "s", "75", "-1s", "+1s", "1.5s", "1e3s", " 1s", "1s ", "1 s",
                                "1h30m", "1S", "1week", "0x10s", "1KiB", "1\0s"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
  for (std::string_view text :
       {"", "KiB", "64", "-1B", "1.5MiB", "64MB", "1kib", "1 KiB", "1s", "1KiBB"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_duration(std::string(1'000'000, '9')).has_value());
}

TEST(Units, what_does_not_fit_is_too_large) {
  for (std::string_view text : {"9223372036854775808ms", "9223372036854776s", "106751991168d"}) {
    const auto result = parse_duration(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_NE(result.error().find("too large"), std::string::npos) << result.error();
  }
  EXPECT_FALSE(parse_size("8388608TiB").has_value());
  EXPECT_EQ(parse_size("8388607TiB").value_or(0), std::int64_t{8388607} << 40);
}

TEST(Units, errors_name_the_units_or_the_one_that_was_meant) {
  EXPECT_EQ(parse_duration("75").error(), "\"75\" needs a unit: ms, s, m, h or d");
  EXPECT_EQ(parse_size("64MB").error(), "\"64MB\" has unit \"MB\": did you mean \"MiB\"?");
  EXPECT_EQ(parse_duration("5min").error(), "\"5min\" has unit \"min\": did you mean \"m\"?");
}

TEST(Units, formatting_picks_the_shortest_text_that_reads_back) {
  for (std::int64_t ms : {0, 1, 999, 1'000, 75'000, 60'000, 90'000, 86'400'000, 86'400'001}) {
    EXPECT_EQ(parse_duration(format_duration(ms)).value_or(-1), ms);
  }
  EXPECT_EQ(format_duration(75'000), "75s");
  EXPECT_EQ(format_duration(1'209'600'000), "14d");
  EXPECT_EQ(format_size(262'144), "256KiB");
  EXPECT_EQ(format_size(1'000), "1000B");
}

TEST(Units, a_count_has_its_singular_and_its_plural) {
  EXPECT_EQ(count_text(0, "dead letter"), "0 dead letters");
  EXPECT_EQ(count_text(1, "dead letter"), "1 dead letter");
  EXPECT_EQ(count_text(2, "dead letter"), "2 dead letters");
}

}  // namespace
}  // namespace sluice::core
