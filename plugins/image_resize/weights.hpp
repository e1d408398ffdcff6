// Resampling filters and their fixed-point weights, by Pillow's rule: output i of m from n inputs has
// scale s = n/m, support S max(s, 1) around (i + 0.5) s, and weights normalised at the edges.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sluice::image_resize {

enum class Filter : std::uint8_t { nearest, box, triangle, catmull_rom, mitchell, lanczos2, lanczos3 };

/// Half the width of the filter at scale 1, in pixels; 0 for nearest.
double filter_support(Filter filter);
/// K(t); 0 outside the support.
double filter_value(Filter filter, double t);

/// How the samples at hand stand for pixels. JPEG stores chroma at half size; instead of upsampling it
/// and then resizing, the upsampling's weights are folded into the resize's, which gives the same sums.
enum class Upsampling : std::uint8_t {
  none,      ///< one sample, one pixel
  doubled,   ///< sample j is pixels 2j and 2j+1
  smoothed,  ///< as libjpeg's "fancy": pixel 2j is 3/4 of j and 1/4 of j-1, 2j+1 is 3/4 of j and 1/4 of j+1
};

/// One direction of one resize.
struct Axis {
  std::uint32_t samples = 0;  ///< at hand
  std::uint32_t pixels = 0;   ///< that they stand for: samples, or twice that (or one less)
  std::uint32_t outputs = 0;
  double begin = 0;           ///< where the first output begins, in pixels
  double length = 0;          ///< pixels that all outputs cover together
  Filter filter = Filter::lanczos3;
  Upsampling upsampling = Upsampling::none;
  auto operator<=>(const Axis&) const = default;
};

/// How a kernel wants its weights.
struct Layout {
  std::uint32_t align_first;   ///< every `first` is a multiple of this
  std::uint32_t align_count;   ///< `count` is a multiple of this
  std::int32_t largest_sample; ///< |sample| is at most this; keeps the sums within int32
  auto operator<=>(const Layout&) const = default;
};

/// Vertical passes take rows in pairs; horizontal ones read 8 taps at a time.
inline constexpr Layout kVerticalBytes{2, 2, 255};
inline constexpr Layout kVerticalWords{2, 2, 32768};
inline constexpr Layout kHorizontalWords{1, 8, 32768};
inline constexpr Layout kHorizontalLongs{1, 4, 65536};

/// Fixed-point weights of one axis. Output i is the sum over k of weight[i * count + k] *
/// sample[first[i] + k], shifted right by `precision` with rounding. The weights of an output sum to
/// exactly 2^precision, so flat areas stay flat. Weights that stand beyond the last sample are 0.
/// Both arrays hold entries for outputs rounded up to a multiple of 4 (zero weights).
struct Taps {
  std::uint32_t outputs = 0;
  std::uint32_t count = 0;   ///< taps per output, the same for all
  int precision = 0;         ///< 7..15
  bool identity = false;     ///< output i is sample i
  std::vector<std::uint32_t> first;
  std::vector<std::int16_t> weight;
  std::size_t bytes() const { return first.size() * sizeof first[0] + weight.size() * sizeof weight[0]; }
};

/// REQUIRES: samples, pixels, outputs > 0; length > 0. Throws std::bad_alloc.
Taps make_taps(const Axis& axis, const Layout& layout);

/// The same weights as real numbers, before they are rounded: the tests' oracle and make_taps' source.
/// The taps of output i are values[k] for samples first + k.
struct RealTaps {
  std::uint32_t first = 0;
  std::vector<double> values;
};
RealTaps real_taps(const Axis& axis, std::uint32_t output);

/// Remembers tables, since pictures of one size follow one another. One thread.
class TapsCache {
 public:
  /// The table stays valid as long as the pointer is held.
  std::shared_ptr<const Taps> get(const Axis& axis, const Layout& layout);

 private:
  struct Key {
    Axis axis;
    Layout layout;
    auto operator<=>(const Key&) const = default;
  };
  static constexpr std::size_t kBytesMax = 4 << 20;
  struct Less {
    bool operator()(const Key& a, const Key& b) const { return (a <=> b) < 0; }
  };
  std::map<Key, std::shared_ptr<const Taps>, Less> tables_;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::image_resize
