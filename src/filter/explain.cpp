#include "filter/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "filter/element_check.hpp"
#include "filter/leaf.hpp"
#include "filter/matcher_text.hpp"

namespace sluice::core {
namespace {

// What of a long text, a long list, and a policy with many branches is shown.
constexpr std::size_t kTextShown = 120;  ///< bytes
constexpr std::size_t kItemsShown = 8;
constexpr std::size_t kBranchesShown = 16;

std::string cut(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && end < kTextShown) {
    end += std::max<std::size_t>(utf8_length(text, end), 1);
  }
  return std::string(text.substr(0, end)) + (end < text.size() ? "..." : "");
}

std::string shown(const Leaf& leaf) {
  switch (leaf.kind) {
    case Leaf::Kind::string:
      return json_quote(cut(leaf.text));
    case Leaf::Kind::number:
      return cut(leaf.text);
    case Leaf::Kind::literal_true:
      return "true";
    case Leaf::Kind::literal_false:
      return "false";
    case Leaf::Kind::literal_null:
      return "null";
    case Leaf::Kind::damaged:
      return leaf.text.empty() ? "a value that is no JSON"
                               : json_quote(cut(leaf.text)) + " (not of the attribute's type)";
  }
  return {};
}

/// The first of `items`, each by `text`.
template <class Items, class Text>
std::string listed(const Items& items, std::string_view separator, Text text) {
  std::string list;
  std::size_t count = 0;
  for (const auto& item : items) {
    if (count++ < kItemsShown) {
      list += list.empty() ? "" : separator;
      list += text(item);
    }
  }
  return count > kItemsShown ? fmt::format("{}{}{} more", list, separator, count - kItemsShown)
                             : list;
}

std::string wanted(const FilterClause& clause) {
  return listed(clause.matchers, " or ",
                [](const ValueMatcher& matcher) { return cut(to_text(matcher)); });
}

/// The matcher that takes the field; nullptr: none does.
const ValueMatcher* taker(const FilterClause& clause, const Field& field) {
  const auto found = std::ranges::find_if(clause.matchers, [&](const ValueMatcher& matcher) {
    return matcher.kind != MatcherKind::absent && takes(matcher, field.leaf);
  });
  return found == clause.matchers.end() ? nullptr : &*found;
}

bool may_lack(const FilterClause& clause) {
  return std::ranges::find(clause.matchers, MatcherKind::absent, &ValueMatcher::kind) !=
         clause.matchers.end();
}

using Fields = std::span<const Field>;

class Explaining {
 public:
  Explaining(const FilterPolicy& policy, const PathTree& paths, const FilterScratch& scratch)
      : policy_(policy), paths_(paths), fields_(scratch.fields) {
    std::ranges::stable_sort(fields_, {}, &Field::path);
    check_.begin(fields_, scratch.memberships);
  }

  Explanation explain() {
    Explanation failed;
    std::size_t number = 0;
    for (const FilterBranch& branch : policy_.branches) {
      ++number;
      const std::size_t holding = clauses_together(branch);
      if (holding == branch.clauses.size()) {
        return {true, told(number, "matches", holding_lines(branch, holding))};
      }
      if (number <= kBranchesShown) {
        const bool is_possible = std::ranges::all_of(
            branch.clauses, [this](const FilterClause& clause) { return can_hold(clause); });
        std::ranges::move(
            told(number, "does not match",
                 is_possible ? failing_together(branch, holding) : failing_alone(branch)),
            std::back_inserter(failed.lines));
      }
    }
    if (number > kBranchesShown) {
      failed.lines.push_back(
          fmt::format("and {} more branches that do not match", number - kBranchesShown));
    }
    return failed;
  }

 private:
  using Lines = std::vector<std::string>;

  Fields fields_of(const FilterClause& clause) const {
    const auto found =
        std::ranges::equal_range(fields_, paths_.find(clause.path), {}, &Field::path);
    return {found.begin(), found.end()};
  }

  /// Whether the clause holds by itself; with arrays around, perhaps only beside others.
  bool can_hold(const FilterClause& clause) const {
    const Fields fields = fields_of(clause);
    const auto is_taken = [&](const Field& field) { return taker(clause, field) != nullptr; };
    const auto in_element = [](const Field& field) { return field.membership != 0; };
    return std::ranges::any_of(fields, is_taken) ||
           (may_lack(clause) && (fields.empty() || std::ranges::any_of(fields, in_element)));
  }

  /// How many of the branch's first clauses hold together: all of them where it matches.
  std::size_t clauses_together(const FilterBranch& branch) {
    FilterBranch front = branch;
    std::vector<std::uint32_t> paths;
    for (const FilterClause& clause : branch.clauses) {
      paths.push_back(paths_.find(clause.path));
    }
    while (!front.clauses.empty() && check_.check(front, paths) != ElementCheck::Answer::yes) {
      front.clauses.pop_back();
      paths.pop_back();
    }
    return front.clauses.size();
  }

  Lines told(std::size_t number, std::string_view verdict, Lines clauses) const {
    if (policy_.branches.size() == 1) {
      return clauses;
    }
    for (std::string& line : clauses) {
      line.insert(0, "  ");
    }
    clauses.insert(clauses.begin(),
                   fmt::format("branch {} of {} {}:", number, policy_.branches.size(), verdict));
    return clauses;
  }

  static std::string holds_line(const FilterClause& clause, const Field* field) {
    const std::string path = json_quote(cut(clause.path));
    return field == nullptr
               ? fmt::format("+ {}: nothing there, as {{\"exists\":false}} wants", path)
               : fmt::format("+ {}: {} matches {}", path, shown(field->leaf),
                             cut(to_text(*taker(clause, *field))));
  }

  /// A field that the clause takes, nullptr: none. Another may be the one that holds beside the
  /// other clauses.
  const Field* taken(const FilterClause& clause) const {
    const Fields fields = fields_of(clause);
    const auto found = std::ranges::find_if(
        fields, [&](const Field& field) { return taker(clause, field) != nullptr; });
    return found == fields.end() ? nullptr : &*found;
  }

  /// Of the first `count` clauses, which hold.
  Lines holding_lines(const FilterBranch& branch, std::size_t count) const {
    if (branch.clauses.empty()) {
      return {"+ the policy is empty, and takes every message"};
    }
    Lines lines;
    for (std::size_t i = 0; i < count; ++i) {
      lines.push_back(holds_line(branch.clauses[i], taken(branch.clauses[i])));
    }
    return lines;
  }

  std::string fails_line(const FilterClause& clause) const {
    const Fields fields = fields_of(clause);
    const std::string found =
        fields.empty()
            ? std::string(policy_.scope == FilterScope::message_body ? "no field" : "no attribute")
            : listed(fields, ", ", [](const Field& field) { return shown(field.leaf); });
    return fmt::format("- {}: {}; wanted {}", json_quote(cut(clause.path)), found, wanted(clause));
  }

  /// Some clause holds by nothing that the message has.
  Lines failing_alone(const FilterBranch& branch) const {
    Lines lines;
    for (const FilterClause& clause : branch.clauses) {
      const Field* field = taken(clause);
      if (field != nullptr || (fields_of(clause).empty() && may_lack(clause))) {
        lines.push_back(holds_line(clause, field));
      } else if (!can_hold(clause)) {
        lines.push_back(fails_line(clause));
      }
    }
    return lines;
  }

  /// Each clause may hold, and all together do not: the first that does not beside the `holding`
  /// before it.
  Lines failing_together(const FilterBranch& branch, std::size_t holding) const {
    Lines lines = holding == 0 ? Lines() : holding_lines(branch, holding);
    const FilterClause& clause = branch.clauses[holding];
    std::vector<Field> would_do;
    std::ranges::copy_if(fields_of(clause), std::back_inserter(would_do),
                         [&](const Field& field) { return taker(clause, field) != nullptr; });
    if (would_do.empty()) {
      lines.push_back(fails_line(clause));
    } else {
      lines.push_back(fmt::format(
          "- {}: {} would do, but the fields lie in different elements of an array",
          json_quote(cut(clause.path)),
          listed(would_do, ", ", [](const Field& field) { return shown(field.leaf); })));
    }
    return lines;
  }

  const FilterPolicy& policy_;
  const PathTree& paths_;
  std::vector<Field> fields_;  ///< sorted by path
  ElementCheck check_;
};

std::string_view kind_of(Json::Type type) {
  switch (type) {
    case Json::Type::array:
      return "an array";
    case Json::Type::string:
      return "a string";
    case Json::Type::number:
      return "a number";
    case Json::Type::null:
      return "null";
    default:
      return "a boolean";
  }
}

}  // namespace

Explanation explain(const FilterPolicy& policy, const PathTree& paths,
                    const FilterScratch& scratch) {
  return Explaining(policy, paths, scratch).explain();
}

std::string body_fault(std::string_view body) {
  const auto json = parse_json(
      body, {.depth_max = 1000, .allow_duplicate_names = true, .allow_infinite_numbers = true});
  if (!json) {
    return fmt::format("byte {}: {}", json.error().offset + 1, json.error().message);
  }
  return json->type == Json::Type::object
             ? "nested deeper, or with more values, than a filter looks at"
             : fmt::format("it is {}, and a filter takes objects only", kind_of(json->type));
}

}  // namespace sluice::core
