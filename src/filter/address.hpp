// IP addresses and blocks as filter policies know them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::core {

/// Bytes in network order; those behind the family's own are 0.
struct IpAddress {
  enum class Family : std::uint8_t { v4, v6 };

  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes{};

  /// 32 or 128.
  int bits() const { return family == Family::v4 ? 32 : 128; }
  bool operator==(const IpAddress&) const = default;
};

/// The address that `text` spells, if it spells one: four decimal groups (a leading zero means
/// nothing, as in Java), or IPv6 in hex digits and colons alone (so no "::ffff:10.0.0.1").
std::optional<IpAddress> parse_address(std::string_view text);

/// All addresses of one family whose first `bits` bits are those of `network`.
struct CidrBlock {
  IpAddress network;  ///< the bits behind the first `bits` are 0
  int bits = 0;

  /// An address of the other family is never inside.
  bool contains(const IpAddress& address) const;
  bool operator==(const CidrBlock&) const = default;
};

/// The block of `bits` bits around `address`. REQUIRES: 0 <= bits <= address.bits().
CidrBlock block_of(const IpAddress& address, int bits);

}  // namespace sluice::core
