// Finds which of many texts occur in a value, in one walk over it.
// (Aho and Corasick, "Efficient string matching: an aid to bibliographic search", 1975.)
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "filter/byte_trie.hpp"

namespace sluice::core {

class PieceFinder {
 public:
  /// A number for `piece`, the same for the same piece, counted from 0. REQUIRES: not empty,
  /// before finish().
  std::uint32_t add(std::string_view piece);
  void finish();
  /// Different pieces.
  std::uint32_t size() const { return count_; }
  /// What a byte of a piece takes at most.
  static constexpr std::size_t kByteBytes = ByteTrie::kNodeBytes + 6 * sizeof(std::uint32_t);

  /// Adds to `found` the pieces that occur in `value`, each once, and marks them in `is_found`,
  /// which has size() elements at least, and whose marks the caller takes back. Takes time by the
  /// length of the value and by what is found, however often that occurs.
  void find(std::string_view value, std::vector<std::uint8_t>& is_found,
            std::vector<std::uint32_t>& found) const;

 private:
  static constexpr std::uint32_t kNone = ByteTrie::kNone;

  ByteTrie trie_;
  std::uint32_t count_ = 0;
  std::vector<std::uint32_t> pieces_;  ///< by node: the piece that ends there, kNone: none
  std::vector<std::uint32_t> fail_;    ///< the longest proper suffix that is a node
  std::vector<std::uint32_t>
      output_;  ///< the longest proper suffix at which a piece ends; the root: none
};

}  // namespace sluice::core
