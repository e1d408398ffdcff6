// What an alarm publishes: the notification of Amazon CloudWatch, as it stands in an SNS message.
#pragma once

#include <string>

#include "config/description.hpp"
#include "pipeline/notifier.hpp"

namespace sluice::core {

/// A transition.
struct AlarmTransition {
  AlarmState from, to;
  std::string reason;
  std::int64_t time_ms;        ///< wall clock
  std::int64_t configured_ms;  ///< when the engine started
};

/// All members are there. What only an account of AWS has is local: account 000000000000, region "local", and ARNs of
/// those.
Notification alarm_notification(const PipelineDescription& pipeline, const AlarmDescription& alarm, const AlarmTransition& transition);

}  // namespace sluice::core
