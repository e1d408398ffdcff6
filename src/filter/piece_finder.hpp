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
  /// A number for `piece`, the same for the same piece; kNone: too many. REQUIRES: not empty, before finish().
  std::uint32_t add(std::string_view piece);
  void finish();
  bool empty() const { return trie_.empty(); }

  /// found(number) for each occurrence of a piece in `value`; again for each further one.
  template <class Found>
  void find(std::string_view value, Found&& found) const {
    std::uint32_t node = ByteTrie::kRoot;
    for (const char each : value) {
      const auto byte = static_cast<std::uint8_t>(each);
      std::uint32_t next = trie_.child(node, byte);
      while (next == ByteTrie::kNone && node != ByteTrie::kRoot) {
        node = fail_[node];
        next = trie_.child(node, byte);
      }
      node = next == ByteTrie::kNone ? ByteTrie::kRoot : next;
      for (std::uint32_t at = ends_[node] ? node : output_[node]; at != ByteTrie::kRoot; at = output_[at]) {
        found(at);
      }
    }
  }
 private:
  ByteTrie trie_;
  std::vector<std::uint32_t> fail_;    ///< the longest proper suffix that is a node
  std::vector<std::uint32_t> output_;  ///< the longest proper suffix at which a piece ends; the root: none
  std::vector<bool> ends_;
};

}  // namespace sluice::core
