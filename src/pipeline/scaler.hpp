// Workers that come and go: samples each service that has a policy when its period is over, asks its controller, and
// has the service run as many as that says.
//
// Thread safety: control's, but for facts().
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/clock.hpp"
#include "pipeline/summary.hpp"
#include "queue/timers.hpp"
#include "scaling/controller.hpp"
#include "service/service.hpp"

namespace sluice::core {

class Scaler {
 public:
  explicit Scaler(const Timers& timers) : timers_(timers), clock_(timers.clock()), start_ns_(clock_.steady_ns()) {}

  /// Both outlive it. Without a policy nothing is done with it.
  void add(Service& service, const ScalingPolicy& policy);
  /// Does what is due. When to call it again, by the clock's steady time; INT64_MAX: there is nothing to do, ever.
  std::int64_t step();
  /// Of the last sample; nullopt: there is none. [any]
  std::optional<ScalingFacts> facts(const Service& service) const;

 private:
  /// Who leaves is looked at so often.
  static constexpr std::int64_t kLeavingNs = 50'000'000;

  struct Scaled {
    Scaled(Service& used_service, const ScalingPolicy& used_policy)
        : service(used_service), policy(used_policy), controller(used_policy), meant(used_service.wanted()) {}
    Service& service;
    const ScalingPolicy& policy;
    ScalingController controller;
    std::uint32_t meant;       ///< workers; where stages cannot be made, fewer run
    std::int64_t samples = 0;  ///< so far
    bool some_leave = false;
    std::optional<ScalingFacts> facts = {};  // guarded by mutex_; without its reason
  };
  std::int64_t due_ns(const Scaled& scaled) const;
  ScalingSample sample(const Scaled& scaled) const;
  void decide(Scaled& scaled);

  const Timers& timers_;
  const Clock& clock_;
  const std::int64_t start_ns_;
  std::map<const Service*, Scaled> scaled_;
  mutable std::mutex mutex_;
};

}  // namespace sluice::core
