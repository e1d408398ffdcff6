// Where the engine answers that a command is to ask.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/description.hpp"

namespace sluice::core {

struct AdminTarget {
  std::string host, port;  ///< "127.0.0.1", "9640"
  std::string instance{};  ///< which engine is meant; empty: whichever answers there
};

/// `text`, what stands as PIPELINE, is an admin address and no configuration.
bool is_admin_target(std::string_view text);

/// "127.0.0.1:9640", "http://127.0.0.1:9640". Error: usage.
Result<AdminTarget> parse_admin_target(std::string_view text);

/// Of the engine that holds the lock of the pipeline's state folder. Error: unavailable, if it has
/// none.
Result<AdminTarget> running_target(const PipelineDescription& pipeline);

}  // namespace sluice::core
