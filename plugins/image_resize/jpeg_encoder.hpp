// JPEG out, over libjpeg-turbo: baseline or progressive JFIF without metadata, ISLOW.
#pragma once

#include <memory>
#include <span>

#include "image_resize/fault.hpp"
#include "image_resize/picture.hpp"

namespace sluice::image_resize {

/// One thread; keeps its output memory.
class JpegEncoder {
 public:
  struct Options {
    int quality = 80;  ///< 1..100; chroma is 4:2:0 below 90, 4:4:4 from there
    bool progressive = false;
  };

  JpegEncoder();
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  /// REQUIRES: 1 or 3 channels. Huffman tables are optimised up to 64 pixels a side, where that saves
  /// a third of the file. The bytes live until the next call.
  Result<std::span<const std::uint8_t>> encode(const Picture& picture, const Options& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::image_resize
