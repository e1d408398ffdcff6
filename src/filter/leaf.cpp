#include "filter/leaf.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "filter/case_folding.hpp"

namespace sluice::core {
namespace {

/// `pieces` lie in `value` one behind the other, the first at its begin and the last at its end.
/// The earliest place for each piece between is as good as any.
bool matches_pieces(const std::vector<std::string>& pieces, std::string_view value) {
  const std::string& first = pieces.front();
  const std::string& last = pieces.back();
  if (value.size() < first.size() + last.size() || !value.starts_with(first) ||
      !value.ends_with(last)) {
    return false;
  }
  value = value.substr(first.size(), value.size() - first.size() - last.size());
  for (std::size_t i = 1; i + 1 < pieces.size(); ++i) {
    // memmem: string_view::find() takes time by the product of the lengths.
    const void* at = memmem(value.data(), value.size(), pieces[i].data(), pieces[i].size());
    if (at == nullptr) {
      return false;
    }
    value.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(at) - value.data()) +
                        pieces[i].size());
  }
  return true;
}

bool takes_string(const ValueMatcher& matcher, std::string_view value) {
  switch (matcher.kind) {
    case MatcherKind::exact_string:
      return matcher.text == value;
    case MatcherKind::prefix:
      return value.starts_with(matcher.text);
    case MatcherKind::suffix:
      return value.ends_with(matcher.text);
    case MatcherKind::equals_ignore_case:
      return fold_case(value) == matcher.text;
    case MatcherKind::prefix_ignore_case:
      return fold_case(value).starts_with(matcher.text);
    case MatcherKind::suffix_ignore_case:
      return fold_case(value).ends_with(matcher.text);
    case MatcherKind::wildcard:
      return matches_pieces(matcher.pieces, value);
    case MatcherKind::cidr: {
      const std::optional<IpAddress> address = parse_address(value);
      return address && matcher.block.contains(*address);
    }
    default:
      return false;
  }
}

bool takes_number(const ValueMatcher& matcher, const Leaf& leaf) {
  if (matcher.kind == MatcherKind::exact_number) {
    return std::isinf(matcher.number) ? matcher.text == leaf.text : matcher.number == leaf.number;
  }
  return matcher.kind == MatcherKind::numeric_range && std::isfinite(leaf.number) &&
         matcher.range.contains(leaf.number);
}

}  // namespace

bool takes(const ValueMatcher& matcher, const Leaf& leaf) {
  if (leaf.kind == Leaf::Kind::damaged) {
    return false;
  }
  if (matcher.kind == MatcherKind::exists) {
    return true;
  }
  if (matcher.kind == MatcherKind::anything_but) {
    return std::ranges::none_of(matcher.excluded,
                                [&](const ValueMatcher& each) { return takes(each, leaf); });
  }
  switch (leaf.kind) {
    case Leaf::Kind::string:
      return takes_string(matcher, leaf.text);
    case Leaf::Kind::number:
      return takes_number(matcher, leaf);
    case Leaf::Kind::literal_true:
      return matcher.kind == MatcherKind::literal_true;
    case Leaf::Kind::literal_false:
      return matcher.kind == MatcherKind::literal_false;
    case Leaf::Kind::literal_null:
      return matcher.kind == MatcherKind::literal_null;
    case Leaf::Kind::damaged:
      break;
  }
  return false;
}

}  // namespace sluice::core
