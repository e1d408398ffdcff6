// What a subscription's filter policy says, as data: parsed, checked and decoded (escapes, numbers,
// addresses, wildcards), in the form that the matcher is compiled from. Plain values, immutable
// once parsed, safe to share.
//
// Meaning. A policy matches when one of its branches does. A branch matches when all of its clauses
// hold together: for each, in the order of their paths, there is a field with that path and a
// matcher of the clause that takes it (or `absent` and no such field), and no two of the chosen
// fields lie in different elements of the same array. A branch without clauses, which only the
// empty policy has, matches every message, whatever its body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "filter/address.hpp"

namespace sluice::core {

/// Which part of a message a policy looks at.
enum class FilterScope : std::uint8_t { message_attributes, message_body };

/// `sns`: takes what Amazon SNS takes, with its limits. `extended`: all operators of event-ruler,
/// without the limits on keys and combinations. Both keep the engine's own caps (parse_policy.hpp).
enum class FilterProfile : std::uint8_t { sns, extended };

enum class MatcherKind : std::uint8_t {
  // A string (`text`) that ...
  exact_string,
  prefix,
  suffix,
  equals_ignore_case,  ///< `text` is folded (case_folding.hpp), here and in the next two
  prefix_ignore_case,
  suffix_ignore_case,
  wildcard,  ///< `pieces`
  cidr,      ///< spells an address in `block`
  // A number that ...
  exact_number,   ///< equals `number`; where that is infinite, has the literal `text`
  numeric_range,  ///< lies in `range`
  // The literal.
  literal_true,
  literal_false,
  literal_null,
  // Any leaf at all; any leaf that none of `excluded` takes; no leaf.
  exists,
  anything_but,
  absent,
};

/// The finite numbers between two bounds. An open side is infinite and not inclusive.
struct NumericRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_inclusive = false;
  bool high_inclusive = false;

  bool contains(double number) const {
    return (low_inclusive ? low <= number : low < number) &&
           (high_inclusive ? number <= high : number < high);
  }
  bool operator==(const NumericRange&) const = default;
};

/// One condition on one leaf. `kind` says which of the other members are used.
struct ValueMatcher {
  MatcherKind kind = MatcherKind::exact_string;
  std::string text;
  double number = 0;  ///< never -0
  NumericRange range;
  CidrBlock block;
  /// What stands between the stars, so one more than there are stars; unescaped. A pattern without
  /// a star, or with one at its begin or end alone, is an exact_string, suffix or prefix instead.
  std::vector<std::string> pieces;
  /// Not empty. All of one kind, but that patterns of wildcard may be of those named above.
  std::vector<ValueMatcher> excluded;

  bool operator==(const ValueMatcher&) const = default;
};

/// A path and what is asked of it: one of `matchers`, which is not empty.
struct FilterClause {
  std::string path;  ///< member names joined by dots; in the attribute scope the attribute's name
  std::vector<ValueMatcher> matchers;

  bool operator==(const FilterClause&) const = default;
};

struct FilterBranch {
  std::vector<FilterClause> clauses;  ///< sorted by path (bytes), each path once

  bool operator==(const FilterBranch&) const = default;
};

struct FilterPolicy {
  FilterScope scope = FilterScope::message_attributes;
  std::vector<FilterBranch> branches;  ///< not empty

  bool operator==(const FilterPolicy&) const = default;
};

/// Bytes that a policy takes, what it points to included.
std::size_t memory_of(const FilterPolicy& policy);

/// Why a text is no filter policy, in the words of Amazon SNS where it has some, and the byte of
/// the text where that shows.
struct PolicyError {
  std::string text;
  std::size_t offset = 0;
};

/// "line:column: text", both from 1, the column in characters. `policy` is the text that was
/// parsed.
std::string with_position(const PolicyError& error, std::string_view policy);

}  // namespace sluice::core
