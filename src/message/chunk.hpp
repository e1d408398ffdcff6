// A chunk: a slab that holds up to 64 messages; the unit of allocation, hand-over and lease.
//
//   | Chunk (header, entries, sent times) | bodies and metas, growing up ... | lineage (if any) |
//
// A message is immutable once it is published; the chunk grows until it is sealed. Readers know only
// what the log told them (the published count), never `count` of an open chunk.
//
// Life: ChunkPool::take -> the owner appends and publishes -> `pending` comes to 0 -> end_chunk() ->
// home to the pool. `pending` counts messages x branches in its low bits; a pin (somebody still
// reads, and names their origins, kPin) and the owner's hold (kOpen) stand above them, so no sum of them is 0 by
// accident. Whoever makes all these 0 ends the chunk: its origins hear of it. Above them are counted those who hold
// its memory alone (kReader): the end itself, and workers that were given up on and may still read.
//
// Thread safety: fields are grouped by who may touch them.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic.hpp"
#include "base/bits.hpp"
#include "base/id.hpp"
#include "base/return_stack.hpp"
#include "message/origin.hpp"
#include "message/slab_blocks.hpp"

namespace sluice::core {

inline constexpr std::uint32_t kChunkMessages = 64;
/// Bodies above this are kept outside the slab (plugin.h: the most that reserve() gives).
inline constexpr std::uint64_t kInlineBodyMax = 8192;
/// A message's attributes, group and ids, packed.
inline constexpr std::uint64_t kMetaMax = 16384;
/// A chunk is sealed when its bodies come to this, so that big bodies do not gather in one.
inline constexpr std::uint64_t kChunkBytesMax = 1 << 20;
/// What credits count in: bytes / 64, rounded up.
inline constexpr std::uint32_t kCreditUnit = 64;

/// A body outside the slab, shared by the chunks that hold its message.
struct ExternalBody {
  Atomic<std::uint32_t> references;
  const std::uint8_t* data;
  std::uint64_t size;
  void (*release)(void* owner);  ///< nullptr: data lies behind this struct
  void* owner;

  static ExternalBody* copy_of(std::span<const std::uint8_t> body);
  static ExternalBody* adopt(const std::uint8_t* data, std::uint64_t size, void (*release)(void*), void* owner);
  void drop();
};

struct LetterPlace;

/// Why a message failed last, while it may be tried again.
struct LastError {
  std::string stage, reason, detail;
};

/// Where a message came from, in chunks whose messages are counted one by one or by several origins.
struct Lineage {
  Origin* origin;                  ///< nullptr: nobody waits for it (read back from the dead letters)
  std::uint32_t receive_count;     ///< receives so far, from the queue that it is in
  std::uint16_t received_before;   ///< a dead letter's: from other queues, as far as can be counted
  std::uint8_t message;            ///< in the origin
  std::uint8_t redrive_count;      ///< how often it went from dead letters back to a queue, as far as can be counted
  std::int64_t first_received_ms;  ///< 0: never
  const LetterPlace* stored_in;    ///< where it stands as a dead letter; nullptr: nowhere
  LastError* last_error;           ///< owned; nullptr: none
  std::int64_t moved_ms : 63;      ///< when it became a dead letter, which is as old as that; 0: it is none
  bool is_kept_anew : 1;           ///< its retention counts from then, too

  std::uint32_t receives() const { return received_before + receive_count; }
};
/// What a field of so many bits can say of `count`.
template <class Field>
constexpr Field as_far_as_counted(std::uint64_t count) {
  return static_cast<Field>(std::min<std::uint64_t>(count, std::numeric_limits<Field>::max()));
}

/// A message's optional parts, as they are given to append().
struct MessageParts {
  const Uuid* id = nullptr;     ///< nullptr: the chunk's id base + index
  std::string_view group_id, deduplication_id;
  std::uint32_t attribute_count = 0;
  const sluice_attribute* const* attributes = nullptr;   ///< sorted by name, no name twice
};

class ChunkPool;

struct alignas(kCacheLine) Chunk {
  enum class Kind : std::uint8_t {
    source,    ///< one origin, counted down together
    derived,   ///< emitted by a stage: lineage per message, dropped when the chunk ends
    evacuated  ///< in one queue only: lineage per message, dropped as each is settled
  };

  struct Entry {
    std::uint32_t body_offset;  ///< from the chunk's first byte
    std::uint32_t body_size;    ///< kExternal: at body_offset stands an ExternalBody*
    std::uint32_t meta_offset;  ///< 0: no meta
    std::uint32_t charge_end;   ///< credit units of this and all earlier messages
  };
  static constexpr std::uint32_t kExternal = ~std::uint32_t{0};
  static constexpr std::int64_t kPin = std::int64_t{1} << 32;
  static constexpr std::int64_t kOpen = std::int64_t{1} << 48;
  static constexpr std::int64_t kReader = std::int64_t{1} << 49;
  /// Somebody has messages of it, or reads them and names their origins, or adds to them.
  static bool is_in_use(std::int64_t pending) { return (pending & (kReader - 1)) != 0; }

  // Constant while in use.
  ChunkPool* pool;
  std::int64_t begun_ms;        ///< kinds source and derived: no message of it was sent before
  std::uint32_t slab_bytes;
  std::uint32_t pool_index;     ///< in the pool's list of slabs
  std::uint64_t generation;     ///< grows with each use of the slab
  std::uint8_t size_class;
  bool in_block;                ///< the slab is one of the pool's blocks'
  Kind kind;
  Origin* origin;               ///< kind source
  Lineage* lineage;             ///< other kinds: [capacity] at the slab's end
  std::uint32_t capacity;       ///< messages at most
  Uuid id_base;
  Chunk* next;                  ///< in the pool

  // The owner's, while open; constant afterwards.
  alignas(kCacheLine) std::uint32_t count;
  std::uint32_t used;           ///< bytes from the chunk's first to the arena's end
  std::uint32_t limit;          ///< where the arena must end
  std::uint32_t charge;         ///< credit units of all messages
  std::uint64_t body_bytes;     ///< bodies, external ones too
  std::uint64_t externals;      ///< bit i: message i's body is outside

  // Everybody's.
  alignas(kCacheLine) Atomic<std::int64_t> pending;

  alignas(kCacheLine) Entry entries[kChunkMessages];
  std::int64_t sent_ms[kChunkMessages];  ///< wall clock

  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this); }
  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(this); }

  /// Room for a body of `size` bytes (at most kInlineBodyMax) where the next append will find it, or
  /// nullptr: the slab is full. [owner]
  std::uint8_t* reserve(std::uint64_t size) {
    return count == capacity || used + size > limit ? nullptr : bytes() + used;
  }
  /// Appends a message without meta whose body stands at reserve()'s address. [owner]
  void append_plain(std::uint64_t body_size, std::int64_t sent) {
    charge += static_cast<std::uint32_t>((body_size + 64 + kCreditUnit - 1) / kCreditUnit);
    entries[count] = {used, static_cast<std::uint32_t>(body_size), 0, charge};
    sent_ms[count] = sent;
    used = static_cast<std::uint32_t>((used + body_size + 7) & ~std::uint64_t{7});
    body_bytes += body_size;
    ++count;
  }
  /// Appends a message whose body stands at reserve()'s address. False: its meta does not fit. [owner]
  bool append_reserved(std::uint64_t body_size, const MessageParts& parts, std::int64_t sent);
  /// Appends; takes one reference of `external` if given (then `body` is ignored). False, and nothing
  /// taken: does not fit. [owner]
  bool append(std::span<const std::uint8_t> body, ExternalBody* external, const MessageParts& parts,
              std::int64_t sent);

  /// Bytes that `parts` take in a slab.
  static std::uint64_t meta_bytes(const MessageParts& parts);
  /// Before anything is published: charges each message at least its share of the slab. [owner]
  void spread_charge();

  // Of published messages. [any holder]
  std::span<const std::uint8_t> body(std::uint32_t index) const;
  ExternalBody* external(std::uint32_t index) const;  ///< nullptr: inline
  /// Bytes behind an inline body that belong to the slab, whatever they are; 0 behind an external one.
  std::size_t readable_behind(std::uint32_t index) const {
    const Entry& entry = entries[index];
    return entry.body_size == kExternal ? 0 : slab_bytes - entry.body_offset - entry.body_size;
  }
  Uuid id(std::uint32_t index) const;
  /// What its age counts from, and its retention.
  std::int64_t old_since_ms(std::uint32_t index) const {
    return kind == Kind::evacuated && lineage[index].moved_ms != 0 ? lineage[index].moved_ms : sent_ms[index];
  }
  std::int64_t kept_since_ms(std::uint32_t index) const {
    return kind == Kind::evacuated && lineage[index].is_kept_anew ? lineage[index].moved_ms : sent_ms[index];
  }
  /// Where message `index` came from, for what is made of it: no receives, nothing owned.
  Lineage lineage_of(std::uint32_t index) const;
  /// Credit units charged for message `index`; for those in `mask`.
  std::uint32_t charge_of(std::uint32_t index) const {
    return entries[index].charge_end - (index == 0 ? 0 : entries[index - 1].charge_end);
  }
  std::uint64_t charge_of_mask(std::uint64_t mask) const;

 private:
  bool append_meta(const MessageParts& parts, std::uint64_t* place, std::uint32_t* meta_offset);
  void finish_append(std::uint32_t body_offset, std::uint32_t body_size, std::uint64_t full_size,
                     std::uint32_t meta_offset, std::uint64_t place, std::int64_t sent);
};

/// Walks the packed attributes, group and ids of a message.
class MetaReader {
 public:
  MetaReader(const Chunk& chunk, std::uint32_t index);
  std::uint32_t attribute_count() const { return attribute_count_; }
  std::string_view group_id() const { return group_id_; }
  std::string_view deduplication_id() const { return deduplication_id_; }
  /// The next attribute; call attribute_count() times at most.
  sluice_attribute next_attribute();

 private:
  const std::uint8_t* at_ = nullptr;
  std::uint32_t attribute_count_ = 0;
  std::string_view group_id_, deduplication_id_;
};

/// Slabs of one owner (a publisher or a worker), in size classes. Memory is given back to the system
/// when much of it lies idle, and when the pool ends. What a rotating pool needs beyond its rotation is held up by
/// branches that fall behind, and comes by the block.
class ChunkPool {
 public:
  static constexpr std::uint32_t kClasses = 7;
  /// In small steps: what a full chunk does not use of its slab is memory that no credit counts.
  static constexpr std::uint32_t kSlabBytes[kClasses] = {4096, 8192, 12288, 20480, 28672, 40960, 65536};

  /// Bytes of slabs that a publisher goes round in before it writes into one again. A line that another
  /// core has just read costs several times more to write than one that has left both cores' caches.
  static constexpr std::uint32_t kRotation = 5 << 19;

  /// Of each size class so many bytes are in use before a slab is used again.
  explicit ChunkPool(std::uint32_t rotation_bytes = 0);
  ~ChunkPool();  ///< REQUIRES: nobody uses a chunk any more; external bodies still held are released.
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// An empty chunk with pending = kOpen + kReader; nullptr: no memory. `has_lineage`: kinds derived and evacuated. [owner]
  Chunk* take(std::uint32_t size_class, Chunk::Kind kind);
  void give_back(Chunk* chunk) { returned_.push(chunk); }  ///< [any]
  /// The smallest class that holds a message of so many bytes beside a lineage, kClasses if none.
  static std::uint32_t class_for(std::uint64_t bytes);
  /// The smallest class that holds as many messages like those of `chunk` as it could have; the largest if none.
  static std::uint32_t class_like(const Chunk& chunk);

 private:
  void drain();
  void give_slab_up(Chunk* chunk);
  const std::uint32_t rotation_bytes_;
  ReturnStack<Chunk> returned_;
  Chunk* free_[kClasses] = {};
  std::uint32_t free_count_[kClasses] = {};
  std::uint64_t live_bytes_[kClasses] = {};
  std::vector<Chunk*> live_;  // every slab, for the destructor
  std::deque<SlabBlocks> blocks_;  // of each class
};

/// Ends a chunk that is not in use any more, of which `pending` says so: its origins hear of it; if nobody reads, its
/// bodies are released and it goes home. [any]
void end_chunk(Chunk* chunk, std::int64_t pending);
/// Takes one kReader from `pending`; the last one's bodies are released and it goes home. [any]
void release_reader(Chunk* chunk);

/// Takes `amount` from `pending`; ends the chunk if nothing of what counts as use is left. [any]
inline void release_chunk(Chunk* chunk, std::int64_t amount) {
  const std::int64_t left = chunk->pending.fetch_sub(amount, std::memory_order_acq_rel) - amount;
  if (!Chunk::is_in_use(left)) {
    end_chunk(chunk, left);
  }
}

/// Messages of `mask` will be handed to nobody any more, though they have not ended: their origins wait for them as
/// for copies that never end, so that the chunk ends with the others, and the sources of those hear of it.
void leave_behind(Chunk* chunk, std::uint64_t mask);

/// Gathers what one thread takes from a chunk's `pending`: a chunk with many branches is counted down once
/// for all that one thread served, and the line is not taken from the publisher for each.
class Releases {
 public:
  Releases() = default;
  Releases(const Releases&) = delete;
  Releases& operator=(const Releases&) = delete;
  ~Releases() { flush(); }

  void add(Chunk* chunk, std::int64_t amount) {
    if (chunk != chunk_) {
      flush();
      chunk_ = chunk;
    }
    amount_ += amount;
  }
  /// Before the thread waits or takes long.
  void flush() {
    if (chunk_ != nullptr) {
      release_chunk(chunk_, amount_);
      chunk_ = nullptr;
      amount_ = 0;
    }
  }

 private:
  Chunk* chunk_ = nullptr;
  std::int64_t amount_ = 0;
};

}  // namespace sluice::core
