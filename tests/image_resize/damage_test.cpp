// Hostile and damaged pictures: each gives a code and a text, and nothing else.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <libdeflate.h>

#include <random>

#include "image_resize/pictures.hpp"
#include "sample_pictures.hpp"

namespace sluice::image_resize::test {
namespace {

Bytes small_png() { return encode_png(random_pixels(40, 30, 3, 1)); }
Bytes small_jpeg(bool progressive = false) { return encode_jpeg(random_pixels(40, 30, 3, 2), 90, progressive); }

Bytes cut(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

Bytes with(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes[at] = value;
  return bytes;
}

/// A PNG header chunk with these fields and a right CRC, after the signature.
Bytes header(std::uint32_t width, std::uint32_t height, int depth = 8, int type = 6, int interlace = 0) {
  Bytes out{0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
  for (std::uint32_t v : {width, height}) {
    for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(v >> shift));
  }
  for (int v : {depth, type, 0, 0, interlace}) out.push_back(static_cast<std::uint8_t>(v));
  std::uint32_t crc = libdeflate_crc32(0, out.data() + 12, 17);
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(crc >> shift));
  return out;
}

std::size_t find(const Bytes& bytes, std::initializer_list<int> what) {
  auto found = std::search(bytes.begin(), bytes.end(), what.begin(), what.end());
  return static_cast<std::size_t>(found - bytes.begin());
}

TEST(damage, each_fault_has_its_code) {
  Bytes png = small_png();
  Bytes jpeg = small_jpeg();
  std::size_t frame = find(jpeg, {0xFF, 0xC0});
  std::size_t data = find(png, {'I', 'D', 'A', 'T'});
  const std::pair<Bytes, const char*> cases[] = {
      {{}, "unsupported_format"},
      {{'G', 'I', 'F', '8', '9', 'a'}, "unsupported_format"},
      {cut(png, 7), "unsupported_format"},
      {cut(png, 20), "truncated"},
      {cut(png, png.size() / 2), "truncated"},
      {with(png, 24, 3), "bad_header"},
      {with(png, 23, png[23] ^ 1), "bad_header"},
      {with(png, data + 40, png[data + 40] ^ 0x55), "corrupt_data"},
      {header(0, 5), "bad_header"},
      {header(5, 5, 4, 6), "bad_header"},
      {header(200'000, 10), "limit_exceeded"},
      {header(60'000, 60'000), "limit_exceeded"},
      {cut(jpeg, 2), "unsupported_format"},
      {cut(jpeg, 30), "truncated"},
      {cut(jpeg, jpeg.size() / 2), "truncated"},
      {cut(small_jpeg(true), small_jpeg(true).size() / 2), "truncated"},
      {cut(jpeg, jpeg.size() - 2), "truncated"},
      {with(jpeg, frame + 1, 0xC3), "unsupported_feature"},
      {with(jpeg, frame + 4, 12), "unsupported_feature"},
      {with(with(jpeg, frame + 5, 0), frame + 6, 0), "unsupported_feature"},
      {with(with(jpeg, frame + 7, 0), frame + 8, 0), "bad_header"},
      {with(jpeg, frame + 11, 0x55), "bad_header"},
  };
  int number = 0;
  for (const auto& [bytes, code] : cases) {
    Outcome outcome = run(bytes, square(16));
    EXPECT_EQ(outcome.code(), code) << "case " << number << (outcome.fault ? ": " + outcome.fault->detail : "");
    EXPECT_TRUE(outcome.outputs.empty());
    if (outcome.fault) {
      EXPECT_FALSE(outcome.fault->detail.empty()) << number;
    }
    ++number;
  }
}

TEST(damage, limits_name_the_limit_and_both_values) {
  Settings settings = square(16);
  settings.limits.pixels_max = 1000;
  EXPECT_EQ(run(small_png(), settings).fault->detail, "max_pixels: the picture's size in pixels is 1200, the limit is 1000");
  settings = square(16);
  settings.limits.input_bytes_max = 10;
  EXPECT_EQ(run(small_png(), settings).code(), "limit_exceeded");
  settings = square(16);
  settings.limits.memory_max = 1000;
  EXPECT_EQ(run(small_jpeg(true), settings).code(), "limit_exceeded");
  settings = square(16);
  settings.limits.scans_max = 3;
  EXPECT_EQ(run(small_jpeg(true), settings).fault->detail, "more than 3 scans");
  settings = square(16);
  settings.boxes = {{16000u, 16000u}};
  settings.enlarge = true;
  settings.fit = Fit::fill;
  EXPECT_EQ(run(small_png(), settings).code(), "limit_exceeded");
}

TEST(damage, a_giant_header_takes_no_memory) {
  // Given headers of pictures that would take 400 MB to 17 GB, when they are refused, then the
  // process has not grown by more than a few megabytes.
  auto peak_kib = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  run(small_png(), square(16));
  long before = peak_kib();
  for (int interlace : {0, 1}) {
    EXPECT_EQ(run(header(65'535, 65'535, 16, 6, interlace), square(16)).code(), "limit_exceeded");
    EXPECT_NE(run(header(9'999, 9'999, 16, 6, interlace), square(16)).code(), "ok");
  }
  EXPECT_LT(peak_kib() - before, 20'000);
}

TEST(damage, lenient_takes_what_can_be_decoded) {
  Settings settings = square(16);
  settings.strict = false;
  Bytes jpeg = small_jpeg();
  EXPECT_EQ(run(cut(jpeg, jpeg.size() / 2), settings).code(), "ok");
  EXPECT_EQ(run(cut(jpeg, jpeg.size() - 2), settings).code(), "ok");
  EXPECT_EQ(run(cut(jpeg, 30), settings).code(), "truncated");
  EXPECT_EQ(run(cut(small_png(), 400), settings).code(), "truncated");
}

TEST(damage, ancillary_chunks_cannot_do_harm) {
  // A text chunk with a wrong CRC and a profile that is none, before the pixels: dropped.
  Bytes png = small_png();
  std::size_t data = find(png, {'I', 'D', 'A', 'T'}) - 4;
  Bytes junk{0, 0, 0, 4, 'z', 'T', 'X', 't', 1, 2, 3, 4, 9, 9, 9, 9, 0, 0, 0, 2, 'i', 'C', 'C', 'P', 0, 0, 1, 2, 3, 4};
  Bytes dirty = png;
  for (int i = 0; i < 2000; ++i) dirty.insert(dirty.begin() + static_cast<std::ptrdiff_t>(data), junk.begin(), junk.end());
  Outcome outcome = run(dirty, square(16));
  ASSERT_EQ(outcome.code(), "ok") << outcome.fault->detail;
  EXPECT_EQ(outcome.outputs[0].bytes, run(png, square(16)).outputs[0].bytes);
}

TEST(damage, random_damage_never_breaks_anything) {
  std::mt19937 random(11);
  Settings settings = square(16);
  Resizer resizer;
  Sink sink{[](void*, const Encoded&) { return true; }, nullptr};
  const Bytes goods[] = {small_png(), small_jpeg(), small_jpeg(true), encode_png(random_pixels(33, 7, 4, 5)),
                         samples::to_png(samples::make_icon(1, 24))};
  auto rounds = static_cast<int>(1500 * test_scale());
  for (int i = 0; i < rounds; ++i) {
    Bytes bytes = goods[static_cast<std::size_t>(i) % std::size(goods)];
    for (unsigned k = 0; k <= random() % 8; ++k) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size() + 1);
    settings.strict = random() % 2 == 0;
    auto result = resizer.run(bytes, settings, sink);
    if (!result) {
      EXPECT_NE(result.error().code, Code::cancelled);
      EXPECT_FALSE(result.error().detail.empty());
    }
  }
}

TEST(damage, a_file_does_not_borrow_tables_from_the_one_before) {
  Bytes jpeg = small_jpeg();
  std::size_t tables = find(jpeg, {0xFF, 0xDB});
  std::size_t length = jpeg[tables + 2] * std::size_t{256} + jpeg[tables + 3] + 2;
  Bytes without = jpeg;
  without.erase(without.begin() + static_cast<std::ptrdiff_t>(tables), without.begin() + static_cast<std::ptrdiff_t>(tables + length));
  Resizer resizer;
  Sink sink{[](void*, const Encoded&) { return true; }, nullptr};
  ASSERT_TRUE(resizer.run(jpeg, square(16), sink));
  auto result = resizer.run(without, square(16), sink);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::bad_header);
}

}  // namespace
}  // namespace sluice::image_resize::test
