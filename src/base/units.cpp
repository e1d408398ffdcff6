#include "base/units.hpp"

#include <fmt/format.h>

#include <cassert>
#include <charconv>
#include <span>

#include "base/json.hpp"

namespace sluice::core {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Ascending, each a multiple of the one before.
constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"B", 1},
                           {"KiB", std::int64_t{1} << 10},
                           {"MiB", std::int64_t{1} << 20},
                           {"GiB", std::int64_t{1} << 30},
                           {"TiB", std::int64_t{1} << 40}};

struct Quantity {
  std::span<const Unit> units;
  std::string_view names;  ///< for errors
  std::string_view example;
};
constexpr Quantity kDuration = {kDurations, "ms, s, m, h or d", "75s"};
constexpr Quantity kSize = {kSizes, "B, KiB, MiB, GiB or TiB", "256KiB"};

/// What people write instead ("KB", "sec", "kib"); empty: no idea.
std::string_view meant(std::string_view unit) {
  struct Alias {
    std::string_view wrong, right;
  };
  static constexpr Alias kAliases[] = {
      {"b", "B"},     {"k", "KiB"},    {"K", "KiB"},     {"kb", "KiB"},  {"KB", "KiB"},
      {"kB", "KiB"},  {"kib", "KiB"},  {"M", "MiB"},     {"mb", "MiB"},  {"MB", "MiB"},
      {"mib", "MiB"}, {"G", "GiB"},    {"gb", "GiB"},    {"GB", "GiB"},  {"gib", "GiB"},
      {"T", "TiB"},   {"tb", "TiB"},   {"TB", "TiB"},    {"tib", "TiB"}, {"sec", "s"},
      {"secs", "s"},  {"second", "s"}, {"seconds", "s"}, {"S", "s"},     {"min", "m"},
      {"mins", "m"},  {"minute", "m"}, {"minutes", "m"}, {"hour", "h"},  {"hours", "h"},
      {"H", "h"},     {"day", "d"},    {"days", "d"},    {"D", "d"},     {"msec", "ms"},
      {"MS", "ms"}};
  for (const Alias& alias : kAliases) {
    if (alias.wrong == unit) {
      return alias.right;
    }
  }
  return {};
}

std::unexpected<std::string> unknown_unit(std::string_view text, std::string_view unit,
                                          const Quantity& quantity) {
  const std::string_view right = meant(unit);
  for (const Unit& candidate : quantity.units) {
    if (!right.empty() && candidate.name == right) {
      return std::unexpected(fmt::format("{} has unit {}: did you mean {}?", json_quote(text),
                                         json_quote(unit), json_quote(right)));
    }
  }
  return std::unexpected(
      fmt::format("{} has no unit of {}: write a whole number and one unit, as {}",
                  json_quote(text), quantity.names, json_quote(quantity.example)));
}

std::expected<std::int64_t, std::string> parse(std::string_view text, const Quantity& quantity) {
  if (text.size() > 64) {
    return std::unexpected(fmt::format("{}... is too long: write a whole number and a unit, as {}",
                                       json_quote(text.substr(0, 32)),
                                       json_quote(quantity.example)));
  }
  // from_chars takes a leading minus; a quantity has none.
  if (text.empty() || text.front() < '0' || text.front() > '9') {
    return std::unexpected(
        fmt::format("{} begins with no digit: write a whole number and a unit, as {}",
                    json_quote(text), json_quote(quantity.example)));
  }
  std::int64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc()) {
    return std::unexpected(fmt::format("{} is too large", json_quote(text)));
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty()) {
    return std::unexpected(fmt::format("{} needs a unit: {}", json_quote(text), quantity.names));
  }
  for (const Unit& candidate : quantity.units) {
    if (candidate.name == unit) {
      std::int64_t value = 0;
      if (__builtin_mul_overflow(count, candidate.factor, &value)) {
        return std::unexpected(fmt::format("{} is too large", json_quote(text)));
      }
      return value;
    }
  }
  return unknown_unit(text, unit, quantity);
}

std::string format(std::int64_t value, const Quantity& quantity) {
  assert(value >= 0);
  const Unit* best = &quantity.units.front();
  for (const Unit& candidate : quantity.units) {
    if (value != 0 && value % candidate.factor == 0) {
      best = &candidate;
    }
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

std::expected<std::int64_t, std::string> parse_duration(std::string_view text) {
  return parse(text, kDuration);
}
std::expected<std::int64_t, std::string> parse_size(std::string_view text) {
  return parse(text, kSize);
}
std::string format_duration(std::int64_t ms) {
  return format(ms, kDuration);
}
std::string format_size(std::int64_t bytes) {
  return format(bytes, kSize);
}
std::string count_text(std::uint64_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace sluice::core
