#include <gtest/gtest.h>

#include <algorithm>

#include "image_resize/pictures.hpp"
#include "sample_pictures.hpp"

namespace sluice::image_resize::test {
namespace {

Bytes icon_png(std::uint32_t side = 96) { return samples::to_png(samples::make_icon(2, side)); }
Bytes photo_jpeg(std::uint32_t w = 640, std::uint32_t h = 480) { return samples::to_jpeg(samples::make_photo(3, w, h), 90); }

/// What stands `offset` bytes behind a JPEG's marker; -1: there is no such marker.
int after_marker(const Bytes& jpeg, std::uint8_t marker, std::size_t offset) {
  const std::uint8_t wanted[] = {0xFF, marker};
  auto found = std::search(jpeg.begin(), jpeg.end(), std::begin(wanted), std::end(wanted));
  return found == jpeg.end() ? -1 : found[static_cast<std::ptrdiff_t>(offset)];
}

constexpr std::uint8_t kBaseline = 0xC0, kProgressive = 0xC2;

int colour_type(const Bytes& png) { return png[25]; }

TEST(resizer, keeps_the_format_unless_told_otherwise) {
  Settings settings = square(32);
  settings.format.reset();
  EXPECT_EQ(run(icon_png(), settings).outputs[0].format, Format::png);
  EXPECT_EQ(run(photo_jpeg(), settings).outputs[0].format, Format::jpeg);
  settings.format = Format::png;
  EXPECT_EQ(run(photo_jpeg(), settings).outputs[0].bytes[1], 'P');
  settings.format = Format::jpeg;
  EXPECT_EQ(run(icon_png(), settings).outputs[0].bytes[0], 0xFF);
}

TEST(resizer, several_sizes_come_from_one_decode_in_order) {
  Settings settings = square(16);
  settings.boxes = {{16u, 16u}, {64u, 64u}, {32u, 32u}};
  Outcome outcome = run(icon_png(), settings);
  ASSERT_EQ(outcome.outputs.size(), 3u);
  EXPECT_EQ(outcome.outputs[0].width, 16u);
  EXPECT_EQ(outcome.outputs[1].width, 64u);
  EXPECT_EQ(outcome.outputs[2].width, 32u);
  // 64 exceeds 16 four times, so 16 comes from it; 32 comes from the picture, as it would alone.
  EXPECT_EQ(outcome.outputs[2].bytes, run(icon_png(), square(32)).outputs[0].bytes);
  EXPECT_EQ(outcome.outputs[1].bytes, run(icon_png(), square(64)).outputs[0].bytes);
  Pixels from_64 = decode_png(outcome.outputs[0].bytes);
  Pixels alone = decode_png(run(icon_png(), square(16)).outputs[0].bytes);
  EXPECT_GE(difference(from_64, alone).psnr, 38);
}

TEST(resizer, a_size_from_a_larger_size_is_near_the_reference) {
  Settings settings = square(16);
  settings.boxes = {{1024u, 1024u}, {512u, 512u}, {256u, 256u}, {128u, 128u}, {64u, 64u}, {16u, 16u}};
  Bytes jpeg = photo_jpeg(2200, 1700);
  Pixels full = decode_jpeg(jpeg);
  Outcome outcome = run(jpeg, settings);
  ASSERT_EQ(outcome.outputs.size(), 6u);
  for (const Output& output : outcome.outputs) {
    Pixels ours = decode_png(output.bytes, false);
    EXPECT_GE(difference(ours, reference(full, ours.width, ours.height)).psnr, 45) << output.width;
  }
}

TEST(resizer, is_deterministic_whatever_came_before) {
  Settings settings = square(40);
  settings.boxes.push_back({7u, 7u});
  Bytes first = run(photo_jpeg(), settings).outputs[1].bytes;
  Resizer resizer;
  Bytes again;
  Sink sink{[](void* user, const Encoded& e) {
              static_cast<Bytes*>(user)->assign(e.bytes.begin(), e.bytes.end());
              return true;
            },
            &again};
  for (const Bytes& before : {icon_png(), photo_jpeg(100, 900), Bytes{1, 2, 3}, icon_png(200)}) {
    (void)resizer.run(before, settings, sink);
    ASSERT_TRUE(resizer.run(photo_jpeg(), settings, sink));
    EXPECT_EQ(again, first);
  }
}

TEST(resizer, png_loses_colour_and_alpha_only_where_there_are_none) {
  auto type_of = [](const Pixels& pixels) { return colour_type(run(encode_png(pixels), square(8)).outputs[0].bytes); };
  EXPECT_EQ(type_of(draw(20, 20, 4, [](auto x, auto, auto c) { return static_cast<int>(c == 3 ? 255 : x * c); })), 2);
  EXPECT_EQ(type_of(draw(20, 20, 4, [](auto x, auto, auto c) { return static_cast<int>(c == 3 ? 255 : x); })), 0);
  EXPECT_EQ(type_of(draw(20, 20, 4, [](auto x, auto, auto c) { return static_cast<int>(c == 3 ? 100 : x); })), 4);
  EXPECT_EQ(type_of(draw(20, 20, 4, [](auto x, auto, auto c) { return static_cast<int>(c == 3 ? 100 : x * c); })), 6);
  EXPECT_EQ(type_of(draw(20, 20, 1, [](auto x, auto, auto) { return static_cast<int>(x); })), 0);
}

TEST(resizer, a_gray_jpeg_stays_gray) {
  Bytes gray = encode_jpeg(draw(64, 64, 1, [](auto x, auto, auto) { return static_cast<int>(4 * x); }));
  Bytes out = run(gray, square(16, Format::jpeg)).outputs[0].bytes;
  EXPECT_EQ(after_marker(out, kBaseline, 9), 1);  // components
}

TEST(resizer, transparency_is_laid_on_the_background_for_jpeg) {
  Bytes png = encode_png(draw(32, 32, 4, [](auto, auto, auto c) { return c == 3 ? 0 : 77; }));
  Settings settings = square(16, Format::jpeg);
  EXPECT_NEAR(decode_jpeg(run(png, settings).outputs[0].bytes).at(8, 8, 0), 255, 1);
  settings.background = Colour{200, 30, 10, 255};
  Pixels red = decode_jpeg(run(png, settings).outputs[0].bytes);
  EXPECT_NEAR(red.at(8, 8, 0), 200, 3);
  EXPECT_NEAR(red.at(8, 8, 1), 30, 3);
}

TEST(resizer, contain_pads_with_the_background) {
  Bytes png = encode_png(draw(64, 32, 3, [](auto, auto, auto c) { return c == 0 ? 250 : 10; }));
  Settings settings = square(16);
  settings.fit = Fit::contain;
  Pixels clear = decode_png(run(png, settings).outputs[0].bytes);
  EXPECT_EQ(clear.height, 16u);
  EXPECT_EQ(clear.at(8, 0, 3), 0);
  EXPECT_EQ(clear.at(8, 8, 0), 250);
  settings.background = Colour{0, 0, 255, 255};
  Pixels blue = decode_png(run(png, settings).outputs[0].bytes);
  EXPECT_EQ(blue.at(8, 0, 2), 255);
  EXPECT_EQ(blue.at(8, 15, 3), 255);
}

TEST(resizer, cover_is_the_crop_of_the_whole) {
  Bytes png = encode_png(random_pixels(200, 90, 3, 8));
  Settings settings = square(30);
  settings.fit = Fit::outside;
  Pixels whole = decode_png(run(png, settings).outputs[0].bytes, false);
  settings.fit = Fit::cover;
  Pixels crop = decode_png(run(png, settings).outputs[0].bytes, false);
  ASSERT_EQ(crop.width, 30u);
  std::uint32_t left = (whole.width - 30) / 2;
  EXPECT_EQ(crop, draw(30, 30, 3, [&](auto x, auto y, auto c) { return whole.at(x + left, y, c); }));
}

TEST(resizer, a_cancelled_watch_ends_the_work) {
  int asked = 0;
  Watch watch{[](void* user, std::uint64_t, std::uint64_t) { return ++*static_cast<int*>(user) == 2; }, &asked};
  Resizer resizer;
  Sink sink{[](void*, const Encoded&) { return true; }, nullptr};
  for (const Bytes& picture : {photo_jpeg(640, 480), icon_png(300)}) {
    asked = 0;
    auto result = resizer.run(picture, square(200), sink, watch);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::cancelled);
    EXPECT_EQ(asked, 2);
  }
}

TEST(resizer, a_sink_that_refuses_ends_the_work) {
  Resizer resizer;
  Sink sink{[](void*, const Encoded&) { return false; }, nullptr};
  EXPECT_EQ(resizer.run(icon_png(), square(16), sink).error().code, Code::cancelled);
}

TEST(resizer, cmyk_is_converted_by_the_plain_formula) {
  // libjpeg writes an Adobe marker for CMYK, so the values are inverted: 255 is no ink.
  Bytes cmyk = encode_jpeg(draw(32, 32, 4, [](auto, auto, auto c) { return c == 0 ? 200 : c == 3 ? 128 : 100; }), 100);
  Pixels rgb = decode_png(run(cmyk, square(32)).outputs[0].bytes, false);
  EXPECT_NEAR(rgb.at(9, 9, 0), 200 * 128 / 255, 2);
  EXPECT_NEAR(rgb.at(9, 9, 1), 100 * 128 / 255, 2);
}

TEST(resizer, jpeg_options_change_what_they_say) {
  Settings settings = square(200, Format::jpeg);
  Bytes jpeg = photo_jpeg();
  Bytes standard = run(jpeg, settings).outputs[0].bytes;
  settings.quality = 30;
  EXPECT_LT(run(jpeg, settings).outputs[0].bytes.size(), standard.size());
  settings.quality = 95;
  Bytes fine = run(jpeg, settings).outputs[0].bytes;
  EXPECT_EQ(after_marker(standard, kBaseline, 11), 0x22);  // sampling of Y
  EXPECT_EQ(after_marker(fine, kBaseline, 11), 0x11);
  settings.progressive = true;
  Bytes progressive = run(jpeg, settings).outputs[0].bytes;
  EXPECT_NE(after_marker(progressive, kProgressive, 0), -1);
  EXPECT_EQ(after_marker(progressive, kBaseline, 0), -1);
}

TEST(resizer, compression_level_trades_size) {
  Settings settings = square(90);
  settings.compression_level = 0;
  std::size_t stored = run(icon_png(), settings).outputs[0].bytes.size();
  settings.compression_level = 9;
  EXPECT_LT(run(icon_png(), settings).outputs[0].bytes.size(), stored / 2);
}

}  // namespace
}  // namespace sluice::image_resize::test
