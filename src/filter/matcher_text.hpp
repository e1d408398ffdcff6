// Matchers as people write them in a filter policy, for explanations.
#pragma once

#include <string>

#include "filter/policy.hpp"

namespace sluice::core {

/// JSON that parse_matcher() reads, in profile extended, as a matcher that takes the same leaves.
/// What parsing forgot (the case of text under ignore-case, host bits) is as the matcher has it.
std::string to_text(const ValueMatcher& matcher);

}  // namespace sluice::core
