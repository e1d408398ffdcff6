// How many workers a service has, as its configuration says it. Plain data; config/scaling reads
// it.
#pragma once

#include <cstdint>

#include "scaling/metric.hpp"

namespace sluice::core {

/// Which values of the metric are held against the target, and how often.
struct ScalingEvaluation {
  enum class Type : std::uint8_t {
    direct,  ///< each sample
    alarms   ///< averages over a period, as the two CloudWatch alarms of a target tracking policy
  };

  Type type = Type::direct;
  // Of direct.
  std::uint32_t low_samples = 3;  ///< > 0; so many low ones in a row before a scale-in
  // Of alarms: > 0; so many averages in a row on one side of the target before anything is done.
  std::int64_t period_ms = 60'000;
  std::uint32_t high_datapoints = 3, low_datapoints = 15;
};

struct ScalingPolicy {
  /// min <= max, 1 <= max. min is 0 only without a policy: workers are started, by an alarm or by
  /// hand.
  std::uint32_t min_capacity = 1, max_capacity = 1;
  std::uint32_t desired_capacity = 1;                ///< workers at the start
  bool stop_when_empty = false;  ///< of what is started: all leave once the queue is empty
  bool tracks_target = false;    ///< false: that number stays, until workers are started
  // Of target tracking.
  ScalingMetric metric;
  double target_value = 100;  ///< > 0
  double low_fraction = 0.9;  ///< 0 to 1; below this part of the target the metric is low
  bool disable_scale_in = false;
  std::int64_t period_ms = 10'000;  ///< from sample to sample
  std::int64_t scale_out_cooldown_ms = 60'000, scale_in_cooldown_ms = 30'000;
  ScalingEvaluation evaluation;

  double low_value() const { return low_fraction * target_value; }
  /// Its workers are started, and need not be there.
  bool is_started() const { return !tracks_target && min_capacity == 0; }
  /// Workers that there may ever be at once.
  std::uint32_t most_workers() const {
    return tracks_target || is_started() ? max_capacity : desired_capacity;
  }
};

}  // namespace sluice::core
