// A small finished picture and what is done to it before it is encoded.
#pragma once

#include <cstdint>

#include "image_resize/buffer.hpp"
#include "image_resize/geometry.hpp"

namespace sluice::image_resize {

/// 8 bits a sample, interleaved, rows without gaps. channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA
/// (straight alpha). The memory is kept for the next picture.
struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t channels = 0;
  Buffer<std::uint8_t> pixels;

  void begin(std::uint32_t new_width, std::uint32_t new_height, std::uint32_t new_channels) {
    width = new_width;
    height = new_height;
    channels = new_channels;
    pixels.reserve(bytes());
  }
  std::size_t row_bytes() const { return std::size_t{width} * channels; }
  std::size_t bytes() const { return row_bytes() * height; }
  std::uint8_t* row(std::size_t y) { return pixels.data() + y * row_bytes(); }
  const std::uint8_t* row(std::size_t y) const { return pixels.data() + y * row_bytes(); }
  Size size() const { return {width, height}; }
};

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0, alpha = 255;
  bool operator==(const Colour&) const = default;
};

/// Makes `to` the picture `from` upright: EXIF `orientation` 2..8 applied. Throws std::bad_alloc.
void orient(const Picture& from, int orientation, Picture& to);

/// Puts `from` on a canvas of `background` at (x, y). A background that `from`'s channels cannot
/// show gives `to` more of them. REQUIRES: it fits. Throws std::bad_alloc.
void pad(const Picture& from, Size canvas, std::uint32_t x, std::uint32_t y, Colour background, Picture& to);

/// RGBA over an opaque background, in place: channels becomes 3.
void flatten(Picture& picture, Colour background);

/// Drops what carries nothing, in place: alpha that is 255 everywhere, colour that is gray everywhere.
void reduce_channels(Picture& picture);

}  // namespace sluice::image_resize
