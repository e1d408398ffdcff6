#include "image_resize/weights.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace sluice::image_resize {
namespace {

double sinc(double t) {
  if (t == 0) return 1;
  double x = t * std::numbers::pi;
  return std::sin(x) / x;
}

/// The two-parameter cubics of Mitchell and Netravali; B = 0, C = 0.5 is Catmull-Rom.
double cubic(double t, double b, double c) {
  t = std::abs(t);
  if (t < 1) return ((12 - 9 * b - 6 * c) * t * t * t + (-18 + 12 * b + 6 * c) * t * t + (6 - 2 * b)) / 6;
  if (t < 2) {
    return ((-b - 6 * c) * t * t * t + (6 * b + 30 * c) * t * t + (-12 * b - 48 * c) * t + (8 * b + 24 * c)) / 6;
  }
  return 0;
}

/// Taps over pixels, before upsampling is folded in.
RealTaps pixel_taps(const Axis& axis, std::uint32_t output) {
  double scale = axis.length / axis.outputs;
  double stretch = std::max(scale, 1.0);
  double centre = axis.begin + (output + 0.5) * scale;
  double last = axis.pixels - 1.0;
  RealTaps taps;
  double support = filter_support(axis.filter) * stretch;
  auto low = static_cast<std::int64_t>(std::max(0.0, std::trunc(centre - support + 0.5)));
  auto high = static_cast<std::int64_t>(std::min<double>(axis.pixels, std::trunc(centre + support + 0.5)));
  double sum = 0;
  if (axis.filter != Filter::nearest && low < high) {
    taps.first = static_cast<std::uint32_t>(low);
    taps.values.resize(static_cast<std::size_t>(high - low));
    for (std::size_t k = 0; k < taps.values.size(); ++k) {
      taps.values[k] = filter_value(axis.filter, (taps.first + k + 0.5 - centre) / stretch);
      sum += taps.values[k];
    }
  }
  if (std::abs(sum) < 1e-9) {  // nearest, or a window beyond the edge
    taps.first = static_cast<std::uint32_t>(std::clamp(std::floor(centre), 0.0, last));
    taps.values.assign(1, 1.0);
    return taps;
  }
  for (double& value : taps.values) value /= sum;
  return taps;
}

/// Exact-sum rounding: differences of the rounded running sum, so that they add up to 2^precision
/// and the error of any run of taps stays below 1.
void round_taps(const std::vector<double>& values, int precision, std::int16_t* to) {
  double one = std::ldexp(1.0, precision);
  double sum = 0;
  double before = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    sum += values[k];
    double now = k + 1 == values.size() ? one : std::floor(sum * one + 0.5);
    to[k] = static_cast<std::int16_t>(now - before);
    before = now;
  }
}

/// The most precise grade at which every weight fits int16 and no sum leaves int32.
int precision_for(double largest_weight, double largest_sum, std::int32_t largest_sample) {
  int precision = 15;
  while (precision > 7 && (largest_weight * std::ldexp(1.0, precision) + 2 > 32767 ||
                           (largest_sum * std::ldexp(1.0, precision) + 2) * largest_sample + 65536 > 2147483647.0)) {
    --precision;
  }
  return precision;
}

bool is_identity(const Axis& axis) {
  return axis.upsampling == Upsampling::none && axis.outputs == axis.pixels && axis.begin == 0 &&
         axis.length == axis.pixels;
}

/// Where a row of `count` taps begins so that it is aligned and ends within the samples if it can.
std::uint32_t shifted_first(std::uint32_t first, std::uint32_t count, const Axis& axis, const Layout& layout) {
  std::uint32_t latest = axis.samples > count ? axis.samples - count : 0;
  first = std::min(first, layout.align_first == 1 ? latest : first);
  return first / layout.align_first * layout.align_first;
}

}  // namespace

double filter_support(Filter filter) {
  switch (filter) {
    case Filter::nearest: return 0;
    case Filter::box: return 0.5;
    case Filter::triangle: return 1;
    case Filter::catmull_rom: return 2;
    case Filter::mitchell: return 2;
    case Filter::lanczos2: return 2;
    case Filter::lanczos3: return 3;
  }
  return 0;
}

double filter_value(Filter filter, double t) {
  switch (filter) {
    case Filter::nearest: return 0;
    case Filter::box: return t > -0.5 && t <= 0.5 ? 1 : 0;
    case Filter::triangle: return std::max(0.0, 1 - std::abs(t));
    case Filter::catmull_rom: return cubic(t, 0, 0.5);
    case Filter::mitchell: return cubic(t, 1.0 / 3, 1.0 / 3);
    case Filter::lanczos2: return std::abs(t) < 2 ? sinc(t) * sinc(t / 2) : 0;
    case Filter::lanczos3: return std::abs(t) < 3 ? sinc(t) * sinc(t / 3) : 0;
  }
  return 0;
}

RealTaps real_taps(const Axis& axis, std::uint32_t output) {
  RealTaps taps;
  if (is_identity(axis)) {
    taps.first = output;
    taps.values.assign(1, 1.0);
    return taps;
  }
  taps = pixel_taps(axis, output);
  if (axis.upsampling == Upsampling::none) return taps;
  // Pixel x takes from sample x/2 and, if smoothed, from its neighbour on x's side; edges repeat.
  std::int64_t last = static_cast<std::int64_t>(axis.samples) - 1;
  std::int64_t from = std::max<std::int64_t>(0, std::int64_t{taps.first} / 2 - 1);
  std::int64_t to = std::min<std::int64_t>(last, (taps.first + taps.values.size() - 1) / 2 + 1);
  std::vector<double> folded(static_cast<std::size_t>(to - from + 1), 0.0);
  double near = axis.upsampling == Upsampling::smoothed ? 0.75 : 1.0;
  for (std::size_t k = 0; k < taps.values.size(); ++k) {
    std::int64_t x = taps.first + static_cast<std::int64_t>(k);
    std::int64_t sample = std::min(x / 2, last);
    std::int64_t other = std::clamp<std::int64_t>(x % 2 == 0 ? sample - 1 : sample + 1, 0, last);
    folded[static_cast<std::size_t>(sample - from)] += near * taps.values[k];
    folded[static_cast<std::size_t>(other - from)] += (1 - near) * taps.values[k];
  }
  return {static_cast<std::uint32_t>(from), std::move(folded)};
}

Taps make_taps(const Axis& axis, const Layout& layout) {
  assert(axis.samples > 0 && axis.pixels > 0 && axis.outputs > 0);
  Taps taps;
  taps.outputs = axis.outputs;
  taps.identity = is_identity(axis);
  double largest_weight = 0;
  double largest_sum = 0;
  std::uint32_t widest = 1;
  for (std::uint32_t i = 0; i < axis.outputs; ++i) {
    RealTaps real = real_taps(axis, i);
    double sum = 0;
    for (double value : real.values) {
      largest_weight = std::max(largest_weight, std::abs(value));
      sum += std::abs(value);
    }
    largest_sum = std::max(largest_sum, sum);
    std::uint32_t lead = real.first % layout.align_first;
    widest = std::max(widest, lead + static_cast<std::uint32_t>(real.values.size()));
  }
  taps.precision = precision_for(largest_weight, largest_sum, layout.largest_sample);
  taps.count = (widest + layout.align_count - 1) / layout.align_count * layout.align_count;
  std::size_t rows = (axis.outputs + 3) / 4 * std::size_t{4};
  taps.first.assign(rows, 0);
  taps.weight.assign(rows * taps.count, 0);
  for (std::uint32_t i = 0; i < axis.outputs; ++i) {
    RealTaps real = real_taps(axis, i);
    std::uint32_t first = shifted_first(real.first, taps.count, axis, layout);
    taps.first[i] = first;
    round_taps(real.values, taps.precision, &taps.weight[i * std::size_t{taps.count} + (real.first - first)]);
  }
  return taps;
}

std::shared_ptr<const Taps> TapsCache::get(const Axis& axis, const Layout& layout) {
  auto [place, fresh] = tables_.try_emplace(Key{axis, layout});
  if (!fresh && place->second) return place->second;
  place->second = std::make_shared<const Taps>(make_taps(axis, layout));
  std::shared_ptr<const Taps> result = place->second;
  bytes_ += result->bytes() + sizeof(Taps);
  if (bytes_ > kBytesMax) {
    tables_.clear();
    bytes_ = 0;
  }
  return result;
}

}  // namespace sluice::image_resize
