#include "admin/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <optional>
#include <sstream>

namespace sluice::core {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric series(MetricType type, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

/// A family with a series for each of `items`; `value` gives a number or an optional one.
template <class Item, class Value>
MetricFamily family(const char* name, const char* help, MetricType type, const char* label,
                    const std::vector<Item>& items, Value&& value) {
  MetricFamily made{name, help, type, {}};
  for (const Item& item : items) {
    if (const std::optional<double> number = value(item))
      made.metric.push_back(series(type, {{label, item.name}}, *number));
  }
  return made;
}

/// A family that has several series for each item, told apart by another label.
template <class Item>
struct Kind {
  const char* name;
  double (*value)(const Item&);
};

template <class Item, std::size_t N>
MetricFamily family(const char* name, const char* help, MetricType type, const char* label,
                    const std::vector<Item>& items, const char* kind,
                    const Kind<Item> (&kinds)[N]) {
  MetricFamily made{name, help, type, {}};
  for (const Item& item : items) {
    for (const Kind<Item>& each : kinds)
      made.metric.push_back(
          series(type, {{label, item.name}, {kind, each.name}}, each.value(item)));
  }
  return made;
}

template <auto Member>
constexpr auto number = [](const auto& item) { return static_cast<double>(item.*Member); };

constexpr Kind<QueueFacts> kStates[] = {{"visible", number<&QueueFacts::visible>},
                                        {"in_flight", number<&QueueFacts::in_flight>},
                                        {"delayed", number<&QueueFacts::delayed>}};
/// The law of conservation: sent and moved in are what is there and what ended in one of the other
/// ways.
constexpr Kind<QueueFacts> kEntries[] = {{"sent", number<&QueueFacts::sent>},
                                         {"moved_in", number<&QueueFacts::moved_in>}};
constexpr Kind<QueueFacts> kEnds[] = {
    {"deleted", number<&QueueFacts::deleted>},
    {"moved_to_dead_letter", number<&QueueFacts::moved_to_dead_letter>},
    {"expired", number<&QueueFacts::expired>},
    {"dropped", number<&QueueFacts::dropped>},
    {"purged", number<&QueueFacts::purged>}};
/// Of these, with a reason that is worth a look.
constexpr Kind<QueueFacts> kNotes[] = {
    {"redriven", number<&QueueFacts::redriven>},
    {"deduplicated", number<&QueueFacts::deduplicated>},
    {"ack_deadline_exceeded", number<&QueueFacts::ack_deadline_exceeded>}};
constexpr Kind<ServiceNumbers> kOutcomes[] = {{"processed", number<&ServiceNumbers::processed>},
                                              {"retried", number<&ServiceNumbers::retried>},
                                              {"rejected", number<&ServiceNumbers::rejected>},
                                              {"stale", number<&ServiceNumbers::stale>},
                                              {"ignored", number<&ServiceNumbers::ignored>}};
constexpr Kind<ServiceNumbers> kWorkers[] = {{"running", number<&ServiceNumbers::workers>},
                                             {"leaving", number<&ServiceNumbers::leaving>}};
constexpr Kind<AlarmFacts> kAlarmIs[] = {
    {"OK", [](const AlarmFacts& alarm) { return double(alarm.state == AlarmState::ok); }},
    {"ALARM", [](const AlarmFacts& alarm) { return double(alarm.state == AlarmState::alarm); }},
    {"INSUFFICIENT_DATA",
     [](const AlarmFacts& alarm) { return double(alarm.state == AlarmState::insufficient_data); }}};

void add_sources(const std::vector<SourceNumbers>& sources, std::vector<MetricFamily>& all) {
  all.push_back(family("sluice_source_events_total", "Messages that the source emitted.",
                       MetricType::Counter, "source", sources, number<&SourceNumbers::events>));
  all.push_back(family("sluice_source_acknowledged_total",
                       "Of these, what came to its end with all that was made of it.",
                       MetricType::Counter, "source", sources,
                       number<&SourceNumbers::acknowledged>));
}

void add_queues(const std::vector<QueueFacts>& queues, std::vector<MetricFamily>& all) {
  all.push_back(family("sluice_queue_messages", "Messages in the queue now.", MetricType::Gauge,
                       "queue", queues, "state", kStates));
  all.push_back(family("sluice_queue_capacity_messages", "Messages that it may hold.",
                       MetricType::Gauge, "queue", queues, number<&QueueFacts::capacity>));
  all.push_back(family("sluice_queue_age_of_oldest_seconds",
                       "Since the oldest message that has not ended was sent; 0: there is none.",
                       MetricType::Gauge, "queue", queues, number<&QueueFacts::age_of_oldest_s>));
  all.push_back(family("sluice_queue_entered_total", "Messages that came into the queue.",
                       MetricType::Counter, "queue", queues, "how", kEntries));
  all.push_back(family("sluice_queue_received_total", "Receives, repeated ones too.",
                       MetricType::Counter, "queue", queues, number<&QueueFacts::received>));
  all.push_back(family("sluice_queue_ended_total", "Messages that came to their end in the queue.",
                       MetricType::Counter, "queue", queues, "how", kEnds));
  all.push_back(family("sluice_queue_ended_because_total",
                       "Of these, redriven letters, duplicates, and messages past their ack_deadline.",
                       MetricType::Counter, "queue", queues, "why", kNotes));
  all.push_back(family("sluice_queue_over_in_flight_max_total",
                       "Receives that got nothing since in_flight_max was reached.",
                       MetricType::Counter, "queue", queues, number<&QueueFacts::over_limit>));
}

/// What scaling policies decided last, of services that have one.
void add_scaling(const std::vector<ServiceNumbers>& services, std::vector<MetricFamily>& all) {
  const auto add = [&](const char* name, const char* help, auto value) {
    all.push_back(family(name, help, MetricType::Gauge, "service", services,
                         [value](const ServiceNumbers& service) -> std::optional<double> {
                           if (!service.scaling)
                             return std::nullopt;
                           return value(service.scaling->decision);
                         }));
  };
  add("sluice_service_scaling_metric", "The scaling policy's metric at its last sample.",
      [](const ScalingDecision& decision) { return decision.metric; });
  add("sluice_service_desired_workers", "Workers that the scaling policy wants.",
      [](const ScalingDecision& decision) { return std::optional<double>(decision.desired); });
  add("sluice_service_scale_out_cooldown_seconds", "Left at the last sample.",
      [](const ScalingDecision& decision) {
        return std::optional(static_cast<double>(decision.scale_out_cooldown_left_ms) / 1000);
      });
  add("sluice_service_scale_in_cooldown_seconds", "Left at the last sample.",
      [](const ScalingDecision& decision) {
        return std::optional(static_cast<double>(decision.scale_in_cooldown_left_ms) / 1000);
      });
}

void add_services(const std::vector<ServiceNumbers>& services, std::vector<MetricFamily>& all) {
  all.push_back(family("sluice_service_messages_total",
                       "Messages by what the service did with them.", MetricType::Counter,
                       "service", services, "outcome", kOutcomes));
  all.push_back(family("sluice_service_workers",
                       "Workers that are meant to run, and others that finish what they hold.",
                       MetricType::Gauge, "service", services, "state", kWorkers));
  add_scaling(services, all);
}

void add_alarms(const std::vector<AlarmFacts>& alarms, std::vector<MetricFamily>& all) {
  all.push_back(family("sluice_alarm_state",
                       "1 for the state that the alarm is in, 0 for the others.", MetricType::Gauge,
                       "alarm", alarms, "state", kAlarmIs));
  all.push_back(family("sluice_alarm_value", "The alarm's last datapoint.", MetricType::Gauge,
                       "alarm", alarms, [](const AlarmFacts& alarm) { return alarm.value; }));
}

}  // namespace

std::string metrics_text(const Snapshot& snapshot, const std::vector<QueueFacts>& queues) {
  std::vector<MetricFamily> all;
  add_sources(snapshot.sources, all);
  add_queues(queues, all);
  add_services(snapshot.services, all);
  add_alarms(snapshot.alarms, all);
  MetricFamily stored{
      "sluice_dead_letters", "Dead letters stored now, in all queues.", MetricType::Gauge, {}};
  stored.metric.push_back(
      series(MetricType::Gauge, {}, static_cast<double>(snapshot.dead_letters)));
  all.push_back(std::move(stored));
  std::erase_if(all, [](const MetricFamily& each) { return each.metric.empty(); });
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, all);
  return std::move(text).str();
}

}  // namespace sluice::core
