// Copies single messages out of their chunk, so that one that must wait (retry, delay, dead letter)
// pins neither its slab nor the acknowledgement of its neighbours.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "message/chunk.hpp"

namespace sluice::core {

/// Of one owner thread and one queue: copies gather in an open chunk of kind evacuated.
class Evacuator {
 public:
  /// How many copies of messages like the first are to come.
  enum class Expects : std::uint8_t { few, many };

  explicit Evacuator(ChunkPool& pool, Expects expects = Expects::few)
      : pool_(&pool),
        expects_(expects) {}
  ~Evacuator() { close(); }
  Evacuator(const Evacuator&) = delete;
  Evacuator& operator=(const Evacuator&) = delete;

  struct Copy {
    Chunk* chunk = nullptr;  ///< nullptr: no memory
    std::uint32_t index = 0;
  };

  /// Copies message `index` of `from` (same id, charge and sent time; an external body is shared). The
  /// copy counts in its origin from now on: of an evacuated chunk it takes the original's place, so
  /// the original must not be dropped as well. One receipt is held for the caller in `pending`.
  /// `received_ms`: where this was its first receive, when that was.
  Copy copy(Chunk& from, std::uint32_t index, std::int64_t received_ms);
  /// The same for a message that nobody waits for, from its parts.
  Copy store(std::span<const std::uint8_t> body, const MessageParts& parts, std::int64_t sent_ms,
             const Lineage& lineage);
  /// Lets go of the open chunk.
  void close();

 private:
  bool append(std::span<const std::uint8_t> body, ExternalBody* external, const MessageParts& parts,
              std::int64_t sent_ms);
  ChunkPool* pool_;
  const Expects expects_;
  Chunk* open_ = nullptr;
};

/// Evacuators of copies that wait for their time. Those of one chunk wait about as long, within a factor of four: else a
/// slab that was full of copies would be held for one that waits much longer than the others.
class DelayEvacuator {
 public:
  explicit DelayEvacuator(ChunkPool& pool) : pool_(&pool) {}

  Evacuator& of(std::int64_t delay_ms) {
    const auto magnitude = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(delay_ms, 0))));
    std::optional<Evacuator>& evacuator = by_delay_[std::min(magnitude / 2, by_delay_.size() - 1)];
    return evacuator ? *evacuator : evacuator.emplace(*pool_);
  }

 private:
  ChunkPool* pool_;
  std::array<std::optional<Evacuator>, 14> by_delay_;  ///< the longest is 12 h: 2^26 ms
};

}  // namespace sluice::core
