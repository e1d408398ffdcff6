// Sets of branches while a message is matched: a bit each, and a note of the words in use, so that
// emptying one costs what was put in.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::core {

class BranchSet {
 public:
  explicit BranchSet(std::size_t words = 0) : words_(words, 0) {}

  std::uint64_t word(std::uint32_t index) const { return words_[index]; }
  /// Words that may hold bits, each once, in the order of their first use.
  std::span<const std::uint32_t> touched() const { return touched_; }

  void add(std::uint32_t branch) { add_word(branch / 64, std::uint64_t{1} << branch % 64); }
  void add_word(std::uint32_t index, std::uint64_t bits) {
    if (words_[index] == 0 && bits != 0) {
      touched_.push_back(index);
    }
    words_[index] |= bits;
  }
  void clear() {
    for (const std::uint32_t index : touched_) {
      words_[index] = 0;
    }
    touched_.clear();
  }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> touched_;
};

}  // namespace sluice::core
