// An engine in another process, asked through its admin address.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace sluice::core {

class Remote {
 public:
  /// "127.0.0.1", "9640".
  Remote(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}

  /// The answer. Errors: as the engine answers; unavailable, where it does not.
  Result<Json> ask(std::string_view method, const std::string& path,
                   const std::string& body = {}) const;
  /// An answer that lacks what sluice's has.
  std::unexpected<Error> not_sluice(std::string_view missing) const;

 private:
  const std::string host_, port_;
};

}  // namespace sluice::core
