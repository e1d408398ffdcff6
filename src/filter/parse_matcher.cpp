// The texts of the errors are event-ruler's (JsonRuleCompiler, CIDR, WildcardParser): SNS answers
// with the same ones, and users search for them.
#include "filter/parse_matcher.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "filter/case_folding.hpp"

namespace sluice::core {

namespace {

using Type = Json::Type;
using Parsed = std::expected<ValueMatcher, PolicyError>;

std::unexpected<PolicyError> refuse(const Json& at, std::string text) {
  return std::unexpected(PolicyError{std::move(text), at.offset});
}

ValueMatcher text_matcher(MatcherKind kind, std::string_view text) {
  const bool folds = kind == MatcherKind::equals_ignore_case ||
                     kind == MatcherKind::prefix_ignore_case ||
                     kind == MatcherKind::suffix_ignore_case;
  return {.kind = kind, .text = folds ? fold_case(text) : std::string(text)};
}

ValueMatcher number_matcher(const Json& number) {
  ValueMatcher matcher{.kind = MatcherKind::exact_number};
  matcher.number = number.number + 0.0;  // makes -0 a 0
  if (std::isinf(number.number)) {
    matcher.text = number.text;
  }
  return matcher;
}

/// The argument of an operator that takes a string; `name` as the error calls the operator.
Parsed parse_text(const Json& argument, MatcherKind kind, std::string_view name) {
  if (argument.type != Type::string) {
    return refuse(argument, fmt::format("{} match pattern must be a string", name));
  }
  return text_matcher(kind, argument.text);
}

/// The argument of prefix or suffix: a string, or {"equals-ignore-case": string}.
Parsed parse_affix(const Json& argument, bool is_prefix, FilterProfile profile) {
  const std::string_view name = is_prefix ? "prefix" : "suffix";
  if (argument.type != Type::object || profile == FilterProfile::sns) {
    return parse_text(argument, is_prefix ? MatcherKind::prefix : MatcherKind::suffix, name);
  }
  if (argument.members.empty()) {
    return refuse(argument,
                  fmt::format("{} expression name not found", is_prefix ? "Prefix" : "Suffix"));
  }
  const JsonMember& member = argument.members.front();
  if (member.name != "equals-ignore-case") {
    return std::unexpected(
        PolicyError{fmt::format("Unsupported {} pattern: {}", name, member.name), member.offset});
  }
  if (argument.members.size() > 1) {
    return std::unexpected(
        PolicyError{"Only one key allowed in match expression", argument.members[1].offset});
  }
  return parse_text(member.value,
                    is_prefix ? MatcherKind::prefix_ignore_case : MatcherKind::suffix_ignore_case,
                    "equals-ignore-case");
}

/// Of a pattern, what stands between its stars. Positions in errors count from the opening quote.
std::expected<std::vector<std::string>, PolicyError> split_pattern(const Json& argument) {
  const std::string_view pattern = argument.text;
  std::vector<std::string> pieces(1);
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char next = at + 1 < pattern.size() ? pattern[at + 1] : '\0';
    if (pattern[at] == '\\') {
      if (next != '*' && next != '\\') {
        return refuse(argument, fmt::format("Invalid escape character at pos {}", at + 1));
      }
      pieces.back() += next;
      ++at;
    } else if (pattern[at] != '*') {
      pieces.back() += pattern[at];
    } else if (next == '*') {
      return refuse(argument, fmt::format("Consecutive wildcard characters at pos {}", at + 1));
    } else if (pieces.size() > kPatternStarsMax) {
      return refuse(argument,
                    fmt::format("a wildcard pattern may have at most {} stars", kPatternStarsMax));
    } else {
      pieces.emplace_back();
    }
  }
  return pieces;
}

Parsed parse_wildcard(const Json& argument) {
  if (argument.type != Type::string) {
    return refuse(argument, "wildcard match pattern must be a string");
  }
  auto pieces = split_pattern(argument);
  if (!pieces) {
    return std::unexpected(std::move(pieces.error()));
  }
  if (pieces->size() == 1) {
    return text_matcher(MatcherKind::exact_string, pieces->front());
  }
  if (pieces->size() == 2 && pieces->back().empty()) {
    return text_matcher(MatcherKind::prefix, pieces->front());
  }
  if (pieces->size() == 2 && pieces->front().empty()) {
    return text_matcher(MatcherKind::suffix, pieces->back());
  }
  return ValueMatcher{.kind = MatcherKind::wildcard, .pieces = std::move(*pieces)};
}

/// How an error shows a value that has no business in a numeric expression.
std::string token_of(const Json& value) {
  switch (value.type) {
    case Type::string:
    case Type::number:
      return value.text;
    case Type::boolean:
      return value.boolean ? "true" : "false";
    case Type::null:
      return "null";
    case Type::array:
      return "[";
    case Type::object:
      return "{";
  }
  return {};
}

/// A bound of a numeric expression: element `index` of `list`, after the operator `name`.
std::expected<double, PolicyError> parse_bound(const Json& list, std::size_t index,
                                               std::string_view name) {
  const Json& at = index < list.items.size() ? list.items[index] : list;
  if (at.type != Type::number) {
    return refuse(at, fmt::format("Value of {} must be numeric", name));
  }
  if (std::isinf(at.number)) {
    return refuse(at, fmt::format("Cannot compare number : {}", at.text));
  }
  return at.number + 0.0;
}

/// Elements 2 and 3 of a numeric expression: the upper bound of `range`.
std::expected<NumericRange, PolicyError> parse_upper_bound(const Json& list, NumericRange range) {
  const Json& comparison = list.items[2];
  if (comparison.type != Type::string) {
    return refuse(comparison, fmt::format("Bad value in numeric range: {}", token_of(comparison)));
  }
  if (comparison.text != "<" && comparison.text != "<=") {
    return refuse(comparison, fmt::format("Bad numeric range operator: {}", comparison.text));
  }
  const auto high = parse_bound(list, 3, comparison.text);
  if (!high) {
    return std::unexpected(high.error());
  }
  if (list.items.size() > 4) {
    return refuse(list.items[4], "Too many terms in numeric range expression");
  }
  if (range.low >= *high) {
    return refuse(list.items[3], "Bottom must be less than top");
  }
  range.high = *high;
  range.high_inclusive = comparison.text == "<=";
  return range;
}

Parsed parse_numeric(const Json& list) {
  if (list.type != Type::array) {
    return refuse(list, "Value of numeric must be an array.");
  }
  if (list.items.empty() || list.items[0].type != Type::string) {
    return refuse(list.items.empty() ? list : list.items[0],
                  fmt::format("Invalid member in numeric match: {}",
                              list.items.empty() ? "]" : token_of(list.items[0])));
  }
  const std::string& comparison = list.items[0].text;
  const bool opens = comparison == ">" || comparison == ">=";
  if (!opens && comparison != "=" && comparison != "<" && comparison != "<=") {
    return refuse(list.items[0],
                  fmt::format("Unrecognized numeric range operator: {}", comparison));
  }
  const auto bound = parse_bound(list, 1, comparison == "=" ? "equals" : comparison);
  if (!bound) {
    return std::unexpected(bound.error());
  }
  if (!opens && list.items.size() > 2) {
    return refuse(list.items[2], "Too many elements in numeric expression");
  }
  if (comparison == "=") {
    return number_matcher(list.items[1]);
  }
  ValueMatcher matcher{.kind = MatcherKind::numeric_range};
  (opens ? matcher.range.low : matcher.range.high) = *bound;
  (opens ? matcher.range.low_inclusive : matcher.range.high_inclusive) = comparison.size() == 2;
  if (list.items.size() > 2) {
    const auto closed = parse_upper_bound(list, matcher.range);
    if (!closed) {
      return std::unexpected(closed.error());
    }
    matcher.range = *closed;
  }
  return matcher;
}

Parsed parse_exists(const Json& argument) {
  if (argument.type != Type::boolean) {
    return refuse(argument, "exists match pattern must be either true or false.");
  }
  return ValueMatcher{.kind = argument.boolean ? MatcherKind::exists : MatcherKind::absent};
}

/// The bits behind the slash. A sign is allowed, as Java's parseInt allows it.
std::optional<int> parse_mask_bits(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) {
    text.remove_prefix(1);
  }
  int bits = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool whole = fault == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(bits) : std::nullopt;
}

Parsed parse_cidr(const Json& argument) {
  if (argument.type != Type::string) {
    return refuse(argument, "prefix match pattern must be a string");
  }
  const std::string_view text = argument.text;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string_view::npos) {
    return refuse(argument, "Malformed CIDR, one '/' required");
  }
  const std::optional<int> bits = parse_mask_bits(text.substr(slash + 1));
  if (!bits) {
    return refuse(argument, "Malformed CIDR, mask bits must be an integer");
  }
  if (*bits < 0) {
    return refuse(argument, "Malformed CIDR, mask bits must not be negative");
  }
  const std::optional<IpAddress> address = parse_address(text.substr(0, slash));
  if (!address) {
    return refuse(argument, fmt::format("Nonstandard IP address: {}", text.substr(0, slash)));
  }
  if (*bits >= address->bits()) {
    return refuse(argument, fmt::format("IPv{} mask bits must be < {}",
                                        address->bits() == 32 ? 4 : 6, address->bits()));
  }
  return ValueMatcher{.kind = MatcherKind::cidr, .block = block_of(*address, *bits)};
}

/// What may stand under anything-but, by the operator that wraps it; exact: none does.
enum class Excluded { exact, prefix, suffix, ignore_case, wildcard };

std::optional<Excluded> excluded_by(std::string_view name, FilterProfile profile) {
  if (name == "prefix") {
    return Excluded::prefix;
  }
  if (name == "wildcard") {
    return Excluded::wildcard;
  }
  if (profile == FilterProfile::extended && name == "suffix") {
    return Excluded::suffix;
  }
  if (profile == FilterProfile::extended && name == "equals-ignore-case") {
    return Excluded::ignore_case;
  }
  return std::nullopt;
}

/// One value under anything-but. Where `form` is exact, it is a string or a number.
Parsed parse_excluded(const Json& value, Excluded form) {
  switch (form) {
    case Excluded::exact:
      return value.type == Type::number ? number_matcher(value)
                                        : text_matcher(MatcherKind::exact_string, value.text);
    case Excluded::wildcard:
      return parse_wildcard(value);
    case Excluded::ignore_case:
      if (value.type != Type::string) {
        return refuse(value,
                      "Inside anything-but/equals-ignore-case list, number|start|null|boolean is "
                      "not supported.");
      }
      return text_matcher(MatcherKind::equals_ignore_case, value.text);
    default:
      break;
  }
  if (value.type == Type::string && value.text.empty()) {
    return refuse(value, "Null prefix/suffix not allowed");
  }
  return parse_text(value, form == Excluded::prefix ? MatcherKind::prefix : MatcherKind::suffix,
                    "prefix/suffix");
}

/// The elements of a list under anything-but: all strings or all numbers, at least one.
std::optional<PolicyError> list_fault(const Json& list) {
  std::size_t numbers = 0;
  for (const Json& item : list.items) {
    if (item.type != Type::string && item.type != Type::number) {
      return PolicyError{"Inside anything but list, start|null|boolean is not supported.",
                         item.offset};
    }
    numbers += item.type == Type::number ? 1 : 0;
  }
  if (list.items.empty() || (numbers != 0 && numbers != list.items.size())) {
    return PolicyError{
        "Inside anything but list, either all values are number or string, mixed type is not "
        "supported",
        list.offset};
  }
  return std::nullopt;
}

Parsed parse_excluded_values(const Json& argument, Excluded form) {
  ValueMatcher matcher{.kind = MatcherKind::anything_but};
  const bool is_list = argument.type == Type::array;
  if (!is_list && argument.type != Type::string && argument.type != Type::number) {
    return refuse(argument,
                  "Value of anything-but must be an array or single string/number value.");
  }
  if (is_list && form == Excluded::exact) {
    if (auto fault = list_fault(argument)) {
      return std::unexpected(std::move(*fault));
    }
  }
  if (is_list && argument.items.empty()) {
    return refuse(argument, "Empty arrays are not allowed");
  }
  const Json* values = is_list ? argument.items.data() : &argument;
  for (std::size_t i = 0; i < (is_list ? argument.items.size() : 1); ++i) {
    Parsed excluded = parse_excluded(values[i], form);
    if (!excluded) {
      return excluded;
    }
    matcher.excluded.push_back(std::move(*excluded));
  }
  return matcher;
}

Parsed parse_anything_but(const Json& argument, FilterProfile profile) {
  if (argument.type != Type::object) {
    return parse_excluded_values(argument, Excluded::exact);
  }
  if (argument.members.empty()) {
    return refuse(argument, "Anything-But expression name not found");
  }
  const JsonMember& member = argument.members.front();
  const std::optional<Excluded> form = excluded_by(member.name, profile);
  if (!form) {
    return std::unexpected(PolicyError{
        fmt::format("Unsupported anything-but pattern: {}", member.name), member.offset});
  }
  // SNS, as recorded, takes one string here and has event-ruler's older words for all else.
  const Type type = member.value.type;
  if (profile == FilterProfile::sns && *form == Excluded::prefix && type != Type::string &&
      type != Type::object) {
    return refuse(member.value, "prefix match pattern must be a string");
  }
  Parsed matcher = parse_excluded_values(member.value, *form);
  if (matcher && argument.members.size() > 1) {
    return std::unexpected(
        PolicyError{"Only one key allowed in match expression", argument.members[1].offset});
  }
  return matcher;
}

Parsed parse_operator(const JsonMember& member, FilterProfile profile) {
  const Json& argument = member.value;
  if (member.name == "prefix" || member.name == "suffix") {
    return parse_affix(argument, member.name == "prefix", profile);
  }
  if (member.name == "equals-ignore-case") {
    return parse_text(argument, MatcherKind::equals_ignore_case, "equals-ignore-case");
  }
  if (member.name == "exactly") {
    return parse_text(argument, MatcherKind::exact_string, "exact");
  }
  if (member.name == "wildcard") {
    return parse_wildcard(argument);
  }
  if (member.name == "anything-but") {
    return parse_anything_but(argument, profile);
  }
  if (member.name == "numeric") {
    return parse_numeric(argument);
  }
  if (member.name == "exists") {
    return parse_exists(argument);
  }
  if (member.name == "cidr") {
    return parse_cidr(argument);
  }
  return std::unexpected(
      PolicyError{fmt::format("Unrecognized match type {}", member.name), member.offset});
}

/// A string that spells an address stands for that address, however it is spelt.
ValueMatcher bare_string(const std::string& text) {
  if (const std::optional<IpAddress> address = parse_address(text)) {
    return {.kind = MatcherKind::cidr, .block = block_of(*address, address->bits())};
  }
  return text_matcher(MatcherKind::exact_string, text);
}

}  // namespace

Parsed parse_matcher(const Json& value, FilterProfile profile) {
  switch (value.type) {
    case Type::null:
      return ValueMatcher{.kind = MatcherKind::literal_null};
    case Type::boolean:
      return ValueMatcher{.kind = value.boolean ? MatcherKind::literal_true
                                                : MatcherKind::literal_false};
    case Type::number:
      return number_matcher(value);
    case Type::string:
      return bare_string(value.text);
    case Type::array:
      return refuse(value, "Match value must be String, number, true, false, or null");
    case Type::object:
      break;
  }
  if (value.members.empty()) {
    return refuse(value, "Match expression name not found");
  }
  Parsed matcher = parse_operator(value.members.front(), profile);
  if (matcher && value.members.size() > 1) {
    return std::unexpected(
        PolicyError{"Only one key allowed in match expression", value.members[1].offset});
  }
  return matcher;
}

}  // namespace sluice::core
