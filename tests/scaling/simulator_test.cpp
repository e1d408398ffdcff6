// The plant: whole traces, single rules, and a reference that does everything second by second.
#include "scaling/simulator.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "scaling/policies.hpp"
#include "scaling/reference_plant.hpp"
#include "scaling/traces.hpp"

namespace sluice::test {
namespace {

using core::ScalingDecision;
using core::ScalingEvaluation;
using core::ScalingMetric;
using core::ScalingPolicy;
using core::ScalingSimulation;
using core::SimulatedSample;
using core::SimulationSummary;
using Action = ScalingDecision::Action;

/// What the sheet simulates.
ScalingSimulation simulation_of(const Trace& trace) {
  ScalingSimulation simulation{.policy = trace.has_alarms ? alarm_policy() : seed_policy(),
                               .load = {.service_time_ms = trace.service_time * 1000,
                                        .batch_size = static_cast<std::uint32_t>(trace.batch_size)},
                               .until_ms = trace.summary.ended_at * 1000};
  for (const auto& [second, messages] : trace.arrivals)
    simulation.load.arrivals.push_back({second * 1000, static_cast<std::uint64_t>(messages)});
  return simulation;
}

struct Simulated {
  std::vector<SimulatedSample> samples;
  SimulationSummary summary;

  const SimulatedSample& at(std::int64_t second) const {
    for (const SimulatedSample& sample : samples) {
      if (sample.sample.time_ms == second * 1000)
        return sample;
    }
    ADD_FAILURE() << "no sample at " << second;
    return samples.front();
  }
};

Simulated run(const ScalingSimulation& simulation) {
  Simulated result;
  result.summary = simulate(simulation, [&](const SimulatedSample& sample) {
    result.samples.push_back(sample);
    return true;
  });
  return result;
}

/// So many workers and no policy.
ScalingSimulation fixed(std::uint32_t workers, std::vector<core::ScalingArrival> arrivals,
                        std::int64_t until_ms) {
  return {.policy = {.max_capacity = workers, .desired_capacity = workers},
          .load = {.arrivals = std::move(arrivals)},
          .until_ms = until_ms};
}

std::string action_text(Action action) {
  return action == Action::out ? "out" : action == Action::in ? "in" : "";
}

/// Which of the two alarms stands.
std::string alarm_text(const ScalingDecision& decision) {
  if (!decision.judged || decision.run_needed == 0 || decision.run < decision.run_needed)
    return "";
  return *decision.judged > 100 ? "high" : "low";
}

class Traces : public testing::TestWithParam<Trace> {};

TEST_P(Traces, have_every_row_of_the_sheet) {
  const Trace& trace = GetParam();
  const Simulated simulated = run(simulation_of(trace));
  for (const TraceRow& row : trace.rows) {
    const auto& [sample, decision] = simulated.at(row.t);
    EXPECT_EQ(sample.visible, row.visible) << row.t;
    EXPECT_EQ(sample.in_flight, row.in_flight) << row.t;
    EXPECT_EQ(sample.count, row.count) << row.t;
    EXPECT_NEAR(*decision.metric, row.metric, 0.0005) << row.t;
    EXPECT_EQ(decision.desired, row.desired) << row.t;
    EXPECT_EQ(action_text(decision.action), row.action) << row.t;
    if (trace.has_alarms) {
      EXPECT_EQ(decision.judged, row.average) << row.t;
      EXPECT_EQ(alarm_text(decision), row.alarm) << row.t;
    }
  }
}

TEST_P(Traces, have_no_action_that_the_sheet_has_not) {
  const Trace& trace = GetParam();
  for (const auto& [sample, decision] : run(simulation_of(trace)).samples) {
    const bool is_listed = std::ranges::any_of(
        trace.rows, [&](const TraceRow& row) { return row.t * 1000 == sample.time_ms; });
    EXPECT_TRUE(is_listed || decision.action == Action::none) << sample.time_ms;
  }
}

TEST_P(Traces, have_the_sums_of_the_sheet) {
  const TraceSummary& wanted = GetParam().summary;
  const SimulationSummary summary = run(simulation_of(GetParam())).summary;
  EXPECT_EQ(summary.total, wanted.total);
  EXPECT_EQ(summary.finished_at_ms, wanted.finished_at * 1000);
  EXPECT_EQ(summary.ended_at_ms, wanted.ended_at * 1000);
  EXPECT_EQ(summary.max_count, wanted.max_count);
  EXPECT_EQ(summary.scale_outs, wanted.scale_outs);
  EXPECT_EQ(summary.scale_ins, wanted.scale_ins);
  EXPECT_EQ(summary.worker_ms, wanted.task_seconds * 1000);
}

TEST_P(Traces, have_the_same_sums_however_long_they_rest) {
  ScalingSimulation simulation = simulation_of(GetParam());
  const SimulationSummary wanted = run(simulation).summary;
  simulation.until_ms += 100'000;
  const Simulated longer = run(simulation);
  EXPECT_EQ(longer.samples.back().sample.time_ms, simulation.until_ms);
  EXPECT_EQ(longer.summary.ended_at_ms, wanted.ended_at_ms);
  EXPECT_EQ(longer.summary.worker_ms, wanted.worker_ms);
}

TEST_P(Traces, are_those_of_the_reference_too) {
  ReferencePlant reference(simulation_of(GetParam()));
  reference.run();
  EXPECT_EQ(reference.summary.worker_ms, GetParam().summary.task_seconds * 1000);
  EXPECT_EQ(reference.summary.finished_at_ms, GetParam().summary.finished_at * 1000);
}

INSTANTIATE_TEST_SUITE_P(Sheet, Traces, testing::ValuesIn(kTraces),
                         [](const auto& trace) { return std::string(trace.param.name); });

TEST(Simulator, samples_are_taken_from_0_to_the_end_inclusive) {
  const Simulated simulated = run(fixed(1, {}, 30'000));
  ASSERT_EQ(simulated.samples.size(), 4U);
  EXPECT_EQ(simulated.samples.front().sample.time_ms, 0);
  EXPECT_EQ(simulated.samples.back().sample.time_ms, 30'000);
  EXPECT_EQ(run(fixed(1, {}, 29'999)).samples.size(), 3U);
  EXPECT_EQ(run(fixed(1, {}, 0)).samples.size(), 1U);
}

TEST(Simulator, a_batch_takes_the_time_of_all_its_messages) {
  ScalingSimulation simulation = fixed(1, {{0, 25}}, 60'000);
  const Simulated simulated = run(simulation);
  EXPECT_EQ(simulated.at(0).sample.in_flight, 10U);
  EXPECT_EQ(simulated.at(10).sample.visible, 5U) << "the second batch was received in that second";
  EXPECT_EQ(simulated.at(20).sample.in_flight, 5U);
  EXPECT_EQ(simulated.summary.finished_at_ms, 25'000);
  EXPECT_EQ(simulated.summary.ended_at_ms, 30'000) << "the sample that finds it";
}

TEST(Simulator, a_service_time_below_a_second_takes_its_time) {
  ScalingSimulation simulation = fixed(2, {{0, 40}}, 60'000);
  simulation.load.service_time_ms = 50;
  simulation.load.batch_size = 5;
  EXPECT_EQ(run(simulation).summary.finished_at_ms, 1000) << "four batches each, of 250 ms";
}

TEST(Simulator, new_workers_receive_from_the_next_second_on_or_after_their_delay) {
  ScalingSimulation simulation{.policy = seed_policy(), .until_ms = 60'000};
  simulation.load = {.arrivals = {{0, 1000}}, .service_time_ms = 60'000, .batch_size = 1};
  simulation.policy.period_ms = 1000;
  EXPECT_EQ(run(simulation).at(0).sample.in_flight, 1U);
  EXPECT_EQ(run(simulation).at(1).sample.in_flight, 5U);
  simulation.load.start_delay_ms = 7000;
  EXPECT_EQ(run(simulation).at(6).sample.in_flight, 1U);
  EXPECT_EQ(run(simulation).at(6).sample.count, 5U) << "those that start are counted";
  EXPECT_EQ(run(simulation).at(7).sample.in_flight, 5U);
}

TEST(Simulator, a_worker_that_is_stopped_ends_its_batch) {
  ScalingSimulation simulation{.policy = seed_policy(), .until_ms = 300'000};
  simulation.policy.desired_capacity = 5;
  simulation.load = {.arrivals = {{0, 5}}, .service_time_ms = 100'000, .batch_size = 1};
  const Simulated simulated = run(simulation);
  EXPECT_EQ(simulated.at(60).sample.count, 2U);
  EXPECT_EQ(simulated.at(60).sample.in_flight, 5U);
  EXPECT_EQ(simulated.summary.finished_at_ms, 100'000);
  EXPECT_EQ(simulated.summary.worker_ms, 5 * 100'000 + 1 * 1000) << "until their batch is done";
}

TEST(Simulator, a_worker_that_is_stopped_receives_nothing_more) {
  ScalingSimulation simulation{.policy = seed_policy(), .until_ms = 300'000};
  simulation.policy.desired_capacity = 2;
  simulation.load = {.arrivals = {{0, 2}, {1000, 9}}, .service_time_ms = 25'000, .batch_size = 1};
  simulation.policy.max_capacity = 2;
  simulation.policy.metric.type = ScalingMetric::Type::age_of_oldest;
  simulation.policy.target_value = 1000;  // low, whatever waits
  const Simulated simulated = run(simulation);
  EXPECT_EQ(simulated.at(0).decision.desired, 1U);
  EXPECT_EQ(simulated.at(20).sample.in_flight, 2U);
  EXPECT_EQ(simulated.at(30).sample.in_flight, 1U);
}

TEST(Simulator, the_oldest_message_is_the_first_that_has_not_ended) {
  ScalingSimulation simulation = fixed(2, {{0, 1}, {5000, 1}, {20'000, 3}}, 100'000);
  simulation.load.batch_size = 1;
  simulation.load.service_time_ms = 15'000;
  const Simulated simulated = run(simulation);
  EXPECT_EQ(simulated.at(10).sample.oldest_s, 10);
  EXPECT_EQ(simulated.at(20).sample.oldest_s, 0) << "what came in this second";
  EXPECT_EQ(simulated.at(40).sample.oldest_s, 20) << "the third is in hand";
  EXPECT_EQ(simulated.at(50).sample.oldest_s, 0) << "there is none";
}

TEST(Simulator, the_oldest_message_is_looked_for_behind_those_that_ended_before) {
  ScalingSimulation simulation = fixed(2, {{0, 3}, {5000, 1}, {25'000, 1}, {42'000, 1}}, 60'000);
  simulation.load.service_time_ms = 15'000;
  const Simulated simulated = run(simulation);
  EXPECT_EQ(simulated.at(40).sample.oldest_s, 40) << "a batch of three takes 45 s";
  EXPECT_EQ(simulated.at(50).sample.oldest_s, 8) << "the two between have ended long ago";
  EXPECT_EQ(simulated.at(60).sample.oldest_s, 0);
}

TEST(Simulator, the_time_of_a_message_is_known_once_one_is_done) {
  ScalingSimulation simulation = fixed(1, {{0, 1}}, 20'000);
  simulation.load.service_time_ms = 12'000;
  EXPECT_FALSE(run(simulation).at(10).sample.message_s);
  EXPECT_EQ(run(simulation).at(20).sample.message_s, 12);
}

TEST(Simulator, what_is_not_done_at_the_end_has_not_finished) {
  const SimulationSummary summary = run(fixed(1, {{0, 1000}}, 15'000)).summary;
  EXPECT_FALSE(summary.finished_at_ms);
  EXPECT_EQ(summary.ended_at_ms, 15'000);
  EXPECT_EQ(summary.worker_ms, 16'000) << "the last second included";
}

TEST(Simulator, a_pause_between_bursts_is_not_the_end) {
  const SimulationSummary summary = run(fixed(1, {{0, 10}, {50'000, 10}}, 100'000)).summary;
  EXPECT_EQ(summary.finished_at_ms, 60'000);
  EXPECT_EQ(summary.ended_at_ms, 60'000);
}

TEST(Simulator, it_ends_where_its_caller_says_so) {
  int samples = 0;
  simulate(fixed(1, {{0, 10}}, 1'000'000), [&](const SimulatedSample&) { return ++samples < 3; });
  EXPECT_EQ(samples, 3);
}

// F4 of the reliability catalogue: a load that a metric with a resting point can follow.
class Follows : public testing::TestWithParam<std::int64_t> {};

TEST_P(Follows, a_steady_load_is_followed_and_then_left_alone) {
  const std::int64_t workers = GetParam();  // that it takes: so many messages a second, 1 s each
  ScalingSimulation simulation{.policy = seed_policy(), .until_ms = 1'000'000};
  simulation.load.batch_size = 1;
  simulation.policy.max_capacity = 1000;
  simulation.policy.metric.type = ScalingMetric::Type::visible_and_in_flight;
  simulation.policy.target_value = 1;
  simulation.policy.evaluation.low_samples = 3;
  for (std::int64_t second = 0; second <= 1000; ++second)
    simulation.load.arrivals.push_back({second * 1000, static_cast<std::uint64_t>(workers)});
  const Simulated simulated = run(simulation);
  EXPECT_GE(simulated.at(30).decision.desired, workers) << "within three periods";
  for (std::int64_t second = 200; second <= 1000; second += 10) {
    EXPECT_GE(simulated.at(second).decision.desired, workers) << second;
    EXPECT_LE(simulated.at(second).decision.desired, workers + 1) << second;
    EXPECT_EQ(simulated.at(second).sample.visible, 0U) << second;
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, Follows, testing::Values(1, 2, 7, 40, 300),
                         [](const auto& workers) { return std::to_string(workers.param); });

ScalingPolicy any_policy() {
  ScalingPolicy policy;
  policy.tracks_target = *rc::gen::inRange(0, 10) > 0;
  policy.min_capacity = *rc::gen::inRange(1, 4);
  policy.max_capacity = policy.min_capacity + *rc::gen::inRange(0, 8);
  policy.desired_capacity = *rc::gen::inRange(policy.min_capacity, policy.max_capacity + 1);
  policy.metric.type = static_cast<ScalingMetric::Type>(*rc::gen::inRange(0, 5));
  policy.metric.acceptable_latency_s = 20;
  policy.target_value = *rc::gen::element(2.0, 20.0, 100.0);
  policy.period_ms = *rc::gen::element(500, 1000, 3000, 10'000, 20'000);
  policy.scale_out_cooldown_ms = *rc::gen::inRange(0, 60) * 1000;
  policy.scale_in_cooldown_ms = *rc::gen::inRange(0, 60) * 1000;
  policy.evaluation = {.type = static_cast<ScalingEvaluation::Type>(*rc::gen::inRange(0, 2)),
                       .low_samples = *rc::gen::inRange<std::uint32_t>(1, 4),
                       .period_ms = policy.period_ms * *rc::gen::inRange(1, 4),
                       .high_datapoints = *rc::gen::inRange<std::uint32_t>(1, 3),
                       .low_datapoints = *rc::gen::inRange<std::uint32_t>(1, 4)};
  return policy;
}

ScalingSimulation any_simulation() {
  ScalingSimulation simulation{.policy = any_policy()};
  simulation.load.service_time_ms = *rc::gen::element(250, 1000, 2000, 5000, 40'000);
  simulation.load.batch_size = *rc::gen::inRange<std::uint32_t>(1, 12);
  simulation.load.start_delay_ms = *rc::gen::element(0, 0, 250, 1000, 15'000);
  simulation.until_ms = *rc::gen::inRange(0, 400) * 1000;
  const int arrivals = *rc::gen::inRange(0, 6);
  for (int i = 0; i < arrivals; ++i) {
    simulation.load.arrivals.push_back(
        {*rc::gen::inRange(0, 200) * 1000, *rc::gen::inRange<std::uint64_t>(0, 80)});
  }
  std::erase_if(simulation.load.arrivals, [&](const core::ScalingArrival& arrival) {
    return arrival.time_ms > simulation.until_ms;
  });
  std::ranges::stable_sort(simulation.load.arrivals, {}, &core::ScalingArrival::time_ms);
  return simulation;
}

TEST(Simulator, is_the_plant_that_goes_second_by_second) {
  EXPECT_TRUE(rc::check("plants", [] {
    const ScalingSimulation simulation = any_simulation();
    const Simulated simulated = run(simulation);
    ReferencePlant reference(simulation);
    reference.run();
    RC_ASSERT(simulated.samples.size() == reference.rows.size());
    for (std::size_t i = 0; i < reference.rows.size(); ++i) {
      const auto& [sample, decision] = simulated.samples[i];
      const ReferenceRow& row = reference.rows[i];
      RC_ASSERT(sample.time_ms == row.time_ms);
      RC_ASSERT(sample.visible == row.visible);
      RC_ASSERT(sample.in_flight == row.in_flight);
      RC_ASSERT(sample.count == row.count);
      RC_ASSERT(sample.oldest_s == row.oldest_s);
      RC_ASSERT(decision.metric.has_value() == row.metric.has_value());
      if (row.metric)
        RC_ASSERT(std::abs(*decision.metric - *row.metric) < 1e-6);
      RC_ASSERT(decision.desired == row.desired);
      RC_ASSERT(decision.action == row.action);
    }
    const SimulationSummary &found = simulated.summary, &wanted = reference.summary;
    RC_ASSERT(found.total == wanted.total);
    RC_ASSERT(found.finished_at_ms == wanted.finished_at_ms);
    RC_ASSERT(found.ended_at_ms == wanted.ended_at_ms);
    RC_ASSERT(found.max_count == wanted.max_count);
    RC_ASSERT(found.scale_outs == wanted.scale_outs);
    RC_ASSERT(found.scale_ins == wanted.scale_ins);
    RC_ASSERT(found.worker_ms == wanted.worker_ms);
  }));
}

}  // namespace
}  // namespace sluice::test
