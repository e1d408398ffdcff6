// Target tracking, sample by sample on a clock of the test's own.
#include "scaling/controller.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "scaling/policies.hpp"
#include "scaling/reference_controller.hpp"
#include "scaling/traces.hpp"

namespace sluice::test {
namespace {

using core::ScalingController;
using core::ScalingDecision;
using core::ScalingEvaluation;
using core::ScalingPolicy;
using core::ScalingSample;
using Action = ScalingDecision::Action;
using Reason = ScalingDecision::Reason;

/// A service that does what is decided.
class Service {
 public:
  explicit Service(const ScalingPolicy& policy, std::uint32_t count = 1)
      : policy_(policy), controller_(policy), count_(count) {}

  /// A sample at this second.
  ScalingDecision at(std::int64_t second, std::uint64_t visible) {
    return decide({.time_ms = second * 1000, .visible = visible, .count = count_});
  }
  ScalingDecision decide(const ScalingSample& sample) {
    const ScalingDecision decision = controller_.decide(sample);
    count_ = decision.desired;
    return decision;
  }
  std::string why(const ScalingDecision& decision) const { return reason_text(policy_, decision); }
  void set_count(std::uint32_t count) { count_ = count; }

 private:
  ScalingPolicy policy_;
  ScalingController controller_;
  std::uint32_t count_;
};

ScalingPolicy with_low_samples(std::uint32_t number) {
  ScalingPolicy policy = seed_policy();
  policy.evaluation.low_samples = number;
  return policy;
}

/// Metric = visible messages for each worker, target 10.
ScalingPolicy per_worker(std::uint32_t max_capacity) {
  ScalingPolicy policy = seed_policy();
  policy.metric.type = core::ScalingMetric::Type::visible;
  policy.target_value = 10;
  policy.max_capacity = max_capacity;
  return policy;
}

class DecisionTable : public testing::TestWithParam<TableRow> {};

TEST_P(DecisionTable, holds_for_1_to_5_workers) {
  const TableRow& row = GetParam();
  for (std::uint32_t count = 1; count <= 5; ++count) {
    const ScalingDecision decision = Service(seed_policy(), count).at(0, row.visible);
    EXPECT_NEAR(*decision.metric, row.cells[count - 1].metric, 0.0501) << count;
    EXPECT_EQ(decision.desired, row.cells[count - 1].desired) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Sheet, DecisionTable, testing::ValuesIn(kDecisionTable),
                         [](const auto& row) {
                           return "visible_" + std::to_string(row.param.visible);
                         });

TEST(Direct, below_the_maximum_a_backlog_adds_its_share) {
  ScalingPolicy policy = seed_policy();
  policy.max_capacity = 1000;
  for (std::uint32_t count = 1; count <= 50; ++count) {
    for (std::uint64_t visible = 1; visible < 4 * (5 * count + 1); ++visible) {
      const std::uint64_t added = (count * visible + 5 * count) / (5 * count + 1);  // rounded up
      const std::uint32_t desired = Service(policy, count).at(0, visible).desired;
      EXPECT_EQ(desired, count + added) << count << " " << visible;
    }
  }
}

TEST(Direct, without_a_backlog_five_workers_become_3_2_and_1) {
  Service service(seed_policy(), 5);
  EXPECT_EQ(service.at(0, 0).desired, 3U);
  EXPECT_EQ(service.at(30, 0).desired, 2U);
  EXPECT_EQ(service.at(60, 0).desired, 1U);
  EXPECT_EQ(service.at(90, 0).reason, Reason::within)
      << "one worker is at 100, which is the target";
}

TEST(Direct, the_target_itself_is_not_above_it) {
  Service service(per_worker(5), 2);
  EXPECT_EQ(service.at(0, 20).reason, Reason::within);
  EXPECT_EQ(service.at(10, 21).desired, 3U);
}

TEST(Direct, the_low_fraction_itself_is_not_low) {
  Service service(per_worker(5), 2);
  EXPECT_EQ(service.at(0, 18).reason, Reason::within);
  EXPECT_EQ(service.at(10, 17).reason, Reason::rounded_up) << "1.7 workers are 2";
  EXPECT_EQ(service.at(20, 10).desired, 1U);
}

TEST(Direct, desired_is_rounded_up_but_not_by_the_last_bit) {
  ScalingPolicy policy = per_worker(1000);
  policy.target_value = 0.7;  // 21 / 0.7 is 30.000000000000004
  EXPECT_EQ(Service(policy, 1).at(0, 21).desired, 30U);
}

TEST(Direct, desired_lies_within_its_limits) {
  ScalingPolicy policy = per_worker(7);
  policy.min_capacity = 2;
  EXPECT_EQ(Service(policy, 2).at(0, UINT64_MAX).desired, 7U);
  EXPECT_EQ(Service(policy, 7).at(0, 0).desired, 2U);
  EXPECT_EQ(Service(policy, 7).at(0, UINT64_MAX).reason, Reason::at_max);
  EXPECT_EQ(Service(policy, 2).at(0, 0).reason, Reason::at_min);
}

TEST(Direct, low_samples_must_come_in_a_row) {
  Service service(with_low_samples(3), 5);
  EXPECT_EQ(service.at(0, 0).reason, Reason::low_pending);
  EXPECT_EQ(service.at(10, 0).reason, Reason::low_pending);
  EXPECT_EQ(service.at(20, 1).reason, Reason::at_max) << "that one was not low";
  EXPECT_EQ(service.at(30, 0).reason, Reason::low_pending);
  EXPECT_EQ(service.at(40, 0).reason, Reason::low_pending);
  EXPECT_EQ(service.at(50, 0).desired, 3U);
  EXPECT_EQ(service.at(60, 0).reason, Reason::in_cooldown) << "the row goes on";
}

TEST(Direct, one_high_sample_is_enough) {
  EXPECT_EQ(Service(with_low_samples(3), 1).at(0, 1000).desired, 5U);
}

TEST(Cooldown, a_scale_in_waits_for_that_of_the_last_scale_in) {
  Service service(seed_policy(), 5);
  EXPECT_EQ(service.at(0, 0).action, Action::in);
  const ScalingDecision held = service.at(20, 0);
  EXPECT_EQ(held.reason, Reason::in_cooldown);
  EXPECT_EQ(held.desired, 3U);
  EXPECT_EQ(held.scale_in_cooldown_left_ms, 10'000);
  EXPECT_EQ(service.at(29, 0).action, Action::none);
  EXPECT_EQ(service.at(30, 0).action, Action::in);
}

TEST(Cooldown, a_scale_out_does_not_hold_up_a_scale_in) {
  Service service(seed_policy(), 1);
  EXPECT_EQ(service.at(0, 1000).desired, 5U);
  EXPECT_EQ(service.at(10, 0).desired, 3U);
}

TEST(Cooldown, a_scale_out_ends_that_of_the_scale_in) {
  Service service(seed_policy(), 5);
  EXPECT_EQ(service.at(0, 0).desired, 3U);
  EXPECT_EQ(service.at(10, 1000).desired, 5U);
  EXPECT_EQ(service.at(20, 0).desired, 3U);
}

TEST(Cooldown, within_that_of_a_scale_out_only_a_larger_one_follows) {
  Service service(per_worker(100), 2);
  EXPECT_EQ(service.at(0, 60).desired, 6U) << "2 x 30 / 10";
  const ScalingDecision held = service.at(10, 180);
  EXPECT_EQ(held.reason, Reason::out_cooldown) << "2 x 30 / 10 are no more than 6";
  EXPECT_EQ(held.base, 2U) << "what the first added is part of it";
  EXPECT_EQ(held.scale_out_cooldown_left_ms, 50'000);
  EXPECT_EQ(service.at(20, 240).desired, 8U) << "2 x 40 / 10";
}

TEST(Cooldown, a_larger_scale_out_begins_it_anew_and_keeps_its_base) {
  Service service(per_worker(100), 2);
  EXPECT_EQ(service.at(0, 60).desired, 6U);
  EXPECT_EQ(service.at(50, 240).desired, 8U);
  EXPECT_EQ(service.at(100, 400).desired, 10U) << "2 x 50 / 10, 50 s after the second";
  EXPECT_EQ(service.at(160, 200).desired, 20U) << "it is over: 10 x 20 / 10";
}

TEST(Cooldown, after_that_of_a_scale_out_the_number_that_runs_counts) {
  Service service(per_worker(100), 2);
  EXPECT_EQ(service.at(0, 60).desired, 6U);
  EXPECT_EQ(service.at(59, 180).action, Action::none);
  EXPECT_EQ(service.at(60, 180).desired, 18U);
}

TEST(Cooldown, a_scale_out_never_takes_workers_away) {
  Service service(per_worker(100), 2);
  EXPECT_EQ(service.at(0, 60).desired, 6U);
  service.set_count(50);  // by hand
  EXPECT_EQ(service.at(10, 50 * 35).desired, 50U) << "2 x 35 / 10 are 7";
}

TEST(Alarms, the_high_one_stands_after_three_minutes) {
  Service service(alarm_policy());
  EXPECT_EQ(service.at(0, 1000).reason, Reason::gathering);
  for (std::int64_t second = 10; second < 180; second += 10)
    EXPECT_EQ(service.at(second, 1000).action, Action::none) << second;
  const ScalingDecision decision = service.at(180, 1000);
  EXPECT_EQ(decision.desired, 5U);
  EXPECT_EQ(decision.judged, 500);
}

TEST(Alarms, the_low_one_stands_after_fifteen_and_then_acts_each_minute) {
  Service service(alarm_policy(), 5);
  std::vector<std::int64_t> scale_ins;
  for (std::int64_t second = 0; second <= 1200; second += 10) {
    if (service.at(second, 0).action == Action::in)
      scale_ins.push_back(second);
  }
  EXPECT_EQ(scale_ins, (std::vector<std::int64_t>{900, 960, 1020}));
}

TEST(Alarms, what_is_judged_is_the_average_of_the_minute_before) {
  Service service(alarm_policy(), 2);
  for (std::int64_t second = 0; second < 60; second += 10)
    service.at(second, second == 30 ? 1000 : 0);
  const ScalingDecision decision = service.at(60, 7);
  EXPECT_DOUBLE_EQ(decision.judged.value(), (5 * 50 + 500) / 6.0);
  EXPECT_EQ(decision.reason, Reason::high_pending);
}

TEST(Alarms, one_minute_on_the_other_side_begins_the_row_anew) {
  Service service(alarm_policy());
  for (std::int64_t second = 0; second < 180; second += 10)
    service.at(second, second >= 120 ? 0 : 1000);
  EXPECT_EQ(service.at(180, 1000).reason, Reason::within);
  for (std::int64_t second = 190; second < 360; second += 10)
    EXPECT_EQ(service.at(second, 1000).action, Action::none) << second;
  EXPECT_EQ(service.at(360, 1000).action, Action::out);
}

TEST(Alarms, a_minute_without_samples_is_missing_and_begins_the_row_anew) {
  Service service(alarm_policy());
  for (const std::int64_t second : {0, 60})
    service.at(second, 1000);
  EXPECT_EQ(service.at(120, 1000).reason, Reason::high_pending);
  EXPECT_EQ(service.at(240, 1000).reason, Reason::no_data) << "nothing came from 180 on";
  EXPECT_EQ(service.at(300, 1000).reason, Reason::high_pending);
  EXPECT_EQ(service.at(360, 1000).action, Action::none);
  EXPECT_EQ(service.at(420, 1000).action, Action::out);
}

TEST(MissingData, nothing_is_decided_and_the_row_begins_anew) {
  ScalingPolicy policy = with_low_samples(2);
  policy.metric = {.type = core::ScalingMetric::Type::latency_backlog, .acceptable_latency_s = 10};
  Service service(policy, 5);
  const auto at = [&](std::int64_t second, bool known) {
    ScalingSample sample{.time_ms = second * 1000, .count = 5};
    if (known)
      sample.message_s = 1;
    return service.decide(sample);
  };
  EXPECT_EQ(at(0, true).reason, Reason::low_pending);
  EXPECT_EQ(at(10, false).reason, Reason::no_data);
  EXPECT_EQ(at(20, true).reason, Reason::low_pending);
  EXPECT_EQ(at(30, true).action, Action::in);
}

TEST(Policy, without_one_the_number_stays) {
  ScalingPolicy policy = seed_policy();
  policy.tracks_target = false;
  const ScalingDecision decision = Service(policy, 3).at(0, 1000);
  EXPECT_EQ(decision.desired, 3U);
  EXPECT_EQ(decision.reason, Reason::fixed);
  EXPECT_FALSE(decision.metric);
}

TEST(Policy, a_scale_in_may_be_disabled) {
  ScalingPolicy policy = seed_policy();
  policy.disable_scale_in = true;
  Service service(policy);
  EXPECT_EQ(service.at(0, 1000).desired, 5U);
  EXPECT_EQ(service.at(10, 0).reason, Reason::in_disabled);
}

TEST(ReasonText, has_the_numbers_that_it_takes_to_check_it) {
  Service service(with_low_samples(2));
  const auto why = [&](std::int64_t second, std::uint64_t visible) {
    return service.why(service.at(second, visible));
  };
  EXPECT_EQ(why(0, 1),
            "metric 116.667 is above the target of 100: 1 x 116.667 / 100 rounds up to 2");
  EXPECT_EQ(
      why(10, 2),
      "metric 118.182 is above the target of 100: 1 x 118.182 / 100 rounds up to 2, no more than "
      "the last scale-out set; 50s of its cooldown are left");
  EXPECT_EQ(why(20, 1000), "metric 500 is above the target of 100: 1 x 500 / 100 rounds up to 5");
  EXPECT_EQ(why(30, 1), "metric 103.846 is above the target of 100: the most run, 5");
  EXPECT_EQ(why(40, 0),
            "metric 50 is below 90, 0.9 of the target of 100 for 1 of 2 samples in a row");
  EXPECT_EQ(why(50, 0),
            "metric 50 is below 90, 0.9 of the target of 100: 5 x 50 / 100 rounds up to 3");
  EXPECT_EQ(
      why(60, 0),
      "metric 50 is below 90, 0.9 of the target of 100: 20s of the scale-in cooldown are left");
  EXPECT_EQ(why(80, 0),
            "metric 50 is below 90, 0.9 of the target of 100: 3 x 50 / 100 rounds up to 2");
  EXPECT_EQ(why(110, 0),
            "metric 50 is below 90, 0.9 of the target of 100: 2 x 50 / 100 rounds up to 1");
  EXPECT_EQ(why(120, 0), "metric 100 is near the target of 100");
}

TEST(ReasonText, tells_a_limit_that_cut_what_was_wanted) {
  Service service(per_worker(5));
  EXPECT_EQ(
      service.why(service.at(0, 1000)),
      "metric 1000 is above the target of 10: 1 x 1000 / 10 rounds up to 100, the most are 5");
  EXPECT_EQ(
      service.why(service.at(10, 0)),
      "metric 0 is below 9, 0.9 of the target of 10: 5 x 0 / 10 rounds up to 0, the fewest are 1");
  EXPECT_EQ(service.why(service.at(50, 0)),
            "metric 0 is below 9, 0.9 of the target of 10: the fewest run, 1");
}

/// A policy of any kind, its metric being visible / count.
ScalingPolicy any_policy() {
  ScalingPolicy policy;
  policy.tracks_target = true;
  policy.metric.type = core::ScalingMetric::Type::visible;
  policy.min_capacity = *rc::gen::inRange(1, 4);
  policy.max_capacity = policy.min_capacity + *rc::gen::inRange(0, 30);
  policy.target_value = *rc::gen::inRange(1, 40) / 4.0;
  policy.low_fraction = *rc::gen::element(0.0, 0.5, 0.9, 1.0);
  policy.disable_scale_in = *rc::gen::inRange(0, 8) == 0;
  policy.scale_out_cooldown_ms = *rc::gen::inRange(0, 10) * 10'000;
  policy.scale_in_cooldown_ms = *rc::gen::inRange(0, 10) * 10'000;
  policy.evaluation = {.type = static_cast<ScalingEvaluation::Type>(*rc::gen::inRange(0, 2)),
                       .low_samples = *rc::gen::inRange<std::uint32_t>(1, 5),
                       .period_ms = *rc::gen::inRange(1, 6) * 10'000,
                       .high_datapoints = *rc::gen::inRange<std::uint32_t>(1, 4),
                       .low_datapoints = *rc::gen::inRange<std::uint32_t>(1, 6)};
  return policy;
}

TEST(Controller, decides_as_one_that_looks_everything_up_in_the_whole_past) {
  EXPECT_TRUE(rc::check("decisions", [] {
    const ScalingPolicy policy = any_policy();
    ScalingController controller(policy);
    ReferenceController reference(policy);
    std::int64_t second = 0;
    std::uint32_t count = policy.min_capacity;
    std::uint64_t visible = 0;
    const int samples = *rc::gen::inRange(1, 80);
    for (int i = 0; i < samples; ++i) {
      second += *rc::gen::element(5, 10, 10, 10, 20, 100);
      if (*rc::gen::inRange(0, 3) == 0)
        visible = *rc::gen::inRange<std::uint64_t>(0, 300);
      const ScalingSample sample{.time_ms = second * 1000, .visible = visible, .count = count};
      const ScalingDecision decision = controller.decide(sample);
      const auto wanted = reference.decide(sample.time_ms, decision.metric, count);
      RC_ASSERT(decision.desired == wanted.desired);
      RC_ASSERT(decision.action == wanted.action);
      count = decision.desired;
      RC_ASSERT(policy.min_capacity <= count && count <= policy.max_capacity);
    }
  }));
}

}  // namespace
}  // namespace sluice::test
