// The kernels as they are meant. See kernels.hpp.
#include <algorithm>
#include <cstdlib>

#include "image_resize/kernels.hpp"

namespace sluice::image_resize::scalar {
namespace {

std::int16_t to_word(std::int32_t value) {
  return static_cast<std::int16_t>(std::clamp<std::int32_t>(value, -32768, 32767));
}

/// (a b + 2^14) >> 15, which is what one multiplication instruction gives.
std::int32_t fixed_product(std::int32_t a, std::int32_t b) { return (a * b + (1 << 14)) >> 15; }

std::uint8_t finish(std::int16_t word) {
  std::int32_t rounded = std::min(word + (1 << (kFraction - 1)), 32767);
  return static_cast<std::uint8_t>(std::clamp(rounded >> kFraction, 0, 255));
}

template <class Sample>
std::int32_t vertical_sum(const PairsView<Sample>& rows, std::size_t x) {
  std::int32_t sum = 0;
  for (std::size_t p = 0; p < rows.count; ++p) {
    sum += rows.pairs[p][2 * x] * rows.weights[2 * p] + rows.pairs[p][2 * x + 1] * rows.weights[2 * p + 1];
  }
  return sum;
}

template <class Sample>
void interleave(const Sample* a, const Sample* b, std::size_t count, Sample* to) {
  for (std::size_t x = 0; x < count; ++x) {
    to[2 * x] = a[x];
    to[2 * x + 1] = b[x];
  }
}

/// PNG's predictor: whichever of left, above and the one between is nearest to left + above - between.
int paeth(int left, int above, int between) {
  int to_left = std::abs(above - between);
  int to_above = std::abs(left - between);
  int to_between = std::abs(left + above - 2 * between);
  if (to_left <= to_above && to_left <= to_between) return left;
  return to_above <= to_between ? above : between;
}

}  // namespace

void interleave_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* to) {
  interleave(a, b, count, to);
}

void interleave_words(const std::int16_t* a, const std::int16_t* b, std::size_t count, std::int16_t* to) {
  interleave(a, b, count, to);
}

void vertical_bytes(const PairsView<std::uint8_t>& rows, std::size_t count, std::int16_t* to) {
  int shift = rows.precision - kFraction;
  for (std::size_t x = 0; x < count; ++x) {
    to[x] = to_word((vertical_sum(rows, x) + (1 << (shift - 1))) >> shift);
  }
}

void vertical_words(const PairsView<std::int16_t>& rows, std::size_t count, std::int32_t* to) {
  std::int32_t half = 1 << (rows.precision - 1);
  for (std::size_t x = 0; x < count; ++x) {
    to[x] = std::clamp((vertical_sum(rows, x) + half) >> rows.precision, -kLongMax, kLongMax);
  }
}

void horizontal_words(const std::int16_t* from, const TapsView& taps, std::int16_t* to) {
  for (std::size_t i = 0; i < taps.outputs; ++i) {
    std::int32_t sum = 1 << (taps.precision - 1);
    for (std::size_t k = 0; k < taps.count; ++k) sum += from[taps.first[i] + k] * taps.weight[i * taps.count + k];
    to[i] = to_word(sum >> taps.precision);
  }
}

void horizontal_longs(const std::int32_t* from, const TapsView& taps, std::int32_t* to) {
  for (std::size_t i = 0; i < taps.outputs; ++i) {
    for (std::size_t c = 0; c < 4; ++c) {
      std::int32_t sum = 1 << (taps.precision - 1);
      for (std::size_t k = 0; k < taps.count; ++k) {
        sum += from[4 * (taps.first[i] + k) + c] * taps.weight[i * taps.count + k];
      }
      to[4 * i + c] = sum >> taps.precision;
    }
  }
}

void split3(const std::int16_t* from, std::size_t pixels, std::int16_t* a, std::int16_t* b, std::int16_t* c) {
  for (std::size_t x = 0; x < pixels; ++x) {
    a[x] = from[3 * x];
    b[x] = from[3 * x + 1];
    c[x] = from[3 * x + 2];
  }
}

void premultiply(const std::uint8_t* rgba, std::size_t pixels, std::int16_t* to) {
  for (std::size_t x = 0; x < pixels; ++x) {
    std::int32_t alpha = rgba[4 * x + 3];
    for (std::size_t c = 0; c < 3; ++c) to[4 * x + c] = static_cast<std::int16_t>(rgba[4 * x + c] * alpha - kBias);
    to[4 * x + 3] = static_cast<std::int16_t>(255 * alpha - kBias);
  }
}

void unpremultiply(const std::int32_t* from, std::size_t pixels, std::uint8_t* rgba) {
  for (std::size_t x = 0; x < pixels; ++x) {
    std::int32_t alpha = std::clamp(from[4 * x + 3] + kBias, 0, 255 * 255);
    auto alpha_byte = static_cast<std::int32_t>(static_cast<float>(alpha) / 255.0f + 0.5f);
    for (std::size_t c = 0; c < 3; ++c) {
      std::int32_t colour = std::clamp(from[4 * x + c] + kBias, 0, alpha) * 255;
      float quotient = static_cast<float>(colour) / static_cast<float>(std::max(alpha, 1));
      rgba[4 * x + c] = alpha_byte == 0 ? 0 : static_cast<std::uint8_t>(static_cast<std::int32_t>(quotient + 0.5f));
    }
    rgba[4 * x + 3] = static_cast<std::uint8_t>(alpha_byte);
  }
}

void finish_gray(const std::int16_t* from, std::size_t pixels, std::uint8_t* to) {
  for (std::size_t x = 0; x < pixels; ++x) to[x] = finish(from[x]);
}

void finish_rgb(const std::int16_t* r, const std::int16_t* g, const std::int16_t* b, std::size_t pixels,
                std::uint8_t* to) {
  for (std::size_t x = 0; x < pixels; ++x) {
    to[3 * x] = finish(r[x]);
    to[3 * x + 1] = finish(g[x]);
    to[3 * x + 2] = finish(b[x]);
  }
}

void finish_ycc(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, std::size_t pixels,
                std::uint8_t* to) {
  for (std::size_t x = 0; x < pixels; ++x) {
    std::int32_t blue = to_word(cb[x] - (128 << kFraction));
    std::int32_t red = to_word(cr[x] - (128 << kFraction));
    std::int32_t to_red = to_word(red + fixed_product(red, kRedCr));
    std::int32_t to_green = to_word(fixed_product(blue, kGreenCb) + fixed_product(red, kGreenCr));
    std::int32_t to_blue = to_word(to_word(blue + blue) - fixed_product(blue, kBlueCb));
    to[3 * x] = finish(to_word(y[x] + to_red));
    to[3 * x + 1] = finish(to_word(y[x] - to_green));
    to[3 * x + 2] = finish(to_word(y[x] + to_blue));
  }
}

void unfilter(int filter, const std::uint8_t* above, std::size_t bytes, std::size_t pixel_bytes, std::uint8_t* row) {
  for (std::size_t i = 0; i < bytes; ++i) {
    int left = i >= pixel_bytes ? row[i - pixel_bytes] : 0;
    int between = i >= pixel_bytes ? above[i - pixel_bytes] : 0;
    int guess = 0;
    if (filter == 1) guess = left;
    if (filter == 2) guess = above[i];
    if (filter == 3) guess = (left + above[i]) / 2;
    if (filter == 4) guess = paeth(left, above[i], between);
    row[i] = static_cast<std::uint8_t>(row[i] + guess);
  }
}

}  // namespace sluice::image_resize::scalar
