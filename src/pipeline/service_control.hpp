// What can be asked of a running pipeline's services: workers are started and stopped by hand.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "pipeline/starter.hpp"

namespace sluice::core {

/// A service that is not there: missing_input. One whose workers are not started: usage. An engine that stops:
/// unavailable. [any]
class ServiceControl {
 public:
  virtual ~ServiceControl() = default;

  /// `count` workers beside those that run, as far as its max_capacity allows.
  virtual Result<WorkerChange> start(const std::string& service, std::uint32_t count) = 0;
  /// So many leave, once they have finished what they hold.
  virtual Result<WorkerChange> stop(const std::string& service, std::uint32_t count) = 0;
};

}  // namespace sluice::core
