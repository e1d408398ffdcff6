// The bodies that `generate` makes: the same for the same seed, size and sequence.
//
//   | 0 .. 7    sequence, from 0, little-endian                      |
//   | 8 .. n-5  filler: the seed's byte stream (splitmix64), the same in every body |
//   | n-4 .. n-1  CRC-32 (zlib's) of bytes 0 .. n-5, little-endian   |
//
// Bodies of one size differ in their first 8 bytes only, and CRC-32 is linear over exclusive or:
// crc(a ^ b) = crc(a) ^ crc(b) ^ crc(0). So the CRC of a sequence is one value for the filler and
// one table look-up per byte of it, whatever the body's size.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::generate {

inline constexpr std::size_t kBodyBytesMin = 12;

/// Immutable after construction; any thread.
class Bodies {
 public:
  /// REQUIRES: body_bytes >= kBodyBytesMin.
  Bodies(std::size_t body_bytes, std::uint64_t seed);

  std::size_t size() const { return template_.size(); }
  /// Writes body `sequence`. REQUIRES: body.size() == size().
  void write(std::uint64_t sequence, std::span<std::uint8_t> body) const;

 private:
  std::vector<std::uint8_t> template_;  ///< sequence 0, without its CRC
  std::uint32_t crc_0_ = 0;             ///< CRC of sequence 0
  std::array<std::array<std::uint32_t, 256>, 8>
      change_{};  ///< [byte][value]: what it changes in the CRC
};

/// Whether `body` is whole, and its sequence. For tests and checkers.
bool check_body(std::span<const std::uint8_t> body, std::uint64_t* sequence);

}  // namespace sluice::generate
