#include "image_resize/pictures.hpp"

#include <hwy/highway.h>
#include <spng.h>

#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>

#include "image_resize/kernels.hpp"
#include "image_resize/png_encoder.hpp"

namespace sluice::image_resize::test {

Pixels draw(std::uint32_t width, std::uint32_t height, std::uint32_t channels,
            const std::function<int(std::uint32_t, std::uint32_t, std::uint32_t)>& value) {
  Pixels pixels(width, height, channels);
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      for (std::uint32_t c = 0; c < channels; ++c) pixels.at(x, y, c) = static_cast<std::uint8_t>(value(x, y, c));
    }
  }
  return pixels;
}

Pixels random_pixels(std::uint32_t width, std::uint32_t height, std::uint32_t channels, std::uint32_t seed) {
  std::mt19937 random(seed);
  return draw(width, height, channels, [&](auto...) { return static_cast<int>(random() >> 24); });
}

Pixels resize(const Pixels& from, std::uint32_t width, std::uint32_t height, Filter filter) {
  Frame frame;
  frame.model = from.channels == 1 ? Model::gray : from.channels == 3 ? Model::rgb : Model::rgba;
  frame.width = from.width;
  frame.height = from.height;
  frame.true_width = from.width;
  frame.true_height = from.height;
  frame.plane[0] = {from.width, from.height};
  Target target{{width, height}, {0, 0, width, height}};
  TapsCache cache;
  Scaler scaler;
  Picture picture;
  Picture* output = &picture;
  scaler.begin(frame, {&target, 1}, filter, cache, {&output, 1});
  Buffer<std::uint8_t> row;
  std::size_t bytes = std::size_t{from.width} * from.channels;
  for (std::uint32_t y = 0; y < from.height; ++y) {
    std::copy_n(from.data.data() + y * bytes, bytes, row.reserve(bytes));
    scaler.push(0, row.data());
  }
  scaler.finish();
  Pixels result(width, height, from.channels);
  std::copy_n(picture.pixels.data(), result.data.size(), result.data.data());
  return result;
}

namespace {

struct Plane {
  std::uint32_t width, height;
  std::vector<double> value;
};

Plane filtered(const Plane& from, std::uint32_t width, std::uint32_t height, Filter filter) {
  Plane middle{width, from.height, std::vector<double>(std::size_t{width} * from.height)};
  for (std::uint32_t i = 0; i < width; ++i) {
    RealTaps taps = real_taps({from.width, from.width, width, 0, static_cast<double>(from.width), filter}, i);
    for (std::uint32_t y = 0; y < from.height; ++y) {
      for (std::size_t k = 0; k < taps.values.size(); ++k) {
        middle.value[std::size_t{y} * width + i] += taps.values[k] * from.value[std::size_t{y} * from.width + taps.first + k];
      }
    }
  }
  Plane result{width, height, std::vector<double>(std::size_t{width} * height)};
  for (std::uint32_t i = 0; i < height; ++i) {
    RealTaps taps = real_taps({from.height, from.height, height, 0, static_cast<double>(from.height), filter}, i);
    for (std::size_t k = 0; k < taps.values.size(); ++k) {
      for (std::uint32_t x = 0; x < width; ++x) {
        result.value[std::size_t{i} * width + x] += taps.values[k] * middle.value[(taps.first + k) * width + x];
      }
    }
  }
  return result;
}

std::uint8_t rounded(double value) { return static_cast<std::uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0)); }

}  // namespace

Pixels reference(const Pixels& from, std::uint32_t width, std::uint32_t height, Filter filter) {
  bool alpha = from.channels == 4;
  std::vector<Plane> planes;
  for (std::uint32_t c = 0; c < from.channels; ++c) {
    Plane plane{from.width, from.height, {}};
    for (std::size_t i = 0; i < std::size_t{from.width} * from.height; ++i) {
      double value = from.data[i * from.channels + c];
      if (alpha && c < 3) value *= from.data[i * 4 + 3] / 255.0;
      plane.value.push_back(value);
    }
    planes.push_back(filtered(plane, width, height, filter));
  }
  Pixels result(width, height, from.channels);
  for (std::size_t i = 0; i < std::size_t{width} * height; ++i) {
    double opacity = alpha ? std::clamp(planes[3].value[i], 0.0, 255.0) : 255;
    for (std::uint32_t c = 0; c < from.channels; ++c) {
      double value = planes[c].value[i];
      if (alpha && c < 3) value = rounded(opacity) == 0 ? 0 : std::clamp(value, 0.0, opacity) * 255 / opacity;
      result.data[i * from.channels + c] = rounded(value);
    }
  }
  return result;
}

namespace {

Difference plain_difference(const Pixels& a, const Pixels& b, int background) {
  Difference result;
  double squares = 0;
  std::size_t shown = a.channels == 4 ? 3 : a.channels;
  std::size_t count = std::size_t{a.width} * a.height;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < shown; ++c) {
      auto seen = [&](const Pixels& p) {
        double value = p.data[i * p.channels + c];
        if (p.channels != 4) return value;
        double opacity = p.data[i * 4 + 3] / 255.0;
        return std::floor(value * opacity + background * (1 - opacity) + 0.5);
      };
      double d = seen(a) - seen(b);
      squares += d * d;
      result.mean[c] += d / static_cast<double>(count);
      result.largest = std::max(result.largest, static_cast<int>(std::abs(d)));
    }
  }
  double mse = squares / static_cast<double>(count * shown);
  result.psnr = mse == 0 ? 99 : 10 * std::log10(255 * 255 / mse);
  return result;
}

}  // namespace

Difference difference(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) {
    throw std::runtime_error("pictures of different shapes");
  }
  Difference black = plain_difference(a, b, 0);
  if (a.channels != 4) return black;
  Difference white = plain_difference(a, b, 255);
  black.psnr = std::min(black.psnr, white.psnr);
  black.largest = std::max(black.largest, white.largest);
  return black;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

Pixels decode_png(std::span<const std::uint8_t> png, bool alpha) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(0), spng_ctx_free);
  spng_set_png_buffer(context.get(), png.data(), png.size());
  spng_ihdr header{};
  if (spng_get_ihdr(context.get(), &header) != 0) throw std::runtime_error("not a PNG");
  Pixels pixels(header.width, header.height, alpha ? 4 : 3);
  int error = spng_decode_image(context.get(), pixels.data.data(), pixels.data.size(),
                                alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8, SPNG_DECODE_TRNS);
  if (error != 0) throw std::runtime_error(spng_strerror(error));
  return pixels;
}

Pixels decode_jpeg(std::span<const std::uint8_t> jpeg) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, jpeg.data(), jpeg.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&info);
  Pixels pixels(info.output_width, info.output_height, 3);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels.data.data() + std::size_t{info.output_scanline} * pixels.width * 3;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return pixels;
}

Bytes encode_png(const Pixels& pixels) {
  Picture picture;
  picture.begin(pixels.width, pixels.height, pixels.channels);
  std::copy(pixels.data.begin(), pixels.data.end(), picture.pixels.data());
  PngEncoder encoder;
  auto bytes = encoder.encode(picture, 3);
  if (!bytes) throw std::runtime_error(bytes.error().detail);
  return {bytes->begin(), bytes->end()};
}

Bytes encode_jpeg(const Pixels& pixels, int quality, bool progressive) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = pixels.width;
  info.image_height = pixels.height;
  info.input_components = static_cast<int>(pixels.channels);
  info.in_color_space = pixels.channels == 1 ? JCS_GRAYSCALE : pixels.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.data.data() + std::size_t{info.next_scanline} * pixels.width * pixels.channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  Bytes result(bytes, bytes + size);
  std::free(bytes);
  return result;
}

Outcome run(std::span<const std::uint8_t> bytes, const Settings& settings) {
  Outcome outcome;
  Resizer resizer;
  Sink sink{[](void* user, const Encoded& output) {
              static_cast<Outcome*>(user)->outputs.push_back(
                  {output.width, output.height, output.format, Bytes(output.bytes.begin(), output.bytes.end())});
              return true;
            },
            &outcome};
  auto result = resizer.run(bytes, settings, sink);
  if (!result) outcome.fault = result.error();
  return outcome;
}

Settings square(std::uint32_t side, Format format) {
  Settings settings;
  settings.boxes.push_back({side, side});
  settings.format = format;
  return settings;
}

std::optional<std::filesystem::path> corpus() {
  const char* root = std::getenv("SLUICE_CORPORA");
  if (root == nullptr) return std::nullopt;
  std::filesystem::path images = std::filesystem::path(root) / "images";
  if (!std::filesystem::exists(images / "expect.jsonl")) return std::nullopt;
  return images;
}

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::filesystem::path> corpus_files(const std::string& folder, const std::string& extension) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(*corpus() / folder)) {
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void for_each_target(const std::function<void(const char*)>& body) {
  std::int64_t all = hwy::SupportedTargets();
  for (std::int64_t left = all; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    hwy::GetChosenTarget().DeInit();  // choose anew at the next call
    body(simd::target_name());
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

double test_scale() {
  const char* text = std::getenv("SLUICE_TEST_SCALE");
  return text != nullptr ? std::max(0.01, std::atof(text)) : 1.0;
}

}  // namespace sluice::image_resize::test
