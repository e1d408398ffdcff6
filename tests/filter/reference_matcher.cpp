#include "filter/reference_matcher.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "filter/case_folding.hpp"

namespace sluice::test {

namespace {

using core::FilterBranch;
using core::FilterClause;
using core::Json;
using core::MatcherKind;
using core::ValueMatcher;

/// Which element of which array something lies in: array id -> index.
using Membership = std::map<int, std::size_t>;

struct Field {
  std::string path;
  std::optional<Json> value;  ///< a leaf; none: the attribute is there but damaged
  Membership membership;
};

/// A message's fields.
class Flattening {
 public:
  std::vector<Field> fields;

  void add(const Json& value, const std::string& path, const Membership& membership) {
    if (value.type == Json::Type::object) {
      for (const core::JsonMember& member : value.members) {
        add(member.value, path + "." + member.name, membership);
      }
    } else if (value.type == Json::Type::array) {
      add_array(value, path, membership);
    } else {
      fields.push_back({path, value, membership});
    }
  }

 private:
  void add_array(const Json& array, const std::string& path, const Membership& membership) {
    const int id = arrays_++;
    for (std::size_t i = 0; i < array.items.size(); ++i) {
      const Json& item = array.items[i];
      Membership inside = membership;
      if (item.type == Json::Type::object || item.type == Json::Type::array) {
        inside[id] = i;
      }
      add(item, path, inside);
    }
  }

  int arrays_ = 0;
};

std::optional<Json> read_json(std::string_view text) {
  auto json = core::parse_json(
      text, {.depth_max = 1000, .allow_duplicate_names = true, .allow_infinite_numbers = true});
  return json ? std::optional(std::move(*json)) : std::nullopt;
}

/// nullopt: the body is no JSON object.
std::optional<std::vector<Field>> body_fields(const core::MessageText& message) {
  const std::optional<Json> body = read_json(message.body);
  if (!body || body->type != Json::Type::object) {
    return std::nullopt;
  }
  Flattening flattening;
  for (const core::JsonMember& member : body->members) {
    flattening.add(member.value, member.name, {});
  }
  return flattening.fields;
}

std::vector<Field> attribute_fields(const core::MessageText& message) {
  Flattening flattening;
  for (const core::MessageText::Attribute& attribute : message.attributes) {
    if (attribute.type == SLUICE_BINARY) {
      continue;
    }
    if (attribute.type == SLUICE_STRING) {
      Json text;
      text.type = Json::Type::string;
      text.text = attribute.value;
      flattening.add(text, attribute.name, {});
      continue;
    }
    const auto type = attribute.type == SLUICE_NUMBER ? Json::Type::number : Json::Type::array;
    const std::optional<Json> value = read_json(attribute.value);
    const auto is_scalar = [](const Json& item) {
      return item.type != Json::Type::object && item.type != Json::Type::array;
    };
    if (value && value->type == type && std::ranges::all_of(value->items, is_scalar)) {
      flattening.add(*value, attribute.name, {});
    } else {
      flattening.fields.push_back({attribute.name, std::nullopt, {}});
    }
  }
  return flattening.fields;
}

bool covers(std::span<const std::string> pieces, std::string_view text) {
  if (!text.starts_with(pieces.front())) {
    return false;
  }
  text.remove_prefix(pieces.front().size());
  if (pieces.size() == 1) {
    return text.empty();
  }
  for (std::size_t skipped = 0; skipped <= text.size(); ++skipped) {
    if (covers(pieces.subspan(1), text.substr(skipped))) {
      return true;
    }
  }
  return false;
}

bool takes_string(const ValueMatcher& matcher, const std::string& text) {
  switch (matcher.kind) {
    case MatcherKind::exact_string:
      return text == matcher.text;
    case MatcherKind::prefix:
      return text.starts_with(matcher.text);
    case MatcherKind::suffix:
      return text.ends_with(matcher.text);
    case MatcherKind::equals_ignore_case:
      return core::fold_case(text) == matcher.text;
    case MatcherKind::prefix_ignore_case:
      return core::fold_case(text).starts_with(matcher.text);
    case MatcherKind::suffix_ignore_case:
      return core::fold_case(text).ends_with(matcher.text);
    case MatcherKind::wildcard:
      return covers(matcher.pieces, text);
    case MatcherKind::cidr: {
      const auto address = core::parse_address(text);
      return address && matcher.block.contains(*address);
    }
    default:
      return false;
  }
}

bool takes_number(const ValueMatcher& matcher, const Json& number) {
  if (matcher.kind == MatcherKind::numeric_range) {
    return matcher.range.contains(number.number);
  }
  return matcher.kind == MatcherKind::exact_number && number.number == matcher.number &&
         (matcher.text.empty() || matcher.text == number.text);
}

bool takes(const ValueMatcher& matcher, const Json& leaf) {
  if (matcher.kind == MatcherKind::exists) {
    return true;
  }
  if (matcher.kind == MatcherKind::anything_but) {
    return std::ranges::none_of(
        matcher.excluded, [&](const ValueMatcher& excluded) { return takes(excluded, leaf); });
  }
  switch (leaf.type) {
    case Json::Type::string:
      return takes_string(matcher, leaf.text);
    case Json::Type::number:
      return takes_number(matcher, leaf);
    case Json::Type::null:
      return matcher.kind == MatcherKind::literal_null;
    default:
      return matcher.kind ==
             (leaf.boolean ? MatcherKind::literal_true : MatcherKind::literal_false);
  }
}

bool agree(const Membership& one, const Membership& other) {
  return std::ranges::all_of(one, [&](const auto& entry) {
    const auto found = other.find(entry.first);
    return found == other.end() || found->second == entry.second;
  });
}

/// Whether the clauses from `next` on can be satisfied beside what is `chosen`.
bool walk(const FilterBranch& branch, std::size_t next, const std::vector<Field>& fields,
          const Membership& chosen) {
  if (next == branch.clauses.size()) {
    return true;
  }
  const FilterClause& clause = branch.clauses[next];
  bool is_there = false;
  for (const Field& field : fields) {
    if (field.path != clause.path || !agree(field.membership, chosen)) {
      continue;
    }
    is_there = true;
    const bool taken =
        field.value && std::ranges::any_of(clause.matchers, [&](const auto& matcher) {
          return takes(matcher, *field.value);
        });
    Membership merged = chosen;
    merged.insert(field.membership.begin(), field.membership.end());
    if (taken && walk(branch, next + 1, fields, merged)) {
      return true;
    }
  }
  const bool may_be_absent = std::ranges::any_of(
      clause.matchers, [](const auto& matcher) { return matcher.kind == MatcherKind::absent; });
  return may_be_absent && !is_there && walk(branch, next + 1, fields, chosen);
}

}  // namespace

bool reference_matches(const core::FilterPolicy& policy, const core::MessageText& message) {
  const bool takes_all = std::ranges::any_of(
      policy.branches, [](const FilterBranch& branch) { return branch.clauses.empty(); });
  if (takes_all) {
    return true;
  }
  const auto fields = policy.scope == core::FilterScope::message_body
                          ? body_fields(message)
                          : std::optional(attribute_fields(message));
  return fields && std::ranges::any_of(policy.branches, [&](const FilterBranch& branch) {
           return walk(branch, 0, *fields, {});
         });
}

}  // namespace sluice::test
