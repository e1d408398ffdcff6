#include "filter/byte_trie.hpp"

#include <bit>
#include <cassert>

namespace sluice::core {
namespace {

constexpr std::size_t kFirstSlots = 16;

}  // namespace

std::uint32_t ByteTrie::add(std::string_view text) {
  if (slots_.empty()) {
    resize(kFirstSlots);
  }
  std::uint32_t node = kRoot;
  for (const char each : text) {
    const auto byte = static_cast<std::uint8_t>(each);
    std::uint32_t next = child(node, byte);
    if (next == kNone) {
      assert(nodes_.size() < kNodesMax);
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({node, byte});
      if (nodes_.size() * 2 > slots_.size()) {
        resize(slots_.size() * 2);
      }
      put(node << 8 | byte, next);
    }
    node = next;
  }
  return node;
}

void ByteTrie::put(std::uint32_t key, std::uint32_t child) {
  std::size_t at = place_of(key);
  while (slots_[at] != 0) {
    at = (at + 1) & mask_;
  }
  slots_[at] = std::uint64_t{key} << 32 | child;
}

void ByteTrie::resize(std::size_t slots) {
  std::vector<std::uint64_t> old = std::move(slots_);
  slots_.assign(slots, 0);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  for (const std::uint64_t slot : old) {
    if (slot != 0) {
      put(static_cast<std::uint32_t>(slot >> 32), static_cast<std::uint32_t>(slot));
    }
  }
}

}  // namespace sluice::core
