#include "pipeline/scaler.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/units.hpp"

namespace sluice::core {

void Scaler::add(Service& service, const ScalingPolicy& policy) {
  if (policy.tracks_target) {
    scaled_.try_emplace(&service, service, policy);
  }
}

std::int64_t Scaler::due_ns(const Scaled& scaled) const {
  return start_ns_ + (scaled.samples + 1) * scaled.policy.period_ms * 1'000'000;
}

std::int64_t Scaler::step() {
  const std::int64_t now_ns = clock_.steady_ns();
  std::int64_t next_ns = INT64_MAX;
  for (auto& [service, each] : scaled_) {
    if (due_ns(each) <= now_ns) {
      decide(each);
      // A period that was slept through, as a stopped process does, is not made up for.
      each.samples = (now_ns - start_ns_) / (each.policy.period_ms * 1'000'000);
    } else if (each.some_leave) {
      each.some_leave = each.service.retire_workers();
    }
    next_ns = std::min({next_ns, due_ns(each), each.some_leave ? now_ns + kLeavingNs : INT64_MAX});
  }
  return next_ns;
}

ScalingSample Scaler::sample(const Scaled& scaled) const {
  Queue& queue = scaled.service.queue();
  const QueueCounters counters = queue.counters();
  const std::int64_t oldest_ms = queue.oldest_ms();
  return {.time_ms = (clock_.steady_ns() - start_ns_) / 1'000'000,
          .visible = counters.visible,
          .in_flight = counters.in_flight,
          .count = scaled.meant,
          .oldest_s = oldest_ms == AgeWindow::kNone ? 0 : static_cast<double>(std::max<std::int64_t>(0, timers_.now_ms() - oldest_ms)) / 1000,
          .message_s = scaled.service.message_seconds()};
}

void Scaler::decide(Scaled& scaled) {
  const ScalingSample seen = sample(scaled);
  const ScalingDecision decision = scaled.controller.decide(seen);
  const std::string& name = scaled.service.name();
  if (decision.action != ScalingDecision::Action::none) {
    log_info(name, "scales {} from {} to {}: {}; {} visible, {} in flight",
             decision.action == ScalingDecision::Action::out ? "out" : "in", decision.count, count_text(decision.desired, "worker"),
             reason_text(scaled.policy, decision), seen.visible, seen.in_flight);
  } else if (log_enabled(LogLevel::debug)) {  // the text takes longer than the decision
    log_debug(name, "{} of {} workers: {}", decision.count, scaled.policy.max_capacity, reason_text(scaled.policy, decision));
  }
  scaled.meant = decision.desired;
  if (Result<void> run = scaled.service.run_workers(scaled.meant); !run) {
    log_warning(name, "{} of {} workers run: {}; it is tried again", scaled.service.wanted(), decision.desired, run.error().message);
  }
  scaled.some_leave = scaled.service.retire_workers();
  const std::lock_guard lock(mutex_);
  scaled.facts = ScalingFacts{decision, "", clock_.wall_ms(), seen.visible, seen.in_flight};
}

std::optional<ScalingFacts> Scaler::facts(const Service& service) const {
  const auto found = scaled_.find(&service);
  if (found == scaled_.end()) {
    return std::nullopt;
  }
  const Scaled& scaled = found->second;
  std::optional<ScalingFacts> facts;
  {
    const std::lock_guard lock(mutex_);
    facts = scaled.facts;
  }
  if (facts) {
    facts->reason = reason_text(scaled.policy, facts->decision);
  }
  return facts;
}

}  // namespace sluice::core
