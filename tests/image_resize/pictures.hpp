// What the tests compare with: a resize in float64 by the specification, PSNR, plain decoding and
// encoding, the corpus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image_resize/resizer.hpp"
#include "image_resize/scaler.hpp"
#include "image_resize/settings.hpp"

namespace sluice::image_resize::test {

using Bytes = std::vector<std::uint8_t>;

/// 8-bit pixels of 1, 3 or 4 channels.
struct Pixels {
  std::uint32_t width = 0, height = 0, channels = 0;
  Bytes data;
  Pixels() = default;
  Pixels(std::uint32_t w, std::uint32_t h, std::uint32_t c) : width(w), height(h), channels(c), data(std::size_t{w} * h * c) {}
  std::uint8_t& at(std::uint32_t x, std::uint32_t y, std::uint32_t c) {
    return data[(std::size_t{y} * width + x) * channels + c];
  }
  std::uint8_t at(std::uint32_t x, std::uint32_t y, std::uint32_t c) const {
    return data[(std::size_t{y} * width + x) * channels + c];
  }
  bool operator==(const Pixels&) const = default;
};

/// A picture by its pixels: `value(x, y, channel)`.
Pixels draw(std::uint32_t width, std::uint32_t height, std::uint32_t channels,
            const std::function<int(std::uint32_t, std::uint32_t, std::uint32_t)>& value);

/// Random samples; the same for the same seed.
Pixels random_pixels(std::uint32_t width, std::uint32_t height, std::uint32_t channels, std::uint32_t seed);

/// Our resize of pixels in memory, without codecs.
Pixels resize(const Pixels& from, std::uint32_t width, std::uint32_t height, Filter filter = Filter::lanczos3);

/// The specification in float64 on premultiplied data, rounded once.
Pixels reference(const Pixels& from, std::uint32_t width, std::uint32_t height, Filter filter = Filter::lanczos3);

struct Difference {
  double psnr = 0;         ///< dB; 99 for equal pictures
  int largest = 0;
  double mean[4] = {};     ///< signed, by channel: a - b
};

/// Of RGBA composited on black and on white, whichever is worse; of other pictures as they are.
Difference difference(const Pixels& a, const Pixels& b);

double median(std::vector<double> values);

/// Full decode by the bare codecs to RGB, or RGBA for a PNG; orientation is not applied.
Pixels decode_png(std::span<const std::uint8_t> png, bool alpha = true);
Pixels decode_jpeg(std::span<const std::uint8_t> jpeg);
Bytes encode_png(const Pixels& pixels);
Bytes encode_jpeg(const Pixels& pixels, int quality = 90, bool progressive = false);

/// What Resizer::run gave.
struct Output {
  std::uint32_t width, height;
  Format format;
  Bytes bytes;
};
struct Outcome {
  std::vector<Output> outputs;
  std::optional<Fault> fault;
  std::string code() const { return fault ? code_name(fault->code) : "ok"; }
};
Outcome run(std::span<const std::uint8_t> bytes, const Settings& settings);
/// One square box; PNG output unless `format` says otherwise.
Settings square(std::uint32_t side, Format format = Format::png);

/// Folder of the image corpus, nullopt where there is none.
std::optional<std::filesystem::path> corpus();
Bytes read_file(const std::filesystem::path& path);
/// Files of a folder of the corpus, sorted; every one whose name ends on `extension`.
std::vector<std::filesystem::path> corpus_files(const std::string& folder, const std::string& extension);

/// Runs `body` once for every SIMD target of this processor, and for the scalar one.
void for_each_target(const std::function<void(const char* name)>& body);

/// SLUICE_TEST_SCALE, default 1.
double test_scale();

}  // namespace sluice::image_resize::test

/// Leaves a test that needs the corpus where there is none.
#define NEED_CORPUS() \
  if (!corpus()) GTEST_SKIP() << "skipped: corpus not found"
