#include "image_resize/exif.hpp"

#include <libdeflate.h>

#include <cstring>

namespace sluice::image_resize {
namespace {

/// Numbers of either byte order; 0 where the data has ended.
struct Tiff {
  std::span<const std::uint8_t> data;
  bool big = false;

  bool has(std::size_t at, std::size_t count) const { return at <= data.size() && count <= data.size() - at; }
  std::uint32_t u16(std::size_t at) const {
    if (!has(at, 2)) return 0;
    return big ? data[at] * 256u + data[at + 1] : data[at + 1] * 256u + data[at];
  }
  std::uint32_t u32(std::size_t at) const {
    if (!has(at, 4)) return 0;
    return big ? u16(at) << 16 | u16(at + 2) : u16(at + 2) << 16 | u16(at);
  }
};

std::uint32_t big_endian(std::span<const std::uint8_t> data, std::size_t at) {
  return Tiff{data, true}.u32(at);
}

constexpr std::uint32_t kOrientation = 0x0112;
constexpr std::uint32_t kShort = 3;
constexpr std::uint32_t kLong = 4;

}  // namespace

int exif_orientation(std::span<const std::uint8_t> tiff) {
  Tiff in{tiff};
  if (!in.has(0, 8)) return 1;
  in.big = tiff[0] == 'M';
  if (std::memcmp(tiff.data(), in.big ? "MM" : "II", 2) != 0 || in.u16(2) != 42) return 1;
  std::size_t directory = in.u32(4);
  if (!in.has(directory, 2)) return 1;
  std::size_t entries = in.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    std::size_t entry = directory + 2 + 12 * i;
    if (!in.has(entry, 12)) return 1;
    if (in.u16(entry) != kOrientation) continue;
    std::uint32_t type = in.u16(entry + 2);
    if ((type != kShort && type != kLong) || in.u32(entry + 4) != 1) return 1;
    std::uint32_t value = type == kShort ? in.u16(entry + 8) : in.u32(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int jpeg_orientation(std::span<const std::uint8_t> jpeg) {
  constexpr std::uint8_t kApp1 = 0xE1, kScan = 0xDA, kEnd = 0xD9;
  std::size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    if (jpeg[at] != 0xFF || jpeg[at + 1] == 0xFF || jpeg[at + 1] == 0) {  // fill, or what libjpeg skips too
      ++at;
      continue;
    }
    std::uint8_t marker = jpeg[at + 1];
    at += 2;
    if (marker == kScan || marker == kEnd) return 1;
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // markers without a length
    std::size_t length = jpeg[at] * std::size_t{256} + jpeg[at + 1];
    if (length < 2 || length > jpeg.size() - at) return 1;
    if (marker == kApp1 && length >= 8 && std::memcmp(&jpeg[at + 2], "Exif\0", 6) == 0) {
      return exif_orientation(jpeg.subspan(at + 8, length - 8));
    }
    at += length;
  }
  return 1;
}

int png_orientation(std::span<const std::uint8_t> png) {
  std::size_t at = 8;
  while (at + 12 <= png.size()) {
    std::size_t length = big_endian(png, at);
    if (length > png.size() - at - 12) return 1;
    if (std::memcmp(&png[at + 4], "eXIf", 4) == 0) {
      std::uint32_t crc = libdeflate_crc32(0, &png[at + 4], length + 4);
      if (crc == big_endian(png, at + 8 + length)) return exif_orientation(png.subspan(at + 8, length));
    }
    at += length + 12;
  }
  return 1;
}

}  // namespace sluice::image_resize
