#include "sample_pictures.hpp"

#include <spng.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

namespace sluice::samples {
namespace {

/// splitmix64: a number for every number.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// 0..1 from a place of an endless grid.
float grid(std::uint64_t seed, std::int32_t x, std::int32_t y) {
  std::uint64_t place = std::uint64_t{static_cast<std::uint32_t>(x)} << 32 | static_cast<std::uint32_t>(y);
  return static_cast<float>(scramble(place ^ scramble(seed)) >> 40) / 16777216.0f;
}

float smooth(float t) { return t * t * (3 - 2 * t); }
float mix(float a, float b, float t) { return a + (b - a) * t; }
float clamp01(float t) { return std::clamp(t, 0.0f, 1.0f); }

/// Value noise, 0..1, one cell per unit.
float noise(std::uint64_t seed, float x, float y) {
  float fx = std::floor(x);
  float fy = std::floor(y);
  auto ix = static_cast<std::int32_t>(fx);
  auto iy = static_cast<std::int32_t>(fy);
  float tx = smooth(x - fx);
  float ty = smooth(y - fy);
  return mix(mix(grid(seed, ix, iy), grid(seed, ix + 1, iy), tx),
             mix(grid(seed, ix, iy + 1), grid(seed, ix + 1, iy + 1), tx), ty);
}

/// Octaves of it.
float fractal(std::uint64_t seed, float x, float y, int octaves) {
  float sum = 0;
  float weight = 0.5f;
  for (int i = 0; i < octaves; ++i) {
    sum += weight * noise(seed + static_cast<std::uint64_t>(i), x, y);
    x *= 2;
    y *= 2;
    weight *= 0.5f;
  }
  return sum;
}

struct Rgb {
  float r, g, b;
};

Rgb mix(Rgb a, Rgb b, float t) { return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)}; }

Rgb hue(float turn, float light) {
  auto part = [&](float shift) { return light * (0.55f + 0.45f * std::cos(6.2831853f * (turn + shift))); };
  return {part(0), part(1.0f / 3), part(2.0f / 3)};
}

/// Distance to a rounded box of half-sides a, b; negative inside.
float rounded_box(float x, float y, float a, float b, float radius) {
  float dx = std::max(std::abs(x) - a + radius, 0.0f);
  float dy = std::max(std::abs(y) - b + radius, 0.0f);
  return std::sqrt(dx * dx + dy * dy) - radius;
}

/// Distance to the design's outline in units of half the icon; negative inside.
float outline(std::uint64_t design, float x, float y) {
  float r = std::sqrt(x * x + y * y);
  float angle = std::atan2(y, x);
  switch (design) {
    case 0: return r - 0.8f;                                                      // disc
    case 1: return rounded_box(x, y, 0.78f, 0.78f, 0.2f);                         // tile
    case 2: return std::abs(r - 0.6f) - 0.2f;                                     // ring
    case 3: return r - 0.62f - 0.18f * std::cos(5 * angle);                       // flower
    case 4: return std::max(rounded_box(x, y, 0.6f, 0.82f, 0.06f), x - y - 1.0f); // sheet with a cut corner
    case 5: return std::min(rounded_box(x, y - 0.15f, 0.82f, 0.5f, 0.08f),        // folder
                            rounded_box(x + 0.4f, y + 0.3f, 0.38f, 0.25f, 0.08f));
    case 6: return std::max(std::abs(x) * 1.05f + y * 0.5f - 0.45f, -y - 0.8f);   // triangle
    default: return std::min(rounded_box(x, y, 0.22f, 0.8f, 0.08f), rounded_box(x, y, 0.8f, 0.22f, 0.08f));  // cross
  }
}

std::uint8_t to_byte(float value) { return static_cast<std::uint8_t>(clamp01(value) * 255 + 0.5f); }

/// What a landscape is made of, by seed.
struct Scene {
  std::uint64_t seed;
  float sun_x, sun_y, horizon;
  Rgb zenith, haze, rock, grass;
};

Scene scene_of(std::uint64_t seed) {
  auto pick = [&](std::uint64_t n) { return grid(seed, 7, static_cast<std::int32_t>(n)); };
  return {seed,
          pick(0),
          0.1f + 0.25f * pick(1),
          0.55f + 0.15f * pick(2),
          mix(Rgb{0.18f, 0.38f, 0.78f}, Rgb{0.25f, 0.2f, 0.45f}, pick(3)),
          mix(Rgb{0.85f, 0.88f, 0.92f}, Rgb{0.98f, 0.7f, 0.45f}, pick(4)),
          mix(Rgb{0.32f, 0.3f, 0.3f}, Rgb{0.42f, 0.33f, 0.25f}, pick(5)),
          mix(Rgb{0.22f, 0.42f, 0.12f}, Rgb{0.5f, 0.45f, 0.15f}, pick(6))};
}

Rgb sky(const Scene& scene, float x, float y) {
  Rgb colour = mix(scene.zenith, scene.haze, smooth(clamp01(y / scene.horizon)));
  float cloud = smooth(clamp01(2.2f * fractal(scene.seed + 50, x * 5, y * 9, 6) - 0.9f));
  colour = mix(colour, Rgb{0.97f, 0.96f, 0.95f}, 0.8f * cloud);
  float dx = x - scene.sun_x;
  float dy = y - scene.sun_y;
  return mix(colour, Rgb{1.0f, 0.97f, 0.85f}, std::exp(-220 * (dx * dx + dy * dy)));
}

constexpr int kRidges = 4;

/// Height of a mountain ridge at x; the last ridge is the nearest.
float crest(const Scene& scene, int ridge, float x) {
  float depth = static_cast<float>(ridge) / (kRidges - 1);
  float rise = fractal(scene.seed + 100 + static_cast<std::uint64_t>(ridge) * 20, x * (3 + 2 * depth), 0.5f, 9);
  return scene.horizon - 0.28f + 0.14f * static_cast<float>(ridge) - 0.3f * (1 - 0.6f * depth) * (rise - 0.35f);
}

Rgb land(const Scene& scene, int ridge, float x, float y) {
  float depth = static_cast<float>(ridge) / (kRidges - 1);
  float texture = fractal(scene.seed + 110 + static_cast<std::uint64_t>(ridge) * 20, x * 60, y * 90, 7);
  Rgb ground = mix(scene.rock, scene.grass, clamp01(depth * 1.4f - 0.7f + texture));
  float light = 0.35f + 1.3f * texture;
  return mix({ground.r * light, ground.g * light, ground.b * light}, scene.haze, 0.75f * (1 - depth));
}

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

/// Plain data: libjpeg's errors leave by longjmp.
struct JpegRun {
  jpeg_error_mgr errors;  // first: libjpeg hands back its address
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  jpeg_compress_struct info;
  unsigned char* bytes;
  unsigned long size;

  static void give_up(j_common_ptr common) {
    auto* run = reinterpret_cast<JpegRun*>(common->err);
    common->err->format_message(common, run->text);
    std::longjmp(run->jump, 1);
  }

  bool encode(const std::uint8_t* pixels, std::uint32_t width, std::uint32_t height, int quality) {
    info.err = jpeg_std_error(&errors);
    errors.error_exit = give_up;
    if (setjmp(jump) != 0) {
      jpeg_destroy_compress(&info);
      return false;
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &size);
    info.image_width = width;
    info.image_height = height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      JSAMPROW rows[] = {const_cast<JSAMPROW>(pixels + std::size_t{info.next_scanline} * width * 3)};
      jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return true;
  }
};

}  // namespace

Picture make_icon(std::uint64_t seed, std::uint32_t side) {
  Picture icon{side, side, 4, std::vector<std::uint8_t>(std::size_t{side} * side * 4)};
  std::uint64_t design = scramble(seed) % 8;
  Rgb top = hue(grid(seed, 1, 1), 1.0f);
  Rgb bottom = hue(grid(seed, 1, 2), 0.55f);
  float edge = 2.0f / static_cast<float>(side);  // one pixel
  for (std::uint32_t py = 0; py < side; ++py) {
    for (std::uint32_t px = 0; px < side; ++px) {
      float x = (static_cast<float>(px) + 0.5f) * edge - 1;
      float y = (static_cast<float>(py) + 0.5f) * edge - 1;
      float distance = outline(design, x, y);
      float body = clamp01(0.5f - distance / edge);
      float shadow = 0.45f * smooth(clamp01(1 - outline(design, x - 0.03f, y - 0.06f) / 0.16f));
      float shine = 0.25f * clamp01(1 - std::abs(distance + 0.08f) / 0.06f) + 0.04f * fractal(seed, x * 9, y * 9, 3);
      Rgb colour = mix(top, bottom, clamp01((y + 1) / 2));
      float alpha = body + (1 - body) * shadow;
      float own = alpha > 0 ? body / alpha : 0;  // the rest is black shadow
      std::uint8_t* to = &icon.pixels[(std::size_t{py} * side + px) * 4];
      to[0] = to_byte((colour.r + shine) * own);
      to[1] = to_byte((colour.g + shine) * own);
      to[2] = to_byte((colour.b + shine) * own);
      to[3] = to_byte(alpha);
    }
  }
  return icon;
}

Picture make_photo(std::uint64_t seed, std::uint32_t width, std::uint32_t height) {
  Picture photo{width, height, 3, std::vector<std::uint8_t>(std::size_t{width} * height * 3)};
  Scene scene = scene_of(seed);
  float unit = 1.0f / static_cast<float>(std::max(width, height));
  std::vector<float> crests(std::size_t{width} * kRidges);
  for (std::size_t i = 0; i < crests.size(); ++i) {
    crests[i] = crest(scene, static_cast<int>(i % kRidges), static_cast<float>(i / kRidges) * unit);
  }
  std::uint8_t* to = photo.pixels.data();
  for (std::uint32_t py = 0; py < height; ++py) {
    float y = static_cast<float>(py) / static_cast<float>(height);
    for (std::uint32_t px = 0; px < width; ++px) {
      float x = static_cast<float>(px) * unit;
      int ridge = kRidges - 1;
      while (ridge >= 0 && y < crests[std::size_t{px} * kRidges + static_cast<std::size_t>(ridge)]) --ridge;
      Rgb colour = ridge >= 0 ? land(scene, ridge, x, y) : sky(scene, x, y);
      float grain = 0.05f * (grid(seed + 9, static_cast<std::int32_t>(px), static_cast<std::int32_t>(py)) - 0.5f);
      *to++ = to_byte(colour.r + grain);
      *to++ = to_byte(colour.g + grain);
      *to++ = to_byte(colour.b + grain);
    }
  }
  return photo;
}

std::vector<std::uint8_t> to_png(const Picture& picture) {
  std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (context == nullptr) throw std::runtime_error("no memory for a PNG");
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, 9);
  auto type = picture.channels == 4 ? SPNG_COLOR_TYPE_TRUECOLOR_ALPHA : SPNG_COLOR_TYPE_TRUECOLOR;
  spng_ihdr header{picture.width, picture.height, 8, static_cast<std::uint8_t>(type), 0, 0, 0};
  int error = spng_set_ihdr(context.get(), &header);
  if (error == 0) {
    error = spng_encode_image(context.get(), picture.pixels.data(), picture.pixels.size(), SPNG_FMT_PNG,
                              SPNG_ENCODE_FINALIZE);
  }
  std::size_t size = 0;
  std::unique_ptr<void, decltype(&std::free)> bytes(nullptr, std::free);
  if (error == 0) bytes.reset(spng_get_png_buffer(context.get(), &size, &error));
  if (error != 0) throw std::runtime_error(spng_strerror(error));
  const auto* begin = static_cast<const std::uint8_t*>(bytes.get());
  return {begin, begin + size};
}

std::vector<std::uint8_t> to_jpeg(const Picture& picture, int quality) {
  JpegRun run{};
  bool good = run.encode(picture.pixels.data(), picture.width, picture.height, quality);
  std::vector<std::uint8_t> result(run.bytes, run.bytes + run.size);
  std::free(run.bytes);
  if (!good) throw std::runtime_error(run.text);
  return result;
}

}  // namespace sluice::samples
