#include "filter/matcher_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace sluice::core {
namespace {

std::string operator_text(std::string_view name, std::string_view argument) {
  return fmt::format("{{\"{}\":{}}}", name, argument);
}

/// The text with its own stars and backslashes escaped, as a wildcard pattern has it.
std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    pattern += c == '*' || c == '\\' ? "\\" : "";
    pattern += c;
  }
  return pattern;
}

/// As a pattern, quoted. REQUIRES: a wildcard, or what a simple pattern becomes.
std::string pattern_text(const ValueMatcher& matcher) {
  if (matcher.kind == MatcherKind::prefix) {
    return json_quote(escaped(matcher.text) + "*");
  }
  if (matcher.kind == MatcherKind::suffix) {
    return json_quote("*" + escaped(matcher.text));
  }
  if (matcher.kind == MatcherKind::exact_string) {
    return json_quote(escaped(matcher.text));
  }
  std::vector<std::string> pieces;
  for (const std::string& piece : matcher.pieces) {
    pieces.push_back(escaped(piece));
  }
  return json_quote(fmt::format("{}", fmt::join(pieces, "*")));
}

/// All groups of an IPv6 address: the short forms have spellings that are no address here.
std::string address_text(const IpAddress& address) {
  const auto& bytes = address.bytes;
  if (address.family == IpAddress::Family::v4) {
    return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
  }
  std::vector<std::string> groups;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    groups.push_back(fmt::format("{:x}", bytes[i] * 256 + bytes[i + 1]));
  }
  return fmt::format("{}", fmt::join(groups, ":"));
}

std::string block_text(const CidrBlock& block) {
  const std::string address = address_text(block.network);
  return block.bits == block.network.bits()
             ? fmt::format("\"{}\"", address)
             : operator_text("cidr", fmt::format("\"{}/{}\"", address, block.bits));
}

std::string number_text(const ValueMatcher& matcher) {
  return std::isinf(matcher.number) ? matcher.text : fmt::format("{}", matcher.number);
}

std::string range_text(const NumericRange& range) {
  std::vector<std::string> bounds;
  if (std::isfinite(range.low)) {
    bounds.push_back(fmt::format("\">{}\",{}", range.low_inclusive ? "=" : "", range.low));
  }
  if (std::isfinite(range.high)) {
    bounds.push_back(fmt::format("\"<{}\",{}", range.high_inclusive ? "=" : "", range.high));
  }
  return operator_text("numeric", fmt::format("[{}]", fmt::join(bounds, ",")));
}

/// What is excluded, as the argument of anything-but.
std::string excluded_text(const std::vector<ValueMatcher>& excluded) {
  const MatcherKind kind = excluded.front().kind;
  const bool is_pattern = std::ranges::any_of(excluded, [&](const ValueMatcher& each) {
    const bool is_affix = kind == MatcherKind::prefix || kind == MatcherKind::suffix;
    return each.kind != kind || kind == MatcherKind::wildcard || (is_affix && each.text.empty());
  });
  std::vector<std::string> values;
  for (const ValueMatcher& each : excluded) {
    values.push_back(is_pattern                               ? pattern_text(each)
                     : each.kind == MatcherKind::exact_number ? number_text(each)
                                                              : json_quote(each.text));
  }
  const std::string list = fmt::format("[{}]", fmt::join(values, ","));
  if (is_pattern) {
    return operator_text("wildcard", list);
  }
  switch (kind) {
    case MatcherKind::prefix:
      return operator_text("prefix", list);
    case MatcherKind::suffix:
      return operator_text("suffix", list);
    case MatcherKind::equals_ignore_case:
      return operator_text("equals-ignore-case", list);
    default:
      return list;
  }
}

}  // namespace

std::string to_text(const ValueMatcher& matcher) {
  switch (matcher.kind) {
    case MatcherKind::exact_string:  // a bare string that spells an address would mean the address
      return parse_address(matcher.text) ? operator_text("exactly", json_quote(matcher.text))
                                         : json_quote(matcher.text);
    case MatcherKind::prefix:
      return operator_text("prefix", json_quote(matcher.text));
    case MatcherKind::suffix:
      return operator_text("suffix", json_quote(matcher.text));
    case MatcherKind::equals_ignore_case:
      return operator_text("equals-ignore-case", json_quote(matcher.text));
    case MatcherKind::prefix_ignore_case:
      return operator_text("prefix", operator_text("equals-ignore-case", json_quote(matcher.text)));
    case MatcherKind::suffix_ignore_case:
      return operator_text("suffix", operator_text("equals-ignore-case", json_quote(matcher.text)));
    case MatcherKind::wildcard:
      return operator_text("wildcard", pattern_text(matcher));
    case MatcherKind::cidr:
      return block_text(matcher.block);
    case MatcherKind::exact_number:
      return number_text(matcher);
    case MatcherKind::numeric_range:
      return range_text(matcher.range);
    case MatcherKind::literal_true:
      return "true";
    case MatcherKind::literal_false:
      return "false";
    case MatcherKind::literal_null:
      return "null";
    case MatcherKind::exists:
      return operator_text("exists", "true");
    case MatcherKind::absent:
      return operator_text("exists", "false");
    case MatcherKind::anything_but:
      return operator_text("anything-but", excluded_text(matcher.excluded));
  }
  return {};
}

}  // namespace sluice::core
