#include "image_resize/settings.hpp"

#include <simdjson.h>

#include <array>
#include <utility>

namespace sluice::image_resize {
namespace {

template <class T, std::size_t N>
std::optional<T> by_name(const std::array<std::pair<std::string_view, T>, N>& names, std::string_view name) {
  for (const auto& [word, value] : names) {
    if (word == name) return value;
  }
  return std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::expected<std::uint32_t, std::string> side_of(simdjson::dom::element value, std::uint32_t side_max) {
  std::uint64_t side = 0;
  if (value.get(side) != simdjson::SUCCESS || side == 0 || side > side_max) {
    return std::unexpected("a side must be a whole number from 1 to " + std::to_string(side_max));
  }
  return static_cast<std::uint32_t>(side);
}

std::expected<Box, std::string> box_of(simdjson::dom::element value, std::uint32_t side_max) {
  Box box;
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    auto side = side_of(value, side_max);
    if (!side) return std::unexpected(side.error());
    return Box{*side, *side};
  }
  for (auto [key, member] : object) {
    if (key != "width" && key != "height") {
      return std::unexpected("unknown key '" + std::string(key) + "': a size has 'width' and 'height'");
    }
    auto side = side_of(member, side_max);
    if (!side) return std::unexpected(side.error());
    (key == "width" ? box.width : box.height) = *side;
  }
  if (!box.width && !box.height) return std::unexpected(std::string("a size needs 'width' or 'height'"));
  return box;
}

}  // namespace

const char* content_type(Format format) { return format == Format::png ? "image/png" : "image/jpeg"; }

std::optional<Fit> fit_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Fit>, 5> kNames{{{"inside", Fit::inside},
                                                                          {"outside", Fit::outside},
                                                                          {"cover", Fit::cover},
                                                                          {"contain", Fit::contain},
                                                                          {"fill", Fit::fill}}};
  return by_name(kNames, name);
}

std::optional<Position> position_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Position>, 9> kNames{
      {{"centre", Position::centre},
       {"north", Position::north},
       {"northeast", Position::northeast},
       {"east", Position::east},
       {"southeast", Position::southeast},
       {"south", Position::south},
       {"southwest", Position::southwest},
       {"west", Position::west},
       {"northwest", Position::northwest}}};
  return by_name(kNames, name);
}

std::optional<Filter> filter_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Filter>, 7> kNames{{{"nearest", Filter::nearest},
                                                                             {"box", Filter::box},
                                                                             {"triangle", Filter::triangle},
                                                                             {"catmull_rom", Filter::catmull_rom},
                                                                             {"mitchell", Filter::mitchell},
                                                                             {"lanczos2", Filter::lanczos2},
                                                                             {"lanczos3", Filter::lanczos3}}};
  return by_name(kNames, name);
}

std::expected<Colour, std::string> parse_colour(std::string_view text) {
  if (text == "white") return Colour{255, 255, 255, 255};
  if (text == "black") return Colour{0, 0, 0, 255};
  if (text == "transparent") return Colour{0, 0, 0, 0};
  std::array<std::uint8_t, 4> parts{0, 0, 0, 255};
  bool good = text.starts_with('#') && (text.size() == 4 || text.size() == 7 || text.size() == 9);
  std::size_t digits = text.size() == 4 ? 1 : 2;
  for (std::size_t i = 0; good && 1 + i * digits < text.size(); ++i) {
    int high = hex_digit(text[1 + i * digits]);
    int low = digits == 1 ? high : hex_digit(text[2 + i * digits]);
    good = high >= 0 && low >= 0;
    if (good) parts[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!good) {
    return std::unexpected("'" + std::string(text) +
                           "' is no colour: write #rgb, #rrggbb, #rrggbbaa, white, black or transparent");
  }
  return Colour{parts[0], parts[1], parts[2], parts[3]};
}

std::expected<std::vector<Box>, std::string> parse_sizes(std::string_view json, std::uint32_t side_max) {
  simdjson::dom::parser parser;
  simdjson::dom::array array;
  if (parser.parse(json.data(), json.size()).get(array) != simdjson::SUCCESS) {
    return std::unexpected(std::string("must be an array such as [16, 32, {\"width\": 64}]"));
  }
  std::vector<Box> boxes;
  for (simdjson::dom::element value : array) {
    auto box = box_of(value, side_max);
    if (!box) return std::unexpected(box.error());
    boxes.push_back(*box);
  }
  if (boxes.empty()) return std::unexpected(std::string("must name at least one size"));
  if (boxes.size() > kOutputsMax) {
    return std::unexpected("has " + std::to_string(boxes.size()) + " sizes; at most " + std::to_string(kOutputsMax));
  }
  return boxes;
}

}  // namespace sluice::image_resize
