#include <gtest/gtest.h>

#include "image_resize/geometry.hpp"

namespace sluice::image_resize::test {
namespace {

struct Thumbnail {
  Size picture;
  std::uint32_t width, height;
  Size expected;
};

// Image.thumbnail((width, height)) of Pillow 9.4.
constexpr Thumbnail kPillow[] = {
    {{96, 48}, 16, 16, {16, 8}}, {{96, 48}, 32, 32, {32, 16}}, {{96, 48}, 64, 64, {64, 32}}, {{20, 10}, 64, 64, {20, 10}},
    {{22, 64}, 16, 16, {5, 16}}, {{64, 22}, 16, 16, {16, 6}}, {{1, 2400}, 16, 16, {1, 16}}, {{2400, 3}, 64, 64, {64, 1}},
    {{5, 3}, 4, 2, {3, 2}}, {{100, 3}, 10, 10, {10, 1}}, {{37, 64}, 8, 8, {5, 8}}, {{3, 6}, 3, 3, {2, 3}},
    {{640, 480}, 640, 100, {133, 100}}, {{640, 480}, 100, 480, {100, 75}}, {{16, 16}, 16, 16, {16, 16}}, {{17, 16}, 16, 16, {16, 15}},
    {{242, 311}, 53, 203, {53, 68}}, {{491, 159}, 47, 35, {47, 15}}, {{21, 412}, 149, 31, {2, 31}}, {{228, 533}, 185, 142, {61, 142}},
    {{177, 109}, 135, 110, {135, 83}}, {{27, 657}, 134, 140, {6, 140}}, {{199, 169}, 159, 149, {159, 135}}, {{643, 382}, 45, 173, {45, 27}},
    {{688, 398}, 128, 92, {128, 74}}, {{254, 485}, 144, 46, {24, 46}}, {{561, 308}, 4, 150, {4, 2}}, {{587, 320}, 100, 212, {100, 55}},
    {{434, 614}, 148, 221, {148, 209}}, {{463, 166}, 120, 157, {120, 43}}, {{266, 45}, 42, 24, {42, 7}}, {{474, 642}, 144, 242, {144, 195}},
    {{352, 149}, 101, 35, {83, 35}}, {{423, 208}, 226, 142, {226, 111}}, {{189, 365}, 224, 165, {85, 165}}, {{650, 572}, 102, 166, {102, 90}},
    {{104, 64}, 118, 143, {104, 64}}, {{597, 631}, 122, 63, {60, 63}}, {{340, 182}, 149, 236, {149, 80}}, {{27, 44}, 183, 43, {26, 43}},
};

TEST(geometry, inside_without_enlargement_has_the_sizes_of_pillows_thumbnail) {
  for (const Thumbnail& t : kPillow) {
    Size size = thumbnail_size(t.picture, {t.width, t.height});
    EXPECT_EQ(size, t.expected) << t.picture.width << "x" << t.picture.height << " in " << t.width << "x" << t.height
                                << ": " << size.width << "x" << size.height;
  }
}

TEST(geometry, a_missing_side_follows_the_aspect) {
  EXPECT_EQ(thumbnail_size({96, 48}, {16, {}}), (Size{16, 8}));
  EXPECT_EQ(thumbnail_size({96, 48}, {{}, 16}), (Size{32, 16}));
  EXPECT_EQ(thumbnail_size({96, 48}, {200, {}}), (Size{96, 48}));
  EXPECT_EQ(place({96, 48}, {192, {}}, Fit::inside, Position::centre, true).scaled, (Size{192, 96}));
}

struct Case {
  Size picture;
  Box box;
  Fit fit;
  bool enlarge;
  Placement expected;
};

constexpr Placement whole(std::uint32_t w, std::uint32_t h) { return {{w, h}, {0, 0, w, h}, {w, h}, 0, 0}; }

TEST(geometry, fits_follow_the_table) {
  const Case cases[] = {
      {{96, 48}, {30, 30}, Fit::outside, false, whole(60, 30)},
      {{96, 48}, {30, 30}, Fit::fill, false, whole(30, 30)},
      {{20, 48}, {30, 30}, Fit::fill, false, whole(20, 30)},
      {{20, 10}, {30, 30}, Fit::fill, true, whole(30, 30)},
      {{20, 10}, {64, 64}, Fit::inside, true, whole(64, 32)},
      {{20, 10}, {64, 64}, Fit::outside, false, whole(20, 10)},
      {{1, 2400}, {16, {}}, Fit::outside, false, whole(1, 2400)},
      {{2400, 1}, {16, 16}, Fit::contain, false, {{16, 1}, {0, 0, 16, 1}, {16, 16}, 0, 7}},
      {{96, 48}, {32, 32}, Fit::cover, false, {{64, 32}, {16, 0, 32, 32}, {32, 32}, 0, 0}},
      {{20, 10}, {16, 16}, Fit::cover, false, {{20, 10}, {2, 0, 16, 10}, {16, 10}, 0, 0}},
      {{20, 10}, {16, 16}, Fit::cover, true, {{32, 16}, {8, 0, 16, 16}, {16, 16}, 0, 0}},
      {{96, 48}, {32, 32}, Fit::contain, false, {{32, 16}, {0, 0, 32, 16}, {32, 32}, 0, 8}},
      {{20, 10}, {32, 32}, Fit::contain, false, {{20, 10}, {0, 0, 20, 10}, {32, 32}, 6, 11}},
  };
  for (const Case& c : cases) {
    Placement p = place(c.picture, c.box, c.fit, Position::centre, c.enlarge);
    EXPECT_EQ(p, c.expected) << c.picture.width << "x" << c.picture.height << " fit " << static_cast<int>(c.fit) << ": "
                             << p.scaled.width << "x" << p.scaled.height << " crop " << p.crop.x << "," << p.crop.y;
  }
}

TEST(geometry, position_moves_the_crop_and_the_picture) {
  EXPECT_EQ(place({96, 48}, {32, 32}, Fit::cover, Position::west, false).crop.x, 0u);
  EXPECT_EQ(place({96, 48}, {32, 32}, Fit::cover, Position::northeast, false).crop.x, 32u);
  EXPECT_EQ(place({96, 48}, {32, 32}, Fit::contain, Position::north, false).y, 0u);
  EXPECT_EQ(place({96, 48}, {32, 32}, Fit::contain, Position::south, false).y, 16u);
}

/// Where a stored pixel comes to lie, straight from the meaning of each orientation.
std::pair<std::uint32_t, std::uint32_t> upright_of(std::uint32_t x, std::uint32_t y, Size stored, int orientation) {
  std::uint32_t right = stored.width - 1 - x;
  std::uint32_t bottom = stored.height - 1 - y;
  switch (orientation) {
    case 2: return {right, y};
    case 3: return {right, bottom};
    case 4: return {x, bottom};
    case 5: return {y, x};
    case 6: return {bottom, x};
    case 7: return {bottom, right};
    case 8: return {y, right};
    default: return {x, y};
  }
}

TEST(geometry, a_crop_is_found_again_in_every_orientation) {
  Rectangle upright{3, 1, 4, 2};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    Size scaled{11, 6};
    Size stored = turned(scaled, orientation);
    Rectangle crop = as_stored(upright, scaled, orientation);
    for (std::uint32_t y = 0; y < stored.height; ++y) {
      for (std::uint32_t x = 0; x < stored.width; ++x) {
        auto [ux, uy] = upright_of(x, y, stored, orientation);
        bool in_upright = ux >= 3 && ux < 7 && uy >= 1 && uy < 3;
        bool in_crop = x >= crop.x && x < crop.x + crop.width && y >= crop.y && y < crop.y + crop.height;
        ASSERT_EQ(in_crop, in_upright) << "orientation " << orientation;
      }
    }
  }
}

TEST(geometry, dct_scale_leaves_twice_the_size) {
  EXPECT_EQ(dct_denominator(1), 1);
  EXPECT_EQ(dct_denominator(3.99), 1);
  EXPECT_EQ(dct_denominator(4), 2);
  EXPECT_EQ(dct_denominator(8), 4);
  EXPECT_EQ(dct_denominator(15.9), 4);
  EXPECT_EQ(dct_denominator(16), 8);
  EXPECT_EQ(dct_denominator(1000), 8);
}

}  // namespace
}  // namespace sluice::image_resize::test
