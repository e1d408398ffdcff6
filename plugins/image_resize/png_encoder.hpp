// PNG out, over libspng: 8 bits, no filter, no metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "image_resize/fault.hpp"
#include "image_resize/picture.hpp"

namespace sluice::image_resize {

/// One thread.
class PngEncoder {
 public:
  PngEncoder() = default;
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;

  /// The colour type is that of the picture's channels. `level` 0..9 is zlib's. The bytes live until
  /// the next call.
  Result<std::span<const std::uint8_t>> encode(const Picture& picture, int level);

 private:
  struct Free {
    void operator()(void* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::uint8_t, Free> bytes_;
};

}  // namespace sluice::image_resize
