// "did you mean": the nearest of some known names to a wrong one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sluice::core {

/// Insertions, deletions, replacements and swaps of neighbours between `a` and `b` (optimal string
/// alignment). Work is |a| x |b|: REQUIRES short names.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `wrong`, the first of equals; empty if none is near: more than a third
/// of the letters differ. Case and `-` against `_` count nothing. Points into `candidates`.
std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> candidates);
std::string_view nearest_name(std::string_view wrong, std::span<const std::string> candidates);

/// `: did you mean "NAME"?`, or nothing if `nearest` is empty. To be put behind an error's text.
std::string did_you_mean(std::string_view nearest);

}  // namespace sluice::core
