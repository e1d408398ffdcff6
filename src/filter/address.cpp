#include "filter/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace sluice::core {

namespace {

std::optional<IpAddress> parse_v4(std::string_view text) {
  constexpr std::size_t kTextMax = 15;  // "255.255.255.255"
  if (text.size() > kTextMax) {
    return std::nullopt;
  }
  IpAddress address;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int group = 0; group < 4; ++group) {
    if (group > 0 && (at == end || *at++ != '.')) {
      return std::nullopt;
    }
    const auto [next, fault] = std::from_chars(at, end, address.bytes[group]);
    if (fault != std::errc()) {
      return std::nullopt;
    }
    at = next;
  }
  return at == end ? std::optional(address) : std::nullopt;
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  constexpr std::size_t kTextMax = 39;  // eight groups of four digits
  if (text.size() > kTextMax ||
      text.find_first_not_of("0123456789abcdefABCDEF:") != std::string_view::npos) {
    return std::nullopt;
  }
  char terminated[kTextMax + 1] = {};
  std::memcpy(terminated, text.data(), text.size());
  IpAddress address{IpAddress::Family::v6, {}};
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) != 1) {
    return std::nullopt;
  }
  return address;
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  return text.find(':') == std::string_view::npos ? parse_v4(text) : parse_v6(text);
}

CidrBlock block_of(const IpAddress& address, int bits) {
  assert(bits >= 0);
  assert(bits <= address.bits());
  CidrBlock block{address, bits};
  for (int byte = 0; byte < 16; ++byte) {
    const int kept = std::clamp(bits - 8 * byte, 0, 8);
    block.network.bytes[byte] &= static_cast<std::uint8_t>(0xFF00 >> kept);
  }
  return block;
}

bool CidrBlock::contains(const IpAddress& address) const {
  return address.family == network.family && block_of(address, bits).network == network;
}

}  // namespace sluice::core
