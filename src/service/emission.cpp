#include "service/emission.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/utf8.hpp"
#include "message/message_json.hpp"

namespace sluice::core {
namespace {

std::string_view view(sluice_str text) { return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size); }

bool name_less(const sluice_attribute* a, const sluice_attribute* b) { return view(a->name) < view(b->name); }

/// What the host let through points somewhere (host.cpp); whether it makes sense is seen here. As JSON, in a dead letter,
/// text that is no UTF-8 would be another.
bool is_valid(const sluice_attribute* attribute) {
  return attribute->struct_size >= sizeof(sluice_attribute) && attribute->type >= SLUICE_STRING &&
         attribute->type <= SLUICE_BINARY && attribute->name.size > 0 && attribute->name.size <= kAttributeNameMax &&
         is_utf8(view(attribute->name)) && (attribute->type == SLUICE_BINARY || is_utf8(view(attribute->value)));
}

int32_t check_ids(const sluice_emission& emission) {
  if (emission.group_id.size > kGroupIdMax || emission.deduplication_id.size > kGroupIdMax) {
    return SLUICE_TOO_LARGE;
  }
  return is_utf8(view(emission.group_id)) ? SLUICE_OK : SLUICE_INVALID;  // the deduplication id is stored nowhere
}

}  // namespace

int32_t EmissionReader::read(const sluice_emission& emission, const sluice_message* parent, MessageParts* parts) {
  if (emission.struct_size < sizeof(sluice_emission)) {
    return SLUICE_INVALID;
  }
  if ((emission.group_id.size | emission.deduplication_id.size) != 0) {
    if (const int32_t status = check_ids(emission); status != SLUICE_OK) {
      return status;
    }
  }
  *parts = {};
  if (emission.id != nullptr) {
    std::memcpy(id_.bytes.data(), emission.id, 16);
    parts->id = &id_;
  }
  parts->group_id = view(emission.group_id.size == 0 && parent != nullptr ? parent->group_id : emission.group_id);
  parts->deduplication_id = view(emission.deduplication_id);
  std::uint32_t inherited = parent != nullptr ? parent->attribute_count : 0;
  if (emission.attribute_count == 0) {
    parts->attribute_count = inherited;
    parts->attributes = inherited != 0 ? parent->attributes : nullptr;
  } else {
    own_.assign(emission.attributes, emission.attributes + emission.attribute_count);
    if (!std::ranges::all_of(own_, is_valid)) {
      return SLUICE_INVALID;
    }
    std::ranges::sort(own_, name_less);
    if (std::ranges::adjacent_find(own_, [](auto* a, auto* b) { return view(a->name) == view(b->name); }) != own_.end()) {
      return SLUICE_INVALID;
    }
    merged_.clear();
    // Equal names: set_union takes them from the first range, so the emission's own win.
    std::set_union(own_.begin(), own_.end(), parent != nullptr ? parent->attributes : nullptr,
                   parent != nullptr ? parent->attributes + inherited : nullptr, std::back_inserter(merged_), name_less);
    if (merged_.size() > kAttributesMax) {
      return SLUICE_TOO_LARGE;
    }
    parts->attribute_count = static_cast<std::uint32_t>(merged_.size());
    parts->attributes = merged_.data();
  }
  return Chunk::meta_bytes(*parts) <= kMetaMax ? SLUICE_OK : SLUICE_TOO_LARGE;
}

int32_t take_body(const sluice_emission& emission, Publisher::Item* item) {
  if (emission.release != nullptr) {
    item->external = ExternalBody::adopt(emission.body, emission.body_size, emission.release, emission.owner);
    if (item->external == nullptr) {
      emission.release(emission.owner);
      return SLUICE_UNAVAILABLE;
    }
    return SLUICE_OK;
  }
  item->body = {emission.body, emission.body_size};
  if (emission.body_size > kInlineBodyMax) {
    item->external = ExternalBody::copy_of(item->body);
    return item->external != nullptr ? SLUICE_OK : SLUICE_UNAVAILABLE;
  }
  return SLUICE_OK;
}

}  // namespace sluice::core
