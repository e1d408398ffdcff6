// An engine in another process, asked through its admin address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace sluice::core {

/// How long an engine is waited for.
struct RemoteLimits {
  /// For a sign of life, which costs it nothing. A process that is stopped still takes connections,
  /// and would do later what was asked of it meanwhile.
  std::int64_t alive_ms = 5'000;
  /// Then for the answer: a purge and a peek wait for the disk, workers that start for their
  /// stages.
  std::int64_t answer_ms = 60'000;
};

class Remote {
 public:
  /// "127.0.0.1", "9640". `instance`: which engine is asked, as its /healthz says; empty: whichever
  /// answers there.
  Remote(std::string host, std::string port, RemoteLimits limits = {}, std::string instance = {})
      : host_(std::move(host)),
        port_(std::move(port)),
        limits_(limits),
        instance_(std::move(instance)) {}

  /// The answer. Errors: as the engine answers; unavailable, where it does not. Who shows no life
  /// is asked nothing, and neither is another engine than was meant.
  Result<Json> ask(std::string_view method, const std::string& path,
                   const std::string& body = {}) const;
  /// An answer that lacks what sluice's has.
  std::unexpected<Error> not_sluice(std::string_view missing) const;

 private:
  const std::string host_, port_;
  const RemoteLimits limits_;
  const std::string instance_;
};

}  // namespace sluice::core
