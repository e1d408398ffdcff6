// The keys of an alarm (keys.hpp): CloudWatch's, in snake_case, with its values.
#include "config/keys.hpp"
#include "scaling/alarm.hpp"

namespace sluice::core {
namespace {

using T = Key::Type;

constexpr Key kActionKeys[] = {
    {.name = "publish_to",
     .type = T::name,
     .help = "The topic or queue that gets the notification, as JSON of Amazon CloudWatch. Its "
             "attributes are alarm.name, alarm.state, alarm.old_state and alarm.subject."},
    {.name = "start",
     .type = T::name,
     .help = "The service whose workers are started; it has \"min_capacity\": 0."},
    {.name = "count",
     .type = T::integer,
     .help = "Of start: so many, beside those that run, up to its max_capacity. Default: 1.",
     .minimum = 1,
     .maximum = 1000},
};

constexpr Key kAlarmKeys[] = {
    {.name = "description", .type = T::string, .help = "Stands in its notifications."},
    {.name = "queue", .type = T::name, .help = "The queue that it watches.", .required = true},
    {.name = "metric_name",
     .type = T::choice,
     .help =
         "What of the queue. It has one sample for each period, taken at the period's end: of "
         "ApproximateNumberOfMessages... and ApproximateAgeOfOldestMessage (seconds) the value "
         "then; of NumberOfMessages... what was sent, received or deleted since the one before.",
     .required = true,
     .choices = kAlarmMetricNames},
    {.name = "statistic",
     .type = T::choice,
     .help = "Of a period's samples. Of one sample all are the same but SampleCount, which is 1.",
     .default_json = "\"Sum\"",
     .choices = kAlarmStatisticNames},
    {.name = "period",
     .type = T::duration,
     .help = "From datapoint to datapoint.",
     .default_json = "\"60s\"",
     .minimum = 100,
     .maximum = 86'400'000},  // CloudWatch: a day
    {.name = "comparison_operator",
     .type = T::choice,
     .help = "How a datapoint that breaches stands to the threshold.",
     .required = true,
     .choices = kAlarmComparisonNames},
    {.name = "threshold",
     .type = T::number,
     .help = "What datapoints are held against.",
     .required = true,
     .minimum = 0,
     .maximum = 1'000'000'000'000},
    {.name = "evaluation_periods",
     .type = T::integer,
     .help = "So many datapoints are looked at: together a day at most.",
     .default_json = "1",
     .minimum = 1,
     .maximum = 1440},
    {.name = "datapoints_to_alarm",
     .type = T::integer,
     .help = "So many of them must breach. Default: evaluation_periods.",
     .minimum = 1,
     .maximum = 1440},
    {.name = "treat_missing_data",
     .type = T::choice,
     .help =
         "What a period without a datapoint is, where too few have one. It has none only if the "
         "process slept through its end.",
     .default_json = "\"missing\"",
     .choices = kMissingDataNames},
    {.name = "on_alarm",
     .type = T::array,
     .help = "What is done when the state becomes ALARM, once each time.",
     .shape = &kAlarmActionShape},
    {.name = "on_ok", .type = T::array, .help = "The same of OK.", .shape = &kAlarmActionShape},
    {.name = "on_insufficient_data",
     .type = T::array,
     .help = "The same of INSUFFICIENT_DATA.",
     .shape = &kAlarmActionShape},
    {.name = "restart_while_in_alarm",
     .type = T::boolean,
     .help = "Also starts what on_alarm starts at the end of each period that leaves the state "
             "ALARM, where the service has no worker and its queue visible messages.",
     .default_json = "false"},
};

}  // namespace

const Shape kAlarmActionShape{"action", kActionKeys};
const Shape kAlarmShape{"alarm", kAlarmKeys};

}  // namespace sluice::core
