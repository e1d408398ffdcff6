// One element of the array that stands at a leaf of a filter policy.
#pragma once

#include <cstddef>
#include <expected>

#include "base/json.hpp"
#include "filter/policy.hpp"

namespace sluice::core {

/// More stars in one pattern are refused: each may be active at once on every byte of a value.
inline constexpr std::size_t kPatternStarsMax = 32;

/// Reads `value`: a bare value, or an object with one operator. The errors are event-ruler's, which
/// are SNS's. `profile` sns refuses the operators that SNS does not know.
std::expected<ValueMatcher, PolicyError> parse_matcher(const Json& value, FilterProfile profile);

}  // namespace sluice::core
