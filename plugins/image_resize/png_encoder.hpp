// PNG out: 8 bits, no row filters, no metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "image_resize/buffer.hpp"
#include "image_resize/fault.hpp"
#include "image_resize/picture.hpp"

namespace sluice::image_resize {

/// One thread; keeps its memory. Up to kWholeBytes of pixels are compressed in one piece by libdeflate
/// (twice as fast as zlib, and set up once, which for an icon is most of the work); larger pictures go
/// through libspng and zlib, row by row.
class PngEncoder {
 public:
  static constexpr std::size_t kWholeBytes = 4 << 20;

  PngEncoder();
  ~PngEncoder();
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;

  /// The colour type is that of the picture's channels. `level` is 0 (stored) to 9. The bytes live
  /// until the next call. Throws std::bad_alloc.
  Result<std::span<const std::uint8_t>> encode(const Picture& picture, int level);

 private:
  struct Compressor;
  Result<std::span<const std::uint8_t>> encode_whole(const Picture& picture, int level);
  Result<std::span<const std::uint8_t>> encode_rows(const Picture& picture, int level);

  std::unique_ptr<Compressor> compressor_;
  Buffer<std::uint8_t> rows_;   ///< rows with their filter bytes
  Buffer<std::uint8_t> file_;
  struct Free {
    void operator()(void* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::uint8_t, Free> large_;  ///< libspng's
};

}  // namespace sluice::image_resize
