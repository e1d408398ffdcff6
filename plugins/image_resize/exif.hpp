// The orientation tag of EXIF data, and where JPEG and PNG keep it. Reads hostile bytes; never fails:
// whatever is not a clear 1..8 means 1. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace sluice::image_resize {

/// Tag 0x0112 in IFD0 of a TIFF structure (what follows "Exif\0\0" in a JPEG; a PNG's eXIf chunk):
/// type SHORT or LONG, count 1, value 1..8. No other directory is followed.
int exif_orientation(std::span<const std::uint8_t> tiff);

/// Of the first APP1 "Exif\0\0" segment before the first scan.
int jpeg_orientation(std::span<const std::uint8_t> jpeg);

/// Of the first eXIf chunk whose CRC is right.
int png_orientation(std::span<const std::uint8_t> png);

}  // namespace sluice::image_resize
