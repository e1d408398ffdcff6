#include "base/listen_address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace sluice::core {
namespace {

bool is_address(int family, const std::string& host) {
  in6_addr bytes{};  // the larger of the two
  return ::inet_pton(family, host.c_str(), &bytes) == 1;
}

}  // namespace

bool ListenAddress::is_loopback() const {
  return host == "::1" || host.starts_with("127.");
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto bad = [&] {
    return fail(
        Errc::usage,
        fmt::format(
            "'{}' is no address to listen on: ADDRESS:PORT is needed, such as 127.0.0.1:9640 "
            "or [::1]:9640; port 0 is any free one",
            text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return bad();
  }
  std::string host(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return bad();
  }
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) {
    host = host.substr(1, host.size() - 2);
  } else if (host == "localhost") {
    host = "127.0.0.1";
  }
  if (!is_address(in_brackets ? AF_INET6 : AF_INET, host)) {
    return bad();
  }
  address.host = std::move(host);
  return address;
}

std::string to_text(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address.host, address.port)
               : fmt::format("{}:{}", address.host, address.port);
}

}  // namespace sluice::core
