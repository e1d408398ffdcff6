// The fast way for the PNGs that most icons are: 8-bit gray, RGB or RGBA, not interlaced, no tRNS, small
// enough to be inflated in one piece, and without a fault. All others are libspng's, and so is the
// verdict on every damaged file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "image_resize/buffer.hpp"

namespace sluice::image_resize {

/// One thread; keeps its memory.
class PlainPng {
 public:
  static constexpr std::size_t kInflatedBytesMax = 4 << 20;

  PlainPng();
  ~PlainPng();
  PlainPng(const PlainPng&) = delete;
  PlainPng& operator=(const PlainPng&) = delete;

  /// Whether decode() may be tried on such a picture. `channels`: 1, 3 or 4 of 8 bits.
  static bool fits(std::uint32_t width, std::uint32_t height, std::uint32_t channels);

  /// Inflates the whole picture. False: something is not as it should be, ask libspng. All CRCs of
  /// critical chunks and the Adler sum were right. REQUIRES: fits(); the header of `png` says the same.
  /// Throws std::bad_alloc.
  bool inflate(std::span<const std::uint8_t> png, std::uint32_t width, std::uint32_t height, std::uint32_t channels);

  /// Row `y`, unfiltered in place; readable kSlack past its end. REQUIRES: rows are asked for in order, once.
  const std::uint8_t* row(std::uint32_t y);

 private:
  struct Decompressor;
  bool gather(std::span<const std::uint8_t> png);

  std::unique_ptr<Decompressor> decompressor_;
  std::span<const std::uint8_t> compressed_;  ///< in the file, or in joined_
  Buffer<std::uint8_t> joined_;               ///< the data of several IDATs
  Buffer<std::uint8_t> rows_;                 ///< a row of zeros, then rows with their filter bytes
  std::size_t row_bytes_ = 0;
  std::size_t channels_ = 0;
};

}  // namespace sluice::image_resize
