// All filter policies of one scope of a topic as one matcher: a message in, the policies that take it out.
//
// A branch of a policy is a bit. For each path the message's values are looked up in that path's
// ValueIndex, which gives the branches whose clause holds; a bit-sliced counter adds them up, and a
// branch holds when its count is the number of its clauses. So a message costs what its named fields
// cost and what they hit. Branches that hold are looked at again, by the definition, only where
// fields lie in arrays of objects: there a count cannot tell one element from another.
//
// Immutable once compiled, and shared by all threads; a FilterScratch is one thread's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "filter/path_tree.hpp"
#include "filter/value_index.hpp"

namespace sluice::core {

/// A field of a message that some policy names.
struct Field {
  std::uint32_t path;        ///< PathTree's number
  std::uint32_t membership;  ///< in the scratch's list; 0: in no array's element
  Leaf leaf;
};

/// Where in an array of objects something lies. Chains lead outward.
struct Membership {
  std::uint32_t array, element;
  std::uint32_t outer;  ///< 0: none
};

class CompiledFilter;

struct FilterScratch {
  explicit FilterScratch(const CompiledFilter& filter);

  std::vector<Field> fields;              ///< of the message at hand
  std::vector<Membership> memberships;    ///< [0] is none
  std::vector<std::uint32_t> matched;     ///< the answer: numbers of policies, in rising order

  // Of match().
  BranchSet found;
  ValueScratch values;
  std::vector<std::uint64_t> planes;      ///< the counters' bits, plane by plane
  std::vector<std::uint8_t> is_counted;   ///< words of the planes in use
  std::vector<std::uint32_t> counted;
  std::vector<const Field*> chosen;
};

class CompiledFilter {
 public:
  /// Policies keep their order as numbers; all of one scope. nullptr: more nodes than can be numbered.
  static std::shared_ptr<const CompiledFilter> compile(std::vector<FilterPolicy> policies);

  const PathTree& paths() const { return paths_; }
  std::uint32_t policies() const { return static_cast<std::uint32_t>(policies_.size()); }
  std::uint32_t branch_words() const { return words_; }
  std::uint32_t planes() const { return plane_count_; }

  /// Policies that take every message, also one whose body is no JSON; in rising order.
  const std::vector<std::uint32_t>& take_all() const { return always_; }
  /// Fills scratch.matched from scratch.fields, which may come in any order and are sorted by path.
  void match(FilterScratch& scratch) const;

 private:
  friend struct FilterScratch;
  struct Branch {
    std::uint32_t policy;
    const FilterBranch* branch;
    std::vector<std::uint32_t> paths;  ///< of its clauses
  };

  CompiledFilter() : lists_(0) {}
  bool build();
  void count(const BranchSet& found, FilterScratch& scratch) const;
  void match_path(std::span<const Field> fields, FilterScratch& scratch) const;
  void gather(FilterScratch& scratch, bool verify) const;
  bool holds(const Branch& branch, std::size_t clause, FilterScratch& scratch) const;

  std::vector<FilterPolicy> policies_;
  std::vector<Branch> branches_;             ///< the first of each policy at the policy's number
  std::vector<std::uint32_t> always_;        ///< policies with a branch without clauses
  PathTree paths_;
  std::vector<ValueIndex> indexes_;          ///< by path
  std::vector<std::uint32_t> absent_paths_;  ///< with clauses that may hold without a field
  TargetLists lists_;
  std::uint32_t words_ = 0, plane_count_ = 0;
  std::vector<std::uint64_t> needed_;        ///< what the planes must show, plane by plane
  std::vector<std::uint64_t> exists_;        ///< words: branches that have clauses
};

}  // namespace sluice::core
