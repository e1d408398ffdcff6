// Blocks of slabs: what is taken, what stays, what goes back to the system.
#include "message/slab_blocks.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "support/resident.hpp"

namespace sluice::test {
namespace {

using core::SlabBlocks;

constexpr std::size_t kSlab = 20480, kSlabs = SlabBlocks::kBlockBytes / kSlab;

std::vector<void*> take(SlabBlocks& blocks, std::size_t count) {
  std::vector<void*> slabs;
  for (std::size_t i = 0; i < count; ++i) {
    slabs.push_back(blocks.take());
    EXPECT_EQ(*static_cast<char*>(slabs.back()), 0);
    std::memset(slabs.back(), 'x', kSlab);
  }
  return slabs;
}

TEST(SlabBlocks, are_filled_one_after_the_other_and_go_when_all_their_slabs_are_idle) {
  SlabBlocks blocks(kSlab);
  const std::vector<void*> slabs = take(blocks, 2 * kSlabs + 1);
  EXPECT_EQ(std::set<void*>(slabs.begin(), slabs.end()).size(), slabs.size());
  EXPECT_EQ(blocks.blocks(), 3u);
  for (std::size_t i = 1; i < slabs.size(); ++i) {
    blocks.give_back(slabs[i]);
  }
  EXPECT_EQ(blocks.blocks(), 3u) << "until the trim";
  blocks.trim();
  EXPECT_EQ(blocks.blocks(), 1u);
  blocks.give_back(slabs[0]);
  blocks.trim();
  EXPECT_EQ(blocks.blocks(), 0u);
  EXPECT_EQ(resident_bytes(slabs[0], kSlab), -1);
}

TEST(SlabBlocks, lose_the_memory_of_idle_slabs_beside_one_in_use) {
  SlabBlocks blocks(kSlab);
  const std::vector<void*> slabs = take(blocks, kSlabs);
  for (std::size_t i = 0; i < kSlabs; ++i) {
    if (i != 7 && i != 50) {
      blocks.give_back(slabs[i]);
    }
  }
  blocks.trim();
  for (std::size_t i = 0; i < kSlabs; ++i) {
    EXPECT_EQ(resident_bytes(slabs[i], kSlab), i == 7 || i == 50 ? kSlab : 0) << i;
  }
  for (const std::size_t kept : {7u, 50u}) {
    const std::string_view text(static_cast<char*>(slabs[kept]), kSlab);
    EXPECT_EQ(text.find_first_not_of('x'), std::string_view::npos);
  }
  const std::vector<void*> again = take(blocks, kSlabs - 2);
  EXPECT_EQ(blocks.blocks(), 1u) << "these first";
  EXPECT_EQ(std::set<void*>(again.begin(), again.end()).count(slabs[7]), 0u);
}

}  // namespace
}  // namespace sluice::test
