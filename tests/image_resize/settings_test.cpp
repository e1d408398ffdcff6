#include <gtest/gtest.h>

#include "image_resize/settings.hpp"

namespace sluice::image_resize::test {
namespace {

TEST(settings, colours_are_read_in_every_notation) {
  EXPECT_EQ(parse_colour("#f80"), (Colour{255, 136, 0, 255}));
  EXPECT_EQ(parse_colour("#Ff8000"), (Colour{255, 128, 0, 255}));
  EXPECT_EQ(parse_colour("#01020304"), (Colour{1, 2, 3, 4}));
  EXPECT_EQ(parse_colour("white"), (Colour{255, 255, 255, 255}));
  EXPECT_EQ(parse_colour("transparent"), (Colour{0, 0, 0, 0}));
}

TEST(settings, other_words_are_no_colours) {
  for (const char* bad : {"", "#", "#12", "#12345", "#gggggg", "red", "ffffff", "#1234567890"}) {
    auto colour = parse_colour(bad);
    ASSERT_FALSE(colour) << bad;
    EXPECT_NE(colour.error().find("is no colour"), std::string::npos);
  }
}

TEST(settings, sizes_are_sides_or_boxes) {
  auto boxes = parse_sizes(R"([16, {"width": 320}, {"width": 10, "height": 20}])", 16384);
  ASSERT_TRUE(boxes);
  ASSERT_EQ(boxes->size(), 3u);
  EXPECT_EQ((*boxes)[0].width, 16u);
  EXPECT_EQ((*boxes)[0].height, 16u);
  EXPECT_EQ((*boxes)[1].width, 320u);
  EXPECT_FALSE((*boxes)[1].height);
  EXPECT_EQ((*boxes)[2].height, 20u);
}

TEST(settings, bad_sizes_are_refused_with_what_is_wrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"16", "an array"},      {"[]", "at least one"},          {"[0]", "whole number from 1 to 16384"},
      {"[16385]", "16384"},    {"[1.5]", "whole number"},       {"[-3]", "whole number"},
      {"[{}]", "'width' or"},  {"[{\"w\": 3}]", "unknown key"}, {"[\"16\"]", "whole number"},
      {"[{\"width\": 0}]", "whole number"}};
  for (auto [json, text] : cases) {
    auto boxes = parse_sizes(json, 16384);
    ASSERT_FALSE(boxes) << json;
    EXPECT_NE(boxes.error().find(text), std::string::npos) << boxes.error();
  }
  std::string many = "[1";
  for (std::size_t i = 0; i < kOutputsMax; ++i) many += ",1";
  EXPECT_NE(parse_sizes(many + "]", 16384).error().find("at most 32"), std::string::npos);
}

TEST(settings, every_declared_word_has_a_meaning) {
  for (const char* word : {"inside", "outside", "cover", "contain", "fill"}) EXPECT_TRUE(fit_of(word)) << word;
  for (const char* word : {"nearest", "box", "triangle", "catmull_rom", "mitchell", "lanczos2", "lanczos3"}) {
    EXPECT_TRUE(filter_of(word)) << word;
  }
  for (const char* word : {"centre", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest"}) {
    EXPECT_TRUE(position_of(word)) << word;
  }
  EXPECT_FALSE(fit_of("crop"));
  EXPECT_FALSE(filter_of("lanczos"));
  EXPECT_FALSE(position_of("center"));
}

}  // namespace
}  // namespace sluice::image_resize::test
