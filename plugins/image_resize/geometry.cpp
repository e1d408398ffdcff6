#include "image_resize/geometry.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::image_resize {
namespace {

/// round-half-up(value * numerator / denominator), at least 1. Exact: sides are below 2^31.
std::uint32_t scaled_side(std::uint32_t value, std::uint64_t numerator, std::uint64_t denominator) {
  std::uint64_t side = (value * numerator * 2 + denominator) / (denominator * 2);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(side, 1, UINT32_MAX));
}

/// Whichever of the whole numbers around `value` has the smaller `error`, the lower one if both are
/// alike (Pillow's min(floor, ceil, key=...)); at least 1.
template <class Error>
std::uint32_t nearest_ratio(double value, Error error) {
  double low = std::floor(value);
  double high = std::ceil(value);
  double best = low >= 1 && error(low) <= error(high) ? low : high;
  return static_cast<std::uint32_t>(std::max(best, 1.0));
}

/// A fraction numerator/denominator by which both sides are scaled.
struct Scale {
  std::uint64_t numerator, denominator;
};

bool less(Scale a, Scale b) {
  return a.numerator * b.denominator < b.numerator * a.denominator;
}

Size apply(Size picture, Scale scale) {
  return {scaled_side(picture.width, scale.numerator, scale.denominator),
          scaled_side(picture.height, scale.numerator, scale.denominator)};
}

Size by_scale(Size picture, Box box, bool larger, bool enlarge) {
  Scale scale;
  if (!box.width || !box.height) {
    scale = box.width ? Scale{*box.width, picture.width} : Scale{*box.height, picture.height};
  } else {
    Scale across{*box.width, picture.width};
    Scale down{*box.height, picture.height};
    scale = less(across, down) == larger ? down : across;
  }
  if (!enlarge && scale.numerator > scale.denominator) return picture;
  return apply(picture, scale);
}

/// Where a part of length `part` lies in `whole`: -1 at the start, 0 in the middle, 1 at the end.
std::uint32_t offset(std::uint32_t whole, std::uint32_t part, int side) {
  std::uint32_t room = whole - part;
  return side < 0 ? 0 : side > 0 ? room : room / 2;
}

struct Sides {
  int x, y;
};

Sides sides_of(Position position) {
  switch (position) {
    case Position::centre: return {0, 0};
    case Position::north: return {0, -1};
    case Position::northeast: return {1, -1};
    case Position::east: return {1, 0};
    case Position::southeast: return {1, 1};
    case Position::south: return {0, 1};
    case Position::southwest: return {-1, 1};
    case Position::west: return {-1, 0};
    case Position::northwest: return {-1, -1};
  }
  return {0, 0};
}

Placement whole(Size scaled) {
  return {scaled, {0, 0, scaled.width, scaled.height}, scaled, 0, 0};
}

}  // namespace

Size thumbnail_size(Size picture, Box box) {
  double aspect = static_cast<double>(picture.width) / picture.height;
  bool by_height = !box.width;
  if (box.width && box.height) {
    by_height = static_cast<double>(*box.width) / *box.height >= aspect;
  }
  if ((!box.width || *box.width >= picture.width) && (!box.height || *box.height >= picture.height)) {
    return picture;
  }
  if (by_height) {
    double height = *box.height;
    auto width = nearest_ratio(height * aspect, [&](double n) { return std::abs(aspect - n / height); });
    return {width, *box.height};
  }
  double width = *box.width;
  auto height = nearest_ratio(width / aspect, [&](double n) { return std::abs(aspect - width / n); });
  return {*box.width, height};
}

Placement place(Size picture, Box box, Fit fit, Position position, bool enlarge) {
  bool both = box.width && box.height;
  if (fit == Fit::inside && !enlarge) return whole(thumbnail_size(picture, box));
  if (fit == Fit::inside || !both) return whole(by_scale(picture, box, false, enlarge));
  if (fit == Fit::outside) return whole(by_scale(picture, box, true, enlarge));
  Size wanted{*box.width, *box.height};
  if (fit == Fit::fill) {
    if (!enlarge) wanted = {std::min(wanted.width, picture.width), std::min(wanted.height, picture.height)};
    return whole(wanted);
  }
  Sides sides = sides_of(position);
  Placement result = whole(by_scale(picture, box, fit == Fit::cover, enlarge));
  if (fit == Fit::cover) {
    Rectangle& crop = result.crop;
    crop.width = std::min(result.scaled.width, wanted.width);
    crop.height = std::min(result.scaled.height, wanted.height);
    crop.x = offset(result.scaled.width, crop.width, sides.x);
    crop.y = offset(result.scaled.height, crop.height, sides.y);
    result.canvas = {crop.width, crop.height};
    return result;
  }
  result.canvas = wanted;
  result.x = offset(wanted.width, result.scaled.width, sides.x);
  result.y = offset(wanted.height, result.scaled.height, sides.y);
  return result;
}

Size turned(Size size, int orientation) {
  return orientation >= 5 ? Size{size.height, size.width} : size;
}

Rectangle as_stored(Rectangle upright, Size scaled, int orientation) {
  const Rectangle& u = upright;
  std::uint32_t right = scaled.width - u.x - u.width;     // from the right edge
  std::uint32_t bottom = scaled.height - u.y - u.height;  // from the bottom edge
  switch (orientation) {
    case 2: return {right, u.y, u.width, u.height};
    case 3: return {right, bottom, u.width, u.height};
    case 4: return {u.x, bottom, u.width, u.height};
    case 5: return {u.y, u.x, u.height, u.width};
    case 6: return {u.y, right, u.height, u.width};
    case 7: return {bottom, right, u.height, u.width};
    case 8: return {bottom, u.x, u.height, u.width};
    default: return upright;
  }
}

int dct_denominator(double ratio) {
  if (ratio >= 16) return 8;
  if (ratio >= 8) return 4;
  if (ratio >= 4) return 2;
  return 1;
}

}  // namespace sluice::image_resize
