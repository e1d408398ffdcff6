// What a scaling policy looks at: one number that says how much work waits for the workers there
// are.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice::core {

/// A service and its queue at one moment.
struct ScalingSample {
  std::int64_t time_ms = 0;                  ///< >= 0, of any clock that does not go back
  std::uint64_t visible = 0, in_flight = 0;  ///< messages
  /// Workers that are meant to run: one that still starts is counted, one that is told to stop is
  /// not, whatever it finishes (as ECS counts tasks whose desired status is RUNNING).
  std::uint32_t count = 1;
  double oldest_s = 0;  ///< since the oldest message that has not ended was sent; 0: there is none
  std::optional<double> message_s;  ///< a worker's time for one message; nullopt: none is known yet
};

struct ScalingMetric {
  enum class Type : std::uint8_t {
    /// min(1 + visible / (acceptable * count + 1) - penalty, maximum) * 100, the penalty where
    /// nothing is visible and more than one worker runs (aws-cdk-examples, sqs-sns-fanout). One
    /// worker without work is at 100; any visible message is above it.
    backlog_per_worker,
    /// Messages for each worker. They settle: n workers hold n times the target.
    visible,
    visible_and_in_flight,
    /// Seconds. It says that there are too few workers, not how many.
    age_of_oldest,
    /// What the visible messages of a worker will take it, in percent of the wait that is
    /// acceptable (EC2 Auto Scaling, "backlog per instance").
    latency_backlog,
  };

  Type type = Type::backlog_per_worker;
  // Of backlog_per_worker.
  double acceptable_messages_per_worker = 5;
  double overprovision_penalty = 0.5;
  double maximum = 5;
  // Of latency_backlog.
  double acceptable_latency_s = 0;           ///< > 0
  std::optional<double> time_per_message_s;  ///< nullopt: what the sample says
};

/// Its value; nullopt where the sample lacks what it takes. Finite. REQUIRES: count > 0.
std::optional<double> metric_value(const ScalingMetric& metric, const ScalingSample& sample);

}  // namespace sluice::core
