#include "filter/text_table.hpp"

#define XXH_INLINE_ALL  // short keys: the call would cost more than the hash
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/random.hpp"

namespace sluice::core {
namespace {

std::uint64_t hash_of(std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), hash_seed());
}

}  // namespace

std::uint32_t TextTable::find(std::string_view text, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = tag & mask;; at = (at + 1) & mask) {
    const Slot slot = slots_[at];
    if (slot.number == kNone || (slot.hash == tag && this->text(slot.number) == text)) {
      return slot.number;
    }
  }
}

std::uint32_t TextTable::find(std::string_view text) const {
  constexpr std::uint32_t kFew = 3;  // are compared faster than a hash is computed
  if (size() > kFew) {
    return find(text, hash_of(text));
  }
  std::uint32_t begin = 0;
  for (std::uint32_t number = 0; number < size(); begin = ends_[number++]) {
    const char* const known = bytes_.data() + begin;
    if (ends_[number] - begin == text.size() &&
        (text.empty() ||
         (known[0] == text[0] && std::memcmp(known, text.data(), text.size()) == 0))) {
      return number;
    }
  }
  return kNone;
}

std::uint32_t TextTable::add(std::string_view text) {
  if (size() * std::size_t{2} >= slots_.size()) {
    grow();
  }
  const std::uint64_t hash = hash_of(text);
  if (const std::uint32_t known = find(text, hash); known != kNone) {
    return known;
  }
  assert(bytes_.size() + text.size() < kNone);
  bytes_ += text;
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  put({static_cast<std::uint32_t>(hash >> 32), size() - 1});
  return size() - 1;
}

void TextTable::put(Slot slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = slot.hash & mask;
  while (slots_[at].number != kNone) {
    at = (at + 1) & mask;
  }
  slots_[at] = slot;
}

void TextTable::grow() {
  constexpr std::size_t kFirstSlots = 8;
  const std::vector<Slot> old = std::move(slots_);
  slots_.assign(std::max(kFirstSlots, old.size() * 2), {0, kNone});
  for (const Slot& slot : old) {
    if (slot.number != kNone) {
      put(slot);
    }
  }
}

}  // namespace sluice::core
