#include "bodies.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace sluice::generate {

namespace {

static_assert(std::endian::native == std::endian::little);

std::uint32_t crc_of(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

/// Vigna, splitmix64.
std::uint64_t next_random(std::uint64_t* state) {
  std::uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Bodies::Bodies(std::size_t body_bytes, std::uint64_t seed) : template_(body_bytes) {
  assert(body_bytes >= kBodyBytesMin);
  const std::size_t end = body_bytes - 4;
  for (std::size_t at = 8; at < end; at += 8) {
    const std::uint64_t random = next_random(&seed);
    std::memcpy(template_.data() + at, &random, std::min<std::size_t>(8, end - at));
  }
  crc_0_ = crc_of({template_.data(), end});
  // What each single bit changes; a byte's change is that of its bits.
  for (std::size_t byte = 0; byte < 8; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      template_[byte] = static_cast<std::uint8_t>(1U << bit);
      const std::uint32_t change = crc_of({template_.data(), end}) ^ crc_0_;
      for (unsigned value = 0; value < 256; ++value) {
        if ((value >> bit & 1U) != 0)
          change_[byte][value] ^= change;
      }
    }
    template_[byte] = 0;
  }
}

void Bodies::write(std::uint64_t sequence, std::span<std::uint8_t> body) const {
  assert(body.size() == template_.size());
  std::memcpy(body.data(), &sequence, 8);
  std::memcpy(body.data() + 8, template_.data() + 8, template_.size() - 12);
  std::uint32_t crc = crc_0_;
  for (std::size_t byte = 0; byte < 8; ++byte)
    crc ^= change_[byte][sequence >> (8 * byte) & 0xff];
  std::memcpy(body.data() + body.size() - 4, &crc, 4);
}

bool check_body(std::span<const std::uint8_t> body, std::uint64_t* sequence) {
  if (body.size() < kBodyBytesMin)
    return false;
  std::uint32_t crc = 0;
  std::memcpy(&crc, body.data() + body.size() - 4, 4);
  std::memcpy(sequence, body.data(), 8);
  return crc == crc_of(body.first(body.size() - 4));
}

}  // namespace sluice::generate
