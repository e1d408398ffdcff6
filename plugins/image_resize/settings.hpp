// What the stage is asked to do, as plain data.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image_resize/geometry.hpp"
#include "image_resize/picture.hpp"
#include "image_resize/weights.hpp"

namespace sluice::image_resize {

enum class Format : std::uint8_t { png, jpeg };

/// "image/png", "image/jpeg".
const char* content_type(Format format);

/// All checked before pixel memory is taken.
struct Limits {
  std::uint64_t input_bytes_max = 64 << 20;
  std::uint64_t pixels_max = 100'000'000;
  std::uint64_t memory_max = 512 << 20;         ///< one picture's estimate, by its header
  std::uint32_t side_max = 65'535;
  std::uint32_t output_side_max = 16'384;
  std::uint64_t output_pixels_max = 64'000'000; ///< one output
  std::uint32_t scans_max = 100;
  std::uint32_t warnings_max = 1000;
};

inline constexpr std::size_t kOutputsMax = 32;

struct Settings {
  std::vector<Box> boxes;               ///< one output each, 1..kOutputsMax
  Fit fit = Fit::inside;
  Position position = Position::centre;
  std::optional<Colour> background;     ///< default: white for JPEG, transparent for PNG
  bool enlarge = false;
  Filter filter = Filter::lanczos3;
  std::optional<Format> format;         ///< default: that of the input
  int quality = 80;
  bool progressive = false;
  int compression_level = 6;
  bool autorotate = true;
  bool strict = true;                   ///< fail_on: warning
  Limits limits;
};

/// The enumerations by their names in the configuration; nullopt for any other word.
std::optional<Fit> fit_of(std::string_view name);
std::optional<Position> position_of(std::string_view name);
std::optional<Filter> filter_of(std::string_view name);

/// "#rgb", "#rrggbb", "#rrggbbaa", "white", "black" or "transparent". Error: what is wrong.
std::expected<Colour, std::string> parse_colour(std::string_view text);

/// A JSON array of sides (a number is a square box) and {"width", "height"} objects with at least one
/// of them. Error: what is wrong.
std::expected<std::vector<Box>, std::string> parse_sizes(std::string_view json, std::uint32_t side_max);

}  // namespace sluice::image_resize
