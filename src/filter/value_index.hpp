// Which clauses of one path a value satisfies: all matchers of that path, of all policies, in
// indexes whose cost depends on the value and on what it hits, not on how many there are.
//
//   exact strings      hash table            also in folded form, for ignore-case
//   prefix, suffix     trie, trie backwards  also in folded form
//   wildcard           the rarest piece found by a PieceFinder, then the whole pattern
//   exact numbers      hash table of the double's bits, or of the literal where that is infinite
//   numeric ranges     segment tree
//   cidr, addresses    hash table per prefix length
//   anything-but       all that there are, less those that the value is excluded by
//
// A branch is a bit. Of a clause with several anything-but each has a bit of its own, behind those
// of the branches, since the value must be excluded by all of them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filter/branch_set.hpp"
#include "filter/leaf.hpp"
#include "filter/piece_finder.hpp"
#include "filter/target_lists.hpp"
#include "filter/text_table.hpp"

namespace sluice::core {

/// What a ValueIndex needs besides, one per thread.
struct ValueScratch {
  BranchSet excluded;
  std::vector<std::uint32_t> pieces;
  std::vector<std::uint8_t> is_piece;  ///< all 0 between calls
  std::string folded;
  std::uint64_t steps_max = 0;  ///< beyond it what take() finds is not all
  std::uint64_t steps = 0;  ///< as ElementCheck's; take() adds what is not just the value's length
  // While a path has many leaves: what the next one need not add again.
  bool has_many = false;
  std::uint32_t round = 0;
  std::vector<std::uint32_t> added;  ///< by list: the round in which it was
  bool is_open = false;              ///< some anything-but of open_words_ is not found yet
  std::vector<std::uint32_t> open;   ///< of open_, those of which some bit is not
};

class ValueIndex {
 public:
  /// A clause of `branch` on this path; its wildcards are kept by reference until the index is
  /// gone.
  void add(std::uint32_t branch, const FilterClause& clause);
  /// What the index takes, or will take, rather more than less.
  std::size_t bytes() const;
  /// No more clauses. `branches` is their number rounded up to 64.
  void finish(TargetLists& lists, std::uint32_t branches);
  /// Sizes that a scratch must have: pieces, and words for branches and what stands behind them.
  std::uint32_t pieces() const { return pieces_.size(); }
  std::uint32_t words() const {
    return virtual_word_ + static_cast<std::uint32_t>((virtual_.size() + 63) / 64);
  }

  /// Begins a message's leaves of this path, so many.
  void begin(std::size_t leaves, ValueScratch& scratch) const;
  /// Adds the branches whose clause takes `leaf`.
  void take(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch,
            BranchSet* found) const;
  /// Branches whose clause holds where there is no such leaf; kNone: none.
  TargetLists::Id absent() const { return absent_; }

 private:
  /// Branches that a hit includes, and anything-but that it excludes.
  struct Entry {
    TargetLists::Id include = TargetLists::kNone, exclude = TargetLists::kNone;
  };
  using EntryId = std::uint32_t;
  static constexpr EntryId kNoEntry = ~EntryId{0};

  struct TextEntries {
    TextTable texts;
    std::vector<EntryId> entries;  ///< by text
  };
  struct Texts {
    TextEntries exact;
    ByteTrie prefixes, suffixes;
    std::vector<EntryId> prefix_entries, suffix_entries;  ///< by node
    bool empty() const;
  };
  struct Wildcard {
    const ValueMatcher* matcher;
    EntryId entry;
  };
  struct Ranges {
    std::size_t count_below(double value) const;
    std::size_t share_of(double value) const;
    void make_shares();

    std::vector<double> points;          ///< sorted
    std::vector<std::uint32_t> shares;   ///< where a share of the points' span begins among them
    double scale = 0;                    ///< shares for each unit
    std::size_t leaves = 0;              ///< a power of two; 0: no ranges
    std::vector<TargetLists::Id> nodes;  ///< whose ranges hold all of the node; empty: see flat
    std::vector<TargetLists::Id>
        flat;  ///< by leaf, all that hold there, where that takes little memory
  };
  struct Word {
    std::uint32_t word;
    std::uint64_t bits;
  };
  struct BlockHash {
    std::size_t operator()(const std::array<std::uint8_t, 16>& bytes) const;
  };
  struct Blocks {
    IpAddress::Family family;
    int bits;
    std::unordered_map<std::array<std::uint8_t, 16>, EntryId, BlockHash> entries;
  };

  /// What is gone after finish().
  struct Building {
    std::vector<std::vector<std::uint32_t>> includes, excludes;  ///< by entry
    std::map<std::vector<std::string>, EntryId> wildcards;
    std::vector<std::pair<NumericRange, std::uint32_t>> ranges;  ///< branches
    std::vector<std::uint32_t> existing, missing, open;          ///< exists, absent, anything-but
    std::size_t targets = 0, pattern_bytes = 0;
  };

  void add_matcher(std::uint32_t branch, const ValueMatcher& matcher, bool excludes);
  std::size_t node_count() const;
  std::uint32_t new_virtual(std::uint32_t branch);
  EntryId entry_of(const ValueMatcher& matcher);
  EntryId text_entry(TextEntries& exact, std::string_view text);
  EntryId node_entry(ByteTrie& trie, std::vector<EntryId>& entries, std::string_view text);
  EntryId block_entry(const IpAddress& network, int bits);
  EntryId new_entry();
  void finish_wildcards();
  void finish_open(std::uint32_t branches);
  void finish_ranges(TargetLists& lists);
  bool flatten_ranges(const std::vector<std::vector<std::uint32_t>>& nodes, TargetLists& lists);

  bool is_added(TargetLists::Id list, const ValueScratch& scratch, const BranchSet& found) const;
  void include(TargetLists::Id list, const TargetLists& lists, ValueScratch& scratch,
               BranchSet* found) const;
  void hit(EntryId entry, const TargetLists& lists, ValueScratch& scratch, BranchSet* found) const;
  void take_string(std::string_view value, const TargetLists& lists, ValueScratch& scratch,
                   BranchSet* found) const;
  void take_texts(const Texts& texts, std::string_view value, const TargetLists& lists,
                  ValueScratch& scratch, BranchSet* found) const;
  void take_wildcards(std::string_view value, const TargetLists& lists, ValueScratch& scratch,
                      BranchSet* found) const;
  void take_open(ValueScratch& scratch, BranchSet* found) const;
  void add_open(const Word& word, const ValueScratch& scratch, BranchSet* found) const;
  bool is_done(const Word& word, const BranchSet& found) const;
  void take_number(const Leaf& leaf, const TargetLists& lists, ValueScratch& scratch,
                   BranchSet* found) const;
  void take_address(const IpAddress& address, const TargetLists& lists, ValueScratch& scratch,
                    BranchSet* found) const;

  std::unique_ptr<Building> building_ = std::make_unique<Building>();
  std::vector<Entry> entries_;
  Texts plain_, folded_;
  std::vector<Wildcard> wildcards_;
  PieceFinder pieces_;
  std::vector<std::vector<std::uint32_t>> wildcards_of_;  ///< by piece
  struct NumberHash {
    std::size_t operator()(std::uint64_t bits) const;
  };
  std::unordered_map<std::uint64_t, EntryId, NumberHash> numbers_;
  TextEntries number_texts_;
  Ranges ranges_;
  std::vector<Blocks> blocks_;
  std::array<EntryId, 3> literals_{kNoEntry, kNoEntry, kNoEntry};
  TargetLists::Id exists_ = TargetLists::kNone, absent_ = TargetLists::kNone;
  std::vector<std::uint64_t> open_words_;  ///< anything-but where they are many
  std::vector<Word> open_;                 ///< all others
  std::uint32_t virtual_word_ = 0;         ///< where branches end
  std::vector<std::uint32_t> virtual_;     ///< the branch of each bit behind them
};

}  // namespace sluice::core
