#include "base/spelling.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::core {
namespace {

const std::vector<std::string> kNames = {"width", "height", "visibility_timeout", "image_resize",
                                         "fit"};

TEST(Spelling, distance_counts_insertions_deletions_replacements_and_swaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("wdith", "width"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);
}

TEST(Spelling, the_nearest_name_is_found_over_typing_errors_case_and_dashes) {
  const std::span<const std::string> names(kNames);
  EXPECT_EQ(nearest_name("widht", names), "width");
  EXPECT_EQ(nearest_name("Heigth", names), "height");
  EXPECT_EQ(nearest_name("visibility-timeout", names), "visibility_timeout");
  EXPECT_EQ(nearest_name("image_resise", names), "image_resize");
  EXPECT_EQ(nearest_name("fti", names), "fit");
}

TEST(Spelling, a_name_near_to_nothing_gets_no_suggestion) {
  const std::span<const std::string> names(kNames);
  EXPECT_EQ(nearest_name("quality", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("x", names), "");
  EXPECT_EQ(nearest_name(std::string(1'000'000, 'w'), names), "");
  EXPECT_EQ(nearest_name("width", std::span<const std::string>()), "");
}

TEST(Spelling, the_question_is_appended_only_to_a_suggestion) {
  EXPECT_EQ(did_you_mean("width"), ": did you mean \"width\"?");
  EXPECT_EQ(did_you_mean(""), "");
}

}  // namespace
}  // namespace sluice::core
