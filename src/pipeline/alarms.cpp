#include "pipeline/alarms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/units.hpp"
#include "pipeline/alarm_notification.hpp"

namespace sluice::core {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

std::uint64_t count_of(AlarmMetric metric, const QueueCounters& counters) {
  switch (metric) {
    case AlarmMetric::visible: return counters.visible;
    case AlarmMetric::not_visible: return counters.in_flight;
    case AlarmMetric::delayed: return counters.delayed;
    case AlarmMetric::sent: return counters.sent;
    case AlarmMetric::received: return counters.received;
    case AlarmMetric::deleted: return counters.deleted;
    case AlarmMetric::age: break;
  }
  return 0;
}

/// As SQS tells it, in whole seconds.
double age_seconds(const Queue& queue, const Timers& timers) {
  const std::int64_t oldest_ms = queue.oldest_ms();
  return oldest_ms == AgeWindow::kNone ? 0 : static_cast<double>(std::max<std::int64_t>(0, timers.now_ms() - oldest_ms) / 1000);
}

}  // namespace

void Alarms::add(const PipelineDescription& pipeline, const AlarmDescription& alarm, Queue& queue, Actions actions) {
  Watched& watched = watched_.emplace_back(pipeline, alarm, queue, std::move(actions));
  watched.facts = {.name = alarm.name,
                   .queue = pipeline.queues[alarm.queue].name,
                   .metric_name = std::string(kAlarmMetricNames[static_cast<std::size_t>(alarm.metric)]),
                   .state = watched.alarm.state(),
                   .reason = watched.alarm.reason(),
                   .since_ms = configured_ms_};
  if (is_counter(alarm.metric)) {
    watched.counted = count_of(alarm.metric, queue.counters());
  }
}

std::int64_t Alarms::due_ns(const Watched& watched) const {
  return start_ns_ + (watched.periods + 1) * watched.description.rule.period_ms * kNsPerMs;
}

std::int64_t Alarms::step() {
  const std::int64_t now_ns = clock_.steady_ns();
  std::int64_t next_ns = INT64_MAX;
  for (Watched& each : watched_) {
    if (due_ns(each) <= now_ns) {
      evaluate(each, now_ns);
    }
    next_ns = std::min(next_ns, due_ns(each));
    for (const std::vector<Action>& actions : each.actions) {
      for (const Action& action : actions) {
        if (action.notifier != nullptr && !action.notifier->send_kept()) {
          next_ns = std::min(next_ns, now_ns + kRetryNs);
        }
      }
    }
  }
  return next_ns;
}

/// What a counter has got since the last period that was sampled, also where others were slept through.
double Alarms::sample(Watched& watched) const {
  const AlarmMetric metric = watched.description.metric;
  if (metric == AlarmMetric::age) {
    return age_seconds(watched.queue, timers_);
  }
  const std::uint64_t value = count_of(metric, watched.queue.counters());
  if (!is_counter(metric)) {
    return static_cast<double>(value);
  }
  const std::uint64_t before = std::exchange(watched.counted, value);
  return static_cast<double>(value - std::min(before, value));
}

void Alarms::evaluate(Watched& watched, std::int64_t now_ns) {
  const AlarmRule& rule = watched.description.rule;
  const std::int64_t now_ms = clock_.wall_ms();
  const std::int64_t over = (now_ns - start_ns_) / (rule.period_ms * kNsPerMs);
  const std::int64_t begin_ms = now_ms - (now_ns - start_ns_) / kNsPerMs + (over - 1) * rule.period_ms;  // of the last period
  for (std::int64_t slept = std::min<std::int64_t>(over - watched.periods - 1, rule.range()); slept > 0; --slept) {
    watched.alarm.skip(begin_ms - slept * rule.period_ms);
  }
  watched.periods = over;
  const double samples[] = {sample(watched)};
  const AlarmDatapoint point{statistic_of(rule.statistic, samples), begin_ms};
  const bool changed = watched.alarm.evaluate(point);
  {
    const std::lock_guard lock(mutex_);
    AlarmFacts& facts = watched.facts;
    facts.value = point.value;
    if (changed) {
      facts.state = watched.alarm.state();
      facts.reason = watched.alarm.reason();
      facts.since_ms = now_ms;
    }
  }
  log_debug(watched.description.name, "{} at {}", name_of(watched.alarm.state()), alarm_number(*point.value));
  if (changed) {
    change(watched, now_ms);
  } else if (watched.alarm.state() == AlarmState::alarm) {
    stay(watched);
  }
}

void Alarms::change(Watched& watched, std::int64_t now_ms) {
  const Alarm& alarm = watched.alarm;
  const std::string& name = watched.description.name;
  log_info(name, "{} -> {}: {}", name_of(alarm.old_state()), name_of(alarm.state()), alarm.reason());
  watched.waits_told = false;
  for (const Action& action : watched.actions[static_cast<std::size_t>(alarm.state())]) {
    if (action.notifier != nullptr) {
      action.notifier->send(name, alarm_notification(watched.pipeline, watched.description,
                                                     {alarm.old_state(), alarm.state(), alarm.reason(), now_ms, configured_ms_}));
    } else {
      start(watched, action);
    }
  }
}

/// Why not is logged.
void Alarms::start(const Watched& watched, const Action& action) {
  (void)starter_.start(*action.service, action.count,
                       fmt::format("alarm '{}' is in {}", watched.description.name, name_of(watched.alarm.state())));
}

bool Alarms::lacks_workers(const Action& action) const {
  return action.service != nullptr && starter_.rests(*action.service) && action.service->queue().counters().visible != 0;
}

/// Nothing acts again while the state stays, but for what is asked to.
void Alarms::stay(Watched& watched) {
  for (const Action& action : watched.actions[static_cast<std::size_t>(AlarmState::alarm)]) {
    if (!lacks_workers(action)) {
      continue;
    }
    if (watched.description.restart_while_in_alarm) {
      start(watched, action);
    } else if (!std::exchange(watched.waits_told, true)) {
      log_warning(watched.description.name,
                  "stays in ALARM, and no worker of service '{}' is left: {} until it has been OK, or `sluice service start` is given "
                  "(\"restart_while_in_alarm\": true starts workers again)",
                  action.service->name(),
                  count_text(action.service->queue().counters().visible, "message") + " may wait");
    }
  }
}

const std::string* Alarms::may_act(std::int64_t since_ns) const {
  const auto found = std::ranges::find_if(watched_, [&](const Watched& watched) {
    const bool acts = std::ranges::any_of(watched.actions, [](const std::vector<Action>& actions) { return !actions.empty(); });
    return acts && !is_settled(watched, since_ns);
  });
  return found != watched_.end() ? &found->description.name : nullptr;
}

/// With the same value for as many periods as it looks at, its state stays as it is. An age grows.
bool Alarms::is_settled(const Watched& watched, std::int64_t since_ns) const {
  const AlarmRule& rule = watched.description.rule;
  const std::int64_t before = std::max<std::int64_t>(0, since_ns - start_ns_) / (rule.period_ms * kNsPerMs);
  const std::int64_t needed = rule.evaluation_periods + (is_counter(watched.description.metric) ? 1 : 0);
  if (watched.periods - before < needed) {
    return false;
  }
  const AlarmState state = watched.alarm.state();
  if (watched.description.metric == AlarmMetric::age && watched.queue.oldest_ms() != AgeWindow::kNone &&
      state != (rule.is_upper() ? AlarmState::alarm : AlarmState::ok)) {
    return false;
  }
  const auto& actions = watched.actions[static_cast<std::size_t>(AlarmState::alarm)];
  return state != AlarmState::alarm || !watched.description.restart_while_in_alarm ||
         std::ranges::none_of(actions, [this](const Action& action) { return lacks_workers(action); });
}

std::vector<AlarmFacts> Alarms::facts() const {
  std::vector<AlarmFacts> all;
  const std::lock_guard lock(mutex_);
  for (const Watched& each : watched_) {
    all.push_back(each.facts);
  }
  return all;
}

}  // namespace sluice::core
