// Sets of branches while a message is matched: a bit each. A sparse one notes the words in use, so
// that emptying it costs what was put in; one that much is put into at once is dense, and taken as
// a whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace sluice::core {

class BranchSet {
 public:
  /// Up to so many words a set is always dense: to note them would cost more.
  static constexpr std::size_t kSmall = 4;

  explicit BranchSet(std::size_t words = 0)
      : words_(words, 0), is_small_(words <= kSmall), is_dense_(is_small_) {}

  std::uint64_t word(std::uint32_t index) const { return words_[index]; }
  bool has(std::uint32_t branch) const { return (words_[branch / 64] >> branch % 64 & 1) != 0; }
  bool is_dense() const { return is_dense_; }
  /// Of a sparse set: words that may hold bits, each once, in the order of their first use.
  std::span<const std::uint32_t> touched() const { return touched_; }
  /// All words, to be used up before clear().
  std::span<std::uint64_t> words() { return words_; }
  /// Words that a look at all of its bits takes.
  std::size_t extent() const { return is_dense_ ? words_.size() : touched_.size(); }

  void add(std::uint32_t branch) { add_word(branch / 64, std::uint64_t{1} << branch % 64); }
  void add_word(std::uint32_t index, std::uint64_t bits) {
    if (words_[index] == 0 && bits != 0 && !is_dense_) {
      touched_.push_back(index);
    }
    words_[index] |= bits;
  }
  /// The words from the first on.
  void add_words(std::span<const std::uint64_t> words) {
    for (std::uint32_t i = 0; !is_dense_ && words.size() <= kSmall && i < words.size(); ++i) {
      add_word(i, words[i]);
    }
    is_dense_ = is_dense_ || words.size() > kSmall;
    for (std::size_t i = 0; i < words.size(); ++i) {
      words_[i] |= words[i];
    }
  }
  /// The same, as a dense set, without what is in `excluded`. Whether all of `words` is in the set
  /// then.
  bool add_words_but(std::span<const std::uint64_t> words, const BranchSet& excluded) {
    is_dense_ = true;
    std::uint64_t lacking = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      words_[i] |= words[i] & ~excluded.words_[i];
      lacking |= words[i] & ~words_[i];
    }
    return lacking == 0;
  }
  void clear() {
    if (is_small_) {
      for (std::uint64_t& word : words_) {
        if (word != 0) {  // or it would be a call of memset
          word = 0;
        }
      }
    } else if (is_dense_) {
      std::ranges::fill(words_, 0);
      is_dense_ = false;
    } else {
      for (const std::uint32_t index : touched_) {
        words_[index] = 0;
      }
    }
    touched_.clear();
  }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> touched_;
  bool is_small_;
  bool is_dense_;
};

}  // namespace sluice::core
