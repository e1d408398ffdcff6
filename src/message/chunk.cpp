#include "message/chunk.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice::core {
namespace {

/// Packed meta: this, then id if any, attributes ({type u8, name size u16, value size u32, name,
/// value} each), group id, deduplication id. Read and written with memcpy: nothing is aligned.
struct MetaHeader {
  std::uint16_t attribute_count;
  std::uint8_t has_id;
  std::uint8_t group_size;
  std::uint8_t deduplication_size;
  std::uint8_t unused[3];
};

constexpr std::uint32_t kAttributeHeader = 7;

std::uint32_t align8(std::uint64_t value) { return static_cast<std::uint32_t>((value + 7) & ~std::uint64_t{7}); }

std::uint8_t* put(std::uint8_t* at, const void* from, std::size_t size) {
  if (size != 0) {
    std::memcpy(at, from, size);
  }
  return at + size;
}

std::uint64_t meta_size(const MessageParts& parts) {
  std::uint64_t size = sizeof(MetaHeader) + (parts.id != nullptr ? 16 : 0) + parts.group_id.size() +
                       parts.deduplication_id.size();
  for (std::uint32_t i = 0; i < parts.attribute_count; ++i) {
    size += kAttributeHeader + parts.attributes[i]->name.size + parts.attributes[i]->value.size;
  }
  return size;
}

bool has_meta(const MessageParts& parts) {
  return parts.id != nullptr || parts.attribute_count != 0 || !parts.group_id.empty() ||
         !parts.deduplication_id.empty();
}

MetaHeader read_header(const Chunk& chunk, std::uint32_t index) {
  MetaHeader header;
  std::memcpy(&header, chunk.bytes() + chunk.entries[index].meta_offset, sizeof header);
  return header;
}

}  // namespace

ExternalBody* ExternalBody::copy_of(std::span<const std::uint8_t> body) {
  void* memory = std::malloc(sizeof(ExternalBody) + body.size());
  if (memory == nullptr) {
    return nullptr;
  }
  auto* external = new (memory) ExternalBody{};
  auto* data = static_cast<std::uint8_t*>(memory) + sizeof(ExternalBody);
  put(data, body.data(), body.size());
  external->references.store(1, std::memory_order_relaxed);
  external->data = data;
  external->size = body.size();
  return external;
}

ExternalBody* ExternalBody::adopt(const std::uint8_t* data, std::uint64_t size, void (*release)(void*),
                                  void* owner) {
  void* memory = std::malloc(sizeof(ExternalBody));
  if (memory == nullptr) {
    return nullptr;
  }
  auto* external = new (memory) ExternalBody{};
  external->references.store(1, std::memory_order_relaxed);
  external->data = data;
  external->size = size;
  external->release = release;
  external->owner = owner;
  return external;
}

void ExternalBody::drop() {
  if (references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (release != nullptr) {
    release(owner);
  }
  std::free(this);
}

std::uint64_t Chunk::meta_bytes(const MessageParts& parts) { return has_meta(parts) ? meta_size(parts) + 8 : 0; }

void Chunk::spread_charge() {
  std::uint64_t slab_units = slab_bytes / kCreditUnit;
  if (count == 0 || charge >= slab_units) {
    return;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t share = slab_units * (i + 1) / count;
    entries[i].charge_end = static_cast<std::uint32_t>(std::max<std::uint64_t>(entries[i].charge_end, share));
  }
  charge = entries[count - 1].charge_end;
}

bool Chunk::append_meta(const MessageParts& parts, std::uint64_t* place, std::uint32_t* meta_offset) {
  *meta_offset = 0;
  if (!has_meta(parts)) {
    return true;
  }
  std::uint64_t start = align8(*place);
  std::uint64_t size = meta_size(parts);
  if (start + size > limit) {
    return false;
  }
  MetaHeader header{};
  header.attribute_count = static_cast<std::uint16_t>(parts.attribute_count);
  header.has_id = parts.id != nullptr ? 1 : 0;
  header.group_size = static_cast<std::uint8_t>(parts.group_id.size());
  header.deduplication_size = static_cast<std::uint8_t>(parts.deduplication_id.size());
  std::uint8_t* at = put(bytes() + start, &header, sizeof header);
  if (parts.id != nullptr) {
    at = put(at, parts.id->bytes.data(), 16);
  }
  for (std::uint32_t i = 0; i < parts.attribute_count; ++i) {
    const sluice_attribute& attribute = *parts.attributes[i];
    auto type = static_cast<std::uint8_t>(attribute.type);
    auto name_size = static_cast<std::uint16_t>(attribute.name.size);
    auto value_size = static_cast<std::uint32_t>(attribute.value.size);
    at = put(put(put(at, &type, 1), &name_size, 2), &value_size, 4);
    at = put(put(at, attribute.name.data, name_size), attribute.value.data, value_size);
  }
  at = put(at, parts.group_id.data(), parts.group_id.size());
  put(at, parts.deduplication_id.data(), parts.deduplication_id.size());
  *meta_offset = static_cast<std::uint32_t>(start);
  *place = start + size;
  return true;
}

void Chunk::finish_append(std::uint32_t body_offset, std::uint32_t body_size, std::uint64_t full_size,
                          std::uint32_t meta_offset, std::uint64_t place, std::int64_t sent) {
  std::uint64_t own_bytes = full_size + (place - used) + 64;
  charge += static_cast<std::uint32_t>((own_bytes + kCreditUnit - 1) / kCreditUnit);
  entries[count] = {body_offset, body_size, meta_offset, charge};
  sent_ms[count] = sent;
  used = align8(place);
  body_bytes += full_size;
  ++count;
}

bool Chunk::append_reserved(std::uint64_t body_size, const MessageParts& parts, std::int64_t sent) {
  assert(count < capacity);
  std::uint32_t body_offset = used;
  std::uint64_t place = used + body_size;
  std::uint32_t meta_offset = 0;
  if (!append_meta(parts, &place, &meta_offset)) {
    return false;
  }
  finish_append(body_offset, static_cast<std::uint32_t>(body_size), 0, meta_offset, place, sent);
  body_bytes += body_size;
  return true;
}

bool Chunk::append(std::span<const std::uint8_t> body, ExternalBody* external, const MessageParts& parts,
                   std::int64_t sent) {
  std::uint64_t inline_size = external != nullptr ? sizeof external : body.size();
  if (count == capacity || used + inline_size > limit) {
    return false;
  }
  std::uint32_t body_offset = used;
  std::uint64_t place = used + inline_size;
  std::uint32_t meta_offset = 0;
  if (!append_meta(parts, &place, &meta_offset)) {
    return false;
  }
  if (external == nullptr) {
    put(bytes() + body_offset, body.data(), body.size());
    finish_append(body_offset, static_cast<std::uint32_t>(body.size()), 0, meta_offset, place, sent);
    body_bytes += body.size();
    return true;
  }
  put(bytes() + body_offset, &external, sizeof external);
  externals |= std::uint64_t{1} << count;
  finish_append(body_offset, kExternal, external->size, meta_offset, place, sent);
  return true;
}

ExternalBody* Chunk::external(std::uint32_t index) const {
  if (entries[index].body_size != kExternal) {
    return nullptr;
  }
  ExternalBody* external = nullptr;
  std::memcpy(&external, bytes() + entries[index].body_offset, sizeof external);
  return external;
}

std::span<const std::uint8_t> Chunk::body(std::uint32_t index) const {
  if (ExternalBody* outside = external(index)) {
    return {outside->data, outside->size};
  }
  return {bytes() + entries[index].body_offset, entries[index].body_size};
}

Lineage Chunk::lineage_of(std::uint32_t index) const {
  Lineage child{};
  child.origin = kind == Kind::source ? origin : lineage[index].origin;
  child.message = kind == Kind::source ? static_cast<std::uint8_t>(index) : lineage[index].message;
  return child;
}

Uuid Chunk::id(std::uint32_t index) const {
  Uuid result;
  if (entries[index].meta_offset != 0 && read_header(*this, index).has_id != 0) {
    std::memcpy(result.bytes.data(), bytes() + entries[index].meta_offset + sizeof(MetaHeader), 16);
    return result;
  }
  result = id_base;  // its last byte is 0 but for the six low bits that index takes
  result.bytes[15] = static_cast<std::uint8_t>(result.bytes[15] | index);
  return result;
}

std::uint64_t Chunk::charge_of_mask(std::uint64_t mask) const {
  if (mask == 0) {
    return 0;
  }
  auto first = lowest_bit(mask);
  auto end = static_cast<std::uint32_t>(64 - std::countl_zero(mask));
  if (mask == mask_between(first, end)) {  // one run, the usual case: a difference
    return entries[end - 1].charge_end - (first == 0 ? 0 : entries[first - 1].charge_end);
  }
  std::uint64_t units = 0;
  for (; mask != 0; mask &= mask - 1) {
    units += charge_of(lowest_bit(mask));
  }
  return units;
}

MetaReader::MetaReader(const Chunk& chunk, std::uint32_t index) {
  if (chunk.entries[index].meta_offset == 0) {
    return;
  }
  MetaHeader header = read_header(chunk, index);
  at_ = chunk.bytes() + chunk.entries[index].meta_offset + sizeof header + (header.has_id != 0 ? 16 : 0);
  attribute_count_ = header.attribute_count;
  MetaReader walk = *this;
  for (std::uint32_t i = 0; i < attribute_count_; ++i) {
    walk.next_attribute();
  }
  const auto* text = reinterpret_cast<const char*>(walk.at_);
  group_id_ = {text, header.group_size};
  deduplication_id_ = {text + header.group_size, header.deduplication_size};
}

sluice_attribute MetaReader::next_attribute() {
  std::uint8_t type = 0;
  std::uint16_t name_size = 0;
  std::uint32_t value_size = 0;
  std::memcpy(&type, at_, 1);
  std::memcpy(&name_size, at_ + 1, 2);
  std::memcpy(&value_size, at_ + 3, 4);
  const auto* name = reinterpret_cast<const char*>(at_ + kAttributeHeader);
  at_ += kAttributeHeader + name_size + value_size;
  return {sizeof(sluice_attribute), type, {name, name_size}, {name + name_size, value_size}};
}

namespace {

/// Messages of a chunk with a lineage table: the smallest class has room for few.
std::uint32_t lineage_capacity(std::uint32_t size_class) { return size_class == 0 ? 16 : kChunkMessages; }

}  // namespace

std::uint32_t ChunkPool::class_for(std::uint64_t bytes) {
  for (std::uint32_t size_class = 0; size_class < kClasses; ++size_class) {
    std::uint64_t fixed = sizeof(Chunk) + lineage_capacity(size_class) * sizeof(Lineage) + 16;
    if (fixed + bytes <= kSlabBytes[size_class]) {
      return size_class;
    }
  }
  return kClasses;
}

std::uint32_t ChunkPool::class_like(const Chunk& chunk) {
  if (chunk.count == 0) {
    return chunk.size_class;
  }
  const std::uint64_t messages = std::uint64_t{chunk.used - std::uint32_t{sizeof(Chunk)}} * chunk.capacity / chunk.count;
  const std::uint64_t bytes = sizeof(Chunk) + messages + (chunk.slab_bytes - chunk.limit);
  std::uint32_t size_class = 0;
  while (size_class + 1 < kClasses && kSlabBytes[size_class] < bytes) {
    ++size_class;
  }
  return size_class;
}

ChunkPool::ChunkPool(std::uint32_t rotation_bytes)
    : rotation_bytes_(rotation_bytes) {
  for (const std::uint32_t slab_bytes : kSlabBytes) {
    blocks_.emplace_back(slab_bytes);
  }
}

void ChunkPool::drain() {
  constexpr std::uint32_t kIdleBytesMax = 32 << 20;
  Chunk* chunk = returned_.take_all();
  while (chunk != nullptr) {
    Chunk* next = chunk->next;
    std::uint32_t size_class = chunk->size_class;
    if (free_count_[size_class] * kSlabBytes[size_class] >= kIdleBytesMax) {
      give_slab_up(chunk);
    } else {
      chunk->next = free_[size_class];
      free_[size_class] = chunk;
      ++free_count_[size_class];
    }
    chunk = next;
  }
  for (SlabBlocks& blocks : blocks_) {
    blocks.trim();
  }
}

void ChunkPool::give_slab_up(Chunk* chunk) {
  live_[chunk->pool_index] = live_.back();
  live_[chunk->pool_index]->pool_index = chunk->pool_index;
  live_.pop_back();
  live_bytes_[chunk->size_class] -= chunk->slab_bytes;
  if (chunk->in_block) {
    blocks_[chunk->size_class].give_back(chunk);
  } else {
    std::free(chunk);
  }
}

Chunk* ChunkPool::take(std::uint32_t size_class, Chunk::Kind kind) {
  assert(size_class < kClasses);
  if (free_[size_class] == nullptr && live_bytes_[size_class] >= rotation_bytes_) {
    drain();
  }
  Chunk* chunk = free_[size_class];
  if (chunk != nullptr) {
    free_[size_class] = chunk->next;
    --free_count_[size_class];
  } else {
    const bool in_block = rotation_bytes_ != 0 && live_bytes_[size_class] >= rotation_bytes_;
    void* memory = in_block ? blocks_[size_class].take() : std::aligned_alloc(kCacheLine, kSlabBytes[size_class]);
    if (memory == nullptr) {
      return nullptr;
    }
    chunk = new (memory) Chunk;
    static Atomic<std::uint64_t> slabs{0};  // no two slabs ever share a generation
    chunk->generation = slabs.fetch_add(1, std::memory_order_relaxed) << 32;
    chunk->pool = this;
    chunk->in_block = in_block;
    chunk->slab_bytes = kSlabBytes[size_class];
    chunk->size_class = static_cast<std::uint8_t>(size_class);
    chunk->pool_index = static_cast<std::uint32_t>(live_.size());
    live_.push_back(chunk);
    live_bytes_[size_class] += kSlabBytes[size_class];
  }
  ++chunk->generation;
  chunk->kind = kind;
  chunk->origin = nullptr;
  chunk->lineage = nullptr;
  chunk->count = 0;
  chunk->used = sizeof(Chunk);
  chunk->limit = chunk->slab_bytes;
  chunk->charge = 0;
  chunk->body_bytes = 0;
  chunk->externals = 0;
  chunk->capacity = kChunkMessages;
  if (kind != Chunk::Kind::source) {
    chunk->capacity = lineage_capacity(size_class);
    chunk->limit -= chunk->capacity * sizeof(Lineage);
    chunk->lineage = reinterpret_cast<Lineage*>(chunk->bytes() + chunk->limit);
  }
  chunk->pending.store(Chunk::kOpen + Chunk::kReader, std::memory_order_relaxed);
  return chunk;
}

namespace {

void release_bodies(Chunk* chunk) {
  for (std::uint64_t left = chunk->externals; left != 0; left &= left - 1) {
    chunk->external(lowest_bit(left))->drop();
  }
  chunk->externals = 0;
}

void go_home(Chunk* chunk) {
  chunk->pending.store(0, std::memory_order_relaxed);
  release_bodies(chunk);
  chunk->count = 0;
  chunk->pool->give_back(chunk);
}

}  // namespace

ChunkPool::~ChunkPool() {
  for (Chunk* chunk : live_) {
    release_bodies(chunk);
    if (chunk->kind == Chunk::Kind::evacuated) {
      for (std::uint32_t i = 0; i < chunk->count; ++i) {
        delete chunk->lineage[i].last_error;
      }
    }
    if (!chunk->in_block) {
      std::free(chunk);
    }
  }
}

void end_chunk(Chunk* chunk, std::int64_t pending) {
  if (chunk->kind == Chunk::Kind::source) {
    chunk->origin->chunk_done();
  } else if (chunk->kind == Chunk::Kind::derived) {
    for (std::uint32_t i = 0; i < chunk->count; ++i) {
      if (chunk->lineage[i].origin != nullptr) {
        chunk->lineage[i].origin->drop_copy(chunk->lineage[i].message);
      }
    }
  }
  if (pending > Chunk::kReader) {
    release_reader(chunk);
  } else {
    go_home(chunk);
  }
}

void release_reader(Chunk* chunk) {
  if (chunk->pending.fetch_sub(Chunk::kReader, std::memory_order_acq_rel) == Chunk::kReader) {
    go_home(chunk);
  }
}

void leave_behind(Chunk* chunk, std::uint64_t mask) {
  if (chunk->kind == Chunk::Kind::evacuated) {
    return;  // each is a copy already
  }
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    if (const Lineage lineage = chunk->lineage_of(lowest_bit(left)); lineage.origin != nullptr) {
      lineage.origin->add_copy(lineage.message);
    }
  }
  release_chunk(chunk, bit_count(mask));
}

}  // namespace sluice::core
