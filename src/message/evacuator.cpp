#include "message/evacuator.hpp"

#include <algorithm>
#include <array>

namespace sluice::core {

void Evacuator::close() {
  if (open_ != nullptr) {
    release_chunk(open_, Chunk::kOpen);
    open_ = nullptr;
  }
}

bool Evacuator::append(std::span<const std::uint8_t> body, ExternalBody* external, const MessageParts& parts,
                       std::int64_t sent_ms) {
  if (open_ != nullptr && open_->append(body, external, parts, sent_ms)) {
    return true;
  }
  std::uint64_t meta = 64 + parts.group_id.size() + parts.deduplication_id.size();
  for (std::uint32_t i = 0; i < parts.attribute_count; ++i) {
    meta += 16 + parts.attributes[i]->name.size + parts.attributes[i]->value.size;
  }
  std::uint64_t bytes = meta + (external != nullptr ? sizeof external : body.size());
  std::uint32_t needed = ChunkPool::class_for(bytes);
  std::uint32_t size_class = needed;
  if (expects_ == Expects::many) {
    size_class = std::min(ChunkPool::class_for(bytes * kChunkMessages), ChunkPool::kClasses - 1);
  } else if (open_ != nullptr) {  // one that follows a full chunk is likely not the last: take room for several
    size_class = std::max(needed, ChunkPool::class_for(8 << 10));
  }
  close();
  open_ = pool_->take(size_class, Chunk::Kind::evacuated);
  if (open_ == nullptr) {
    return false;
  }
  open_->id_base = {};
  return open_->append(body, external, parts, sent_ms);
}

Evacuator::Copy Evacuator::copy(Chunk& from, std::uint32_t index, std::int64_t received_ms) {
  MetaReader meta(from, index);
  std::vector<sluice_attribute> attributes(meta.attribute_count());
  std::vector<const sluice_attribute*> pointers(meta.attribute_count());
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    attributes[i] = meta.next_attribute();
    pointers[i] = &attributes[i];
  }
  Uuid id = from.id(index);
  MessageParts parts{&id, meta.group_id(), meta.deduplication_id(),
                     static_cast<std::uint32_t>(pointers.size()), pointers.data()};
  ExternalBody* external = from.external(index);
  if (!append(from.body(index), external, parts, from.sent_ms[index])) {
    return {};
  }
  if (external != nullptr) {
    external->references.fetch_add(1, std::memory_order_relaxed);
  }
  std::uint32_t at = open_->count - 1;
  Lineage lineage{};
  switch (from.kind) {
    case Chunk::Kind::source:
      lineage.origin = from.origin;
      lineage.message = static_cast<std::uint8_t>(index);
      lineage.origin->add_copy(index);
      break;
    case Chunk::Kind::derived:
      lineage = from.lineage[index];
      if (lineage.origin != nullptr) {
        lineage.origin->add_copy(lineage.message);
      }
      break;
    case Chunk::Kind::evacuated:
      lineage = from.lineage[index];
      from.lineage[index].last_error = nullptr;
      break;
  }
  if (lineage.first_received_ms == 0) {
    lineage.first_received_ms = received_ms;
  }
  open_->lineage[at] = lineage;
  // The charge stays what the queue took for the original.
  std::uint32_t before = at == 0 ? 0 : open_->entries[at - 1].charge_end;
  open_->charge = before + from.charge_of(index);
  open_->entries[at].charge_end = open_->charge;
  open_->pending.fetch_add(1, std::memory_order_relaxed);
  return {open_, at};
}

Evacuator::Copy Evacuator::store(std::span<const std::uint8_t> body, const MessageParts& parts,
                                 std::int64_t sent_ms, const Lineage& lineage) {
  ExternalBody* external = body.size() > kInlineBodyMax ? ExternalBody::copy_of(body) : nullptr;
  if (body.size() > kInlineBodyMax && external == nullptr) {
    return {};
  }
  if (!append(body, external, parts, sent_ms)) {
    if (external != nullptr) {
      external->drop();
    }
    return {};
  }
  std::uint32_t at = open_->count - 1;
  open_->lineage[at] = lineage;
  open_->pending.fetch_add(1, std::memory_order_relaxed);
  return {open_, at};
}

}  // namespace sluice::core
