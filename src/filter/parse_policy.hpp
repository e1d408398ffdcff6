// From the text of a filter policy to its data. Pure; any thread.
#pragma once

#include <cstddef>
#include <expected>
#include <string_view>

#include "filter/policy.hpp"

namespace sluice::core {

// What Amazon SNS allows, in profile sns (Developer Guide, "Filter policy constraints").
inline constexpr std::size_t kSnsPolicyBytesMax = 256 << 10;
inline constexpr std::size_t kSnsKeysMax = 5;  ///< different members of the outermost object
/// Over the branches, the sum of the product over the clauses of matchers times depth of nesting.
inline constexpr double kSnsCombinationsMax = 150;

// The engine's own caps, in both profiles: whatever the text, parsing it and compiling what comes
// out takes bounded memory and time. kPatternStarsMax (parse_matcher.hpp) is one of them.
/// Room for some ten thousand values; a configuration file is read up to 16 MiB.
inline constexpr std::size_t kPolicyBytesMax = 1 << 20;
/// The reader recurses, and each level may be one more place where `$or` multiplies.
inline constexpr int kPolicyDepthMax = 64;
/// JSON values, matchers and what stands under anything-but among them; each takes about 150 bytes.
inline constexpr std::size_t kPolicyValuesMax = 100'000;
/// Stars in all patterns together: a wildcard matcher keeps a state for each.
inline constexpr std::size_t kPolicyStarsMax = 4096;
/// Every `$or` multiplies the branches, so this is looked at before the first one is made.
inline constexpr std::size_t kBranchesMax = 1024;
/// What the parsed policy takes, since each branch holds a copy of what all have in common.
inline constexpr std::size_t kPolicyMemoryMax = 16 << 20;

/// Parses and checks `text`. The empty text means no filtering: a policy that matches everything;
/// so does "{}" in profile sns.
std::expected<FilterPolicy, PolicyError> parse_policy(std::string_view text, FilterScope scope,
                                                      FilterProfile profile);

}  // namespace sluice::core
