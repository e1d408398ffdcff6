// Workers that are started, by an alarm or by hand, and that leave once their queue is empty: those of services with
// "min_capacity": 0.
//
// Thread safety: control's.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "scaling/policy.hpp"
#include "service/service.hpp"

namespace sluice::core {

/// What a start or stop came to.
struct WorkerChange {
  std::uint32_t before = 0, now = 0;  ///< workers that are meant to run
};

class Starter {
 public:
  explicit Starter(Clock& clock) : clock_(clock) {}

  /// Both outlive it. A service whose workers are not started is left to others.
  void add(Service& service, const ScalingPolicy& policy);
  /// There is no such service.
  bool is_empty() const { return started_.empty(); }
  /// `count` workers beside those that run, as far as its max_capacity allows. `why` is for the log. Errors: usage, where
  /// the service is none of these; what its stages' create() answers, and then as many run as could be made.
  Result<WorkerChange> start(Service& service, std::uint32_t count, std::string_view why);
  /// So many leave; each finishes what it holds. Error: usage, as above.
  Result<WorkerChange> stop(Service& service, std::uint32_t count, std::string_view why);
  /// Lets workers leave whose queue is empty, or has only delayed messages. When to call it again, by the clock's steady time; INT64_MAX: no worker
  /// runs.
  std::int64_t step();
  /// It is such a service, and no worker runs or finishes anything.
  bool rests(const Service& service) const;

 private:
  /// Who runs or leaves is looked at so often.
  static constexpr std::int64_t kLookNs = 50'000'000;

  struct Started {
    Service& service;
    const ScalingPolicy& policy;
    bool some_leave = false;
  };
  Result<Started*> find(const Service& service);

  Clock& clock_;
  std::map<const Service*, Started> started_;
};

}  // namespace sluice::core
