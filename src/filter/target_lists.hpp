// Lists of branches that share a condition, gathered once: short ones as numbers, long ones as bits.
#pragma once

#include <cstdint>
#include <vector>

#include "filter/branch_set.hpp"

namespace sluice::core {

class TargetLists {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = ~Id{0};

  explicit TargetLists(std::uint32_t branches) : words_((branches + 63) / 64) {}

  /// A list; the same branch may stand in it twice.
  Id add(const std::vector<std::uint32_t>& branches) {
    const auto begin = static_cast<std::uint32_t>(numbers_.size());
    if (branches.size() <= words_ * 2) {
      numbers_.insert(numbers_.end(), branches.begin(), branches.end());
      lists_.push_back({begin, static_cast<std::uint32_t>(branches.size()), false});
    } else {
      const auto first = static_cast<std::uint32_t>(bits_.size());
      bits_.resize(bits_.size() + words_, 0);
      for (const std::uint32_t branch : branches) {
        bits_[first + branch / 64] |= std::uint64_t{1} << branch % 64;
      }
      lists_.push_back({first, words_, true});
    }
    return static_cast<Id>(lists_.size() - 1);
  }

  void add_to(BranchSet& set, Id id) const {
    if (id == kNone) {
      return;
    }
    const List list = lists_[id];
    if (list.is_bits) {
      for (std::uint32_t i = 0; i < list.count; ++i) {
        set.add_word(i, bits_[list.begin + i]);
      }
      return;
    }
    for (std::uint32_t i = 0; i < list.count; ++i) {
      set.add(numbers_[list.begin + i]);
    }
  }
  std::size_t bytes() const { return numbers_.capacity() * 4 + bits_.capacity() * 8 + lists_.capacity() * sizeof(List); }

 private:
  struct List {
    std::uint32_t begin, count;
    bool is_bits;
  };
  std::uint32_t words_;
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint64_t> bits_;
  std::vector<List> lists_;
};

}  // namespace sluice::core
