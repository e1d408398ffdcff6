// Alarms: what each watches, and what it does.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "config/loader.hpp"

namespace sluice::core {
namespace {

/// The value that the key's text, one of `names`, stands for.
template <class Value>
Value choice(const ObjectReader& fields, std::string_view key,
             std::span<const std::string_view> names) {
  const auto found = std::ranges::find(names, fields.text(key));
  return static_cast<Value>(found == names.end() ? 0 : found - names.begin());
}

/// CloudWatch: what an alarm looks at is a day at most.
constexpr std::int64_t kLookedAtMaxMs = 86'400'000;

bool is_unknown(const JsonMember& member) {
  return kAlarmActionShape.find(member.name) == nullptr;
}

constexpr std::string_view kActionsKeys[kAlarmStates] = {"on_ok", "on_alarm",
                                                         "on_insufficient_data"};

}  // namespace

void Loader::read_alarms() {
  for (const JsonMember& member : members("alarms", "alarm")) {
    const ObjectReader fields(reporter_, member.value, kAlarmShape,
                              fmt::format("alarm {}", in_quotes(member.name)));
    AlarmDescription& alarm = result_.alarms.emplace_back();
    alarm.name = member.name;
    alarm_offsets_.push_back(member.offset);
    alarm.description = fields.text("description");
    if (const Json* queue = fields.find("queue"))
      alarm.queue = resolve(queues_, *queue, "queue", fields.who()).value_or(0);
    alarm.metric = choice<AlarmMetric>(fields, "metric_name", kAlarmMetricNames);
    read_alarm_rule(alarm.rule, fields);
    for (std::size_t state = 0; state < kAlarmStates; ++state)
      read_actions(alarm.actions[state], fields, kActionsKeys[state]);
    alarm.restart_while_in_alarm = fields.flag("restart_while_in_alarm");
    const auto& actions = alarm.actions[static_cast<std::size_t>(AlarmState::alarm)];
    const Json* on_alarm = fields.find("on_alarm");
    const bool all_read = on_alarm != nullptr ? actions.size() == on_alarm->items.size()
                                              : !fields.is_wrong("on_alarm");
    if (alarm.restart_while_in_alarm && all_read &&
        !std::ranges::any_of(actions, &AlarmAction::starts)) {
      reporter_.error(fields.offset("restart_while_in_alarm"),
                      fmt::format("\"restart_while_in_alarm\" of {} has no effect: its "
                                  "\"on_alarm\" starts no service",
                                  fields.who()));
    }
  }
}

void Loader::read_alarm_rule(AlarmRule& rule, const ObjectReader& fields) {
  rule.statistic = choice<AlarmStatistic>(fields, "statistic", kAlarmStatisticNames);
  rule.comparison = choice<AlarmComparison>(fields, "comparison_operator", kAlarmComparisonNames);
  rule.missing_data = choice<MissingData>(fields, "treat_missing_data", kMissingDataNames);
  rule.threshold = fields.real("threshold").value_or(0);
  rule.period_ms = *fields.number("period");
  const std::int64_t periods = *fields.number("evaluation_periods");
  const std::int64_t datapoints = fields.number("datapoints_to_alarm").value_or(periods);
  if (datapoints > periods && !fields.is_wrong("evaluation_periods")) {
    reporter_.error(fields.offset("datapoints_to_alarm"),
                    fmt::format("\"datapoints_to_alarm\" of {} is {}, and it looks at {}: set "
                                "\"evaluation_periods\" to as many or more",
                                fields.who(), datapoints,
                                count_text(static_cast<std::uint64_t>(periods), "datapoint")));
  }
  if (periods > kLookedAtMaxMs / rule.period_ms) {
    reporter_.error(
        fields.offset("evaluation_periods"),
        fmt::format("{} looks at {} of {}, and a day is the most: set \"evaluation_periods\" to {} "
                    "or fewer, or a shorter \"period\"",
                    fields.who(), count_text(static_cast<std::uint64_t>(periods), "period"),
                    format_duration(rule.period_ms), kLookedAtMaxMs / rule.period_ms));
  }
  rule.evaluation_periods = static_cast<std::uint32_t>(periods);
  rule.datapoints_to_alarm = static_cast<std::uint32_t>(datapoints);
}

void Loader::read_actions(std::vector<AlarmAction>& actions, const ObjectReader& alarm,
                          std::string_view key) {
  const Json* items = alarm.find(key);
  for (std::size_t i = 0; items != nullptr && i < items->items.size(); ++i) {
    const Json& item = items->items[i];
    const ObjectReader fields(reporter_, item, kAlarmActionShape,
                              fmt::format("action {} of \"{}\" of {}", i + 1, key, alarm.who()));
    if (item.type != Json::Type::object)
      continue;  // reported
    const bool publishes = item.find("publish_to") != nullptr,
               starts = item.find("start") != nullptr;
    if (!publishes && !starts && std::ranges::any_of(item.members, is_unknown))
      continue;  // what it was to do has another name, which was reported
    if (publishes == starts) {
      reporter_.error(
          item.offset,
          fmt::format("{} {}: {{\"publish_to\": TOPIC}} or {{\"start\": SERVICE, "
                      "\"count\": N}}",
                      fields.who(),
                      starts ? "does two things, make it two actions" : "does nothing"));
    } else if (starts) {
      read_start(actions, fields);
    } else if (const Json* count = fields.find("count")) {
      reporter_.error(count->offset,
                      fmt::format("\"count\" of {} belongs to \"start\"", fields.who()));
    } else if (const std::optional<Target> target = resolve_target(fields)) {
      actions.push_back({.publish_to = target});
    }
  }
}

void Loader::read_start(std::vector<AlarmAction>& actions, const ObjectReader& fields) {
  const Json* name = fields.find("start");
  if (name == nullptr)
    return;
  const std::optional<std::uint32_t> index = resolve(services_, *name, "service", fields.who());
  if (!index)
    return;
  const auto count = static_cast<std::uint32_t>(fields.number("count").value_or(1));
  const ScalingPolicy& scaling = result_.services[*index].scaling;
  if (!scaling.is_started()) {
    reporter_.error(
        name->offset,
        fmt::format("{}: service {} has workers all the time: to start them, its \"scaling\" needs "
                    "\"min_capacity\": 0, and \"max_capacity\", and no \"policy\"",
                    fields.who(), in_quotes(name->text)));
  } else if (count > scaling.max_capacity) {
    reporter_.error(
        fields.offset("count"),
        fmt::format("{}: service {} never has {}: its \"max_capacity\" is {}", fields.who(),
                    in_quotes(name->text), count_text(count, "worker"), scaling.max_capacity));
  }
  actions.push_back({.service = *index, .count = count});
}

/// No value of a queue is below 0; and one that makes its publishers wait before its alarm sees enough may stay so for
/// ever.
void Loader::check_thresholds() {
  for (std::size_t i = 0; i < result_.alarms.size(); ++i) {
    const AlarmDescription& alarm = result_.alarms[i];
    const QueueDescription& queue = result_.queues[alarm.queue];
    if (alarm.rule.breaches(0) == alarm.rule.is_upper()) {
      reporter_.warning(alarm_offsets_[i],
                        fmt::format("alarm {} is {} in ALARM: its \"threshold\" is {}, and no value is below 0",
                                    in_quotes(alarm.name), alarm.rule.is_upper() ? "always" : "never",
                                    alarm.rule.threshold));
      continue;
    }
    if (alarm.metric != AlarmMetric::visible || !alarm.rule.is_upper() ||
        alarm.rule.breaches(static_cast<double>(queue.capacity)))
      continue;
    reporter_.warning(
        alarm_offsets_[i],
        fmt::format("alarm {} may never be in ALARM: queue {} holds {}, its \"capacity\", and no "
                    "more are visible",
                    in_quotes(alarm.name), in_quotes(queue.name),
                    count_text(static_cast<std::uint64_t>(queue.capacity), "message")));
  }
}

/// Nobody would work: the user may mean that, and start workers by hand.
void Loader::check_starts() {
  for (std::uint32_t i = 0; i < result_.services.size(); ++i) {
    const ScalingPolicy& scaling = result_.services[i].scaling;
    const auto starts_it = [&](const AlarmAction& action) {
      return action.starts() && action.service == i;
    };
    const bool is_started = std::ranges::any_of(result_.alarms, [&](const AlarmDescription& alarm) {
      return std::ranges::any_of(alarm.actions, [&](const std::vector<AlarmAction>& actions) {
        return std::ranges::any_of(actions, starts_it);
      });
    });
    if (!scaling.is_started() || is_started || scaling.desired_capacity != 0)
      continue;
    reporter_.warning(
        service_offsets_[i],
        fmt::format("service {} has no worker until `sluice service start` is given: no alarm "
                    "starts any",
                    in_quotes(result_.services[i].name)));
  }
}

}  // namespace sluice::core
