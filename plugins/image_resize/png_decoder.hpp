// PNG in, over libspng; the plain ones, which most icons are, over libdeflate (plain_png.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "image_resize/fault.hpp"
#include "image_resize/geometry.hpp"
#include "image_resize/scaler.hpp"

namespace sluice::image_resize {

/// Reads one PNG of any colour type and depth: open, then read, each at most once. Rows are handed on
/// as 8-bit gray, RGB, or (alpha or tRNS) RGBA; 16 bits are rounded, palettes expanded. Ancillary
/// chunks other than tRNS never reach the library: they cost no time, no memory, and no errors.
class PngDecoder {
 public:
  PngDecoder();
  ~PngDecoder();
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  /// Reads all before the pixels; of a picture beyond `pixels_max` or `side_max` only its size. `bytes`
  /// live until the end. No pixel memory is taken.
  Result<Size> open(std::span<const std::uint8_t> bytes, std::uint64_t pixels_max, std::uint32_t side_max);

  Frame frame() const;

  /// Bytes that read() will take, by the header.
  std::uint64_t memory() const;

  /// Decodes all rows into `to`. Throws std::bad_alloc.
  Result<void> read(Scaler& to, const Watch& watch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::image_resize
