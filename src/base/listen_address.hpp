// Where a server listens: "127.0.0.1:9640", "[::1]:9640", "localhost:9640"; port 0 is any free one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::core {

struct ListenAddress {
  std::string host;  ///< an IP address, without brackets
  std::uint16_t port = 0;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
  /// Only programs of this machine reach it.
  bool is_loopback() const;
};

/// Errors: usage.
Result<ListenAddress> parse_listen_address(std::string_view text);
std::string to_text(const ListenAddress& address);

}  // namespace sluice::core
