// A message as JSON in the form that a chunk takes.
#pragma once

#include <vector>

#include "message/chunk.hpp"
#include "message/message_json.hpp"

namespace sluice::core {

/// Borrows from the text, which has an id; stays where it was made.
struct LetterParts {
  explicit LetterParts(const MessageText& text) {
    attributes.reserve(text.attributes.size());
    for (const MessageText::Attribute& from : text.attributes) {
      attributes.push_back({sizeof(sluice_attribute), from.type, {from.name.data(), from.name.size()},
                            {from.value.data(), from.value.size()}});
      pointers.push_back(&attributes.back());
    }
    parts = {&*text.id, text.group_id, {}, static_cast<std::uint32_t>(pointers.size()), pointers.data()};
  }
  LetterParts(const LetterParts&) = delete;
  LetterParts& operator=(const LetterParts&) = delete;

  /// Whether a chunk can carry it, beside any body that is kept inline and what the evacuator reckons with.
  bool fits() const {
    std::uint64_t reckoned = 64 + 16 * std::uint64_t{parts.attribute_count};
    return ChunkPool::class_for(Chunk::meta_bytes(parts) + reckoned + kInlineBodyMax) < ChunkPool::kClasses;
  }

  std::vector<sluice_attribute> attributes;
  std::vector<const sluice_attribute*> pointers;
  MessageParts parts;
};

}  // namespace sluice::core
