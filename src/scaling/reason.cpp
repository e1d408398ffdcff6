// Decisions in words.
#include <fmt/format.h>

#include "base/units.hpp"
#include "scaling/controller.hpp"

namespace sluice::core {
namespace {

/// At most three digits behind the point.
std::string number_text(double value) {
  std::string text = fmt::format("{:.3f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.'))
    text.pop_back();
  return text == "-0" ? "0" : text;
}

/// "metric 500 is above the target of 100".
std::string judged_text(const ScalingPolicy& policy, const ScalingDecision& decision) {
  const double value = *decision.judged;
  const std::string what =
      (policy.evaluation.type == ScalingEvaluation::Type::alarms ? "average " : "metric ") +
      number_text(value);
  const std::string target = "the target of " + number_text(policy.target_value);
  if (value > policy.target_value)
    return fmt::format("{} is above {}", what, target);
  if (value >= policy.low_value())
    return fmt::format("{} is near {}", what, target);
  return fmt::format("{} is below {}, {} of {}", what, number_text(policy.low_value()),
                     number_text(policy.low_fraction), target);
}

/// "1 x 500 / 100 = 5": rounded up.
std::string want_text(const ScalingPolicy& policy, const ScalingDecision& decision) {
  return fmt::format("{} x {} / {} rounds up to {}", decision.base, number_text(*decision.judged),
                     number_text(policy.target_value), number_text(decision.wanted));
}

std::string pending_text(const ScalingPolicy& policy, const ScalingDecision& decision) {
  const bool averages = policy.evaluation.type == ScalingEvaluation::Type::alarms;
  return fmt::format("for {} of {} {} in a row", decision.run, decision.run_needed,
                     averages ? "periods" : "samples");
}

}  // namespace

std::string_view name_of(ScalingDecision::Action action) {
  return action == ScalingDecision::Action::out  ? "out"
         : action == ScalingDecision::Action::in ? "in"
                                                 : "";
}

std::string reason_text(const ScalingPolicy& policy, const ScalingDecision& decision) {
  using Reason = ScalingDecision::Reason;
  switch (decision.reason) {
    case Reason::fixed:
      return "there is no policy: the number is fixed";
    case Reason::no_data:
      return "there is no data: nothing is decided";
    case Reason::gathering:
      return "the period is not over";
    case Reason::within:
      return judged_text(policy, decision);
    case Reason::high_pending:
    case Reason::low_pending:
      return judged_text(policy, decision) + " " + pending_text(policy, decision);
    case Reason::scale_out:
    case Reason::scale_in: {
      const std::string limit = decision.wanted > policy.max_capacity
                                    ? fmt::format(", the most are {}", policy.max_capacity)
                                : decision.wanted < policy.min_capacity
                                    ? fmt::format(", the fewest are {}", policy.min_capacity)
                                    : "";
      return fmt::format("{}: {}{}", judged_text(policy, decision), want_text(policy, decision),
                         limit);
    }
    case Reason::at_max:
      return fmt::format("{}: the most run, {}", judged_text(policy, decision),
                         policy.max_capacity);
    case Reason::at_min:
      return fmt::format("{}: the fewest run, {}", judged_text(policy, decision),
                         policy.min_capacity);
    case Reason::out_cooldown:
      return fmt::format("{}: {}, no more than the last scale-out set; {} of its cooldown are left",
                         judged_text(policy, decision), want_text(policy, decision),
                         format_duration(decision.scale_out_cooldown_left_ms));
    case Reason::rounded_up:
      return fmt::format("{}: {}", judged_text(policy, decision), want_text(policy, decision));
    case Reason::in_cooldown:
      return fmt::format("{}: {} of the scale-in cooldown are left", judged_text(policy, decision),
                         format_duration(decision.scale_in_cooldown_left_ms));
    case Reason::in_disabled:
      return judged_text(policy, decision) + ": scale-in is disabled";
  }
  return {};
}

}  // namespace sluice::core
