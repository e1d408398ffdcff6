// How near the outputs are to the reference (image-resize.md section 10), on drawn pictures and, where
// it is found, on the corpus.
#include <gtest/gtest.h>

#include "image_resize/pictures.hpp"
#include "sample_pictures.hpp"

namespace sluice::image_resize::test {
namespace {

constexpr Filter kFilters[] = {Filter::box,      Filter::triangle, Filter::catmull_rom,
                               Filter::mitchell, Filter::lanczos2, Filter::lanczos3};

Pixels from_sample(const samples::Picture& picture) {
  Pixels pixels(picture.width, picture.height, picture.channels);
  pixels.data = picture.pixels;
  return pixels;
}

Pixels photo(std::uint64_t seed) { return from_sample(samples::make_photo(seed, 1003, 701)); }
Pixels icon(std::uint64_t seed, std::uint32_t side = 96) { return from_sample(samples::make_icon(seed, side)); }

TEST(quality, photos_are_within_a_level_of_the_reference) {
  for (auto [w, h] : {std::pair{256u, 179u}, {64u, 45u}, {501u, 350u}}) {
    std::vector<double> all;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      Pixels from = photo(seed);
      Difference d = difference(resize(from, w, h), reference(from, w, h));
      EXPECT_GE(d.psnr, 58);
      EXPECT_LE(d.largest, 1);
      for (int c = 0; c < 3; ++c) EXPECT_NEAR(d.mean[c], 0, 0.1);
      all.push_back(d.psnr);
    }
    EXPECT_GE(median(all), 60);
  }
}

TEST(quality, icons_are_within_a_level_of_the_reference) {
  for (std::uint32_t side : {16u, 32u, 41u, 64u}) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      Pixels from = icon(seed);
      Difference d = difference(resize(from, side, side), reference(from, side, side));
      EXPECT_GE(d.psnr, 55) << seed << " to " << side;
      EXPECT_LE(d.largest, 2) << seed << " to " << side;
    }
  }
}

TEST(quality, every_filter_meets_its_own_reference_at_odd_ratios) {
  Pixels colour = photo(5);
  Pixels alpha = icon(3);
  for (Filter filter : kFilters) {
    for (auto [w, h] : {std::pair{333u, 100u}, {77u, 500u}, {1200u, 900u}}) {
      EXPECT_LE(difference(resize(colour, w, h, filter), reference(colour, w, h, filter)).largest, 1);
    }
    for (auto [w, h] : {std::pair{33u, 10u}, {95u, 97u}, {200u, 20u}}) {
      EXPECT_LE(difference(resize(alpha, w, h, filter), reference(alpha, w, h, filter)).largest, 2);
    }
  }
}

TEST(quality, another_filter_is_told_apart) {
  // The thresholds would not let a wrong kernel through.
  Pixels from = photo(2);
  EXPECT_LT(difference(resize(from, 256, 179, Filter::catmull_rom), reference(from, 256, 179)).psnr, 55);
  EXPECT_LT(difference(resize(from, 256, 179, Filter::box), reference(from, 256, 179)).psnr, 50);
}

TEST(quality, extreme_ratios_stay_near_the_reference) {
  for (auto [from_w, from_h, w, h] : {std::tuple{20000u, 3u, 16u, 1u}, {3u, 9000u, 1u, 5u}, {1u, 1u, 40u, 30u}, {2u, 2u, 3u, 1u}}) {
    Pixels from = random_pixels(from_w, from_h, 3, from_w);
    EXPECT_LE(difference(resize(from, w, h), reference(from, w, h)).largest, 1) << from_w << "x" << from_h;
    Pixels alpha = random_pixels(from_w, from_h, 4, from_w);
    EXPECT_LE(difference(resize(alpha, w, h), reference(alpha, w, h)).largest, 2) << from_w << "x" << from_h;
  }
}

/// The output of a JPEG against full decode and the reference.
Difference from_jpeg(const Bytes& jpeg, std::uint32_t side) {
  Outcome outcome = run(jpeg, square(side));
  if (outcome.fault) throw std::runtime_error(outcome.fault->detail);
  Pixels ours = decode_png(outcome.outputs[0].bytes, false);
  return difference(ours, reference(decode_jpeg(jpeg), ours.width, ours.height));
}

TEST(quality, jpegs_shrunk_while_decoding_stay_near_the_reference) {
  for (std::uint32_t side : {64u, 100u, 256u, 400u, 700u}) {
    std::vector<double> all;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      Difference d = from_jpeg(samples::to_jpeg(samples::make_photo(seed, 1603, 1201), 90), side);
      EXPECT_GE(d.psnr, 44) << side;
      for (int c = 0; c < 3; ++c) EXPECT_NEAR(d.mean[c], 0, 0.5) << side;
      all.push_back(d.psnr);
    }
    EXPECT_GE(median(all), 50) << side;
  }
}

TEST(quality, corpus_photos_meet_the_thresholds) {
  NEED_CORPUS();
  for (std::uint32_t side : {256u, 64u}) {
    std::vector<double> all;
    for (const auto& path : corpus_files("photos", ".jpg")) {
      Pixels from = decode_jpeg(read_file(path));
      if (std::size_t{from.width} * from.height > 5'000'000 * test_scale()) continue;
      Size size = thumbnail_size({from.width, from.height}, {side, side});
      Difference d = difference(resize(from, size.width, size.height), reference(from, size.width, size.height));
      EXPECT_GE(d.psnr, 58) << path;
      EXPECT_LE(d.largest, 2) << path;
      all.push_back(d.psnr);
    }
    EXPECT_TRUE(all.empty() || median(all) >= 60);
  }
}

TEST(quality, corpus_icons_meet_the_thresholds) {
  NEED_CORPUS();
  auto paths = corpus_files("icons", ".png");
  for (std::uint32_t side : {64u, 32u, 16u}) {
    std::vector<double> all;
    for (std::size_t i = 0; i < paths.size(); i += test_scale() < 1 ? 10 : 3) {
      Pixels from = decode_png(read_file(paths[i]));
      Size size = thumbnail_size({from.width, from.height}, {side, side});
      Difference d = difference(resize(from, size.width, size.height), reference(from, size.width, size.height));
      EXPECT_GE(d.psnr, 50) << paths[i];
      EXPECT_LE(d.largest, 4) << paths[i];
      all.push_back(d.psnr);
    }
    EXPECT_GE(median(all), 55) << side;
  }
}

TEST(quality, corpus_jpegs_meet_the_shrink_thresholds) {
  NEED_CORPUS();
  for (std::uint32_t side : {64u, 256u, 700u}) {
    std::vector<double> all;
    for (const auto& path : corpus_files("photos", ".jpg")) {
      Bytes bytes = read_file(path);
      if (static_cast<double>(bytes.size()) > 1'100'000 * test_scale()) continue;
      Difference d = from_jpeg(bytes, side);
      EXPECT_GE(d.psnr, 38) << path << " to " << side;
      all.push_back(d.psnr);
    }
    EXPECT_TRUE(all.empty() || median(all) >= 50) << side;
  }
}

}  // namespace
}  // namespace sluice::image_resize::test
