// A trie over bytes. Nodes are numbers, transitions lie in one hash table: a step is one look into
// it, whatever the number of texts; memory grows with the bytes that the texts do not share.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::core {

class ByteTrie {
 public:
  static constexpr std::uint32_t kRoot = 0;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  /// A node and a byte are a key of 32 bits. compile() stops at fewer (kFilterMemoryMax).
  static constexpr std::uint32_t kNodesMax = 1u << 24;

  struct Node {
    std::uint32_t parent;
    std::uint8_t byte;  ///< on the way from the parent
  };

  /// The node of `text`; what is missing on the way is made.
  std::uint32_t add(std::string_view text);
  /// REQUIRES: something was added.
  std::uint32_t child(std::uint32_t node, std::uint8_t byte) const {
    const std::uint32_t key = node << 8 | byte;
    for (std::size_t at = place_of(key);; at = (at + 1) & mask_) {
      const std::uint64_t slot = slots_[at];
      if (slot >> 32 == key && slot != 0) {
        return static_cast<std::uint32_t>(slot);
      }
      if (slot == 0) {
        return kNone;
      }
    }
  }
  /// In the order of making: parents before children.
  const std::vector<Node>& nodes() const { return nodes_; }
  /// At most, and while it grows.
  static constexpr std::size_t kNodeBytes = 2 * sizeof(Node) + 6 * sizeof(std::uint64_t);

 private:
  std::size_t place_of(std::uint32_t key) const {
    return (key * std::uint64_t{0x9E3779B97F4A7C15}) >> shift_;
  }
  void put(std::uint32_t key, std::uint32_t child);
  void resize(std::size_t slots);

  std::vector<Node> nodes_{{kNone, 0}};
  std::vector<std::uint64_t> slots_;  ///< key << 32 | child; 0: free (the root is nobody's child)
  std::size_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace sluice::core
