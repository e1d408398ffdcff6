// Which clauses of one path a value satisfies: all matchers of that path, of all policies, in indexes
// whose cost depends on the value and on what it hits, not on how many there are.
//
//   exact strings      hash table            also in folded form, for ignore-case
//   prefix, suffix     trie, trie backwards  also in folded form
//   wildcard           the rarest piece found by a PieceFinder, then the whole pattern
//   exact numbers      hash table of the double's bits, or of the literal where that is infinite
//   numeric ranges     segment tree
//   cidr, addresses    hash table per prefix length
//   anything-but       all clauses that have one, less those that the value is excluded by
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filter/branch_set.hpp"
#include "filter/leaf.hpp"
#include "filter/piece_finder.hpp"
#include "filter/target_lists.hpp"

namespace sluice::core {

/// What value_index needs besides, one per thread.
struct ValueScratch {
  explicit ValueScratch(std::size_t words) : excluded(words) {}
  BranchSet excluded;
  std::vector<std::uint32_t> pieces;
  std::string folded;
};

class ValueIndex {
 public:
  /// A clause of `branch` on this path; kept by reference until the index is gone.
  void add(std::uint32_t branch, const FilterClause& clause);
  /// No more clauses. False: more nodes than the index can number.
  bool finish(TargetLists& lists, std::uint32_t branches);

  /// Adds the branches whose clause takes `leaf`.
  void take(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;
  /// Branches whose clause holds where there is no such leaf; kNone: none.
  TargetLists::Id absent() const { return absent_; }
  std::size_t bytes() const;

 private:
  /// Branches that a hit includes, and those whose anything-but it excludes.
  struct Entry {
    std::vector<std::uint32_t> includes, excludes;  // emptied by finish()
    TargetLists::Id include = TargetLists::kNone, exclude = TargetLists::kNone;
  };
  using EntryId = std::uint32_t;
  static constexpr EntryId kNoEntry = ~EntryId{0};

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };
  using TextMap = std::unordered_map<std::string, EntryId, TextHash, std::equal_to<>>;

  struct Texts {
    TextMap exact;
    ByteTrie prefixes, suffixes;
    std::vector<EntryId> prefix_entries, suffix_entries;  ///< by node
    bool empty() const;
  };
  struct Wildcard {
    const ValueMatcher* matcher;
    EntryId entry;
  };
  struct Ranges {
    std::vector<double> points;            ///< sorted
    std::size_t leaves = 0;                ///< a power of two; 0: no ranges
    std::vector<TargetLists::Id> nodes;    ///< whose ranges hold all of the node
  };
  struct BlockHash {
    std::size_t operator()(const std::array<std::uint8_t, 16>& bytes) const;
  };
  struct Blocks {
    IpAddress::Family family;
    int bits;
    std::unordered_map<std::array<std::uint8_t, 16>, EntryId, BlockHash> entries;
  };

  void add_matcher(std::uint32_t branch, const ValueMatcher& matcher, bool excludes);
  EntryId entry_of(const ValueMatcher& matcher);
  EntryId text_entry(TextMap& map, std::string_view text);
  EntryId node_entry(ByteTrie& trie, std::vector<EntryId>& entries, std::string_view text);
  EntryId block_entry(const IpAddress& network, int bits);
  EntryId new_entry();
  void finish_wildcards();
  void finish_ranges(TargetLists& lists);

  void hit(EntryId entry, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;
  void take_string(std::string_view value, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;
  void take_texts(const Texts& texts, std::string_view value, const TargetLists& lists, ValueScratch& scratch,
                  BranchSet* found) const;
  void take_number(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;
  void take_address(const IpAddress& address, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;

  std::vector<Entry> entries_;
  Texts plain_, folded_;
  std::vector<Wildcard> wildcards_;
  std::map<std::vector<std::string>, EntryId> wildcard_entries_;  // while building
  PieceFinder pieces_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> wildcards_of_;  ///< by piece
  std::unordered_map<std::uint64_t, EntryId> numbers_;
  TextMap number_texts_;
  std::vector<std::pair<NumericRange, std::uint32_t>> range_list_;  // while building: branches
  Ranges ranges_;
  std::vector<Blocks> blocks_;
  std::array<EntryId, 3> literals_{kNoEntry, kNoEntry, kNoEntry};
  std::vector<std::uint32_t> existing_, missing_, open_;  // while building: exists, absent, anything-but
  TargetLists::Id exists_ = TargetLists::kNone, absent_ = TargetLists::kNone;
  std::vector<std::uint64_t> anything_but_;  ///< bits; empty: none
  /// Clauses with several anything-but: what they take together no list of exclusions says.
  std::vector<std::pair<std::uint32_t, const FilterClause*>> plain_clauses_;
};

}  // namespace sluice::core
