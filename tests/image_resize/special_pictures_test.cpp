// Pictures made to show one fault each (image-resize.md section 10).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "image_resize/pictures.hpp"

namespace sluice::image_resize::test {
namespace {

constexpr Filter kFilters[] = {Filter::nearest,  Filter::box,      Filter::triangle, Filter::catmull_rom,
                               Filter::mitchell, Filter::lanczos2, Filter::lanczos3};

TEST(special_pictures, flat_areas_stay_flat_at_every_ratio) {
  for (int v : {0, 1, 127, 128, 254, 255}) {
    for (Filter filter : kFilters) {
      for (std::uint32_t m : {1u, 2u, 10u, 37u, 50u, 99u, 100u, 101u, 150u}) {
        for (std::uint32_t channels : {1u, 3u, 4u}) {
          Pixels from = draw(101, 100, channels, [&](auto...) { return v; });
          Pixels to = resize(from, m, m, filter);
          ASSERT_TRUE(std::all_of(to.data.begin(), to.data.end(), [&](int s) { return s == v; }))
              << v << " to " << m << ", " << channels << " channels";
        }
      }
    }
  }
}

TEST(special_pictures, flat_colour_under_flat_alpha_stays) {
  for (int alpha : {1, 2, 100, 254, 255}) {
    for (int colour : {0, 1, 100, 255}) {
      Pixels from = draw(64, 64, 4, [&](auto, auto, auto c) { return c == 3 ? alpha : colour; });
      Pixels to = resize(from, 23, 17);
      ASSERT_EQ(to, draw(23, 17, 4, [&](auto, auto, auto c) { return c == 3 ? alpha : colour; })) << alpha << " " << colour;
    }
  }
}

TEST(special_pictures, transparent_colour_does_not_bleed) {
  // A green square on transparent magenta.
  Pixels from = draw(96, 96, 4, [](std::uint32_t x, std::uint32_t y, std::uint32_t c) {
    bool inside = x >= 24 && x < 72 && y >= 24 && y < 72;
    const int in[4] = {0, 255, 0, 255};
    const int out[4] = {255, 0, 255, 0};
    return inside ? in[c] : out[c];
  });
  for (std::uint32_t side : {31u, 37u, 41u}) {
    Pixels to = resize(from, side, side);
    for (std::size_t i = 0; i < to.data.size(); i += 4) {
      int alpha = to.data[i + 3];
      ASSERT_LE(to.data[i] * alpha / 255, 2) << side;
      ASSERT_LE(to.data[i + 2] * alpha / 255, 2) << side;
    }
  }
}

TEST(special_pictures, all_transparent_gives_zeros) {
  Pixels from = draw(50, 40, 4, [](auto x, auto y, auto c) { return c == 3 ? 0 : static_cast<int>((x + y) % 256); });
  Pixels to = resize(from, 16, 13);
  EXPECT_TRUE(std::all_of(to.data.begin(), to.data.end(), [](int s) { return s == 0; }));
}

TEST(special_pictures, ringing_is_that_of_the_filter) {
  Pixels from = draw(600, 8, 1, [](auto x, auto, auto) { return x < 300 ? 64 : 192; });
  for (std::uint32_t m : {599u, 450u, 300u, 100u}) {
    Pixels to = resize(from, m, 8);
    auto [low, high] = std::minmax_element(to.data.begin(), to.data.end());
    EXPECT_GE(*low, 64 - 15);
    EXPECT_LE(*high, 192 + 15);
    EXPECT_LE(difference(to, reference(from, m, 8)).largest, 1);
    for (Filter filter : {Filter::box, Filter::triangle}) {
      Pixels calm = resize(from, m, 8, filter);
      EXPECT_EQ(*std::min_element(calm.data.begin(), calm.data.end()), 64);
      EXPECT_EQ(*std::max_element(calm.data.begin(), calm.data.end()), 192);
    }
  }
}

TEST(special_pictures, a_ramp_stays_in_its_place) {
  Pixels from = draw(512, 16, 1, [](auto x, auto, auto) { return static_cast<int>(x / 2); });
  for (std::uint32_t m : {500u, 300u, 171u, 64u, 33u}) {
    Pixels to = resize(from, m, 16);
    double scale = 512.0 / m;
    for (std::uint32_t x = 0; x < m; ++x) {
      double centre = (x + 0.5) * scale;
      if (centre < 3 * scale + 1 || centre > 512 - 3 * scale - 1) continue;
      ASSERT_NEAR(to.at(x, 8, 0), (centre - 0.5) / 2 - 0.25, 1.0) << m;
    }
  }
}

Pixels mirrored(const Pixels& from) {
  return draw(from.width, from.height, from.channels,
              [&](std::uint32_t x, std::uint32_t y, std::uint32_t c) { return from.at(from.width - 1 - x, y, c); });
}

TEST(special_pictures, a_mirrored_picture_gives_the_mirrored_result) {
  for (std::uint32_t channels : {1u, 3u, 4u}) {
    Pixels from = random_pixels(301, 40, channels, 9);
    for (std::uint32_t m : {300u, 151u, 64u, 16u}) {
      Difference d = difference(resize(mirrored(from), m, 30), mirrored(resize(from, m, 30)));
      EXPECT_LE(d.largest, channels == 4 ? 2 : 1) << m;
    }
  }
}

TEST(special_pictures, a_zone_plate_does_not_alias) {
  Pixels from = draw(1024, 1024, 1, [](std::uint32_t x, std::uint32_t y, auto) {
    double dx = x - 511.5, dy = y - 511.5;
    return static_cast<int>(std::lround(127.5 + 127.5 * std::cos(3.14159265358979 * (dx * dx + dy * dy) / 1024)));
  });
  EXPECT_GE(difference(resize(from, 128, 128), reference(from, 128, 128)).psnr, 55);
}

TEST(special_pictures, a_checkerboard_halves_to_its_mean) {
  Pixels from = draw(128, 128, 3, [](auto x, auto y, auto) { return (x + y) % 2 == 0 ? 255 : 0; });
  Pixels to = resize(from, 64, 64);
  for (std::uint32_t y = 4; y < 60; ++y) {
    for (std::uint32_t x = 4; x < 60; ++x) ASSERT_NEAR(to.at(x, y, 0), 127.5, 0.5);
  }
}

TEST(special_pictures, unchanged_sizes_leave_every_sample_alone) {
  for (std::uint32_t channels : {1u, 3u}) {
    Pixels from = random_pixels(61, 43, channels, 3);
    EXPECT_EQ(resize(from, 61, 43), from);
  }
  Pixels alpha = random_pixels(61, 43, 4, 4);
  for (std::size_t i = 3; i < alpha.data.size(); i += 4) alpha.data[i] = std::max<std::uint8_t>(alpha.data[i], 1);
  EXPECT_EQ(resize(alpha, 61, 43), alpha);
}

TEST(special_pictures, every_target_gives_the_same_bytes) {
  for (std::uint32_t channels : {1u, 3u, 4u}) {
    Pixels from = random_pixels(203, 150, channels, channels);
    std::optional<Pixels> first;
    for_each_target([&](const char* name) {
      Pixels to = resize(from, 77, 61);
      if (!first) first = to;
      EXPECT_EQ(to, *first) << name << ", " << channels << " channels";
    });
  }
}

}  // namespace
}  // namespace sluice::image_resize::test
