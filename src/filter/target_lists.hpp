// Lists of branches that share a condition, gathered once: one branch in the list's name, some as
// numbers, many as bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "filter/branch_set.hpp"

namespace sluice::core {

class TargetLists {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = ~Id{0};
  static constexpr Id kOne = 1u << 31;  ///< with the branch

  /// A list; the same branch may stand in it twice. kNone: no branches.
  Id add(const std::vector<std::uint32_t>& branches) {
    if (branches.size() <= 1) {
      return branches.empty() ? kNone : kOne | branches[0];
    }
    const std::uint32_t words = std::ranges::max(branches) / 64 + 1;
    if (branches.size() > words && (words <= kSmall || branches.size() > std::size_t{words} * 2)) {
      const auto first = static_cast<std::uint32_t>(bits_.size());
      bits_.resize(bits_.size() + words, 0);
      for (const std::uint32_t branch : branches) {
        bits_[first + branch / 64] |= std::uint64_t{1} << branch % 64;
      }
      lists_.push_back({first, words, true});
    } else {
      const auto begin = static_cast<std::uint32_t>(numbers_.size());
      numbers_.insert(numbers_.end(), branches.begin(), branches.end());
      lists_.push_back({begin, static_cast<std::uint32_t>(branches.size()), false});
    }
    return static_cast<Id>(lists_.size() - 1);
  }

  static bool is_one(Id id) { return (id & kOne) != 0; }

  void add_to(BranchSet& set, Id id) const {
    if (id == kNone) {
      return;
    }
    if (is_one(id)) {
      set.add(id & ~kOne);
      return;
    }
    const List list = lists_[id];
    if (list.is_bits) {
      set.add_words({&bits_[list.begin], list.count});
      return;
    }
    for (std::uint32_t i = 0; i < list.count; ++i) {
      set.add(numbers_[list.begin + i]);
    }
  }
  void shrink_to_fit() {
    numbers_.shrink_to_fit();
    bits_.shrink_to_fit();
    lists_.shrink_to_fit();
  }
  /// Names of longer lists are below this.
  std::size_t size() const { return lists_.size(); }

 private:
  static constexpr std::uint32_t kSmall = 4;  ///< words that are always taken as bits

  struct List {
    std::uint32_t begin, count;
    bool is_bits;
  };
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint64_t> bits_;
  std::vector<List> lists_;
};

}  // namespace sluice::core
