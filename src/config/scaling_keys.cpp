// The keys of `scaling`, and of the file that `sluice scale` reads (keys.hpp).
#include "config/keys.hpp"

namespace sluice::core {
namespace {

using T = Key::Type;
constexpr std::int64_t kSecond = 1000, kHour = 3600 * kSecond, kDay = 24 * kHour;
constexpr std::int64_t kBillion = 1'000'000'000;

constexpr std::string_view kMetricTypes[] = {
    "backlog_per_worker", "visible", "visible_and_in_flight", "age_of_oldest", "latency_backlog"};
constexpr Key kMetricKeys[] = {
    {.name = "type",
     .type = T::choice,
     .help =
         "backlog_per_worker: 100 for one worker without a backlog, more with any; visible and "
         "visible_and_in_flight: such messages for each worker; age_of_oldest: seconds since the "
         "oldest message was sent; latency_backlog: how long a worker will take for its share of "
         "the visible messages, in percent of acceptable_latency.",
     .required = true,
     .choices = kMetricTypes},
    {.name = "acceptable_messages_per_worker",
     .type = T::number,
     .help = "Of backlog_per_worker, which is min(1 + visible / (this * workers + 1) - penalty, "
             "maximum) * 100: about the messages that a worker receives at once.",
     .default_json = "5",
     .minimum = 0,
     .maximum = kBillion},
    {.name = "overprovision_penalty",
     .type = T::number,
     .help = "Of backlog_per_worker: the penalty where nothing is visible and more than one worker "
             "runs.",
     .default_json = "0.5",
     .minimum = 0,
     .maximum = kBillion},
    {.name = "maximum",
     .type = T::number,
     .help = "Of backlog_per_worker: by how much the number of workers is multiplied at most.",
     .default_json = "5",
     .minimum = 1,
     .maximum = kBillion},
    {.name = "acceptable_latency",
     .type = T::duration,
     .help = "Of latency_backlog, which needs it: how long a message may wait.",
     .minimum = 1,
     .maximum = 14 * kDay},
    {.name = "time_per_message",
     .type = T::duration,
     .help = "Of latency_backlog: a worker's time for one message. Default: as measured.",
     .minimum = 1,
     .maximum = 12 * kHour},
};

constexpr std::string_view kEvaluationTypes[] = {"direct", "alarms"};
constexpr Key kEvaluationKeys[] = {
    {.name = "type",
     .type = T::choice,
     .help =
         "direct: each sample is held against the target; alarms: the average of each period is, "
         "as Amazon CloudWatch does it for ECS.",
     .required = true,
     .choices = kEvaluationTypes},
    {.name = "low_samples",
     .type = T::integer,
     .help = "Of direct: so many low samples in a row before a scale-in.",
     .default_json = "3",
     .minimum = 1,
     .maximum = 100'000},
    {.name = "period",
     .type = T::duration,
     .help = "Of alarms: what is averaged; a multiple of the policy's period.",
     .default_json = "\"60s\"",
     .minimum = 100,
     .maximum = kDay},
    {.name = "high_datapoints",
     .type = T::integer,
     .help = "Of alarms: so many averages in a row above the target before a scale-out.",
     .default_json = "3",
     .minimum = 1,
     .maximum = 100'000},
    {.name = "low_datapoints",
     .type = T::integer,
     .help = "Of alarms: so many low averages in a row before a scale-in.",
     .default_json = "15",
     .minimum = 1,
     .maximum = 100'000},
};

constexpr std::string_view kPolicies[] = {"target_tracking"};
constexpr Key kPolicyKeys[] = {
    {.name = "min_capacity",
     .type = T::integer,
     .help = "Fewest workers. 0, without a policy: they are started, by an alarm's action or by "
             "`sluice service start`, up to max_capacity.",
     .default_json = "1",
     .minimum = 0,
     .maximum = 1000},
    {.name = "max_capacity",
     .type = T::integer,
     .help =
         "Most workers. With a policy, and with \"min_capacity\": 0, it must be given; else the "
         "greater of min_capacity and desired_capacity.",
     .minimum = 1,
     .maximum = 1000},
    {.name = "desired_capacity",
     .type = T::integer,
     .help = "Workers at the start; without a policy, all the time. Default: min_capacity.",
     .minimum = 0,
     .maximum = 1000},
    {.name = "stop_when_empty",
     .type = T::boolean,
     .help =
         "With \"min_capacity\": 0: all workers leave once the queue has no message visible or in "
         "flight. Delayed ones are not waited for.",
     .default_json = "false"},
    {.name = "policy",
     .type = T::choice,
     .help = "target_tracking: their number follows the metric. Default: it stays.",
     .choices = kPolicies},
    {.name = "metric",
     .type = T::object,
     .help = "What is held at the target. Default: backlog_per_worker with its defaults.",
     .shape = &kScalingMetricShape},
    {.name = "target_value",
     .type = T::number,
     .help =
         "Above it workers are added: desired = workers * metric / target, rounded up. Default: "
         "100 of a metric in percent; of the others it must be given.",
     .minimum = 0,
     .maximum = kBillion,
     .above_minimum = true},
    {.name = "low_fraction",
     .type = T::number,
     .help = "Below this part of the target workers are taken away.",
     .default_json = "0.9",
     .minimum = 0,
     .maximum = 1},
    {.name = "disable_scale_in",
     .type = T::boolean,
     .help = "Never takes workers away.",
     .default_json = "false"},
    {.name = "period",
     .type = T::duration,
     .help = "From sample to sample.",
     .default_json = "\"10s\"",
     .minimum = 100,
     .maximum = kHour},
    {.name = "scale_out_cooldown",
     .type = T::duration,
     .help = "So long after a scale-out only a larger one follows.",
     .default_json = "\"60s\"",
     .minimum = 0,
     .maximum = kDay},
    {.name = "scale_in_cooldown",
     .type = T::duration,
     .help = "So long after a scale-in no other follows, unless there is a scale-out first.",
     .default_json = "\"30s\"",
     .minimum = 0,
     .maximum = kDay},
    {.name = "evaluation",
     .type = T::object,
     .help = "How samples are held against the target. Default: direct.",
     .shape = &kScalingEvaluationShape},
};

constexpr Key kLoadKeys[] = {
    {.name = "arrivals",
     .type = T::array,
     .help = "[SECOND, MESSAGES] of each burst.",
     .required = true},
    {.name = "service_time",
     .type = T::duration,
     .help = "A worker's time for one message.",
     .required = true,
     .minimum = 1,
     .maximum = 12 * kHour},
    {.name = "batch_size",
     .type = T::integer,
     .help = "Most messages that a worker receives at once.",
     .default_json = "10",
     .minimum = 1,
     .maximum = 10'000},
    {.name = "start_delay",
     .type = T::duration,
     .help = "From a scale-out until its workers receive.",
     .default_json = "\"0s\"",
     .minimum = 0,
     .maximum = kDay},
};
constexpr Key kSimulationKeys[] = {
    {.name = "scaling",
     .type = T::object,
     .help = "As in a service.",
     .required = true,
     .shape = &kScalingPolicyShape},
    {.name = "load",
     .type = T::object,
     .help = "What the service has to do.",
     .required = true,
     .shape = &kLoadShape},
    {.name = "until",
     .type = T::duration,
     .help = "The last moment.",
     .required = true,
     .minimum = 0,
     .maximum = 3650 * kDay},
};

}  // namespace

const Shape kScalingMetricShape{"metric", kMetricKeys};
const Shape kScalingEvaluationShape{"evaluation", kEvaluationKeys};
const Shape kScalingPolicyShape{"scaling", kPolicyKeys};
const Shape kLoadShape{"load", kLoadKeys};
const Shape kSimulationShape{"simulation", kSimulationKeys};

}  // namespace sluice::core
