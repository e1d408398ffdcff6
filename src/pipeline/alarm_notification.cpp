#include "pipeline/alarm_notification.hpp"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace sluice::core {
namespace {

using Object = nlohmann::ordered_json;

constexpr std::string_view kAccount = "000000000000", kRegion = "local";

/// "2026-11-22T10:00:00.000+0000"
std::string time_text(std::int64_t wall_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(wall_ms)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+0000", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string arn(std::string_view service, std::string_view resource) {
  return fmt::format("arn:aws:{}:{}:{}:{}", service, kRegion, kAccount, resource);
}

std::string action_arn(const PipelineDescription& pipeline, const AlarmAction& action) {
  if (action.starts()) {
    return arn("ecs", "service/" + pipeline.services[action.service].name);
  }
  const Target& target = *action.publish_to;
  return target.kind == Target::Kind::topic ? arn("sns", pipeline.topics[target.index].name) : arn("sqs", pipeline.queues[target.index].name);
}

Object actions_array(const PipelineDescription& pipeline, const AlarmDescription& alarm, AlarmState state) {
  Object actions = Object::array();
  for (const AlarmAction& action : alarm.actions[static_cast<std::size_t>(state)]) {
    actions.push_back(action_arn(pipeline, action));
  }
  return actions;
}

std::string_view statistic_text(AlarmStatistic statistic) {
  constexpr std::string_view kTexts[] = {"SAMPLE_COUNT", "AVERAGE", "SUM", "MINIMUM", "MAXIMUM"};
  return kTexts[static_cast<std::size_t>(statistic)];
}

/// Whole seconds, as CloudWatch's always are, or a part of one.
Object period(std::int64_t period_ms) {
  return period_ms % 1000 == 0 ? Object(period_ms / 1000) : Object(static_cast<double>(period_ms) / 1000);
}

Object trigger(const PipelineDescription& pipeline, const AlarmDescription& alarm) {
  const AlarmRule& rule = alarm.rule;
  Object object;
  object["MetricName"] = kAlarmMetricNames[static_cast<std::size_t>(alarm.metric)];
  object["Namespace"] = "AWS/SQS";
  object["StatisticType"] = "Statistic";
  object["Statistic"] = statistic_text(rule.statistic);
  object["Unit"] = nullptr;
  object["Dimensions"] = Object::array({Object{{"value", pipeline.queues[alarm.queue].name}, {"name", "QueueName"}}});
  object["Period"] = period(rule.period_ms);
  object["EvaluationPeriods"] = rule.evaluation_periods;
  object["DatapointsToAlarm"] = rule.datapoints_to_alarm;
  object["ComparisonOperator"] = kAlarmComparisonNames[static_cast<std::size_t>(rule.comparison)];
  object["Threshold"] = rule.threshold;
  object["TreatMissingData"] = kMissingDataNames[static_cast<std::size_t>(rule.missing_data)];
  object["EvaluateLowSampleCountPercentile"] = "";
  return object;
}

}  // namespace

Notification alarm_notification(const PipelineDescription& pipeline, const AlarmDescription& alarm, const AlarmTransition& transition) {
  const std::string_view to = name_of(transition.to), from = name_of(transition.from);
  Object object;
  object["AlarmName"] = alarm.name;
  object["AlarmDescription"] = alarm.description.empty() ? Object() : Object(alarm.description);
  object["AWSAccountId"] = kAccount;
  object["AlarmConfigurationUpdatedTimestamp"] = time_text(transition.configured_ms);
  object["NewStateValue"] = to;
  object["NewStateReason"] = transition.reason;
  object["StateChangeTime"] = time_text(transition.time_ms);
  object["Region"] = kRegion;
  object["AlarmArn"] = arn("cloudwatch", "alarm:" + alarm.name);
  object["OldStateValue"] = from;
  object["OKActions"] = actions_array(pipeline, alarm, AlarmState::ok);
  object["AlarmActions"] = actions_array(pipeline, alarm, AlarmState::alarm);
  object["InsufficientDataActions"] = actions_array(pipeline, alarm, AlarmState::insufficient_data);
  object["Trigger"] = trigger(pipeline, alarm);
  return {object.dump(-1, ' ', false, Object::error_handler_t::replace),
          {{"alarm.name", alarm.name},
           {"alarm.old_state", std::string(from)},
           {"alarm.state", std::string(to)},
           {"alarm.subject", fmt::format("{}: \"{}\" in {}", to, alarm.name, kRegion)}}};
}

}  // namespace sluice::core
