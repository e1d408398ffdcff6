// JPEG in, over libjpeg-turbo. Everything that may longjmp stands in functions without C++ objects.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "image_resize/fault.hpp"
#include "image_resize/geometry.hpp"
#include "image_resize/scaler.hpp"

namespace sluice::image_resize {

/// Reads one JPEG: open, then plan, then read, each at most once. One thread.
///
/// YCbCr with the usual samplings can be handed on as its planes; everything else is gray or RGB rows.
/// CMYK and YCCK become RGB by r = C' K' / 255 (C' and K' 255 where there is no ink).
class JpegDecoder {
 public:
  struct Options {
    bool strict = true;            ///< a warning in the data is an error
    std::uint32_t scans_max = 100;
    std::uint32_t warnings_max = 1000;
    std::uint64_t memory_max = 0;  ///< for libjpeg's own pools
  };

  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// Reads the header. `bytes` live until the end. No pixel memory is taken.
  Result<Size> open(std::span<const std::uint8_t> bytes, const Options& options);

  /// Decides on 1/`denominator` of the size (1, 2, 4, 8). `planes`: YCbCr may be handed on as planes,
  /// which is faster, and within a level or two of converting every pixel first where several pixels
  /// make one.
  Frame plan(int denominator, bool planes);

  /// Bytes that read() will take, by the header.
  std::uint64_t memory() const;

  /// Decodes all rows into `to`. Throws std::bad_alloc.
  Result<void> read(Scaler& to, const Watch& watch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::image_resize
