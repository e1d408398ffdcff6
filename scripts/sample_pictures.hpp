// Pictures made from numbers: icons with alpha and landscapes with the structure and grain of
// photographs. For the demo, the benches and the tests, so that the repository carries no foreign
// file. The same seed gives the same picture on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::samples {

/// 8 bits a channel, interleaved, rows without gaps; 3 channels are RGB, 4 are straight RGBA.
struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// One of eight designs by `seed`, with soft edges, a shadow and transparent surroundings.
/// `side` x `side` RGBA. REQUIRES: side > 0.
Picture make_icon(std::uint64_t seed, std::uint32_t side);

/// Sky, sun, mountains in haze, a meadow and grain. RGB. REQUIRES: no side is 0.
Picture make_photo(std::uint64_t seed, std::uint32_t width, std::uint32_t height);

/// As a PNG file (zlib level 9, adaptive filters, as icon themes ship). Throws std::runtime_error.
std::vector<std::uint8_t> to_png(const Picture& picture);

/// As a baseline JPEG file, chroma 4:2:0. REQUIRES: RGB. Throws std::runtime_error.
std::vector<std::uint8_t> to_jpeg(const Picture& picture, int quality);

}  // namespace sluice::samples
