// The kernels in Highway: one body, compiled for every instruction set, chosen at run time.
// kernels.hpp has the contracts, kernels_scalar.cpp what is meant. Every loop may run over the end of
// its row into the slack, so there are no remainders. Where the order of lanes within a vector is the
// target's own (sums of pairs), it is put right by the operation that Highway pairs with it.
#include "image_resize/kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image_resize/kernels_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace sluice::image_resize::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
// Without vectors of a known size the specification is the kernel.
using scalar::interleave_bytes;
using scalar::interleave_words;
using scalar::vertical_bytes;
using scalar::vertical_words;
using scalar::horizontal_words;
using scalar::horizontal_longs;
using scalar::split3;
using scalar::premultiply;
using scalar::unpremultiply;
using scalar::finish_gray;
using scalar::finish_rgb;
using scalar::finish_ycc;
using scalar::unfilter;
#else

void interleave_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* to) {
  const hn::ScalableTag<std::uint8_t> d;
  for (std::size_t x = 0; x < count; x += hn::Lanes(d)) {
    hn::StoreInterleaved2(hn::LoadU(d, a + x), hn::LoadU(d, b + x), d, to + 2 * x);
  }
}

void interleave_words(const std::int16_t* a, const std::int16_t* b, std::size_t count, std::int16_t* to) {
  const hn::ScalableTag<std::int16_t> d;
  for (std::size_t x = 0; x < count; x += hn::Lanes(d)) {
    hn::StoreInterleaved2(hn::LoadU(d, a + x), hn::LoadU(d, b + x), d, to + 2 * x);
  }
}

/// Two weights as one int32 lane, so that Set() spreads the pair.
HWY_INLINE std::int32_t weight_pair(const std::int16_t* weights) {
  std::int32_t pair;
  std::memcpy(&pair, weights, sizeof pair);
  return pair;
}

/// Four vectors of sums side by side: enough to hide the latency of the additions.
void vertical_bytes(const PairsView<std::uint8_t>& rows, std::size_t count, std::int16_t* to) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  const hn::Rebind<std::int16_t, decltype(d32)> d16_half;
  const std::size_t step = hn::Lanes(d32);
  const int shift = rows.precision - kFraction;
  const auto half = hn::Set(d32, 1 << (shift - 1));
  for (std::size_t x = 0; x < count; x += 4 * step) {
    auto s0 = half, s1 = half, s2 = half, s3 = half;
    auto o0 = hn::Zero(d32), o1 = o0, o2 = o0, o3 = o0;
    for (std::size_t p = 0; p < rows.count; ++p) {
      const std::uint8_t* row = rows.pairs[p] + 2 * x;
      const auto w = hn::BitCast(d16, hn::Set(d32, weight_pair(rows.weights + 2 * p)));
      s0 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, row)), w, s0, o0);
      s1 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, row + 2 * step)), w, s1, o1);
      s2 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, row + 4 * step)), w, s2, o2);
      s3 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, row + 6 * step)), w, s3, o3);
    }
    s0 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s0, o0), shift);
    s1 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s1, o1), shift);
    s2 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s2, o2), shift);
    s3 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s3, o3), shift);
    hn::StoreU(hn::DemoteTo(d16_half, s0), d16_half, to + x);
    hn::StoreU(hn::DemoteTo(d16_half, s1), d16_half, to + x + step);
    hn::StoreU(hn::DemoteTo(d16_half, s2), d16_half, to + x + 2 * step);
    hn::StoreU(hn::DemoteTo(d16_half, s3), d16_half, to + x + 3 * step);
  }
}

void vertical_words(const PairsView<std::int16_t>& rows, std::size_t count, std::int32_t* to) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const std::size_t step = hn::Lanes(d32);
  const auto half = hn::Set(d32, 1 << (rows.precision - 1));
  const auto low = hn::Set(d32, -kLongMax);
  const auto high = hn::Set(d32, kLongMax);
  for (std::size_t x = 0; x < count; x += 4 * step) {
    auto s0 = half, s1 = half, s2 = half, s3 = half;
    auto o0 = hn::Zero(d32), o1 = o0, o2 = o0, o3 = o0;
    for (std::size_t p = 0; p < rows.count; ++p) {
      const std::int16_t* row = rows.pairs[p] + 2 * x;
      const auto w = hn::BitCast(d16, hn::Set(d32, weight_pair(rows.weights + 2 * p)));
      s0 = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, row), w, s0, o0);
      s1 = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, row + 2 * step), w, s1, o1);
      s2 = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, row + 4 * step), w, s2, o2);
      s3 = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, row + 6 * step), w, s3, o3);
    }
    s0 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s0, o0), rows.precision);
    s1 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s1, o1), rows.precision);
    s2 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s2, o2), rows.precision);
    s3 = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(s3, o3), rows.precision);
    hn::StoreU(hn::Clamp(s0, low, high), d32, to + x);
    hn::StoreU(hn::Clamp(s1, low, high), d32, to + x + step);
    hn::StoreU(hn::Clamp(s2, low, high), d32, to + x + 2 * step);
    hn::StoreU(hn::Clamp(s3, low, high), d32, to + x + 3 * step);
  }
}

/// Four partial sums of one output of a horizontal pass; their total is what is meant.
HWY_INLINE hn::Vec<hn::FixedTag<std::int32_t, 4>> tap_sums(const std::int16_t* HWY_RESTRICT from,
                                                           const std::int16_t* HWY_RESTRICT weight,
                                                           std::size_t count) {
  const hn::FixedTag<std::int16_t, 8> d16;
  const hn::FixedTag<std::int32_t, 4> d32;
  auto sum = hn::Zero(d32);
  auto odd = hn::Zero(d32);
  std::size_t k = 0;
#if HWY_MAX_BYTES >= 32
  const hn::FixedTag<std::int16_t, 16> w16;
  const hn::FixedTag<std::int32_t, 8> w32;
  if (count >= 16) {
    auto wide = hn::Zero(w32);
    auto wide_odd = hn::Zero(w32);
    for (; k + 16 <= count; k += 16) {
      wide = hn::ReorderWidenMulAccumulate(w32, hn::LoadU(w16, from + k), hn::LoadU(w16, weight + k), wide, wide_odd);
    }
    wide = hn::Add(wide, wide_odd);
    sum = hn::Add(hn::LowerHalf(d32, wide), hn::UpperHalf(d32, wide));
  }
#endif
  for (; k < count; k += 8) {
    sum = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, from + k), hn::LoadU(d16, weight + k), sum, odd);
  }
  return hn::Add(sum, odd);
}

void horizontal_words(const std::int16_t* from, const TapsView& taps, std::int16_t* to) {
  const hn::FixedTag<std::int32_t, 4> d32;
  const hn::FixedTag<std::int64_t, 2> d64;
  const hn::FixedTag<std::int16_t, 4> d16;
  const auto half = hn::Set(d32, 1 << (taps.precision - 1));
  for (std::size_t i = 0; i < taps.outputs; i += 4) {
    const std::int16_t* weight = taps.weight + i * taps.count;
    const auto a = tap_sums(from + taps.first[i], weight, taps.count);
    const auto b = tap_sums(from + taps.first[i + 1], weight + taps.count, taps.count);
    const auto c = tap_sums(from + taps.first[i + 2], weight + 2 * taps.count, taps.count);
    const auto d = tap_sums(from + taps.first[i + 3], weight + 3 * taps.count, taps.count);
    // (a02 b02 a13 b13), then all four totals in order.
    const auto ab = hn::BitCast(d64, hn::Add(hn::InterleaveLower(d32, a, b), hn::InterleaveUpper(d32, a, b)));
    const auto cd = hn::BitCast(d64, hn::Add(hn::InterleaveLower(d32, c, d), hn::InterleaveUpper(d32, c, d)));
    auto sums = hn::Add(hn::BitCast(d32, hn::InterleaveLower(d64, ab, cd)),
                        hn::BitCast(d32, hn::InterleaveUpper(d64, ab, cd)));
    sums = hn::ShiftRightSame(hn::Add(sums, half), taps.precision);
    hn::StoreU(hn::DemoteTo(d16, sums), d16, to + i);
  }
}

void horizontal_longs(const std::int32_t* from, const TapsView& taps, std::int32_t* to) {
  const hn::FixedTag<std::int32_t, 4> d;
  const auto half = hn::Set(d, 1 << (taps.precision - 1));
  for (std::size_t i = 0; i < taps.outputs; ++i) {
    const std::int32_t* pixel = from + 4 * std::size_t{taps.first[i]};
    const std::int16_t* weight = taps.weight + i * taps.count;
    auto s0 = half;
    auto s1 = hn::Zero(d);
    auto s2 = s1;
    auto s3 = s1;
    for (std::size_t k = 0; k < taps.count; k += 4, pixel += 16) {
      s0 = hn::Add(s0, hn::Mul(hn::LoadU(d, pixel), hn::Set(d, weight[k])));
      s1 = hn::Add(s1, hn::Mul(hn::LoadU(d, pixel + 4), hn::Set(d, weight[k + 1])));
      s2 = hn::Add(s2, hn::Mul(hn::LoadU(d, pixel + 8), hn::Set(d, weight[k + 2])));
      s3 = hn::Add(s3, hn::Mul(hn::LoadU(d, pixel + 12), hn::Set(d, weight[k + 3])));
    }
    const auto sum = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
    hn::StoreU(hn::ShiftRightSame(sum, taps.precision), d, to + 4 * i);
  }
}

void split3(const std::int16_t* from, std::size_t pixels, std::int16_t* a, std::int16_t* b, std::int16_t* c) {
  const hn::ScalableTag<std::int16_t> d;
  for (std::size_t x = 0; x < pixels; x += hn::Lanes(d)) {
    hn::Vec<decltype(d)> va, vb, vc;
    hn::LoadInterleaved3(d, from + 3 * x, va, vb, vc);
    hn::StoreU(va, d, a + x);
    hn::StoreU(vb, d, b + x);
    hn::StoreU(vc, d, c + x);
  }
}

void premultiply(const std::uint8_t* rgba, std::size_t pixels, std::int16_t* to) {
  const hn::ScalableTag<std::uint8_t> d8;
  const hn::RepartitionToWide<decltype(d8)> d16;
  const hn::Half<decltype(d8)> d8_half;
  const hn::RebindToSigned<decltype(d16)> di16;
  alignas(16) static constexpr std::uint8_t kAlphas[16] = {3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15};
  const auto spread = hn::LoadDup128(d8, kAlphas);
  const auto opaque = hn::BitCast(d8, hn::Set(hn::Repartition<std::uint32_t, decltype(d8)>(), 0xFF000000u));
  const auto bias = hn::Set(d16, static_cast<std::uint16_t>(kBias));
  const std::size_t lanes = hn::Lanes(d8);
  for (std::size_t x = 0; x < 4 * pixels; x += lanes) {
    const auto colour = hn::LoadU(d8, rgba + x);
    const auto alpha = hn::Or(hn::TableLookupBytes(colour, spread), opaque);
    const auto low = hn::Mul(hn::PromoteTo(d16, hn::LowerHalf(d8_half, colour)),
                             hn::PromoteTo(d16, hn::LowerHalf(d8_half, alpha)));
    const auto high = hn::Mul(hn::PromoteTo(d16, hn::UpperHalf(d8_half, colour)),
                              hn::PromoteTo(d16, hn::UpperHalf(d8_half, alpha)));
    hn::StoreU(hn::BitCast(di16, hn::Sub(low, bias)), di16, to + x);
    hn::StoreU(hn::BitCast(di16, hn::Sub(high, bias)), di16, to + x + lanes / 2);
  }
}

void unpremultiply(const std::int32_t* from, std::size_t pixels, std::uint8_t* rgba) {
  const hn::FixedTag<std::int32_t, 4> d;  // one pixel
  const hn::FixedTag<float, 4> df;
  const hn::FixedTag<std::uint8_t, 4> d8;
  const auto zero = hn::Zero(d);
  const auto bias = hn::Set(d, kBias);
  const auto most = hn::Set(d, 255 * 255);
  const auto half = hn::Set(df, 0.5f);
  const auto is_alpha = hn::Eq(hn::Iota(d, 0), hn::Set(d, 3));
  for (std::size_t x = 0; x < pixels; ++x) {
    const auto value = hn::Add(hn::LoadU(d, from + 4 * x), bias);
    const auto alpha = hn::Clamp(hn::Broadcast<3>(value), zero, most);
    // Lane 3 becomes alpha / 255, the others colour 255 / alpha, by one division.
    const auto above = hn::IfThenElse(is_alpha, alpha, hn::Mul(hn::Clamp(value, zero, alpha), hn::Set(d, 255)));
    const auto below = hn::IfThenElse(is_alpha, hn::Set(d, 255), hn::Max(alpha, hn::Set(d, 1)));
    const auto quotient = hn::Div(hn::ConvertTo(df, above), hn::ConvertTo(df, below));
    auto bytes = hn::ConvertTo(d, hn::Add(quotient, half));
    bytes = hn::IfThenElseZero(hn::Ne(hn::Broadcast<3>(bytes), zero), bytes);
    hn::StoreU(hn::DemoteTo(d8, bytes), d8, rgba + 4 * x);
  }
}

template <class D16, class V>
HWY_INLINE hn::Vec<hn::Rebind<std::uint8_t, D16>> finish(D16 d16, V words) {
  const hn::Rebind<std::uint8_t, D16> d8;
  const auto half = hn::Set(d16, 1 << (kFraction - 1));
  return hn::DemoteTo(d8, hn::ShiftRight<kFraction>(hn::SaturatedAdd(words, half)));
}

void finish_gray(const std::int16_t* from, std::size_t pixels, std::uint8_t* to) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  for (std::size_t x = 0; x < pixels; x += hn::Lanes(d16)) {
    hn::StoreU(finish(d16, hn::LoadU(d16, from + x)), d8, to + x);
  }
}

void finish_rgb(const std::int16_t* r, const std::int16_t* g, const std::int16_t* b, std::size_t pixels,
                std::uint8_t* to) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  for (std::size_t x = 0; x < pixels; x += hn::Lanes(d16)) {
    hn::StoreInterleaved3(finish(d16, hn::LoadU(d16, r + x)), finish(d16, hn::LoadU(d16, g + x)),
                          finish(d16, hn::LoadU(d16, b + x)), d8, to + 3 * x);
  }
}

void finish_ycc(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, std::size_t pixels,
                std::uint8_t* to) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<std::uint8_t, decltype(d16)> d8;
  const auto middle = hn::Set(d16, 128 << kFraction);
  for (std::size_t x = 0; x < pixels; x += hn::Lanes(d16)) {
    const auto light = hn::LoadU(d16, y + x);
    const auto blue = hn::SaturatedSub(hn::LoadU(d16, cb + x), middle);
    const auto red = hn::SaturatedSub(hn::LoadU(d16, cr + x), middle);
    const auto to_red = hn::SaturatedAdd(red, hn::MulFixedPoint15(red, hn::Set(d16, kRedCr)));
    const auto to_green = hn::SaturatedAdd(hn::MulFixedPoint15(blue, hn::Set(d16, kGreenCb)),
                                           hn::MulFixedPoint15(red, hn::Set(d16, kGreenCr)));
    const auto to_blue = hn::SaturatedSub(hn::SaturatedAdd(blue, blue),
                                          hn::MulFixedPoint15(blue, hn::Set(d16, kBlueCb)));
    hn::StoreInterleaved3(finish(d16, hn::SaturatedAdd(light, to_red)), finish(d16, hn::SaturatedSub(light, to_green)),
                          finish(d16, hn::SaturatedAdd(light, to_blue)), d8, to + 3 * x);
  }
}

/// One pixel of three or four bytes is a vector of four; each depends on the one before.
using Pixel = hn::FixedTag<std::uint8_t, 4>;
using PixelWords = hn::FixedTag<std::int16_t, 4>;

HWY_INLINE void store_pixel(hn::Vec<Pixel> pixel, std::size_t bytes, std::uint8_t* to) {
  alignas(4) std::uint8_t four[4];
  hn::Store(pixel, Pixel(), four);
  std::memcpy(to, four, bytes);
}

HWY_INLINE hn::Vec<Pixel> paeth(hn::Vec<Pixel> left, hn::Vec<Pixel> above, hn::Vec<Pixel> between) {
  const PixelWords d;
  const auto a = hn::PromoteTo(d, left);
  const auto b = hn::PromoteTo(d, above);
  const auto c = hn::PromoteTo(d, between);
  const auto to_left = hn::Sub(b, c);
  const auto to_above = hn::Sub(a, c);
  const auto to_between = hn::Abs(hn::Add(to_left, to_above));
  const auto pa = hn::Abs(to_left);
  const auto pb = hn::Abs(to_above);
  const auto nearer = hn::IfThenElse(hn::Gt(pb, to_between), c, b);
  const auto guess = hn::IfThenElse(hn::Gt(pa, hn::Min(pb, to_between)), nearer, a);
  return hn::DemoteTo(Pixel(), guess);
}

template <std::size_t kBytes>
HWY_INLINE void unfilter_pixels(int filter, const std::uint8_t* above, std::size_t bytes, std::uint8_t* row) {
  const Pixel d;
  auto left = hn::Zero(d);
  auto between = hn::Zero(d);
  for (std::size_t i = 0; i < bytes; i += kBytes) {
    const auto up = hn::LoadU(d, above + i);
    auto guess = left;
    if (filter == 3) {  // rounded down, where the instruction rounds up
      guess = hn::Sub(hn::AverageRound(left, up), hn::And(hn::Xor(left, up), hn::Set(d, 1)));
    } else if (filter == 4) {
      guess = paeth(left, up, between);
    }
    left = hn::Add(hn::LoadU(d, row + i), guess);
    between = up;
    store_pixel(left, kBytes, row + i);
  }
}

void unfilter(int filter, const std::uint8_t* above, std::size_t bytes, std::size_t pixel_bytes, std::uint8_t* row) {
  if (filter == 0) return;
  if (filter == 2) {
    const hn::ScalableTag<std::uint8_t> d;
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= bytes; i += hn::Lanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, row + i), hn::LoadU(d, above + i)), d, row + i);
    }
    scalar::unfilter(2, above + i, bytes - i, 1, row + i);
  } else if (pixel_bytes == 4) {
    unfilter_pixels<4>(filter, above, bytes, row);
  } else if (pixel_bytes == 3) {
    unfilter_pixels<3>(filter, above, bytes, row);
  } else {
    scalar::unfilter(filter, above, bytes, pixel_bytes, row);
  }
}

#endif  // vectors of a known size

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace sluice::image_resize::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::image_resize {

HWY_EXPORT(interleave_bytes);
HWY_EXPORT(interleave_words);
HWY_EXPORT(vertical_bytes);
HWY_EXPORT(vertical_words);
HWY_EXPORT(horizontal_words);
HWY_EXPORT(horizontal_longs);
HWY_EXPORT(split3);
HWY_EXPORT(premultiply);
HWY_EXPORT(unpremultiply);
HWY_EXPORT(finish_gray);
HWY_EXPORT(finish_rgb);
HWY_EXPORT(finish_ycc);
HWY_EXPORT(unfilter);
HWY_EXPORT(target_name);

namespace simd {

void interleave_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(interleave_bytes)(a, b, count, to);
}
void interleave_words(const std::int16_t* a, const std::int16_t* b, std::size_t count, std::int16_t* to) {
  HWY_DYNAMIC_DISPATCH(interleave_words)(a, b, count, to);
}
void vertical_bytes(const PairsView<std::uint8_t>& rows, std::size_t count, std::int16_t* to) {
  HWY_DYNAMIC_DISPATCH(vertical_bytes)(rows, count, to);
}
void vertical_words(const PairsView<std::int16_t>& rows, std::size_t count, std::int32_t* to) {
  HWY_DYNAMIC_DISPATCH(vertical_words)(rows, count, to);
}
void horizontal_words(const std::int16_t* from, const TapsView& taps, std::int16_t* to) {
  HWY_DYNAMIC_DISPATCH(horizontal_words)(from, taps, to);
}
void horizontal_longs(const std::int32_t* from, const TapsView& taps, std::int32_t* to) {
  HWY_DYNAMIC_DISPATCH(horizontal_longs)(from, taps, to);
}
void split3(const std::int16_t* from, std::size_t pixels, std::int16_t* a, std::int16_t* b, std::int16_t* c) {
  HWY_DYNAMIC_DISPATCH(split3)(from, pixels, a, b, c);
}
void premultiply(const std::uint8_t* rgba, std::size_t pixels, std::int16_t* to) {
  HWY_DYNAMIC_DISPATCH(premultiply)(rgba, pixels, to);
}
void unpremultiply(const std::int32_t* from, std::size_t pixels, std::uint8_t* rgba) {
  HWY_DYNAMIC_DISPATCH(unpremultiply)(from, pixels, rgba);
}
void finish_gray(const std::int16_t* from, std::size_t pixels, std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(finish_gray)(from, pixels, to);
}
void finish_rgb(const std::int16_t* r, const std::int16_t* g, const std::int16_t* b, std::size_t pixels,
                std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(finish_rgb)(r, g, b, pixels, to);
}
void finish_ycc(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr, std::size_t pixels,
                std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(finish_ycc)(y, cb, cr, pixels, to);
}
void unfilter(int filter, const std::uint8_t* above, std::size_t bytes, std::size_t pixel_bytes, std::uint8_t* row) {
  HWY_DYNAMIC_DISPATCH(unfilter)(filter, above, bytes, pixel_bytes, row);
}
const char* target_name() { return HWY_DYNAMIC_DISPATCH(target_name)(); }
void disable_targets(std::int64_t bits) { hwy::DisableTargets(bits); }

}  // namespace simd
}  // namespace sluice::image_resize
#endif
