// One value of a message that a filter policy may look at.
#pragma once

#include <cstdint>
#include <string_view>

#include "filter/policy.hpp"

namespace sluice::core {

struct Leaf {
  /// `damaged`: an attribute whose value is not of its type. It is there, and nothing takes it.
  enum class Kind : std::uint8_t {
    string,
    number,
    literal_true,
    literal_false,
    literal_null,
    damaged
  };

  Kind kind = Kind::string;
  std::string_view text;  ///< a string's characters, decoded; a number's literal
  double number = 0;      ///< correctly rounded; infinite if it does not fit
};

/// Whether one matcher takes one leaf, by the definition of the policy's words and without any
/// index. REQUIRES: the kind is not `absent`.
bool takes(const ValueMatcher& matcher, const Leaf& leaf);

}  // namespace sluice::core
