#include "message/message_view.hpp"

#include <bit>
#include <cstring>

namespace sluice::core {

ChunkViews::ChunkViews() {
  for (std::uint32_t i = 0; i < kChunkMessages; ++i) {
    views_[i] = {};
    views_[i].struct_size = sizeof(sluice_message);
    pointers_[i] = &views_[i];
  }
}

void ChunkViews::show(const Chunk& chunk, std::uint64_t mask) {
  if (!is_of(chunk)) {
    chunk_ = &chunk;
    generation_ = chunk.generation;
    built_ = 0;
    attributes_.reset();
  }
  for (std::uint64_t left = mask & ~built_; left != 0; left &= left - 1) {
    build(chunk, lowest_bit(left));
  }
  built_ |= mask;
}

void ChunkViews::build(const Chunk& chunk, std::uint32_t index) {
  sluice_message& view = views_[index];
  const Chunk::Entry& entry = chunk.entries[index];
  view.receive_count = chunk.kind == Chunk::Kind::evacuated ? chunk.lineage[index].receives() + 1 : 1;
  view.sent_ms = chunk.sent_ms[index];
  view.group_id = {};
  view.attribute_count = 0;
  view.attributes = nullptr;
  if (entry.body_size != Chunk::kExternal) {
    view.body = chunk.bytes() + entry.body_offset;
    view.body_size = entry.body_size;
  } else {
    std::span<const std::uint8_t> body = chunk.body(index);
    view.body = body.data();
    view.body_size = body.size();
  }
  if (entry.meta_offset == 0) {  // the usual case of generated messages: nothing is looked up
    std::memcpy(view.id, chunk.id_base.bytes.data(), 16);
    view.id[15] = static_cast<std::uint8_t>(view.id[15] | index);
    return;
  }
  Uuid id = chunk.id(index);
  std::memcpy(view.id, id.bytes.data(), 16);
  MetaReader meta(chunk, index);
  view.group_id = {meta.group_id().data(), meta.group_id().size()};
  view.attribute_count = meta.attribute_count();
  auto** pointers = attributes_.take_array<const sluice_attribute*>(view.attribute_count);
  auto* attributes = attributes_.take_array<sluice_attribute>(view.attribute_count);
  for (std::uint32_t i = 0; i < view.attribute_count; ++i) {
    attributes[i] = meta.next_attribute();
    pointers[i] = &attributes[i];
  }
  view.attributes = pointers;
}

const sluice_message* const* ViewCache::show(const Chunk& chunk, std::uint64_t mask) {
  if (last_ == nullptr || !last_->is_of(chunk)) {
    last_ = &find_or_free(chunk);
  }
  last_->batch_ = batch_;
  last_->show(chunk, mask);
  return last_->pointers();
}

/// The views of `chunk`, or some that the batch at hand does not use.
ChunkViews& ViewCache::find_or_free(const Chunk& chunk) {
  ChunkViews* unused = nullptr;
  for (const std::unique_ptr<ChunkViews>& views : views_) {
    if (views->is_of(chunk)) {
      return *views;
    }
    if (views->batch_ != batch_) {
      unused = views.get();
    }
  }
  return unused != nullptr ? *unused : *views_.emplace_back(std::make_unique<ChunkViews>());
}

}  // namespace sluice::core
