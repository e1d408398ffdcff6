#include "filter/piece_finder.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::core {

std::uint32_t PieceFinder::add(std::string_view piece) {
  const std::uint32_t node = trie_.add(piece);
  pieces_.resize(trie_.nodes().size(), kNone);
  if (pieces_[node] == kNone) {
    pieces_[node] = count_++;
  }
  return pieces_[node];
}

void PieceFinder::finish() {
  const std::vector<ByteTrie::Node>& nodes = trie_.nodes();
  pieces_.resize(nodes.size(), kNone);
  fail_.assign(nodes.size(), ByteTrie::kRoot);
  output_.assign(nodes.size(), ByteTrie::kRoot);
  std::vector<std::uint32_t> depth(nodes.size(), 0), order(nodes.size());
  for (std::uint32_t node = 1; node < nodes.size(); ++node) {
    depth[node] = depth[nodes[node].parent] + 1;
  }
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t node) { return depth[node]; });
  for (const std::uint32_t node : order) {
    if (depth[node] > 1) {
      std::uint32_t shorter = fail_[nodes[node].parent];
      std::uint32_t next = trie_.child(shorter, nodes[node].byte);
      while (next == kNone && shorter != ByteTrie::kRoot) {
        shorter = fail_[shorter];
        next = trie_.child(shorter, nodes[node].byte);
      }
      fail_[node] = next == kNone ? ByteTrie::kRoot : next;
    }
    output_[node] = pieces_[fail_[node]] != kNone ? fail_[node] : output_[fail_[node]];
  }
}

void PieceFinder::find(std::string_view value, std::vector<std::uint8_t>& is_found,
                       std::vector<std::uint32_t>& found) const {
  std::uint32_t node = ByteTrie::kRoot;
  for (const char each : value) {
    const auto byte = static_cast<std::uint8_t>(each);
    std::uint32_t next = trie_.child(node, byte);
    while (next == kNone && node != ByteTrie::kRoot) {
      node = fail_[node];
      next = trie_.child(node, byte);
    }
    node = next == kNone ? ByteTrie::kRoot : next;
    // From the first known piece on, all that end here are known.
    for (std::uint32_t at = pieces_[node] != kNone ? node : output_[node];
         at != ByteTrie::kRoot && is_found[pieces_[at]] == 0; at = output_[at]) {
      is_found[pieces_[at]] = 1;
      found.push_back(pieces_[at]);
    }
  }
}

}  // namespace sluice::core
