// Policies for the tests.
#pragma once

#include "scaling/policy.hpp"

namespace sluice::test {

/// That of the first example system; the decisions of its sheet are taken on each sample.
inline core::ScalingPolicy seed_policy() {
  return {.min_capacity = 1,
          .max_capacity = 5,
          .desired_capacity = 1,
          .tracks_target = true,
          .evaluation = {.low_samples = 1}};
}

inline core::ScalingPolicy alarm_policy() {
  core::ScalingPolicy policy = seed_policy();
  policy.evaluation.type = core::ScalingEvaluation::Type::alarms;
  return policy;
}

}  // namespace sluice::test
