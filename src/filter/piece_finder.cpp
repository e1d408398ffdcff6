#include "filter/piece_finder.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::core {

std::uint32_t PieceFinder::add(std::string_view piece) {
  const std::uint32_t number = trie_.add(piece);
  if (number != ByteTrie::kNone) {
    ends_.resize(trie_.nodes().size(), false);
    ends_[number] = true;
  }
  return number;
}

void PieceFinder::finish() {
  const std::vector<ByteTrie::Node>& nodes = trie_.nodes();
  ends_.resize(nodes.size(), false);
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
      while (next == ByteTrie::kNone && shorter != ByteTrie::kRoot) {
        shorter = fail_[shorter];
        next = trie_.child(shorter, nodes[node].byte);
      }
      fail_[node] = next == ByteTrie::kNone ? ByteTrie::kRoot : next;
    }
    output_[node] = ends_[fail_[node]] ? fail_[node] : output_[fail_[node]];
  }
}

}  // namespace sluice::core
