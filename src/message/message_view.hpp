// Messages of a chunk as the ABI shows them, built once per chunk and reused while the same thread
// serves the next queue that holds the same chunk.
#pragma once

#include <sluice/plugin.h>

#include <memory>
#include <vector>

#include "base/arena.hpp"
#include "message/chunk.hpp"

namespace sluice::core {

/// Views of one chunk's messages, in lines that stay in the first-level cache.
class ChunkViews {
 public:
  ChunkViews();
  /// True if the views are of `chunk` as it is now, not of an earlier use of its slab.
  bool is_of(const Chunk& chunk) const { return chunk_ == &chunk && generation_ == chunk.generation; }
  /// Builds what is missing of `mask`.
  void show(const Chunk& chunk, std::uint64_t mask);
  /// Message i's view at [i]; valid for the messages that were shown.
  const sluice_message* const* pointers() const { return pointers_; }

 private:
  friend class ViewCache;
  void build(const Chunk& chunk, std::uint32_t index);

  const Chunk* chunk_ = nullptr;
  std::uint64_t generation_ = 0;
  std::uint64_t built_ = 0;
  std::uint64_t batch_ = 0;  ///< ViewCache: the batch that used it last
  sluice_message views_[kChunkMessages];
  const sluice_message* pointers_[kChunkMessages];
  Arena attributes_;
};

/// The views of one thread. A batch calls begin_batch(), then show() for each of its chunks; what
/// show() returned stays valid until the next begin_batch() on this thread and the chunk's release.
class ViewCache {
 public:
  void begin_batch() { ++batch_; }
  const sluice_message* const* show(const Chunk& chunk, std::uint64_t mask);

 private:
  ChunkViews& find_or_free(const Chunk& chunk);

  std::uint64_t batch_ = 0;
  ChunkViews* last_ = nullptr;
  std::vector<std::unique_ptr<ChunkViews>> views_;
};

}  // namespace sluice::core
