// All filter policies of one scope of a topic as one matcher: a message in, the policies that take
// it out.
//
// A branch of a policy is a bit. For each path the message's values are looked up in that path's
// ValueIndex, which gives the branches whose clause holds; a bit-sliced counter adds them up, and a
// branch holds when its count is the number of its clauses. So a message costs what its named
// fields cost and what they hit. Branches that hold are looked at again, by the definition, only
// where fields lie in arrays of objects: there a count cannot tell one element from another.
//
// Immutable once compiled, and shared by all threads; a FilterScratch is one thread's.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "filter/element_check.hpp"
#include "filter/path_tree.hpp"
#include "filter/value_index.hpp"

namespace sluice::core {

/// What the policies of one matcher may take together, parsed and compiled; it bounds the time to
/// compile them too, to a few seconds. 10 000 usual policies take a tenth.
inline constexpr std::size_t kFilterMemoryMax = 256 << 20;
/// Steps (ElementCheck's) that one message may take beyond a look at each of its fields: some 30
/// ms, and some 15 us for each branch of the policies, enough for a thousand array elements.
inline constexpr std::uint64_t kMatchStepsMax = 1 << 24, kBranchStepsMax = 1 << 13;

/// Why policies cannot be one matcher.
struct CompileError {
  std::uint32_t policy;  ///< number of the first that is too much
  std::string text;
};

class CompiledFilter;

struct FilterScratch {
  explicit FilterScratch(const CompiledFilter& filter);

  std::vector<Field> fields;            ///< of the message at hand
  std::vector<Membership> memberships;  ///< [0] is none
  std::vector<std::uint32_t> matched;   ///< the answer: numbers of policies, in rising order
  std::vector<std::uint32_t> untold;  ///< policies, perhaps repeated, with a branch that took more
                                      ///< steps than one may; it counts as not holding

  // Of match().
  BranchSet found;
  ValueScratch values;
  std::vector<std::uint64_t> planes;     ///< the counters' bits, plane by plane
  std::vector<std::uint8_t> is_counted;  ///< words of the planes in use
  std::vector<std::uint32_t> counted;
  bool all_counted = false;            ///< any word of the planes may be in use
  std::vector<std::uint64_t> holding;  ///< branches, by word
  ElementCheck check;
};

class CompiledFilter {
 public:
  /// Policies keep their order as numbers; all of one scope.
  static std::expected<std::shared_ptr<const CompiledFilter>, CompileError> compile(
      std::vector<FilterPolicy> policies, std::size_t memory_max = kFilterMemoryMax);

  const PathTree& paths() const { return paths_; }
  std::size_t bytes() const { return bytes_; }  ///< of memory, rather more than less

  /// Policies that take every message, also one whose body is no JSON; in rising order.
  const std::vector<std::uint32_t>& take_all() const { return always_; }

  /// Fills scratch.matched from scratch.fields, which may come in any order and are sorted by path.
  /// False: to look the values up takes more than kMatchStepsMax allows, which takes a message made
  /// for it. It counts as one whose body is no JSON: scratch.matched is take_all().
  [[nodiscard]] bool match(FilterScratch& scratch) const;

 private:
  friend struct FilterScratch;
  struct Branch {
    const FilterBranch* branch;
    std::vector<std::uint32_t> paths;  ///< of its clauses
  };

  CompiledFilter() = default;
  std::size_t add_branch(std::uint32_t policy, const FilterBranch& branch);
  std::expected<void, CompileError> add_policies(std::size_t memory_max);
  void finish();
  std::uint64_t steps_max() const { return kMatchStepsMax + kBranchStepsMax * branches_.size(); }
  void count_word(std::uint32_t index, FilterScratch& scratch) const;
  void count_found(FilterScratch& scratch) const;
  void add_to_planes(FilterScratch& scratch) const;
  void match_path(std::span<const Field> fields, FilterScratch& scratch) const;
  bool count_all(FilterScratch& scratch, bool* in_elements) const;
  void find_holding(std::uint32_t index, FilterScratch& scratch) const;
  void find_holding(FilterScratch& scratch) const;
  void gather(FilterScratch& scratch, bool verify) const;
  void gather_word(std::uint32_t index, bool verify, FilterScratch& scratch) const;

  std::vector<FilterPolicy> policies_;
  std::vector<Branch> branches_;
  std::vector<std::uint32_t> policy_of_;  ///< by branch
  std::vector<std::uint32_t> always_;     ///< policies with a branch without clauses
  PathTree paths_;
  std::vector<ValueIndex> indexes_;          ///< by path
  std::vector<std::uint32_t> absent_paths_;  ///< with clauses that may hold without a field
  TargetLists lists_;
  std::size_t bytes_ = 0;
  std::uint32_t words_ = 0, plane_count_ = 0;
  std::uint32_t index_words_ = 0, pieces_ = 0;  ///< the most that an index needs
  std::vector<std::uint64_t> needed_;           ///< what the planes must show, plane by plane
  std::vector<std::uint64_t> exists_;           ///< words: branches that have clauses
};

}  // namespace sluice::core
