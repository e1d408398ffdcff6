// Sizes and places: from the picture's size and the wanted box to what is resampled, cropped and
// padded. Pure functions on numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace sluice::image_resize {

enum class Fit : std::uint8_t { inside, outside, cover, contain, fill };

/// Which part stays when `cover` crops, and where `contain` puts the picture.
enum class Position : std::uint8_t {
  centre, north, northeast, east, southeast, south, southwest, west, northwest
};

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool operator==(const Size&) const = default;
};

/// A wanted box. A missing side follows from the picture's aspect; at least one is there.
struct Box {
  std::optional<std::uint32_t> width, height;
};

struct Rectangle {
  std::uint32_t x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Rectangle&) const = default;
};

/// How one output comes from the picture, all upright (or all as stored, after as_stored()).
struct Placement {
  Size scaled;     ///< the whole picture at the new scale
  Rectangle crop;  ///< the part of `scaled` that is computed
  Size canvas;     ///< the output; larger than the crop only with `contain`
  std::uint32_t x = 0, y = 0;  ///< where the crop lies on the canvas
  bool operator==(const Placement&) const = default;
};

/// The sizes of Pillow's Image.thumbnail: as big as fits into `box`, never larger than `picture`; the
/// side that follows is rounded to whichever neighbour keeps the ratio better.
Size thumbnail_size(Size picture, Box box);

/// REQUIRES: no side of `picture` is 0; `box` has a side; no given side is 0.
Placement place(Size picture, Box box, Fit fit, Position position, bool enlarge);

/// `size` with its sides exchanged where EXIF `orientation` (1..8) lies on its side.
Size turned(Size size, int orientation);

/// The rectangle of a stored picture that becomes `upright` when `orientation` is applied.
/// `scaled` is the upright size of the whole.
Rectangle as_stored(Rectangle upright, Size scaled, int orientation);

/// Denominator (1, 2, 4, 8) of the JPEG scale that leaves at least twice the size for the real
/// filter; `ratio` = upright input / output, the least over axes and outputs.
int dct_denominator(double ratio);

}  // namespace sluice::image_resize
