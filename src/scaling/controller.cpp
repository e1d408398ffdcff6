#include "scaling/controller.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace sluice::core {
namespace {

/// Of a cooldown that `began`; 0: it is over, or never was.
std::int64_t left_ms(std::optional<std::int64_t> began_ms, std::int64_t length_ms,
                     std::int64_t now_ms) {
  return began_ms ? std::max<std::int64_t>(0, *began_ms + length_ms - now_ms) : 0;
}

}  // namespace

ScalingDecision ScalingController::decide(const ScalingSample& sample) {
  assert(sample.time_ms >= 0);
  ScalingDecision decision{.count = sample.count, .desired = sample.count};
  if (!policy_.tracks_target)
    return decision;
  decision.metric = metric_value(policy_.metric, sample);
  switch (judge(sample, decision)) {
    case Side::high:
      scale_out(sample.time_ms, decision);
      break;
    case Side::low:
      scale_in(sample.time_ms, decision);
      break;
    case Side::neither:
      break;
  }
  decision.scale_out_cooldown_left_ms =
      left_ms(scale_out_ms_, policy_.scale_out_cooldown_ms, sample.time_ms);
  decision.scale_in_cooldown_left_ms =
      left_ms(scale_in_ms_, policy_.scale_in_cooldown_ms, sample.time_ms);
  return decision;
}

ScalingController::Side ScalingController::judge(const ScalingSample& sample,
                                                 ScalingDecision& decision) {
  if (policy_.evaluation.type == ScalingEvaluation::Type::alarms)
    return judge_average(sample, decision);
  if (decision.metric)
    return judge_value(*decision.metric, 1, policy_.evaluation.low_samples, decision);
  high_run_ = low_run_ = 0;
  decision.reason = ScalingDecision::Reason::no_data;
  return Side::neither;
}

/// The first sample of a period ends the one before: its average is judged, and stands for nothing
/// later. A period without a value is a datapoint that is missing, and ends each run.
ScalingController::Side ScalingController::judge_average(const ScalingSample& sample,
                                                         ScalingDecision& decision) {
  const std::int64_t period = sample.time_ms / policy_.evaluation.period_ms;
  const bool is_over = period_ && period > *period_;
  const bool is_whole = is_over && period == *period_ + 1 && summed_ > 0;
  const double average = is_whole ? sum_ / summed_ : 0;
  if (is_over || !period_) {
    period_ = period;
    sum_ = 0;
    summed_ = 0;
  }
  if (decision.metric) {
    sum_ += *decision.metric;
    ++summed_;
  }
  if (is_whole) {
    return judge_value(average, policy_.evaluation.high_datapoints,
                       policy_.evaluation.low_datapoints, decision);
  }
  if (is_over)
    high_run_ = low_run_ = 0;
  decision.reason = is_over ? ScalingDecision::Reason::no_data : ScalingDecision::Reason::gathering;
  return Side::neither;
}

ScalingController::Side ScalingController::judge_value(double value, std::uint32_t high_needed,
                                                       std::uint32_t low_needed,
                                                       ScalingDecision& decision) {
  using Reason = ScalingDecision::Reason;
  const bool is_high = value > policy_.target_value;
  const bool is_low = value < policy_.low_value();
  // A run that is long enough is not counted on.
  high_run_ = is_high ? std::min(high_run_ + 1, high_needed) : 0;
  low_run_ = is_low ? std::min(low_run_ + 1, low_needed) : 0;
  decision.judged = value;
  decision.run = is_high ? high_run_ : low_run_;
  decision.run_needed = is_high ? high_needed : is_low ? low_needed : 0;
  if (!is_high && !is_low) {
    decision.reason = Reason::within;
    return Side::neither;
  }
  if (decision.run < decision.run_needed) {
    decision.reason = is_high ? Reason::high_pending : Reason::low_pending;
    return Side::neither;
  }
  return is_high ? Side::high : Side::low;
}

void ScalingController::scale_out(std::int64_t now_ms, ScalingDecision& decision) {
  using Reason = ScalingDecision::Reason;
  const bool is_cooling = left_ms(scale_out_ms_, policy_.scale_out_cooldown_ms, now_ms) > 0;
  want(is_cooling ? base_ : decision.count, decision);
  const std::uint32_t limited_want = limited(decision.wanted);
  if (limited_want <= decision.count || (is_cooling && limited_want <= set_)) {
    decision.reason = decision.count >= policy_.max_capacity ? Reason::at_max
                      : is_cooling                           ? Reason::out_cooldown
                                                             : Reason::within;  // by the last bits
    return;
  }
  base_ = decision.base;
  set_ = limited_want;
  scale_out_ms_ = now_ms;
  scale_in_ms_.reset();
  decision.action = ScalingDecision::Action::out;
  decision.reason = Reason::scale_out;
  decision.desired = limited_want;
}

void ScalingController::scale_in(std::int64_t now_ms, ScalingDecision& decision) {
  using Reason = ScalingDecision::Reason;
  want(decision.count, decision);
  const std::uint32_t limited_want = limited(decision.wanted);
  if (limited_want >= decision.count) {
    decision.reason = decision.count <= policy_.min_capacity ? Reason::at_min : Reason::rounded_up;
  } else if (policy_.disable_scale_in) {
    decision.reason = Reason::in_disabled;
  } else if (left_ms(scale_in_ms_, policy_.scale_in_cooldown_ms, now_ms) > 0) {
    decision.reason = Reason::in_cooldown;
  } else {
    scale_in_ms_ = now_ms;
    decision.action = ScalingDecision::Action::in;
    decision.reason = Reason::scale_in;
    decision.desired = limited_want;
  }
}

void ScalingController::want(std::uint32_t base, ScalingDecision& decision) const {
  constexpr double kRoundingError = 1e-9;  // 5 * 60 / 100 is 3, whatever the last bit says
  decision.base = base;
  decision.wanted =
      std::max(0.0, std::ceil(base * *decision.judged / policy_.target_value - kRoundingError));
}

std::uint32_t ScalingController::limited(double wanted) const {
  return static_cast<std::uint32_t>(std::clamp(wanted, static_cast<double>(policy_.min_capacity),
                                               static_cast<double>(policy_.max_capacity)));
}

}  // namespace sluice::core
