#include "config/scaling.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "config/keys.hpp"

namespace sluice::core {
namespace {

using Metric = ScalingMetric::Type;

// What a simulation may cost: some seconds.
constexpr std::int64_t kSamplesMax = 1'000'000;
constexpr std::uint64_t kMessagesMax = 10'000'000;

/// A key that only one `type` of an object has.
struct OwnKey {
  std::string_view key, type;
};

/// Those that are given with another type have no effect: they are reported.
void refuse_others(const Reporter& reporter, const ObjectReader& fields,
                   std::span<const OwnKey> keys) {
  const std::string type = fields.text("type");
  for (const OwnKey& own : keys) {
    const Json* value = fields.find(own.key);
    if (value != nullptr && !type.empty() && type != own.type) {
      reporter.error(value->offset,
                     fmt::format("\"{}\" of {} belongs to \"type\": \"{}\", not \"{}\"", own.key,
                                 fields.who(), own.type, type));
    }
  }
}

std::int64_t most_capacity() {
  return kScalingPolicyShape.find("max_capacity")->maximum;
}

double seconds(std::int64_t ms) {
  return static_cast<double>(ms) / 1000;
}

ScalingMetric read_metric(const Reporter& reporter, const Json& object, const std::string& who) {
  static constexpr OwnKey kOwn[] = {{"acceptable_messages_per_worker", "backlog_per_worker"},
                                    {"overprovision_penalty", "backlog_per_worker"},
                                    {"maximum", "backlog_per_worker"},
                                    {"acceptable_latency", "latency_backlog"},
                                    {"time_per_message", "latency_backlog"}};
  const ObjectReader fields(reporter, object, kScalingMetricShape, who);
  refuse_others(reporter, fields, kOwn);
  const std::string type = fields.text("type");
  ScalingMetric metric;
  metric.type = type == "visible"                 ? Metric::visible
                : type == "visible_and_in_flight" ? Metric::visible_and_in_flight
                : type == "age_of_oldest"         ? Metric::age_of_oldest
                : type == "latency_backlog"       ? Metric::latency_backlog
                                                  : Metric::backlog_per_worker;
  metric.acceptable_messages_per_worker = *fields.real("acceptable_messages_per_worker");
  metric.overprovision_penalty = *fields.real("overprovision_penalty");
  metric.maximum = *fields.real("maximum");
  metric.acceptable_latency_s = seconds(fields.number("acceptable_latency").value_or(0));
  if (const std::optional<std::int64_t> each = fields.number("time_per_message"))
    metric.time_per_message_s = seconds(*each);
  if (metric.type == Metric::latency_backlog && !fields.is_given("acceptable_latency")) {
    reporter.error(object.offset,
                   who +
                       " lacks the key \"acceptable_latency\": how long a message may wait, such "
                       "as \"10s\"");
  }
  return metric;
}

/// `sample_period_ms`: nullopt: it was reported.
ScalingEvaluation read_evaluation(const Reporter& reporter, const Json& object,
                                  const std::string& who,
                                  std::optional<std::int64_t> sample_period_ms) {
  static constexpr OwnKey kOwn[] = {{"low_samples", "direct"},
                                    {"period", "alarms"},
                                    {"high_datapoints", "alarms"},
                                    {"low_datapoints", "alarms"}};
  const ObjectReader fields(reporter, object, kScalingEvaluationShape, who);
  refuse_others(reporter, fields, kOwn);
  ScalingEvaluation evaluation;
  if (fields.text("type") == "alarms")
    evaluation.type = ScalingEvaluation::Type::alarms;
  evaluation.low_samples = static_cast<std::uint32_t>(*fields.number("low_samples"));
  evaluation.period_ms = *fields.number("period");
  evaluation.high_datapoints = static_cast<std::uint32_t>(*fields.number("high_datapoints"));
  evaluation.low_datapoints = static_cast<std::uint32_t>(*fields.number("low_datapoints"));
  if (evaluation.type == ScalingEvaluation::Type::alarms && !fields.is_wrong("period") &&
      sample_period_ms && evaluation.period_ms % *sample_period_ms != 0) {
    reporter.error(
        fields.offset("period"),
        fmt::format("\"period\" of {} is {}, which is no multiple of the {} from sample to "
                    "sample",
                    who, format_duration(evaluation.period_ms),
                    format_duration(*sample_period_ms)));
  }
  return evaluation;
}

/// A wrong one stands for any that the others allow.
void read_capacity(const Reporter& reporter, const ObjectReader& fields, ScalingPolicy& policy) {
  const std::int64_t least = fields.is_wrong("min_capacity") ? 0 : *fields.number("min_capacity");
  const std::int64_t desired = fields.number("desired_capacity").value_or(least);
  const bool is_open = fields.is_wrong("min_capacity") || fields.is_wrong("max_capacity") ||
                       fields.is_wrong("desired_capacity");
  const std::int64_t most =
      fields.number("max_capacity").value_or(is_open ? most_capacity() : std::max(least, desired));
  policy.stop_when_empty = fields.flag("stop_when_empty");
  if (most < least) {
    reporter.error(fields.offset("max_capacity"),
                   fmt::format("{}: \"max_capacity\" {} is below \"min_capacity\" {}", fields.who(),
                               most, least));
  } else if (desired < least || desired > most) {
    reporter.error(fields.offset("desired_capacity"),
                   fmt::format("{}: \"desired_capacity\" must be {} to {}, found {}", fields.who(),
                               least, most, desired));
  }
  policy.min_capacity = static_cast<std::uint32_t>(least);
  policy.max_capacity = static_cast<std::uint32_t>(most);
  policy.desired_capacity = static_cast<std::uint32_t>(desired);
}

/// Only workers that somebody starts may be missing, and only those that may be missing may leave.
/// What is reported leaves a `policy` with which an action may start workers: that it cannot is not
/// told as well.
void check_started(const Reporter& reporter, const ObjectReader& fields, ScalingPolicy& policy,
                   Starts starts) {
  const bool may_miss_all = policy.min_capacity == 0 && !fields.is_wrong("min_capacity");
  if (may_miss_all && policy.tracks_target) {
    reporter.error(fields.offset("min_capacity"),
                   fmt::format("\"min_capacity\" of {} must be 1 or more with a \"policy\": its "
                               "metric is judged by the workers that run",
                               fields.who()));
    policy.tracks_target = false;
  } else if (may_miss_all && starts == Starts::never) {
    reporter.error(fields.offset("min_capacity"),
                   fmt::format("\"min_capacity\" of {} must be 1 or more: no alarm is simulated "
                               "that would start a worker",
                               fields.who()));
  } else if (may_miss_all && policy.max_capacity == 0) {
    reporter.error(
        fields.offset("min_capacity"),
        fmt::format("{} lacks the key \"max_capacity\", which \"min_capacity\": 0 needs: "
                    "most workers that may be started",
                    fields.who()));
  } else if (policy.stop_when_empty && policy.min_capacity != 0) {
    reporter.error(fields.offset("stop_when_empty"),
                   fmt::format("\"stop_when_empty\" of {} needs \"min_capacity\": 0, found {}",
                               fields.who(), policy.min_capacity));
  }
  if (policy.max_capacity == 0)
    policy.max_capacity = static_cast<std::uint32_t>(most_capacity());
}

/// Workers that are there all the time are not started, by hand neither, and so never more.
void check_maximum(const Reporter& reporter, const ObjectReader& fields,
                   const ScalingPolicy& policy) {
  const Json* most = fields.find("max_capacity");
  if (most == nullptr || policy.is_started() || policy.max_capacity == policy.desired_capacity ||
      reporter.diagnostics.errors() != 0)
    return;
  reporter.warning(
      most->offset,
      fmt::format(
          "{}: its \"max_capacity\" of {} is never reached: without a \"policy\" there {} {} "
          "all the time; set \"policy\": \"target_tracking\", or \"desired_capacity\": {}",
          fields.who(), policy.max_capacity, policy.desired_capacity == 1 ? "is" : "are",
          count_text(policy.desired_capacity, "worker"), policy.max_capacity));
}

/// What only says when a worker is taken away, where none ever is.
void check_scale_in(const Reporter& reporter, const ObjectReader& fields) {
  const auto warn = [&](const Json* value, std::string_view key) {
    if (value != nullptr) {
      reporter.warning(value->offset,
                       fmt::format("{}: \"{}\" does nothing: with \"disable_scale_in\" no worker is taken away",
                                   fields.who(), key));
    }
  };
  for (const std::string_view key : {"scale_in_cooldown", "low_fraction"})
    warn(fields.find(key), key);
  const Json* evaluation = fields.find("evaluation");
  for (const std::string_view key : {"low_samples", "low_datapoints"})
    warn(evaluation != nullptr ? evaluation->find(key) : nullptr, key);
}

void read_target(const Reporter& reporter, const ObjectReader& fields, ScalingPolicy& policy) {
  const bool is_percent = policy.metric.type == Metric::backlog_per_worker ||
                          policy.metric.type == Metric::latency_backlog;
  policy.target_value = fields.real("target_value").value_or(100);
  if (!is_percent && !fields.is_given("target_value")) {
    reporter.error(
        fields.offset("metric"),
        fmt::format("{} lacks the key \"target_value\": what this metric is held at, {}",
                    fields.who(),
                    policy.metric.type == Metric::age_of_oldest ? "in seconds"
                                                                : "in messages for each worker"));
  }
  if (reporter.diagnostics.errors() == 0 && policy.metric.type == Metric::backlog_per_worker &&
      policy.metric.maximum * 100 <= policy.target_value) {
    reporter.warning(
        fields.offset("target_value"),
        fmt::format("{} never adds a worker: its metric is at most {}, \"maximum\" times "
                    "100, and the target {}",
                    fields.who(), policy.metric.maximum * 100, policy.target_value));
  }
}

/// Reads `[SECOND, MESSAGES]`; nullopt if it is none, which was reported.
std::optional<ScalingArrival> read_arrival(const Reporter& reporter, const Json& item,
                                           std::size_t index, std::int64_t second_max) {
  const auto is_number = [](const Json& value, std::int64_t most) {
    return value.integer && *value.integer >= 0 && *value.integer <= most;
  };
  if (item.type != Json::Type::array || item.items.size() != 2 ||
      !is_number(item.items[0], second_max) ||
      !is_number(item.items[1], static_cast<std::int64_t>(kMessagesMax))) {
    reporter.error(
        item.offset,
        fmt::format("item {} of \"arrivals\" must be [SECOND, MESSAGES], such as [0, 1000]: "
                    "whole numbers, up to {} and {}",
                    index, second_max, kMessagesMax));
    return std::nullopt;
  }
  return ScalingArrival{*item.items[0].integer * 1000,
                        static_cast<std::uint64_t>(*item.items[1].integer)};
}

void read_arrivals(const Reporter& reporter, const Json& array, std::int64_t until_ms,
                   std::vector<ScalingArrival>& arrivals) {
  const std::int64_t second_max = kSimulationShape.find("until")->maximum / 1000;
  std::uint64_t messages = 0;
  std::size_t late = 0;
  std::uint32_t late_offset = 0;
  for (std::size_t i = 0; i < array.items.size(); ++i) {
    const Json& item = array.items[i];
    const std::optional<ScalingArrival> arrival = read_arrival(reporter, item, i, second_max);
    if (!arrival)
      continue;
    if (arrival->time_ms > until_ms) {
      late_offset = late++ == 0 ? item.offset : late_offset;
      continue;
    }
    messages += arrival->messages;
    if (messages > kMessagesMax) {
      reporter.error(item.offset,
                     fmt::format("\"arrivals\" come to more than {} messages here: simulate fewer, "
                                 "that take longer each",
                                 kMessagesMax));
      return;
    }
    arrivals.push_back(*arrival);
  }
  std::ranges::stable_sort(arrivals, {}, &ScalingArrival::time_ms);
  if (late > 0) {
    reporter.warning(late_offset,
                     fmt::format("{} after \"until\" {} left out", count_text(late, "arrival"),
                                 late == 1 ? "is" : "are"));
  }
}

ScalingLoad read_load(const Reporter& reporter, const Json& object, std::int64_t until_ms) {
  const ObjectReader fields(reporter, object, kLoadShape, "load");
  ScalingLoad load;
  load.service_time_ms = fields.number("service_time").value_or(1);
  load.batch_size = static_cast<std::uint32_t>(*fields.number("batch_size"));
  load.start_delay_ms = *fields.number("start_delay");
  if (const Json* arrivals = fields.find("arrivals"))
    read_arrivals(reporter, *arrivals, until_ms, load.arrivals);
  return load;
}

ScalingSimulation read_simulation(const Reporter& reporter, const Json& root) {
  const ObjectReader fields(reporter, root, kSimulationShape, "the simulation");
  ScalingSimulation simulation;
  const std::optional<std::int64_t> until_ms = fields.number("until");
  simulation.until_ms = until_ms.value_or(kSimulationShape.find("until")->maximum);
  const Json* scaling = fields.find("scaling");
  if (scaling != nullptr)
    simulation.policy = read_scaling_policy(reporter, *scaling, "scaling", Starts::never);
  if (const Json* load = fields.find("load"))
    simulation.load = read_load(reporter, *load, simulation.until_ms);
  if (until_ms && scaling != nullptr && *until_ms / simulation.policy.period_ms > kSamplesMax) {
    reporter.error(
        fields.offset("until"),
        fmt::format("{} with a sample every {} are more than {} samples: end earlier, or "
                    "lengthen \"period\" of scaling",
                    format_duration(*until_ms), format_duration(simulation.policy.period_ms),
                    kSamplesMax));
  }
  return simulation;
}

}  // namespace

ScalingPolicy read_scaling_policy(const Reporter& reporter, const Json& object,
                                  const std::string& who, Starts starts) {
  const ObjectReader fields(reporter, object, kScalingPolicyShape, who);
  const bool has_policy = fields.is_given("policy");
  ScalingPolicy policy;
  read_capacity(reporter, fields, policy);
  policy.period_ms = *fields.number_or_most("period");
  policy.scale_out_cooldown_ms = *fields.number("scale_out_cooldown");
  policy.scale_in_cooldown_ms = *fields.number("scale_in_cooldown");
  policy.low_fraction = *fields.real("low_fraction");
  policy.disable_scale_in = fields.flag("disable_scale_in");
  // Without a policy that they stand there at all is the fault.
  if (const Json* metric = has_policy ? fields.find("metric") : nullptr)
    policy.metric = read_metric(reporter, *metric, "metric of " + who);
  if (const Json* evaluation = has_policy ? fields.find("evaluation") : nullptr) {
    policy.evaluation =
        read_evaluation(reporter, *evaluation, "evaluation of " + who,
                        fields.is_wrong("period") ? std::nullopt : fields.number("period"));
  }
  policy.tracks_target = fields.find("policy") != nullptr;
  check_started(reporter, fields, policy, starts);
  if (has_policy) {
    read_target(reporter, fields, policy);
    if (policy.disable_scale_in)
      check_scale_in(reporter, fields);
    if (!fields.is_wrong("policy") && !fields.is_given("max_capacity")) {
      reporter.error(
          object.offset,
          who + " lacks the key \"max_capacity\", which a \"policy\" needs: most workers");
    }
    return policy;
  }
  for (const JsonMember& member : object.members) {
    if (kScalingPolicyShape.find(member.name) != nullptr && !fields.is_wrong(member.name) &&
        !member.name.ends_with("_capacity") && member.name != "stop_when_empty") {
      reporter.error(
          member.offset,
          fmt::format("\"{}\" of {} has no effect without \"policy\": \"target_tracking\"",
                      member.name, who));
    }
  }
  check_maximum(reporter, fields, policy);
  return policy;
}

ScalingPolicy any_scaling_policy() {
  ScalingPolicy policy;
  policy.min_capacity = 0;
  policy.max_capacity = static_cast<std::uint32_t>(most_capacity());
  return policy;
}

Result<ScalingSimulation> parse_simulation(std::string text, const std::string& path,
                                           const std::vector<Override>& overrides,
                                           const Environment& environment,
                                           Diagnostics& diagnostics) {
  Document document;
  if (document.read(path, std::move(text), overrides, environment, diagnostics)) {
    const Reporter reporter{document, diagnostics};
    ScalingSimulation simulation = read_simulation(reporter, document.root());
    if (diagnostics.errors() == 0)
      return simulation;
  }
  return fail(diagnostics.worst(),
              fmt::format("{}: {}", path, count_text(diagnostics.errors(), "error")));
}

}  // namespace sluice::core
