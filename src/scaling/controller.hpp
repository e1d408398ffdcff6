// Target tracking: decides from samples how many workers a service should have. Pure: time comes in
// with the samples, so that the running engine and `sluice scale` share it.
//
// The rules (Application Auto Scaling's, and where they are open, ours):
//
//  1. Above the target, want = ceil(base * metric / target) within min and max, base being the
//     number that runs. A scale-out does not block another: for the length of its cooldown base
//     stays what it was before the first, and only more than the last one set is acted upon. Each
//     scale-out begins the cooldown anew and ends that of the scale-in.
//  2. Below low_fraction of it, once scale_in_cooldown has passed since the last scale-in, want is
//     formed in the same way from the number that runs. A scale-out's cooldown does not hold it up.
//  3. Between the two, and where the metric is missing, nothing happens.
//
// What is held against the target is each sample (direct), or the average of each full period once
// enough of them in a row lie on one side (alarms).
//
// Thread safety: one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "scaling/policy.hpp"

namespace sluice::core {

/// What was decided on a sample, and why: all that it takes to check it by hand.
struct ScalingDecision {
  enum class Action : std::uint8_t { none, out, in };
  enum class Reason : std::uint8_t {
    fixed,         ///< there is no policy
    no_data,       ///< the metric is missing
    gathering,     ///< the period is not over
    within,        ///< neither high nor low
    high_pending,  ///< high, not yet often enough
    scale_out,
    at_max,        ///< high, and the most run
    out_cooldown,  ///< high, and no more is wanted than the last scale-out set
    low_pending,   ///< low, not yet often enough
    scale_in,
    at_min,       ///< low, and the fewest run
    rounded_up,   ///< low, and rounded up the same number is wanted
    in_cooldown,  ///< low, too soon after the last scale-in
    in_disabled   ///< low, and the policy forbids a scale-in
  };

  Action action = Action::none;
  Reason reason = Reason::fixed;
  std::uint32_t count = 0;       ///< of the sample
  std::uint32_t desired = 0;     ///< from now on; count unless an action is taken
  std::optional<double> metric;  ///< of the sample
  std::optional<double> judged;  ///< what was held against the target: the metric, or an average
  std::uint32_t run = 0, run_needed = 0;  ///< values in a row on that side of it, this one included
  std::uint32_t base = 0;  ///< what the metric was multiplied with; 0: nothing was wanted
  double wanted = 0;       ///< rounded up, before the limits
  std::int64_t scale_out_cooldown_left_ms = 0, scale_in_cooldown_left_ms = 0;
};

/// "out" "in", "" for none.
std::string_view name_of(ScalingDecision::Action action);

/// Why, in words: "metric 150 is above the target of 100: 2 x 150 / 100 rounds up to 3".
std::string reason_text(const ScalingPolicy& policy, const ScalingDecision& decision);

class ScalingController {
 public:
  explicit ScalingController(const ScalingPolicy& policy) : policy_(policy) {}

  /// Decides on the next sample, whose time is not before the last one's.
  ScalingDecision decide(const ScalingSample& sample);

 private:
  /// On which side of the target enough values lie.
  enum class Side : std::uint8_t { neither, high, low };

  Side judge(const ScalingSample& sample, ScalingDecision& decision);
  Side judge_average(const ScalingSample& sample, ScalingDecision& decision);
  Side judge_value(double value, std::uint32_t high_needed, std::uint32_t low_needed,
                   ScalingDecision& decision);
  void scale_out(std::int64_t now_ms, ScalingDecision& decision);
  void scale_in(std::int64_t now_ms, ScalingDecision& decision);
  void want(std::uint32_t base, ScalingDecision& decision) const;
  std::uint32_t limited(double wanted) const;

  const ScalingPolicy policy_;

  // What was done last.
  std::optional<std::int64_t> scale_out_ms_, scale_in_ms_;
  std::uint32_t base_ = 0;  ///< the number before the first scale-out of this cooldown
  std::uint32_t set_ = 0;   ///< by the last scale-out

  // Values in a row.
  std::uint32_t high_run_ = 0, low_run_ = 0;

  // The period that samples are gathered for, if alarms evaluate.
  std::optional<std::int64_t> period_;  ///< its number since time 0
  double sum_ = 0;
  std::uint32_t summed_ = 0;
};

}  // namespace sluice::core
