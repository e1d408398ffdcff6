// The loops over samples, twice: `scalar` is the specification and the tests' oracle, `simd` the same
// in Highway for whatever the processor has. Both give the same bytes: all sums are integers, and the
// few float operations (unpremultiply) are single IEEE operations.
//
// Samples between the passes:
//   bytes   8-bit sample v                                  -> words v << 6, not clipped to 0..255
//   words   premultiplied c a - kBias (alpha: 255 a - kBias) -> longs of the same scale, not clipped
// Neither form loses what Lanczos overshoots, so nothing is cut between the passes.
//
// Contract of every kernel: pointers need no alignment; inputs and outputs do not overlap; up to
// kSlack elements past the end of every input are read (and multiplied by zero or dropped), and up to
// kSlack elements past the end of every output are written. [any thread]
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::image_resize {

inline constexpr int kFraction = 6;             ///< fraction bits of words that come from bytes
inline constexpr std::int32_t kBias = 32512;    ///< subtracted from premultiplied samples, so int16 holds them
inline constexpr std::int32_t kLongMax = 65535; ///< longs stay within +-kLongMax

/// One horizontal pass; see Taps. `count` is a multiple of 8 (words) or 4 (longs).
struct TapsView {
  const std::uint32_t* first;
  const std::int16_t* weight;
  std::uint32_t outputs;
  std::uint32_t count;
  int precision;
};

/// Rows of a vertical pass: pair p holds rows 2p and 2p+1 as to[2x], to[2x+1]; weights[2p], [2p+1].
template <class Sample>
struct PairsView {
  const Sample* const* pairs;
  const std::int16_t* weights;
  std::size_t count;  ///< pairs
  int precision;
};

#define SLUICE_RESIZE_KERNELS(SPECIFIER)                                                                    \
  /* to[2x] = a[x], to[2x+1] = b[x] */                                                                      \
  SPECIFIER void interleave_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count,          \
                                  std::uint8_t* to);                                                        \
  SPECIFIER void interleave_words(const std::int16_t* a, const std::int16_t* b, std::size_t count,          \
                                  std::int16_t* to);                                                        \
  /* Weighted sum of rows; bytes to words. `count` samples a row. */                                        \
  SPECIFIER void vertical_bytes(const PairsView<std::uint8_t>& rows, std::size_t count, std::int16_t* to);  \
  /* Words to longs. */                                                                                     \
  SPECIFIER void vertical_words(const PairsView<std::int16_t>& rows, std::size_t count, std::int32_t* to);  \
  /* One channel, words to words. */                                                                        \
  SPECIFIER void horizontal_words(const std::int16_t* from, const TapsView& taps, std::int16_t* to);        \
  /* Four interleaved channels, longs to longs. */                                                          \
  SPECIFIER void horizontal_longs(const std::int32_t* from, const TapsView& taps, std::int32_t* to);        \
  /* `pixels` of three interleaved channels into three rows. */                                             \
  SPECIFIER void split3(const std::int16_t* from, std::size_t pixels, std::int16_t* a, std::int16_t* b,     \
                        std::int16_t* c);                                                                   \
  /* Straight RGBA to premultiplied words. */                                                               \
  SPECIFIER void premultiply(const std::uint8_t* rgba, std::size_t pixels, std::int16_t* to);               \
  /* Premultiplied longs to straight RGBA; colour is clipped to its alpha, alpha 0 gives 0,0,0,0. */        \
  SPECIFIER void unpremultiply(const std::int32_t* from, std::size_t pixels, std::uint8_t* rgba);           \
  /* Words to bytes, rounded and clipped; pixels of one, three, and three YCbCr channels (JFIF). */         \
  SPECIFIER void finish_gray(const std::int16_t* from, std::size_t pixels, std::uint8_t* to);               \
  SPECIFIER void finish_rgb(const std::int16_t* r, const std::int16_t* g, const std::int16_t* b,            \
                            std::size_t pixels, std::uint8_t* to);                                          \
  SPECIFIER void finish_ycc(const std::int16_t* y, const std::int16_t* cb, const std::int16_t* cr,          \
                            std::size_t pixels, std::uint8_t* to);                                          \
  /* Undoes PNG's row filter 0..4 in place; writes nothing past `bytes`. `pixel_bytes` is 1, 3 or 4, and    \
     `bytes` a multiple of it. */                                                                           \
  SPECIFIER void unfilter(int filter, const std::uint8_t* above, std::size_t bytes, std::size_t pixel_bytes, \
                          std::uint8_t* row);

namespace scalar {
SLUICE_RESIZE_KERNELS()
}
namespace simd {
SLUICE_RESIZE_KERNELS()

/// The instruction set in use, such as "AVX3" or "SSE4".
const char* target_name();

/// Keeps sets off by their Highway bits, for tests and comparisons; 0 allows all. [control]
void disable_targets(std::int64_t bits);
}  // namespace simd

// JFIF's YCbCr to RGB in 1/32768, split so that every factor is below 1.
inline constexpr std::int16_t kRedCr = 13173;    ///< 1.402 = 1 + 0.402
inline constexpr std::int16_t kGreenCb = 11277;  ///< 0.344136
inline constexpr std::int16_t kGreenCr = 23401;  ///< 0.714136
inline constexpr std::int16_t kBlueCb = 7471;    ///< 1.772 = 2 - 0.228

}  // namespace sluice::image_resize
