// Reading goes in three steps. The objects become a tree of leaves and `$or` alternatives, in the
// order of the text, with nested names joined to paths. The number of branches and their size is
// computed on that tree, and held against the limits. Only then are the branches made.
#include "filter/parse_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "filter/parse_matcher.hpp"

namespace sluice::core {

namespace {

using Type = Json::Type;
using Fault = std::optional<PolicyError>;

constexpr std::string_view kOr = "$or";
constexpr std::string_view kTooComplex = "Filter policy is too complex";

/// Member names that make an array of objects no `$or` (event-ruler, Constants.java).
constexpr std::string_view kReservedInOr[] = {"exactly",
                                              "equals-ignore-case",
                                              "prefix",
                                              "suffix",
                                              "anything-but",
                                              "exists",
                                              "wildcard",
                                              "numeric",
                                              "cidr",
                                              "=",
                                              "<",
                                              "<=",
                                              ">",
                                              ">=",
                                              "regex",
                                              "not-wildcard",
                                              "not-equals-ignore-case",
                                              "date-after",
                                              "date-on-or-after",
                                              "date-before",
                                              "date-on-or-before",
                                              "in-date-range",
                                              "ip-address-in-range",
                                              "ip-address-not-in-range"};

struct Leaf {
  std::string path;
  std::vector<ValueMatcher> matchers;
  int depth = 0;  ///< of nested objects, 1 at the top; `$or` adds none
};

struct Part;

/// An object with the objects nested in it: all of its parts must hold.
struct Group {
  std::vector<Part> parts;  ///< in the order of the text: of two equal paths the later counts
};

/// A leaf, or an `$or`.
struct Part {
  std::size_t leaf = 0;             ///< index; used where there are no alternatives
  std::vector<Group> alternatives;  ///< one of them must hold
};

/// Size of what a group becomes. A double cannot wrap; it is kept finite.
struct Extent {
  double branches = 1;
  double bytes = 0;
};

/// One branch in the making: the last leaf of each path.
using Choice = std::map<std::string_view, const Leaf*>;

std::size_t memory_of(const ValueMatcher& matcher) {
  std::size_t bytes = sizeof matcher + matcher.text.size();
  for (const std::string& piece : matcher.pieces) {
    bytes += sizeof piece + piece.size();
  }
  for (const ValueMatcher& excluded : matcher.excluded) {
    bytes += memory_of(excluded);
  }
  return bytes;
}

/// Of a clause.
std::size_t memory_of(std::string_view path, const std::vector<ValueMatcher>& matchers) {
  std::size_t bytes = sizeof(FilterClause) + path.size();
  for (const ValueMatcher& matcher : matchers) {
    bytes += memory_of(matcher);
  }
  return bytes;
}

std::size_t stars_of(const ValueMatcher& matcher) {
  std::size_t stars = matcher.pieces.empty() ? 0 : matcher.pieces.size() - 1;
  for (const ValueMatcher& excluded : matcher.excluded) {
    stars += stars_of(excluded);
  }
  return stars;
}

/// Whether no member of `object` or of what is nested in it has a reserved name.
bool is_alternative(const Json& object) {
  const auto is_plain = [](const JsonMember& member) {
    const Json& value = member.value;
    if (std::ranges::find(kReservedInOr, member.name) != std::end(kReservedInOr)) {
      return false;
    }
    if (value.type == Type::array && member.name == kOr) {
      return std::ranges::all_of(value.items, is_alternative);
    }
    return value.type != Type::object || is_alternative(value);
  };
  return std::ranges::all_of(object.members, is_plain);
}

/// Whether this "$or" is the operator; otherwise it is a name like any other.
bool is_or(const JsonMember& member) {
  const std::vector<Json>& items = member.value.items;
  return member.name == kOr && items.size() >= 2 &&
         std::ranges::all_of(items, [](const Json& item) {
           return item.type == Type::object && is_alternative(item);
         });
}

PolicyError too_large(std::size_t offset) {
  return {fmt::format("Filter policy takes more than {} MiB of memory when its $or is expanded: "
                      "split it over several subscriptions",
                      kPolicyMemoryMax >> 20),
          offset};
}

/// Reads the objects of one policy into the tree.
class Reading {
 public:
  explicit Reading(FilterProfile profile) : profile_(profile) {}

  Fault read_object(const Json& object, Group& into, int depth) {
    if (object.members.empty()) {
      return PolicyError{"Empty objects are not allowed", object.offset};
    }
    for (const JsonMember& member : object.members) {
      if (Fault fault = is_or(member) ? read_or(member.value, into, depth)
                                      : read_member(member, into, depth)) {
        return fault;
      }
    }
    return std::nullopt;
  }

  const std::vector<Leaf>& leaves() const { return leaves_; }
  /// Where the first object stands that is nested in another.
  std::optional<std::size_t> nested() const { return nested_; }

 private:
  Fault read_or(const Json& alternatives, Group& into, int depth) {
    Part part;
    for (const Json& alternative : alternatives.items) {
      if (Fault fault = read_object(alternative, part.alternatives.emplace_back(), depth)) {
        return fault;
      }
    }
    into.parts.push_back(std::move(part));
    return std::nullopt;
  }

  Fault read_member(const JsonMember& member, Group& into, int depth) {
    const Json& value = member.value;
    if (value.type != Type::array && value.type != Type::object) {
      return PolicyError{fmt::format("\"{}\" must be an object or an array", member.name),
                         value.offset};
    }
    const std::size_t outer = path_.size();
    path_ += path_.empty() && depth == 1 ? "" : ".";
    path_ += member.name;
    Fault fault;
    if (value.type == Type::array) {
      fault = read_leaf(value, into, depth);
    } else {
      nested_ = nested_.value_or(value.offset);
      fault = read_object(value, into, depth + 1);
    }
    path_.resize(outer);
    return fault;
  }

  Fault read_leaf(const Json& array, Group& into, int depth) {
    if (array.items.empty()) {
      return PolicyError{"Empty arrays are not allowed", array.offset};
    }
    if (memory_ + path_.size() > kPolicyMemoryMax) {
      return too_large(array.offset);
    }
    Leaf leaf{path_, {}, depth};
    leaf.matchers.reserve(array.items.size());
    for (const Json& item : array.items) {
      auto matcher = parse_matcher(item, profile_);
      if (!matcher) {
        return std::move(matcher.error());
      }
      stars_ += stars_of(*matcher);
      if (stars_ > kPolicyStarsMax) {
        return PolicyError{fmt::format("Filter policy has more than {} stars in its wildcards: "
                                       "give it fewer, or split it over several subscriptions",
                                       kPolicyStarsMax),
                           item.offset};
      }
      leaf.matchers.push_back(std::move(*matcher));
    }
    memory_ += memory_of(leaf.path, leaf.matchers);
    into.parts.push_back({leaves_.size(), {}});
    leaves_.push_back(std::move(leaf));
    return std::nullopt;
  }

  FilterProfile profile_;
  std::string path_;  ///< of the object that is being read
  std::vector<Leaf> leaves_;
  std::size_t memory_ = 0;  ///< of the leaves
  std::size_t stars_ = 0;
  std::optional<std::size_t> nested_;
};

/// `leaf_bytes` has the size of each leaf.
Extent extent_of(const Group& group, const std::vector<double>& leaf_bytes) {
  constexpr double kHuge = 1e100;  // its square is finite
  Extent all;
  for (const Part& part : group.parts) {
    Extent own;
    if (part.alternatives.empty()) {
      own.bytes = leaf_bytes[part.leaf];
    } else {
      own.branches = 0;
      for (const Group& alternative : part.alternatives) {
        const Extent one = extent_of(alternative, leaf_bytes);
        own.branches += one.branches;
        own.bytes += one.bytes;
      }
    }
    all.bytes = std::min(kHuge, all.bytes * own.branches + own.bytes * all.branches);
    all.branches = std::min(kHuge, all.branches * own.branches);
  }
  return all;
}

/// Gives every branch the parts of `group`; an `$or` makes a copy of each for every alternative.
void expand(const Group& group, const std::vector<Leaf>& leaves, std::vector<Choice>& branches) {
  for (const Part& part : group.parts) {
    if (part.alternatives.empty()) {
      for (Choice& branch : branches) {
        branch[leaves[part.leaf].path] = &leaves[part.leaf];
      }
      continue;
    }
    std::vector<Choice> forked;
    for (const Group& alternative : part.alternatives) {
      std::vector<Choice> copies = branches;
      expand(alternative, leaves, copies);
      std::ranges::move(copies, std::back_inserter(forked));
    }
    branches = std::move(forked);
  }
}

double combinations_of(const std::vector<Choice>& branches) {
  double sum = 0;
  for (const Choice& branch : branches) {
    double product = 1;
    for (const auto& [path, leaf] : branch) {
      product *= static_cast<double>(leaf->matchers.size()) * leaf->depth;
    }
    sum += product;
  }
  return sum;
}

FilterBranch branch_of(const Choice& choice) {
  FilterBranch branch;
  for (const auto& [path, leaf] : choice) {
    branch.clauses.push_back({leaf->path, leaf->matchers});
  }
  return branch;
}

/// SNS's limits on what is otherwise well-formed, but for the combinations.
Fault sns_fault(const Json& root, const Reading& reading, FilterScope scope) {
  if (reading.nested() && scope == FilterScope::message_attributes) {
    return PolicyError{
        "Filter policy scope MessageAttributes does not support nested filter policy",
        *reading.nested()};
  }
  std::unordered_set<std::string_view> keys;
  for (const JsonMember& member : root.members) {
    keys.insert(member.name);
    if (keys.size() > kSnsKeysMax) {
      return PolicyError{fmt::format("Filter policy can not have more than {} keys", kSnsKeysMax),
                         member.offset};
    }
  }
  return std::nullopt;
}

/// What must not even be expanded. A branch is at least one combination.
Fault size_fault(const Group& group, const std::vector<Leaf>& leaves, std::size_t offset,
                 FilterProfile profile) {
  std::vector<double> leaf_bytes;
  for (const Leaf& leaf : leaves) {
    leaf_bytes.push_back(static_cast<double>(memory_of(leaf.path, leaf.matchers)));
  }
  const Extent extent = extent_of(group, leaf_bytes);
  if (profile == FilterProfile::sns && extent.branches > kSnsCombinationsMax) {
    return PolicyError{std::string(kTooComplex), offset};
  }
  if (extent.branches > kBranchesMax) {
    return PolicyError{fmt::format("Filter policy has more than {} branches when its $or is "
                                   "expanded: split it over several subscriptions",
                                   kBranchesMax),
                       offset};
  }
  return extent.bytes > kPolicyMemoryMax ? Fault(too_large(offset)) : std::nullopt;
}

std::expected<Json, PolicyError> parse_text(std::string_view text, FilterProfile profile) {
  const std::size_t bytes_max =
      profile == FilterProfile::sns ? kSnsPolicyBytesMax : kPolicyBytesMax;
  if (text.size() > bytes_max) {
    return std::unexpected(
        PolicyError{fmt::format("Filter policy is longer than {} bytes", bytes_max), bytes_max});
  }
  auto root = parse_json(text, {.values_max = kPolicyValuesMax,
                                .depth_max = kPolicyDepthMax,
                                .allow_duplicate_names = true,
                                .allow_infinite_numbers = true});
  if (!root) {
    return std::unexpected(PolicyError{root.error().message, root.error().offset});
  }
  if (root->type != Type::object) {
    return std::unexpected(PolicyError{"Filter is not an object", root->offset});
  }
  return std::move(*root);
}

}  // namespace

std::string with_position(const PolicyError& error, std::string_view policy) {
  const std::string_view before = policy.substr(0, std::min(error.offset, policy.size()));
  const std::size_t line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
  const std::string_view in_line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
  const auto column =
      std::ranges::count_if(in_line,
                            [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) +
      1;
  return fmt::format("{}:{}: {}", line, column, error.text);
}

std::size_t memory_of(const FilterPolicy& policy) {
  std::size_t bytes = sizeof policy;
  for (const FilterBranch& branch : policy.branches) {
    bytes += sizeof branch;
    for (const FilterClause& clause : branch.clauses) {
      bytes += memory_of(clause.path, clause.matchers);
    }
  }
  return bytes;
}

std::expected<FilterPolicy, PolicyError> parse_policy(std::string_view text, FilterScope scope,
                                                      FilterProfile profile) {
  if (text.empty()) {
    return FilterPolicy{scope, {FilterBranch{}}};
  }
  auto root = parse_text(text, profile);
  if (!root) {
    return std::unexpected(std::move(root.error()));
  }
  const bool is_sns = profile == FilterProfile::sns;
  if (is_sns && root->members.empty()) {
    return FilterPolicy{scope, {FilterBranch{}}};
  }
  Reading reading(profile);
  Group group;
  Fault fault = reading.read_object(*root, group, 1);
  if (!fault && is_sns) {
    fault = sns_fault(*root, reading, scope);
  }
  if (!fault) {
    fault = size_fault(group, reading.leaves(), root->offset, profile);
  }
  if (fault) {
    return std::unexpected(std::move(*fault));
  }
  std::vector<Choice> choices(1);
  expand(group, reading.leaves(), choices);
  if (is_sns && combinations_of(choices) > kSnsCombinationsMax) {
    return std::unexpected(PolicyError{std::string(kTooComplex), root->offset});
  }
  FilterPolicy policy{scope, {}};
  for (const Choice& choice : choices) {
    policy.branches.push_back(branch_of(choice));
  }
  return policy;
}

}  // namespace sluice::core
