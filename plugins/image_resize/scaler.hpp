// The resize itself: rows go in as the decoder gives them, every output comes out, in one walk over
// the picture.
//
//   row ─▶ ring of row pairs ─▶ vertical pass ─▶ one row of words ─▶ horizontal pass ─▶ output row
//                                                                                        └▶ smaller outputs
//
// The vertical pass is first: it works on whole rows of bytes, where vectors are full, and it leaves
// few rows for the horizontal one. Only the rows that a filter spans are held, never the picture.
// JPEG's planes (YCbCr) are resized as they are stored and turned into RGB at the small size; the
// upsampling of chroma is part of the weights (Upsampling), so the result is that of upsampling first.
// An output that a larger one exceeds four times on both axes is made from that larger one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "image_resize/buffer.hpp"
#include "image_resize/geometry.hpp"
#include "image_resize/picture.hpp"
#include "image_resize/rows.hpp"
#include "image_resize/weights.hpp"

namespace sluice::image_resize {

enum class Model : std::uint8_t {
  gray,  ///< 1 plane of 1 channel
  rgb,   ///< 1 plane of 3 interleaved channels
  rgba,  ///< 1 plane of 4, straight alpha
  ycc,   ///< 3 planes of 1 channel: Y, Cb, Cr (JFIF)
};

std::uint32_t channels_of(Model model);  ///< of its output: 1, 3, 4, 3

struct Plane {
  std::uint32_t width = 0;   ///< pixels a row as stored
  std::uint32_t height = 0;  ///< rows as stored
  Upsampling across = Upsampling::none;
  Upsampling down = Upsampling::none;
};

/// The rows to come. `width` and `height` are those of the full planes.
struct Frame {
  Model model = Model::rgb;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  double true_width = 0;   ///< what the picture covers of them; less than `width` where a scaled JPEG was rounded up
  double true_height = 0;
  std::uint32_t planes = 1;
  std::array<Plane, 3> plane;
};

/// A picture whose pixels lie together and are all its own.
inline Frame whole_frame(Model model, std::uint32_t width, std::uint32_t height) {
  Frame frame;
  frame.model = model;
  frame.width = width;
  frame.height = height;
  frame.true_width = width;
  frame.true_height = height;
  frame.plane[0] = {width, height};
  return frame;
}

/// A wanted output, in the orientation in which the picture is stored.
struct Target {
  Size scaled;
  Rectangle crop;
};

/// Bytes that Scaler::begin() will take for this, more or less; never far too few.
std::uint64_t scaler_bytes(const Frame& frame, std::span<const Target> targets, Filter filter);

/// One source of rows and the outputs made from it. Kept from picture to picture for its memory. One thread.
class Scaler {
 public:
  Scaler();
  ~Scaler();
  Scaler(const Scaler&) = delete;
  Scaler& operator=(const Scaler&) = delete;

  /// `outputs[i]` receives `targets[i]`; all live until finish() has returned. Throws std::bad_alloc.
  void begin(const Frame& frame, std::span<const Target> targets, Filter filter, TapsCache& cache,
             std::span<Picture* const> outputs);

  /// The next row of a plane, readable kSlack past its end. Rows that stand side by side belong
  /// together, but planes may run ahead of one another by some rows.
  void push(std::uint32_t plane, const std::uint8_t* row);
  /// The next rows of a plane, `stride` bytes apart.
  void push(std::uint32_t plane, const std::uint8_t* rows, std::size_t stride, std::size_t count);

  /// Every row was pushed: completes the outputs.
  void finish();

 private:
  struct Output;
  void advance();
  bool ready(const Output& output) const;
  void make_row(Output& output);
  void vertical(std::uint32_t plane, const Taps& taps, std::uint32_t row);
  void across(Output& output, std::uint32_t plane, const std::int16_t* words, std::int16_t* to);
  void across_rgba(Output& output);
  void plan_planes(Output& output, const Target& target, Filter filter, TapsCache& cache);
  void begin_rings();

  Frame frame_;
  std::vector<std::unique_ptr<Output>> outputs_;  ///< kept for their memory; the first `used_` are in use
  std::size_t used_ = 0;
  std::array<PairRing<std::uint8_t>, 3> bytes_;
  PairRing<std::int16_t> words_;                  ///< rgba only
  Buffer<std::int16_t> premultiplied_;
  Buffer<std::int16_t> middle_;                   ///< one row between the passes
  Buffer<std::int32_t> middle_rgba_;
  std::array<Buffer<std::int16_t>, 3> split_;     ///< the same by channel
  std::array<Buffer<std::int16_t>, 3> done_;      ///< one output row by channel
  Buffer<std::int32_t> done_rgba_;
  Buffer<std::uint8_t> row_;                      ///< one output row
  std::vector<const std::uint8_t*> byte_pairs_;
  std::vector<const std::int16_t*> word_pairs_;
};

}  // namespace sluice::image_resize
