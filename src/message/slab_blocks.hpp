// Slabs of one size, carved from blocks of 2 MiB that the kernel may map as one huge page each: a publisher whose
// branches fall behind writes into new memory all the time, and faults once a block then, not once a page.
//
// A block goes back to the system when all its slabs are idle. Where some are in use, only the idle ones' pages go, and
// the block stays, mapped by small pages from then on.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace sluice::core {

class SlabBlocks {
 public:
  static constexpr std::size_t kBlockBytes = 2 << 20;

  /// REQUIRES: `slab_bytes` is a multiple of a page.
  explicit SlabBlocks(std::size_t slab_bytes)
      : slab_bytes_(slab_bytes) {}
  ~SlabBlocks();  ///< REQUIRES: nobody uses a slab any more.
  SlabBlocks(const SlabBlocks&) = delete;
  SlabBlocks& operator=(const SlabBlocks&) = delete;

  /// A slab, all zeros; nullptr: no memory.
  void* take();
  /// Its bytes are lost, and its memory goes back with the next trim().
  void give_back(void* slab);
  void trim();

  /// Blocks that have a slab in use, or had one before the last trim().
  std::size_t blocks() const { return blocks_.size(); }

 private:
  struct Block {
    std::uint8_t* begin;
    std::vector<std::uint16_t> idle;  ///< numbers of slabs
    bool untrimmed = false;           ///< some of the idle ones still have their memory
  };

  std::size_t slabs() const { return kBlockBytes / slab_bytes_; }
  Block* make_block();
  void give_up_pages(Block& block) const;

  const std::size_t slab_bytes_;
  std::map<std::uint8_t*, Block> blocks_;  ///< by their first byte
  std::vector<Block*> with_idle_;          ///< all that have idle slabs; the last one serves
  bool untrimmed_ = false;                 ///< one of them is
};

}  // namespace sluice::core
