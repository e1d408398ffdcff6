#include "cli/admin_target.hpp"

#include <fmt/format.h>

#include "admin/address_file.hpp"
#include "base/listen_address.hpp"

namespace sluice::core {
namespace {

constexpr std::string_view kHttp = "http://", kHttps = "https://";

}  // namespace

bool is_admin_target(std::string_view text) {
  if (text.starts_with(kHttp) || text.starts_with(kHttps))
    return true;
  // With a port that is none it is an address, too, and no file: parse_admin_target() says so.
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && colon + 1 != text.size() &&
         text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos &&
         parse_listen_address(fmt::format("{}:1", text.substr(0, colon)));
}

Result<AdminTarget> parse_admin_target(std::string_view text) {
  if (text.starts_with(kHttps))
    return fail(Errc::usage, fmt::format("'{}': an admin address speaks http only", text));
  std::string_view address = text.substr(text.starts_with(kHttp) ? kHttp.size() : 0);
  while (address.ends_with('/'))
    address.remove_suffix(1);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == address.size() ||
      address.find('/') != std::string_view::npos)
    return fail(Errc::usage,
                fmt::format("'{}' is no admin address: http://ADDR:PORT is needed", text));
  const std::string_view port = address.substr(colon + 1);
  if (!parse_listen_address(fmt::format("127.0.0.1:{}", port)))
    return fail(Errc::usage, fmt::format("'{}': '{}' is no port, 1 to 65535", text, port));
  std::string host(address.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  return AdminTarget{std::move(host), std::string(port)};
}

Result<AdminTarget> running_target(const PipelineDescription& pipeline) {
  const std::optional<EngineAddress> engine = read_address_file(pipeline.state);
  if (!engine) {
    return fail(
        Errc::unavailable,
        fmt::format(
            "the state folder '{}' is in use, by another queue command, or by a sluice that "
            "starts, or "
            "that runs without an admin address: try again; or start it with --admin "
            "127.0.0.1:9640, or "
            "\"admin\": {{\"listen\": \"127.0.0.1:9640\"}}; or stop it, to operate what it stored",
            pipeline.state));
  }
  return AdminTarget{engine->address.host, std::to_string(engine->address.port), engine->instance};
}

}  // namespace sluice::core
