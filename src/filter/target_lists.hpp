// Lists of branches that share a condition, gathered once: short ones as numbers, long ones as bits.
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

  /// A list; the same branch may stand in it twice. kNone: no branches.
  Id add(const std::vector<std::uint32_t>& branches) {
    if (branches.empty()) {
      return kNone;
    }
    const std::uint32_t words = std::ranges::max(branches) / 64 + 1;
    if (branches.size() <= std::max<std::size_t>(8, std::size_t{words} * 2)) {
      const auto begin = static_cast<std::uint32_t>(numbers_.size());
      numbers_.insert(numbers_.end(), branches.begin(), branches.end());
      lists_.push_back({begin, static_cast<std::uint32_t>(branches.size()), false});
    } else {
      const auto first = static_cast<std::uint32_t>(bits_.size());
      bits_.resize(bits_.size() + words, 0);
      for (const std::uint32_t branch : branches) {
        bits_[first + branch / 64] |= std::uint64_t{1} << branch % 64;
      }
      lists_.push_back({first, words, true});
    }
    return static_cast<Id>(lists_.size() - 1);
  }

  void add_to(BranchSet& set, Id id) const {
    if (id == kNone) {
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
  std::size_t size() const { return lists_.size(); }

 private:
  struct List {
    std::uint32_t begin, count;
    bool is_bits;
  };
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint64_t> bits_;
  std::vector<List> lists_;
};

}  // namespace sluice::core
