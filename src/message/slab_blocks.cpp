#include "message/slab_blocks.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <functional>

namespace sluice::core {
namespace {

std::uintptr_t address(const void* place) { return reinterpret_cast<std::uintptr_t>(place); }

/// kBlockBytes of memory, aligned to as much; nullptr: there is none.
std::uint8_t* map_block() {
  constexpr std::size_t kBlock = SlabBlocks::kBlockBytes;
  void* memory = mmap(nullptr, 2 * kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  auto* begin = static_cast<std::uint8_t*>(memory);
  const std::size_t before = -address(begin) % kBlock;
  if (before != 0) {
    munmap(begin, before);
  }
  munmap(begin + before + kBlock, kBlock - before);
  madvise(begin + before, kBlock, MADV_HUGEPAGE);  // where it fails, small pages do
  return begin + before;
}

}  // namespace

SlabBlocks::~SlabBlocks() {
  for (const auto& [begin, block] : blocks_) {
    munmap(begin, kBlockBytes);
  }
}

SlabBlocks::Block* SlabBlocks::make_block() {
  std::uint8_t* begin = map_block();
  if (begin == nullptr) {
    return nullptr;
  }
  Block& block = blocks_.try_emplace(begin, Block{begin, {}}).first->second;
  block.idle.resize(slabs());
  for (std::size_t slab = 0; slab < slabs(); ++slab) {
    block.idle[slab] = static_cast<std::uint16_t>(slabs() - 1 - slab);
  }
  with_idle_.push_back(&block);
  return &block;
}

void* SlabBlocks::take() {
  Block* block = with_idle_.empty() ? make_block() : with_idle_.back();
  if (block == nullptr) {
    return nullptr;
  }
  assert(!block->untrimmed);
  std::uint8_t* slab = block->begin + block->idle.back() * slab_bytes_;
  block->idle.pop_back();
  if (block->idle.empty()) {
    with_idle_.pop_back();
  }
  return slab;
}

void SlabBlocks::give_back(void* slab) {
  auto* at = static_cast<std::uint8_t*>(slab);
  const std::size_t offset = address(at) % kBlockBytes;
  Block& block = blocks_.at(at - offset);
  if (block.idle.empty()) {
    with_idle_.push_back(&block);
  }
  block.idle.push_back(static_cast<std::uint16_t>(offset / slab_bytes_));
  block.untrimmed = true;
  untrimmed_ = true;
}

void SlabBlocks::trim() {
  if (!untrimmed_) {
    return;
  }
  untrimmed_ = false;
  std::erase_if(with_idle_, [this](Block* block) {
    if (!block->untrimmed) {
      return false;
    }
    if (block->idle.size() < slabs()) {
      give_up_pages(*block);
      return false;
    }
    std::uint8_t* begin = block->begin;
    munmap(begin, kBlockBytes);
    blocks_.erase(begin);
    return true;
  });
}

/// Of its idle slabs: those that lie side by side go at once.
void SlabBlocks::give_up_pages(Block& block) const {
  std::ranges::sort(block.idle, std::greater<>());  // taken from the end: those at the block's begin first
  for (std::size_t i = 0; i < block.idle.size();) {
    const std::size_t last = block.idle[i];
    std::size_t first = last;
    for (++i; i < block.idle.size() && block.idle[i] + std::size_t{1} == first; ++i) {
      --first;
    }
    madvise(block.begin + first * slab_bytes_, (last - first + 1) * slab_bytes_, MADV_DONTNEED);
  }
  block.untrimmed = false;
}

}  // namespace sluice::core
