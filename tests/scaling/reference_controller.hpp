// Target tracking by the words of its definition: what the metrics and the controller are held
// against. Slow: it looks everything up in the whole past, and so has no state that could be wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "scaling/controller.hpp"

namespace sluice::test {

inline std::optional<double> reference_metric(const core::ScalingMetric& metric, double visible,
                                              double in_flight, double count, double oldest_s,
                                              std::optional<double> message_s) {
  using Type = core::ScalingMetric::Type;
  if (metric.type == Type::backlog_per_worker) {
    double value = 1 + visible / (metric.acceptable_messages_per_worker * count + 1);
    if (visible == 0 && count > 1)
      value -= metric.overprovision_penalty;
    return 100 * (value > metric.maximum ? metric.maximum : value);
  }
  if (metric.type == Type::visible)
    return visible / count;
  if (metric.type == Type::visible_and_in_flight)
    return (visible + in_flight) / count;
  if (metric.type == Type::age_of_oldest)
    return oldest_s;
  const auto each = metric.time_per_message_s ? metric.time_per_message_s : message_s;
  return each ? std::optional(100 * (visible / count) / (metric.acceptable_latency_s / *each))
              : std::nullopt;
}

/// Looks everything up in the whole past.
class ReferenceController {
 public:
  using Action = core::ScalingDecision::Action;
  struct Past {
    std::int64_t t;
    std::optional<double> metric;
    std::uint32_t count, desired;
    Action action;
  };

  explicit ReferenceController(const core::ScalingPolicy& policy) : policy_(policy) {}

  Past decide(std::int64_t t, std::optional<double> metric, std::uint32_t count) {
    Past now{t, metric, count, count, Action::none};
    past_.push_back(now);
    if (policy_.tracks_target) {
      const std::optional<double> value = judged_value();
      if (value && *value > policy_.target_value && in_a_row(true))
        scale_out(*value, now);
      if (value && *value < low() && in_a_row(false))
        scale_in(*value, now);
    }
    past_.back() = now;
    return now;
  }

 private:
  double low() const { return policy_.low_fraction * policy_.target_value; }
  bool by_alarms() const {
    return policy_.evaluation.type == core::ScalingEvaluation::Type::alarms;
  }
  std::int64_t window(std::int64_t t) const { return t / policy_.evaluation.period_ms; }

  std::optional<double> average(std::int64_t of) const {
    double sum = 0, number = 0;
    for (const Past& each : past_) {
      if (window(each.t) == of && each.metric) {
        sum += *each.metric;
        ++number;
      }
    }
    return number == 0 ? std::nullopt : std::optional(sum / number);
  }

  /// The value that counts now: the sample's, or the average of the period that just ended.
  std::optional<double> judged_value() const { return value_before(0); }
  /// The one `back` values before it.
  std::optional<double> value_before(std::int64_t back) const {
    if (!by_alarms()) {
      const auto size = static_cast<std::int64_t>(past_.size());
      return back < size ? past_[static_cast<std::size_t>(size - 1 - back)].metric : std::nullopt;
    }
    const std::int64_t current = window(past_.back().t);
    if (past_.size() < 2 || window(past_[past_.size() - 2].t) == current)
      return std::nullopt;
    return average(current - 1 - back);
  }

  bool in_a_row(bool high) const {
    const std::uint32_t needed = by_alarms() ? (high ? policy_.evaluation.high_datapoints
                                                     : policy_.evaluation.low_datapoints)
                                             : (high ? 1 : policy_.evaluation.low_samples);
    for (std::uint32_t back = 0; back < needed; ++back) {
      const std::optional<double> value = value_before(back);
      if (!value || (high ? *value <= policy_.target_value : *value >= low()))
        return false;
    }
    return true;
  }

  std::uint32_t limited(double wanted) const {
    const double most = policy_.max_capacity, least = policy_.min_capacity;
    return static_cast<std::uint32_t>(std::max(least, std::min(most, wanted)));
  }
  std::uint32_t wanted(double base, double value) const {
    return limited(std::ceil(base * value / policy_.target_value - 1e-9));
  }

  std::vector<Past> all(Action action) const {
    std::vector<Past> found;
    for (const Past& each : past_) {
      if (each.action == action)
        found.push_back(each);
    }
    return found;
  }

  void scale_out(double value, Past& now) const {
    std::vector<Past> outs = all(Action::out);
    const std::int64_t cooldown = policy_.scale_out_cooldown_ms;
    if (outs.empty() || now.t - outs.back().t >= cooldown) {
      act(wanted(now.count, value), Action::out, now, wanted(now.count, value) > now.count);
      return;
    }
    std::size_t first = outs.size() - 1;
    while (first > 0 && outs[first].t - outs[first - 1].t < cooldown)
      --first;
    const std::uint32_t want = wanted(outs[first].count, value);
    act(want, Action::out, now, want > outs.back().desired && want > now.count);
  }

  void scale_in(double value, Past& now) const {
    const std::vector<Past> ins = all(Action::in), outs = all(Action::out);
    const bool is_cooling = !ins.empty() && now.t - ins.back().t < policy_.scale_in_cooldown_ms &&
                            (outs.empty() || outs.back().t < ins.back().t);
    const std::uint32_t want = wanted(now.count, value);
    act(want, Action::in, now, !is_cooling && !policy_.disable_scale_in && want < now.count);
  }

  static void act(std::uint32_t desired, Action action, Past& now, bool is_due) {
    if (!is_due)
      return;
    now.desired = desired;
    now.action = action;
  }

  const core::ScalingPolicy policy_;
  std::vector<Past> past_;
};

}  // namespace sluice::test
