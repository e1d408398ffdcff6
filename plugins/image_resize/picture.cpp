#include "image_resize/picture.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::image_resize {
namespace {

/// Where pixel (0, 0) of the result comes from, and the steps in `from` per pixel right and down.
struct Walk {
  std::ptrdiff_t start, right, down;
};

Walk walk(const Picture& from, int orientation) {
  auto x = static_cast<std::ptrdiff_t>(from.channels);
  auto y = static_cast<std::ptrdiff_t>(from.row_bytes());
  std::ptrdiff_t last_x = (static_cast<std::ptrdiff_t>(from.width) - 1) * x;
  std::ptrdiff_t last_y = (static_cast<std::ptrdiff_t>(from.height) - 1) * y;
  switch (orientation) {
    case 2: return {last_x, -x, y};
    case 3: return {last_x + last_y, -x, -y};
    case 4: return {last_y, x, -y};
    case 5: return {0, y, x};
    case 6: return {last_y, -y, x};
    case 7: return {last_x + last_y, -y, -x};
    case 8: return {last_x, y, -x};
    default: return {0, x, y};
  }
}

void put(std::uint8_t* to, std::uint32_t channels, Colour colour) {
  to[0] = colour.red;
  if (channels < 3) {
    if (channels == 2) to[1] = colour.alpha;
    return;
  }
  to[1] = colour.green;
  to[2] = colour.blue;
  if (channels == 4) to[3] = colour.alpha;
}

Colour get(const std::uint8_t* from, std::uint32_t channels) {
  if (channels < 3) return {from[0], from[0], from[0], channels == 2 ? from[1] : std::uint8_t{255}};
  return {from[0], from[1], from[2], channels == 4 ? from[3] : std::uint8_t{255}};
}

}  // namespace

void orient(const Picture& from, int orientation, Picture& to) {
  Size size = turned(from.size(), orientation);
  to.begin(size.width, size.height, from.channels);
  Walk steps = walk(from, orientation);
  std::uint8_t* out = to.pixels.data();
  for (std::ptrdiff_t y = 0; y < static_cast<std::ptrdiff_t>(size.height); ++y) {
    const std::uint8_t* in = from.pixels.data() + steps.start + y * steps.down;
    for (std::uint32_t x = 0; x < size.width; ++x) {
      for (std::uint32_t c = 0; c < from.channels; ++c) *out++ = in[c];
      in += steps.right;
    }
  }
}

void pad(const Picture& from, Size canvas, std::uint32_t x, std::uint32_t y, Colour background, Picture& to) {
  assert(x + from.width <= canvas.width && y + from.height <= canvas.height);
  bool gray = background.red == background.green && background.red == background.blue;
  std::uint32_t channels = from.channels;
  if (background.alpha != 255) {
    channels = 4;
  } else if (!gray && channels < 3) {
    channels = 3;
  }
  to.begin(canvas.width, canvas.height, channels);
  for (std::size_t i = 0; i < std::size_t{canvas.width} * canvas.height; ++i) {
    put(to.pixels.data() + i * channels, channels, background);
  }
  for (std::uint32_t row = 0; row < from.height; ++row) {
    std::uint8_t* out = to.row(y + row) + std::size_t{x} * channels;
    const std::uint8_t* in = from.row(row);
    for (std::uint32_t column = 0; column < from.width; ++column) {
      put(out + std::size_t{column} * channels, channels, get(in + std::size_t{column} * from.channels, from.channels));
    }
  }
}

void flatten(Picture& picture, Colour background) {
  assert(picture.channels == 4);
  const std::uint8_t behind[3] = {background.red, background.green, background.blue};
  const std::uint8_t* in = picture.pixels.data();
  std::uint8_t* out = picture.pixels.data();
  for (std::size_t i = 0; i < std::size_t{picture.width} * picture.height; ++i, in += 4) {
    std::uint32_t alpha = in[3];
    for (int c = 0; c < 3; ++c) {
      *out++ = static_cast<std::uint8_t>((in[c] * alpha + behind[c] * (255 - alpha) + 127) / 255);
    }
  }
  picture.channels = 3;
}

void reduce_channels(Picture& picture) {
  if (picture.channels < 3) return;
  std::size_t count = std::size_t{picture.width} * picture.height;
  const std::uint32_t channels = picture.channels;
  bool gray = true;
  bool opaque = true;
  const std::uint8_t* in = picture.pixels.data();
  for (std::size_t i = 0; i < count && (gray || opaque); ++i, in += channels) {
    gray = gray && in[0] == in[1] && in[1] == in[2];
    opaque = opaque && (channels == 3 || in[3] == 255);
  }
  std::uint32_t kept = (gray ? 1 : 3) + (opaque ? 0 : 1);
  if (kept == channels) return;
  std::uint8_t* out = picture.pixels.data();
  in = out;
  for (std::size_t i = 0; i < count; ++i, in += channels) {
    std::uint8_t alpha = in[channels - 1];
    for (std::uint32_t c = 0; c < (gray ? 1u : 3u); ++c) *out++ = in[c];
    if (!opaque) *out++ = alpha;
  }
  picture.channels = kept;
}

}  // namespace sluice::image_resize
