// A service under a load in simulated time, scaled by the same controller as the running engine.
//
// Time goes in steps: of one second, or of the part of one that service time, start delay and
// period are whole multiples of. In each step, in this order: arrivals become visible; batches that
// are done are deleted; idle workers, the first started first, receive min(batch_size, visible)
// messages and are busy for that many service times; at whole multiples of the period a sample is
// taken and decided on. New workers receive from the next step on, or after the start delay. A
// scale-in stops those started last: who is idle leaves at once, who is busy ends its batch first.
// Steps in which nothing can happen cost nothing.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "scaling/controller.hpp"

namespace sluice::core {

struct ScalingArrival {
  std::int64_t time_ms;  ///< a whole second
  std::uint64_t messages;
};

struct ScalingLoad {
  std::vector<ScalingArrival> arrivals;  ///< in the order of their times, none after the end
  std::int64_t service_time_ms = 1000;   ///< > 0; of one message
  std::uint32_t batch_size = 10;         ///< > 0
  std::int64_t start_delay_ms = 0;
};

struct ScalingSimulation {
  ScalingPolicy policy;
  ScalingLoad load;
  std::int64_t until_ms = 0;  ///< samples are taken up to here, this moment included
};

struct SimulatedSample {
  ScalingSample sample;
  ScalingDecision decision;
};

struct SimulationSummary {
  std::uint64_t total = 0;                     ///< messages that arrived
  std::optional<std::int64_t> finished_at_ms;  ///< when the last was deleted; nullopt: not all were
  /// The first sample that found all done and left no more workers than there must be; until_ms, if
  /// none did.
  std::int64_t ended_at_ms = 0;
  std::uint32_t max_count = 0;
  std::uint64_t scale_outs = 0, scale_ins = 0;
  /// The length of each step up to ended_at_ms, this one included, times the workers at its end:
  /// those that are meant to run, and those that end their batch.
  std::int64_t worker_ms = 0;
};

/// Calls `each` for every sample; it says false to end the simulation there.
SimulationSummary simulate(const ScalingSimulation& simulation,
                           const std::function<bool(const SimulatedSample&)>& each);

}  // namespace sluice::core
