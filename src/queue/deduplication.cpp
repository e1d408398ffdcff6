#include "queue/deduplication.hpp"

#include <openssl/evp.h>
#define XXH_INLINE_ALL  // short ids: the call would cost more than the hash
#include <xxhash.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <new>

#include "base/random.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kIndexMin = 64;

/// Fetched once: EVP_sha256() looks it up by name for each digest.
const EVP_MD* sha256() {
  static EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return found;
}

}  // namespace

TextKey key_of(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(text.data(), text.size(), hash_seed());
  return {hash.low64, hash.high64};
}

TextKey content_key(std::string_view body) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 32> digest;
  if (sha256() == nullptr || EVP_Digest(body.data(), body.size(), digest.data(), nullptr, sha256(), nullptr) != 1) {
    throw std::bad_alloc();  // nothing else makes it fail
  }
  std::array<char, 64> text;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    text[2 * i] = kDigits[digest[i] >> 4];
    text[2 * i + 1] = kDigits[digest[i] & 15];
  }
  return key_of({text.data(), text.size()});
}

Deduplication::Deduplication(std::int64_t capacity)
    : capacity_(capacity),
      index_(kIndexMin) {}

std::int64_t Deduplication::bytes_max(std::int64_t capacity) {
  const auto places = std::bit_ceil(static_cast<std::uint64_t>(capacity) * 4 / 3 + kIndexMin);
  // While the index grows, the memory of the one of half the size may still be there.
  return capacity * static_cast<std::int64_t>(sizeof(Entry)) +
         static_cast<std::int64_t>(places * sizeof(std::uint64_t) * 3 / 2);
}

Deduplication::Verdict Deduplication::judge(const TextKey& id, std::int64_t sent_ms) {
  for (std::size_t place = home_of(id); index_[place] != 0; place = after(place)) {
    const Entry& known = entry(index_[place]);
    if (known.id == id && std::abs(sent_ms - known.sent_ms) < kWindowMs) {
      return Verdict::duplicate;
    }
  }
  if (entries_.size() >= static_cast<std::size_t>(capacity_)) {
    return Verdict::full;
  }
  entries_.push_back({id, sent_ms});
  if (entries_.size() > index_.size() / 4 * 3) {
    grow();
  } else {
    put(first_ + entries_.size() - 1);
  }
  return Verdict::fresh;
}

void Deduplication::put(std::uint64_t number) {
  std::size_t place = home_of(entry(number).id);
  while (index_[place] != 0) {
    place = after(place);
  }
  index_[place] = number;
}

void Deduplication::grow() {
  index_.assign(index_.size() * 2, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    put(first_ + i);
  }
}

void Deduplication::forget_until(std::int64_t ms) {
  while (!entries_.empty() && ends_ms() <= ms) {
    std::size_t place = home_of(entries_.front().id);
    while (index_[place] != first_) {
      place = after(place);
    }
    erase(place);
    entries_.pop_front();
    ++first_;
  }
}

/// Moves back what was put behind `place` because that was taken (Knuth, volume 3, 6.4, algorithm R).
void Deduplication::erase(std::size_t place) {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = after(place); index_[at] != 0; at = after(at)) {
    const std::size_t home = home_of(entry(index_[at]).id);
    if (((at - home) & mask) >= ((at - place) & mask)) {
      index_[place] = index_[at];
      place = at;
    }
  }
  index_[place] = 0;
}

void Deduplication::clear() {
  first_ += entries_.size();
  entries_ = {};
  index_.assign(kIndexMin, 0);
}

}  // namespace sluice::core
