// The metrics, with the figures of their sources.
#include "scaling/metric.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "scaling/reference_controller.hpp"

namespace sluice::test {
namespace {

using core::metric_value;
using core::ScalingMetric;
using core::ScalingSample;
using Type = ScalingMetric::Type;

double value(const ScalingMetric& metric, const ScalingSample& sample) {
  const std::optional<double> found = metric_value(metric, sample);
  EXPECT_TRUE(found);
  return found.value_or(-1);
}

TEST(BacklogPerWorker, one_worker_without_a_backlog_is_at_100) {
  EXPECT_EQ(value({}, {.visible = 0, .count = 1}), 100);
}

TEST(BacklogPerWorker, several_workers_without_a_backlog_are_at_50) {
  for (std::uint32_t count = 2; count <= 1000; ++count)
    EXPECT_EQ(value({}, {.visible = 0, .in_flight = 25, .count = count}), 50);
}

TEST(BacklogPerWorker, any_visible_message_is_above_100) {
  for (std::uint32_t count = 1; count <= 1000; ++count)
    EXPECT_GT(value({}, {.visible = 1, .count = count}), 100);
}

TEST(BacklogPerWorker, it_has_a_maximum) {
  EXPECT_LT(value({}, {.visible = 23, .count = 1}), 500);
  EXPECT_EQ(value({}, {.visible = 24, .count = 1}), 500);
  EXPECT_EQ(value({}, {.visible = UINT64_MAX, .count = 1}), 500);
  EXPECT_EQ(value({.maximum = 2}, {.visible = 1000, .count = 1}), 200);
}

TEST(BacklogPerWorker, its_numbers_are_the_policys) {
  EXPECT_EQ(value({.acceptable_messages_per_worker = 0}, {.visible = 3, .count = 7}), 400);
  EXPECT_EQ(value({.acceptable_messages_per_worker = 1}, {.visible = 3, .count = 2}), 200);
  EXPECT_EQ(value({.overprovision_penalty = 0.25}, {.visible = 0, .count = 2}), 75);
}

TEST(Messages, are_counted_for_each_worker) {
  const ScalingSample sample{.visible = 30, .in_flight = 10, .count = 4};
  EXPECT_EQ(value({.type = Type::visible}, sample), 7.5);
  EXPECT_EQ(value({.type = Type::visible_and_in_flight}, sample), 10);
}

TEST(AgeOfOldest, is_in_seconds) {
  EXPECT_EQ(value({.type = Type::age_of_oldest}, {.count = 3, .oldest_s = 12.5}), 12.5);
}

// EC2 Auto Scaling: 1500 messages, 10 instances, 0.1 s for each message, 10 s acceptable: 150
// messages against 100 for each instance.
TEST(LatencyBacklog, is_in_percent_of_what_is_acceptable) {
  const ScalingSample sample{.visible = 1500, .count = 10, .message_s = 0.1};
  EXPECT_DOUBLE_EQ(value({.type = Type::latency_backlog, .acceptable_latency_s = 10}, sample), 150);
}

TEST(LatencyBacklog, needs_the_time_of_a_message) {
  ScalingMetric metric{.type = Type::latency_backlog, .acceptable_latency_s = 10};
  EXPECT_FALSE(metric_value(metric, {.visible = 1500, .count = 10}));
  metric.time_per_message_s = 0.2;
  EXPECT_DOUBLE_EQ(value(metric, {.visible = 1500, .count = 10, .message_s = 5.0}), 300)
      << "what is given counts, not what was measured";
}

TEST(Metric, every_value_is_that_of_the_definition) {
  EXPECT_TRUE(rc::check("metrics", [] {
    const ScalingMetric metric{.type = static_cast<Type>(*rc::gen::inRange(0, 5)),
                               .acceptable_messages_per_worker = *rc::gen::inRange(0, 100) / 4.0,
                               .overprovision_penalty = *rc::gen::inRange(0, 8) / 4.0,
                               .maximum = *rc::gen::inRange(4, 40) / 4.0,
                               .acceptable_latency_s = *rc::gen::inRange(1, 100) / 4.0};
    ScalingSample sample{.visible = *rc::gen::inRange<std::uint64_t>(0, 10'000),
                         .in_flight = *rc::gen::inRange<std::uint64_t>(0, 10'000),
                         .count = *rc::gen::inRange<std::uint32_t>(1, 100),
                         .oldest_s = *rc::gen::inRange(0, 1000) / 8.0};
    if (*rc::gen::inRange(0, 4) > 0)
      sample.message_s = *rc::gen::inRange(1, 100) / 8.0;
    const std::optional<double> found = metric_value(metric, sample);
    const std::optional<double> wanted = reference_metric(
        metric, static_cast<double>(sample.visible), static_cast<double>(sample.in_flight),
        sample.count, sample.oldest_s, sample.message_s);
    RC_ASSERT(found.has_value() == wanted.has_value());
    if (found)
      RC_ASSERT(std::abs(*found - *wanted) <= 1e-9 * std::max(1.0, std::abs(*wanted)));
  }));
}

}  // namespace
}  // namespace sluice::test
