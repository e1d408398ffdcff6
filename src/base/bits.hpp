// Masks of 64 messages.
#pragma once

#include <cstdint>

namespace sluice::core {

/// Bits [from, to).
inline std::uint64_t mask_between(std::uint32_t from, std::uint32_t to) {
  std::uint64_t below_to = to >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << to) - 1;
  return from >= 64 ? 0 : below_to & (~std::uint64_t{0} << from);
}

/// The number of the lowest set bit. REQUIRES: there is one.
inline std::uint32_t lowest_bit(std::uint64_t mask) { return static_cast<std::uint32_t>(__builtin_ctzll(mask)); }

/// How many bits are set. Where no instruction set may be assumed, std::popcount is a call and a table.
inline std::uint32_t bit_count(std::uint64_t mask) {
  mask -= mask >> 1 & 0x5555555555555555;
  mask = (mask & 0x3333333333333333) + (mask >> 2 & 0x3333333333333333);
  mask = (mask + (mask >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<std::uint32_t>(mask * 0x0101010101010101 >> 56);
}

/// The lowest `count` set bits of `mask`, or all of them.
inline std::uint64_t lowest_bits(std::uint64_t mask, std::uint32_t count) {
  if (count >= 64 || bit_count(mask) <= count) {
    return mask;
  }
  std::uint64_t rest = mask;
  for (std::uint32_t i = 0; i < count; ++i) {
    rest &= rest - 1;
  }
  return mask & ~rest;
}

}  // namespace sluice::core
