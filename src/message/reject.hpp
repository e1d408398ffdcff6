// What drops or loses messages tells their origins.
#pragma once

#include "message/chunk.hpp"
#include "message/origin.hpp"

namespace sluice::core {

/// The origins of the messages of `mask` hear that a descendant was rejected; before they are let go. One operation
/// for all of a source's chunk.
inline void reject(const Chunk& chunk, std::uint64_t mask) {
  if (chunk.kind == Chunk::Kind::source) {
    if (chunk.origin != nullptr) {
      chunk.origin->rejected.fetch_or(mask, std::memory_order_relaxed);
    }
    return;
  }
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    const Lineage& lineage = chunk.lineage[lowest_bit(left)];
    if (lineage.origin != nullptr) {
      lineage.origin->reject(lineage.message);
    }
  }
}

}  // namespace sluice::core
