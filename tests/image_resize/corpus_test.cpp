// Every file of the image corpus gets the verdict that its oracle wrote down (expect.jsonl).
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/json.hpp"
#include "image_resize/pictures.hpp"

namespace sluice::image_resize::test {
namespace {

struct Expectation {
  std::string file, decodable, format;
  std::uint32_t width = 0, height = 0;
  int orientation = 1;
};

std::vector<Expectation> expectations() {
  std::vector<Expectation> result;
  std::ifstream lines(*corpus() / "expect.jsonl");
  for (std::string line; std::getline(lines, line);) {
    auto json = core::parse_json(line);
    if (!json) throw std::runtime_error(json.error().message);
    auto number = [&](const char* name) { return json->find(name)->integer.value_or(0); };
    result.push_back({json->find("file")->text, json->find("decodable")->text, json->find("format")->text,
                      static_cast<std::uint32_t>(number("width")), static_cast<std::uint32_t>(number("height")),
                      static_cast<int>(std::max<std::int64_t>(1, number("orientation")))});
  }
  return result;
}

TEST(corpus, every_file_gets_its_verdict) {
  NEED_CORPUS();
  std::size_t seen = 0;
  for (const Expectation& e : expectations()) {
    Bytes bytes = read_file(*corpus() / e.file);
    if (test_scale() < 1 && bytes.size() > 1'500'000) continue;
    Outcome outcome = run(bytes, square(64));
    if (e.decodable == "yes") {
      ASSERT_EQ(outcome.code(), "ok") << e.file << ": " << outcome.fault->detail;
      Size stored{e.width, e.height};
      Size expected = thumbnail_size(turned(stored, e.orientation), {64, 64});
      EXPECT_EQ((Size{outcome.outputs[0].width, outcome.outputs[0].height}), expected) << e.file;
    } else if (e.decodable != "either") {
      EXPECT_NE(outcome.code(), "ok") << e.file;
      if (e.format == "none") {
        EXPECT_EQ(outcome.code(), "unsupported_format") << e.file;
      }
    }
    ++seen;
  }
  EXPECT_GT(seen, 500u);
}

TEST(corpus, what_is_only_doubtful_is_taken_leniently) {
  NEED_CORPUS();
  Settings settings = square(4000);
  settings.strict = false;
  for (const Expectation& e : expectations()) {
    if (e.decodable != "lenient" && e.decodable != "no") continue;
    Outcome outcome = run(read_file(*corpus() / e.file), settings);
    EXPECT_EQ(outcome.code() == "ok", e.decodable == "lenient") << e.file;
    if (e.decodable == "lenient" && !outcome.fault) {
      EXPECT_EQ(outcome.outputs[0].width, e.width) << e.file;
      EXPECT_EQ(outcome.outputs[0].height, e.height) << e.file;
    }
  }
}

/// Mean absolute difference of the colours.
double mean_difference(const Pixels& a, const Pixels& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) sum += std::abs(a.data[i] - b.data[i]);
  return sum / static_cast<double>(a.data.size());
}

TEST(corpus, every_valid_orientation_gives_the_upright_picture) {
  NEED_CORPUS();
  Pixels upright = decode_png(read_file(*corpus() / "exif/upright.png"), false);
  for (const Expectation& e : expectations()) {
    if (!e.file.starts_with("exif/") || e.file == "exif/upright.png" || e.orientation == 1) continue;
    for (std::uint32_t side : {96u, 40u}) {
      Outcome outcome = run(read_file(*corpus() / e.file), square(side));
      ASSERT_EQ(outcome.code(), "ok") << e.file;
      Pixels ours = decode_png(outcome.outputs[0].bytes, false);
      Pixels expected = side == 96 ? upright : reference(upright, ours.width, ours.height);
      ASSERT_EQ(ours.width, expected.width) << e.file;
      ASSERT_EQ(ours.height, expected.height) << e.file;
      EXPECT_LE(mean_difference(ours, expected), 3) << e.file << " at " << side;
    }
  }
}

TEST(corpus, without_autorotate_pictures_lie_as_stored) {
  NEED_CORPUS();
  Settings settings = square(48);
  settings.autorotate = false;
  Outcome outcome = run(read_file(*corpus() / "exif/exif-6-le.jpg"), settings);
  ASSERT_EQ(outcome.code(), "ok");
  EXPECT_LT(outcome.outputs[0].width, outcome.outputs[0].height);
}

TEST(corpus, full_size_png_outputs_hold_the_decoded_pixels) {
  // Given PNGs of every colour type and depth, when nothing is resized, then the output shows what
  // libspng decodes (16 bits are rounded by us and truncated by it, so within 1).
  NEED_CORPUS();
  for (const Expectation& e : expectations()) {
    if (e.decodable != "yes" || e.format != "png" || e.orientation != 1) continue;
    if (e.file.starts_with("icons/")) continue;
    Bytes bytes = read_file(*corpus() / e.file);
    Outcome outcome = run(bytes, square(4000));
    ASSERT_EQ(outcome.code(), "ok") << e.file;
    EXPECT_LE(difference(decode_png(outcome.outputs[0].bytes), decode_png(bytes)).largest, 1) << e.file;
  }
}

TEST(corpus, every_target_gives_the_same_bytes) {
  NEED_CORPUS();
  for (const char* file : {"photos/umang_640_derived.jpg", "jpeg/sub422.jpg", "jpeg/sub440.jpg", "jpeg/cmyk-im.jpg",
                           "jpeg/gray.jpg", "png/rgba16.png", "png/adam7-rgb8.png", "png/pal8-trns.png"}) {
    Bytes bytes = read_file(*corpus() / file);
    Settings settings = square(50);
    settings.boxes.push_back({12u, 12u});
    std::vector<Bytes> first;
    for_each_target([&](const char* name) {
      Outcome outcome = run(bytes, settings);
      ASSERT_EQ(outcome.code(), "ok");
      if (first.empty()) first = {outcome.outputs[0].bytes, outcome.outputs[1].bytes};
      EXPECT_EQ(outcome.outputs[0].bytes, first[0]) << file << " on " << name;
      EXPECT_EQ(outcome.outputs[1].bytes, first[1]) << file << " on " << name;
    });
  }
}

}  // namespace
}  // namespace sluice::image_resize::test
