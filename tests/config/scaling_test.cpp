// The file of `sluice scale`, and the `scaling` object in it: what it means, and each fault at its
// place.
#include "config/scaling.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::core {
namespace {

struct Parsed {
  explicit Parsed(const std::string& text, const std::vector<std::string>& sets = {}) {
    std::vector<Override> overrides;
    for (const std::string& set : sets)
      overrides.push_back(*parse_override(set));
    result = parse_simulation(
        text, "burst.json", overrides,
        [](const std::string& name) {
          return name == "MOST" ? std::optional<std::string>("7s") : std::nullopt;
        },
        diagnostics);
  }
  std::string text() const { return render(diagnostics, false); }

  Diagnostics diagnostics;
  Result<ScalingSimulation> result = fail(Errc::internal, "not parsed");
};

/// With this `scaling`.
std::string with_scaling(const std::string& scaling) {
  return R"({"scaling": )" + scaling +
         R"(, "load": {"arrivals": [], "service_time": "5s"}, "until": "1m"})";
}
/// With this beside `policy` and `max_capacity`.
std::string tracking(const std::string& more) {
  return with_scaling(R"({"policy": "target_tracking", "max_capacity": 5)" + more + "}");
}
/// With this instead of the arrivals.
std::string with_load(const std::string& load) {
  return R"({"scaling": {}, "load": {)" + load + R"(}, "until": "1m"})";
}

TEST(Simulation, every_key_has_its_meaning) {
  const Parsed parsed(R"({
    "scaling": {"min_capacity": 2, "max_capacity": 9, "desired_capacity": 3, "policy": "target_tracking",
                "target_value": 80.5, "low_fraction": 0.75, "disable_scale_in": true, "period": "20s",
                "scale_out_cooldown": "5m", "scale_in_cooldown": "6m",
                "metric": {"type": "backlog_per_worker", "acceptable_messages_per_worker": 2.5,
                           "overprovision_penalty": 0.25, "maximum": 3},
                "evaluation": {"type": "alarms", "period": "2m", "high_datapoints": 2, "low_datapoints": 10}},
    "load": {"arrivals": [[5, 7], [0, 1000], [5, 2]], "service_time": "250ms", "batch_size": 4, "start_delay": "3s"},
    "until": "1040s"})");
  ASSERT_TRUE(parsed.result) << parsed.text();
  const ScalingPolicy& policy = parsed.result->policy;
  EXPECT_EQ(policy.min_capacity, 2U);
  EXPECT_EQ(policy.max_capacity, 9U);
  EXPECT_EQ(policy.desired_capacity, 3U);
  EXPECT_TRUE(policy.tracks_target);
  EXPECT_EQ(policy.target_value, 80.5);
  EXPECT_EQ(policy.low_fraction, 0.75);
  EXPECT_TRUE(policy.disable_scale_in);
  EXPECT_EQ(policy.period_ms, 20'000);
  EXPECT_EQ(policy.scale_out_cooldown_ms, 300'000);
  EXPECT_EQ(policy.scale_in_cooldown_ms, 360'000);
  EXPECT_EQ(policy.metric.type, ScalingMetric::Type::backlog_per_worker);
  EXPECT_EQ(policy.metric.acceptable_messages_per_worker, 2.5);
  EXPECT_EQ(policy.metric.overprovision_penalty, 0.25);
  EXPECT_EQ(policy.metric.maximum, 3);
  EXPECT_EQ(policy.evaluation.type, ScalingEvaluation::Type::alarms);
  EXPECT_EQ(policy.evaluation.period_ms, 120'000);
  EXPECT_EQ(policy.evaluation.high_datapoints, 2U);
  EXPECT_EQ(policy.evaluation.low_datapoints, 10U);
  const ScalingLoad& load = parsed.result->load;
  EXPECT_EQ(load.service_time_ms, 250);
  EXPECT_EQ(load.batch_size, 4U);
  EXPECT_EQ(load.start_delay_ms, 3000);
  ASSERT_EQ(load.arrivals.size(), 3U);
  EXPECT_EQ(load.arrivals[0].messages, 1000U) << "by time, several in one second";
  EXPECT_EQ(load.arrivals[1].messages, 7U);
  EXPECT_EQ(load.arrivals[2].time_ms, 5000);
  EXPECT_EQ(parsed.result->until_ms, 1'040'000);
}

TEST(Simulation, what_is_left_out_has_its_default) {
  const Parsed parsed(tracking(""));
  ASSERT_TRUE(parsed.result) << parsed.text();
  const ScalingPolicy& policy = parsed.result->policy;
  EXPECT_EQ(policy.min_capacity, 1U);
  EXPECT_EQ(policy.desired_capacity, 1U);
  EXPECT_EQ(policy.target_value, 100);
  EXPECT_EQ(policy.low_fraction, 0.9);
  EXPECT_FALSE(policy.disable_scale_in);
  EXPECT_EQ(policy.period_ms, 10'000);
  EXPECT_EQ(policy.scale_out_cooldown_ms, 60'000);
  EXPECT_EQ(policy.scale_in_cooldown_ms, 30'000);
  EXPECT_EQ(policy.metric.type, ScalingMetric::Type::backlog_per_worker);
  EXPECT_EQ(policy.metric.acceptable_messages_per_worker, 5);
  EXPECT_EQ(policy.metric.overprovision_penalty, 0.5);
  EXPECT_EQ(policy.metric.maximum, 5);
  EXPECT_EQ(policy.evaluation.type, ScalingEvaluation::Type::direct);
  EXPECT_EQ(policy.evaluation.low_samples, 3U) << "direct control flaps";
  EXPECT_EQ(parsed.result->load.batch_size, 10U);
  EXPECT_EQ(parsed.result->load.start_delay_ms, 0);
}

TEST(Simulation, alarms_are_cloudwatchs_by_default) {
  const Parsed parsed(tracking(R"(, "evaluation": {"type": "alarms"})"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  const ScalingEvaluation& evaluation = parsed.result->policy.evaluation;
  EXPECT_EQ(evaluation.period_ms, 60'000);
  EXPECT_EQ(evaluation.high_datapoints, 3U);
  EXPECT_EQ(evaluation.low_datapoints, 15U);
}

TEST(Simulation, every_metric_is_known) {
  const std::pair<const char*, ScalingMetric::Type> metrics[] = {
      {R"("visible")", ScalingMetric::Type::visible},
      {R"("visible_and_in_flight")", ScalingMetric::Type::visible_and_in_flight},
      {R"("age_of_oldest")", ScalingMetric::Type::age_of_oldest},
      {R"("latency_backlog", "acceptable_latency": "10s", "time_per_message": "100ms")",
       ScalingMetric::Type::latency_backlog}};
  for (const auto& [text, type] : metrics) {
    const Parsed parsed(
        tracking(std::string(R"(, "target_value": 10, "metric": {"type": )") + text + "}"));
    ASSERT_TRUE(parsed.result) << parsed.text();
    EXPECT_EQ(parsed.result->policy.metric.type, type);
  }
}

TEST(Simulation, a_latency_backlog_has_its_goal_and_may_have_its_time) {
  const std::string metric =
      R"(, "metric": {"type": "latency_backlog", "acceptable_latency": "10s")";
  const Parsed measured(tracking(metric + "}"));
  ASSERT_TRUE(measured.result) << measured.text();
  EXPECT_EQ(measured.result->policy.target_value, 100) << "percent of the goal";
  EXPECT_EQ(measured.result->policy.metric.acceptable_latency_s, 10);
  EXPECT_FALSE(measured.result->policy.metric.time_per_message_s);
  const Parsed given(tracking(metric + R"(, "time_per_message": "100ms"})"));
  ASSERT_TRUE(given.result) << given.text();
  EXPECT_EQ(given.result->policy.metric.time_per_message_s, 0.1);
}

TEST(Simulation, without_a_policy_the_number_is_desired_capacity) {
  const Parsed parsed(with_scaling(R"({"desired_capacity": 4})"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  EXPECT_FALSE(parsed.result->policy.tracks_target);
  EXPECT_EQ(parsed.result->policy.desired_capacity, 4U);
  EXPECT_EQ(parsed.result->policy.max_capacity, 4U);
}

TEST(Simulation, values_may_be_overridden_and_come_from_the_environment) {
  const Parsed parsed(tracking(R"(, "period": "${MOST}")"),
                      {"/scaling/max_capacity=50", "/until=2m"});
  ASSERT_TRUE(parsed.result) << parsed.text();
  EXPECT_EQ(parsed.result->policy.period_ms, 7000);
  EXPECT_EQ(parsed.result->policy.max_capacity, 50U);
  EXPECT_EQ(parsed.result->until_ms, 120'000);
}

TEST(Simulation, arrivals_after_the_end_are_left_out_with_a_warning) {
  const Parsed parsed(
      with_load(R"("arrivals": [[0, 1], [61, 5], [60, 2], [90, 5]], "service_time": "1s")"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  EXPECT_EQ(parsed.result->load.arrivals.size(), 2U);
  EXPECT_EQ(parsed.diagnostics.warnings(), 1U);
  EXPECT_NE(parsed.text().find("burst.json:1:47: warning: 2 arrivals after \"until\" are left out"),
            std::string::npos)
      << parsed.text();
}

TEST(Simulation, a_maximum_that_is_never_reached_is_warned_of) {
  const Parsed parsed(with_scaling(R"({"min_capacity": 2, "max_capacity": 4})"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  EXPECT_NE(parsed.text().find("scaling: its \"max_capacity\" of 4 is never reached: without a \"policy\" there "
                               "are 2 workers all the time; set \"policy\": \"target_tracking\", or "
                               "\"desired_capacity\": 4"),
            std::string::npos)
      << parsed.text();
  for (const char* scaling : {R"({"min_capacity": 2, "max_capacity": 2})", R"({"max_capacity": 1})",
                              R"({"desired_capacity": 4, "max_capacity": 4})",
                              R"({"policy": "target_tracking", "max_capacity": 4})"}) {
    const Parsed reached(with_scaling(scaling));
    ASSERT_TRUE(reached.result) << reached.text();
    EXPECT_EQ(reached.diagnostics.warnings(), 0U) << reached.text();
  }
}

TEST(Simulation, a_target_that_the_metric_cannot_pass_is_warned_of) {
  const Parsed parsed(tracking(R"(, "target_value": 500)"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  EXPECT_NE(parsed.text().find("scaling never adds a worker: its metric is at most 500"),
            std::string::npos)
      << parsed.text();
}

TEST(Simulation, what_only_says_when_workers_are_taken_away_is_warned_of_where_none_are) {
  const Parsed parsed(tracking(R"(, "disable_scale_in": true, "scale_in_cooldown": "5s", "low_fraction": 0.5,
                                  "scale_out_cooldown": "1s", "evaluation": {"type": "direct", "low_samples": 1})"));
  ASSERT_TRUE(parsed.result) << parsed.text();
  for (const char* key : {"scale_in_cooldown", "low_fraction", "low_samples"}) {
    EXPECT_NE(parsed.text().find(std::string("scaling: \"") + key + "\" does nothing: with \"disable_scale_in\""),
              std::string::npos)
        << parsed.text();
  }
  EXPECT_EQ(parsed.text().find("scale_out_cooldown"), std::string::npos) << parsed.text();
}

struct Broken {
  const char* name;
  std::string text;  ///< @ marks the place
  const char* error;
};

const Broken kBroken[] = {
    {"text_that_is_no_json", "{\"scaling\": @}", ""},
    {"a_file_that_is_no_object", "@[]", "the simulation must be an object, found an array"},
    {"no_until", R"(@{"scaling": {}, "load": {"arrivals": [], "service_time": "1s"}})",
     "the simulation lacks the key \"until\""},
    {"an_unknown_key",
     R"({"scaling": {}, @"lod": {}, "load": {"arrivals": [], "service_time": "1s"}, "until": "1s"})",
     "unknown key \"lod\" in the simulation: did you mean \"load\"?"},
    {"an_unknown_key_of_scaling", tracking(R"(, @"target": 5)"),
     "unknown key \"target\" in scaling"},
    {"a_misspelt_key_of_scaling", tracking(R"(, @"scale_in_cooldwn": "5s")"),
     "did you mean \"scale_in_cooldown\"?"},
    {"an_unknown_policy", with_scaling(R"({"policy": @"step_scaling", "max_capacity": 5})"),
     "\"policy\" of scaling is target_tracking, found \"step_scaling\""},
    {"a_policy_without_a_maximum", with_scaling(R"(@{"policy": "target_tracking"})"),
     "scaling lacks the key \"max_capacity\", which a \"policy\" needs"},
    {"a_maximum_below_the_minimum", with_scaling(R"({"min_capacity": 3, "max_capacity": @2})"),
     "\"max_capacity\" 2 is below \"min_capacity\" 3"},
    {"a_desired_number_beyond_its_limits",
     with_scaling(R"({"desired_capacity": @6, "max_capacity": 5})"),
     "\"desired_capacity\" must be 1 to 5, found 6"},
    {"no_worker_at_all", with_scaling(R"({"min_capacity": @0, "max_capacity": 5})"),
     "\"min_capacity\" of scaling must be 1 or more: no alarm is simulated"},
    {"a_key_that_takes_a_policy", with_scaling(R"({@"target_value": 100})"),
     "\"target_value\" of scaling has no effect without \"policy\": \"target_tracking\""},
    {"a_target_of_nothing", tracking(R"(, "target_value": @0)"),
     "\"target_value\" of scaling must be above 0, up to 1000000000, found 0"},
    {"a_negative_target", tracking(R"(, "target_value": @-1.5)"),
     "\"target_value\" of scaling must be above 0, up to 1000000000, found -1.5"},
    {"a_target_in_quotes", tracking(R"(, "target_value": @"100")"),
     "must be a number, found a string"},
    {"a_low_fraction_above_1", tracking(R"(, "low_fraction": @1.01)"),
     "must be 0 to 1, found 1.01"},
    {"a_target_that_is_missing", tracking(R"(, "metric": @{"type": "visible"})"),
     "scaling lacks the key \"target_value\": what this metric is held at, in messages for each "
     "worker"},
    {"an_age_without_a_target", tracking(R"(, "metric": @{"type": "age_of_oldest"})"),
     "in seconds"},
    {"an_unknown_metric", tracking(R"(, "metric": {"type": @"backlog_per_task"})"),
     "\"type\" of metric of scaling is backlog_per_worker, visible, visible_and_in_flight, "
     "age_of_oldest or "
     "latency_backlog, found \"backlog_per_task\": did you mean \"backlog_per_worker\"?"},
    {"a_metric_without_its_type", tracking(R"(, "metric": @{})"),
     "metric of scaling lacks the key \"type\""},
    {"a_key_of_another_metric",
     tracking(R"(, "target_value": 5, "metric": {"type": "visible", "maximum": @3})"),
     "\"maximum\" of metric of scaling belongs to \"type\": \"backlog_per_worker\", not "
     "\"visible\""},
    {"a_latency_backlog_without_its_goal", tracking(R"(, "metric": @{"type": "latency_backlog"})"),
     "metric of scaling lacks the key \"acceptable_latency\""},
    {"a_key_of_the_other_evaluation",
     tracking(R"(, "evaluation": {"type": "alarms", "low_samples": @1})"),
     "\"low_samples\" of evaluation of scaling belongs to \"type\": \"direct\", not \"alarms\""},
    {"a_period_that_is_no_multiple",
     tracking(R"(, "evaluation": {"type": "alarms", "period": @"25s"})"),
     "\"period\" of evaluation of scaling is 25s, which is no multiple of the 10s from sample to "
     "sample"},
    {"a_duration_without_a_unit", tracking(R"(, "period": @"10")"), "\"10\" needs a unit"},
    {"a_load_without_its_service_time",
     R"({"scaling": {}, "load": @{"arrivals": []}, "until": "1s"})",
     "load lacks the key \"service_time\""},
    {"a_service_time_of_nothing", with_load(R"("arrivals": [], "service_time": @"0ms")"),
     "\"service_time\" of load must be 1ms to 12h"},
    {"an_arrival_that_is_no_pair", with_load(R"("arrivals": [[0, 1], @[5]], "service_time": "1s")"),
     "item 1 of \"arrivals\" must be [SECOND, MESSAGES], such as [0, 1000]"},
    {"an_arrival_before_the_beginning",
     with_load(R"("arrivals": [@[-1, 5]], "service_time": "1s")"), "item 0 of \"arrivals\""},
    {"an_arrival_of_half_a_message", with_load(R"("arrivals": [@[0, 0.5]], "service_time": "1s")"),
     "item 0"},
    {"too_many_messages",
     with_load(R"("arrivals": [[0, 10000000], @[1, 1], [2, 1]], "service_time": "1s")"),
     "\"arrivals\" come to more than 10000000 messages here"},
    {"too_many_samples",
     R"({"scaling": {}, "load": {"arrivals": [], "service_time": "1s"}, "until": @"116d"})",
     "116d with a sample every 10s are more than 1000000 samples"},
    {"an_empty_file", "@", "the text is empty"},
    // What only follows from a fault is not told.
    {"no_worker_and_no_maximum", with_scaling(R"({"min_capacity": @0})"),
     "must be 1 or more: no alarm is simulated"},
    {"a_minimum_in_quotes", with_scaling(R"({"min_capacity": @"0", "stop_when_empty": true})"),
     "must be a whole number, found a string"},
    {"a_wrong_period_and_many_samples_of_another",
     R"({"scaling": {"policy": "target_tracking", "max_capacity": 2, "period": @"1"},
         "load": {"arrivals": [], "service_time": "1s"}, "until": "116d"})",
     "\"1\" needs a unit"},
    {"a_misspelt_goal", tracking(R"(, "metric": {"type": "latency_backlog", @"acceptable_latncy": "10s"})"),
     "did you mean \"acceptable_latency\"?"},
    {"a_misspelt_target", tracking(R"(, "metric": {"type": "visible"}, @"target_vlaue": 5)"),
     "did you mean \"target_value\"?"},
    {"a_metric_without_a_policy", with_scaling(R"({@"metric": {"type": "visibel", "maximum": 0}})"),
     "\"metric\" of scaling has no effect without \"policy\""},
    {"an_evaluation_without_a_policy", with_scaling(R"({@"evaluation": {}})"),
     "\"evaluation\" of scaling has no effect without \"policy\""},
    {"a_metric_that_is_none_without_a_policy", with_scaling(R"({"metric": @5})"),
     "\"metric\" of scaling must be an object"},
    {"no_scaling_and_many_samples_of_another",
     R"({"scaling": @5, "load": {"arrivals": [], "service_time": "1s"}, "until": "116d"})",
     "\"scaling\" of the simulation must be an object"},
};

class BrokenSimulation : public testing::TestWithParam<Broken> {};

TEST_P(BrokenSimulation, is_reported_once_at_its_place) {
  std::string text = GetParam().text;
  const std::size_t at = text.find('@');
  text.erase(at, 1);
  const Parsed parsed(text);
  ASSERT_FALSE(parsed.result);
  EXPECT_EQ(parsed.result.error().code, Errc::config);
  ASSERT_EQ(parsed.diagnostics.errors(), 1U) << parsed.text();
  const Diagnostic& found = parsed.diagnostics.all().front();
  EXPECT_EQ(found.place.label, "burst.json:1:" + std::to_string(at + 1)) << parsed.text();
  EXPECT_NE(found.text.find(GetParam().error), std::string::npos) << parsed.text();
}

INSTANTIATE_TEST_SUITE_P(Table, BrokenSimulation, testing::ValuesIn(kBroken),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Simulation, all_faults_of_a_file_come_in_one_run) {
  const Parsed parsed(R"({
  "scaling": {"policy": "target_trackin", "max_capacity": 0},
  "load": {"arrivals": [[1], [2]], "service_time": 5},
  "untl": "5s"
})");
  EXPECT_EQ(parsed.diagnostics.errors(), 6U) << parsed.text();
  EXPECT_NE(parsed.text().find("unknown key \"untl\" in the simulation, which lacks the key \"until\": did you "
                               "mean \"until\"?"),
            std::string::npos)
      << parsed.text();
}

/// A number of any length is no longer on the screen than another.
TEST(Simulation, a_long_number_is_shown_short) {
  const Parsed parsed(tracking(R"(, "target_value": 2)" + std::string(300, '0')));
  ASSERT_FALSE(parsed.result);
  EXPECT_NE(parsed.text().find("found 2e+300"), std::string::npos) << parsed.text();
}

}  // namespace
}  // namespace sluice::core
