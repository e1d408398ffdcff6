// Memory for one batch: taken bit by bit, given back all at once, kept for the next batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace sluice::core {

/// One owner thread. Addresses stay valid until reset(). Throws std::bad_alloc.
class Arena {
 public:
  /// `bytes` bytes, aligned to 16.
  void* take(std::size_t bytes) {
    bytes = (bytes + 15) & ~std::size_t{15};
    if (block_ >= blocks_.size() || used_ + bytes > blocks_[block_].size) {
      next_block(bytes);
    }
    void* place = blocks_[block_].memory.get() + used_;
    used_ += bytes;
    return place;
  }
  template <class T>
  T* take_array(std::size_t count) {
    return static_cast<T*>(take(count * sizeof(T)));
  }
  /// Keeps at most kKept bytes for the next batch.
  void reset() {
    block_ = 0;
    used_ = 0;
    while (blocks_.size() > 1 && blocks_.back().size > kKept) {
      blocks_.pop_back();
    }
  }

 private:
  static constexpr std::size_t kBlock = 64 << 10, kKept = 1 << 20;
  struct Block {
    std::unique_ptr<std::uint8_t[]> memory;
    std::size_t size;
  };

  void next_block(std::size_t bytes) {
    while (block_ + 1 < blocks_.size()) {
      ++block_;
      used_ = 0;
      if (bytes <= blocks_[block_].size) {
        return;
      }
    }
    std::size_t size = bytes > kBlock ? bytes : kBlock;
    blocks_.push_back({std::make_unique_for_overwrite<std::uint8_t[]>(size), size});
    block_ = blocks_.size() - 1;
    used_ = 0;
  }

  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

}  // namespace sluice::core
