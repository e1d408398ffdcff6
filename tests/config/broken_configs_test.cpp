// Broken configurations as a table: each has one fault, marked with @ where it must be reported.
#include <gtest/gtest.h>

#include <algorithm>

#include "config_fixture.hpp"

namespace sluice::core {
namespace {

struct Broken {
  const char* name;  ///< a sentence of the specification
  const char* text;  ///< @ marks the place
  const char* error;
  Errc code = Errc::config;
};

// Parts that stand around the fault, complete in themselves.
#define SUBSCRIPTION(MORE) \
  R"({"topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t", )" MORE "}]}}}"
#define QUEUE(fields) R"({"queues": {"q": {)" fields R"(}}})"
#define SERVICE(fields) R"({"queues": {"q": {}}, "services": {"s": {)" fields R"(}}})"
#define STAGES(stages) SERVICE(R"("queue": "q", "stages": [)" stages "]")
#define SINK R"({"type": "test_sink", "bucket": "b"})"
#define WITH_BUCKET(rest) R"({"buckets": {"b": {"type": "test_bucket"}}, )" rest "}"
#define SHAPE(options)                                                                                    \
  WITH_BUCKET(                                                                                            \
      R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": "test_shape")" options \
      "}, " SINK "]}}")

// Behind a queue, a topic, a service that is started, and one that always runs.
#define ALARM_OF(alarm)                                                                  \
  WITH_BUCKET(                                                                           \
      R"("topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t"}]}, )"    \
      R"("r": {}}, "services": {"s": {"queue": "q", )"                                   \
      R"("scaling": {"min_capacity": 0, "max_capacity": 4}, "stages": [)" SINK           \
      R"(]}, "always": {"queue": "r", "stages": [)" SINK R"(]}}, "alarms": {"a": )" alarm "}")
#define ALARM(fields)                                                                    \
  ALARM_OF(R"({"queue": "q", "metric_name": "ApproximateNumberOfMessagesVisible", )"     \
           R"("threshold": 100, "comparison_operator": "GreaterThanThreshold", )" fields "}")

#define SCALED(scaling)                                                                  \
  WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK \
              R"(], "scaling": )" scaling "}}")
// Four workers of a service are started by an alarm.
#define STARTED(services)                                                                \
  WITH_BUCKET(R"("queues": {"q": {}}, "services": )" services R"(, "alarms": {"a": {)"   \
              R"("queue": "q", "metric_name": "NumberOfMessagesSent", "threshold": 1, )"  \
              R"("comparison_operator": "GreaterThanThreshold", )"                       \
              R"("on_alarm": [{"start": "s", "count": 4}]}})")
#define STARTED_WITH(scaling) \
  STARTED(R"({"s": {"queue": "q", "stages": [)" SINK R"(], "scaling": )" scaling "}}")
#define WINDOW(fields) \
  R"({"queue": "q", "batch_window": "40s", )" fields R"("stages": [)" SINK "]}"
#define NAME_OF_78                          \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const Broken kBroken[] = {
    // Text that is no JSON.
    {"an_empty_file_is_refused", "@", "the text is empty"},
    {"a_missing_brace_is_reported_at_the_end", "{\"name\": \"x\"@", ""},
    {"a_trailing_comma_is_refused", "{\n  \"name\": \"x\",\n@}", ""},
    {"a_comment_is_refused", "{\n  @// no\n}", ""},
    {"a_duplicate_key_is_refused", "{\"name\": \"x\", @\"name\": \"y\"}", "name"},
    {"a_duplicate_queue_is_refused", "{\"queues\": {\"q\": {}, @\"q\": {}}}", "q"},
    {"single_quotes_are_refused", "{@'name': 1}", ""},
    {"text_behind_the_object_is_refused", "{} @{}", ""},
    {"a_file_that_is_no_object_is_refused", "@[]",
     "the pipeline must be an object, found an array"},
    // Unknown keys, with the nearest name.
    {"an_unknown_key_at_the_top_names_the_nearest", "{@\"buckts\": {}}",
     "unknown key \"buckts\" in the pipeline: did you mean \"buckets\"?"},
    {"a_key_of_a_later_issue_is_unknown", "{@\"throttles\": {}}", "unknown key \"throttles\""},
    {"admin_listens_at_an_address", "{\"admin\": {\"listen\": @\"nowhere\"}}", "admin: 'nowhere' is no address to listen on"},
    {"admin_needs_an_address", "{\"admin\": @{}}", "lacks the key \"listen\""},
    {"an_unknown_queue_key_names_the_nearest", QUEUE("@\"capcity\": 5"),
     "unknown key \"capcity\" in queue \"q\": did you mean \"capacity\"?"},
    {"a_delay_is_at_most_fifteen_minutes", QUEUE("\"delay\": @\"16m\""), "\"delay\" of queue \"q\" must be"},
    {"a_retention_is_at_least_a_minute", QUEUE("\"retention\": @\"59s\""),
     "\"retention\" of queue \"q\" must be"},
    {"when_full_is_one_of_four", QUEUE("\"when_full\": @\"drop\""),
     "\"when_full\" of queue \"q\" is block, drop_new, drop_old or dead_letter"},
    {"what_finds_a_queue_full_needs_a_dead_letter_queue",
     QUEUE("\"when_full\": @\"dead_letter\", \"redrive_policy\": null"),
     "queue \"q\" has no dead-letter queue for what finds it full"},
    {"an_unknown_topic_key_names_the_nearest", "{\"topics\": {\"t\": {@\"filter_profil\": \"sns\"}}}",
     "unknown key \"filter_profil\" in topic \"t\": did you mean \"filter_profile\"?"},
    {"a_filter_profile_is_one_of_two", "{\"topics\": {\"t\": {\"filter_profile\": @\"extend\"}}}",
     "\"filter_profile\" of topic \"t\" is sns or extended, found \"extend\": did you mean"},
    {"a_filter_policy_is_an_object", SUBSCRIPTION(R"("filter_policy": @"{}")"),
     "\"filter_policy\" of subscription of queue \"q\" must be an object, found a string"},
    {"a_filter_policy_scope_is_one_of_two",
     SUBSCRIPTION(R"("filter_policy": {"a":["x"]}, "filter_policy_scope": @"Body")"),
     "is MessageAttributes or MessageBody, found \"Body\""},
    {"a_wrong_filter_policy_is_told_in_the_words_of_sns_at_the_matcher",
     SUBSCRIPTION("\"filter_policy\": {\"a\": [\"x\",\n  {@\"prefx\": \"y\"}]}"),
     "filter policy of the subscription of queue \"q\": Unrecognized match type prefx"},
    {"a_nested_policy_needs_the_body_scope", SUBSCRIPTION(R"("filter_policy": {"a": @{"b": ["x"]}})"),
     "Filter policy scope MessageAttributes does not support nested filter policy"},
    {"what_sns_refuses_is_refused",
     SUBSCRIPTION(R"("filter_policy": {"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],@"f":["x"]})"),
     "Filter policy can not have more than 5 keys"},
    {"an_unknown_service_key_names_the_nearest",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", @"batchsize": 1, "stages": [)" SINK
         "]}}"),
     "did you mean \"batch_size\"?"},
    {"an_unknown_scaling_key_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {@"polcy": "target_tracking"}}})"),
     "did you mean \"policy\"?"},
    {"an_unknown_key_that_was_to_be_a_needed_one_tells_both",
     R"({"queues": {"q": {"subscriptions": [{@"topik": "t"}]}}})",
     "unknown key \"topik\" in subscription of queue \"q\", which lacks the key \"topic\": did you mean "
     "\"topic\"?"},
    {"an_unknown_key_beside_the_one_that_is_near_lacks_nothing",
     R"({"topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t", @"topik": "t"}]}}})",
     "unknown key \"topik\" in subscription of queue \"q\": did you mean \"topic\"?"},
    {"an_unknown_redrive_key_is_refused", QUEUE("\"redrive_policy\": {@\"max_recieve_count\": 3}"),
     "did you mean \"max_receive_count\"?"},
    {"an_unknown_option_names_the_nearest", SHAPE(R"(, "width": 1, @"enlrge": true)"),
     "did you mean \"enlarge\"?"},
    // Wrong types.
    {"a_name_that_is_a_number_is_refused", "{\"name\": @5}",
     "\"name\" of the pipeline must be a name in quotes, found a whole number"},
    {"queues_as_an_array_are_refused", "{\"queues\": @[]}", "must be an object, found an array"},
    {"a_queue_that_is_null_is_refused", "{\"queues\": {\"q\": @null}}",
     "queue \"q\" must be an object, found null"},
    {"a_capacity_in_quotes_is_refused", QUEUE("\"capacity\": @\"5\""),
     "must be a whole number, found a string"},
    {"a_fractional_capacity_is_refused", QUEUE("\"capacity\": @1.5"),
     "must be a whole number, found a number"},
    {"a_huge_capacity_is_no_whole_number", QUEUE("\"capacity\": @1e300"), "must be a whole number"},
    {"a_whole_number_beyond_all_is_refused_for_its_size", QUEUE("\"capacity\": @99999999999999999999"),
     "\"capacity\" of queue \"q\" must be 1 to 67000000, found 1e+20"},
    {"bytes_as_a_number_are_refused", QUEUE("\"capacity_bytes\": @1000"),
     "must be a size such as \"256KiB\", found a whole number"},
    {"a_size_without_a_unit_is_refused", QUEUE("\"capacity_bytes\": @\"1000\""), "unit"},
    {"a_duration_with_an_unknown_unit_is_refused", QUEUE("\"visibility_timeout\": @\"5w\""), "5w"},
    {"a_negative_duration_is_refused", QUEUE("\"visibility_timeout\": @\"-5s\""),
     "visibility_timeout"},
    {"a_redrive_policy_as_a_string_is_refused", QUEUE("\"redrive_policy\": @\"none\""),
     "must be an object or null, found a string"},
    {"subscriptions_as_an_object_are_refused", QUEUE("\"subscriptions\": @{}"), "must be an array"},
    {"a_subscription_as_a_string_is_refused", QUEUE("\"subscriptions\": [@\"t\"]"),
     "must be an object, found a string"},
    {"a_wrong_option_type_is_refused", SHAPE(R"(, "width": @"wide")"), "width"},
    {"an_option_out_of_its_choices_is_refused", SHAPE(R"(, "width": 1, "fit": @"insde")"),
     "inside"},
    // Impossible values.
    {"a_capacity_of_zero_is_refused", QUEUE("\"capacity\": @0"), "must be 1 to 67000000, found 0"},
    {"a_capacity_beyond_the_packed_credit_is_refused", QUEUE("\"capacity\": @67000001"),
     "must be 1 to 67000000"},
    {"bytes_beyond_the_packed_credit_are_refused", QUEUE("\"capacity_bytes\": @\"129GiB\""),
     "must be 1B to 128GiB, found 129GiB"},
    {"a_flag_in_quotes_is_refused", QUEUE("\"fifo\": @\"true\""), "must be true or false, found a string"},
    {"content_based_deduplication_of_a_plain_queue_is_refused", QUEUE("\"content_based_deduplication\": @true"),
     "\"content_based_deduplication\" needs \"fifo\": true"},
    {"a_deduplication_capacity_of_a_plain_queue_is_refused", QUEUE("\"deduplication_capacity\": @5000"),
     "\"deduplication_capacity\" needs \"fifo\": true"},
    {"a_deduplication_capacity_of_a_handful_is_refused",
     QUEUE("\"fifo\": true, \"deduplication_capacity\": @999"), "must be 1000 to 1000000000, found 999"},
    {"a_visibility_timeout_over_12_hours_is_refused", QUEUE("\"visibility_timeout\": @\"13h\""),
     "must be 0ms to 12h, found 13h"},
    {"a_receive_count_of_zero_is_refused", QUEUE("\"redrive_policy\": {\"max_receive_count\": @0}"),
     "must be 1 to 1000, found 0"},
    {"a_receive_count_over_1000_is_refused",
     QUEUE("\"redrive_policy\": {\"max_receive_count\": @1001}"), "must be 1 to 1000"},
    {"a_batch_size_of_zero_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "batch_size": @0, "stages": [)" SINK
         "]}}"),
     "must be 1 to 10000, found 0"},
    {"an_ack_deadline_of_nothing_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "ack_deadline": @"0s", "stages": [)" SINK
         "]}}"),
     "must be 1ms to 14d, found 0"},
    {"a_batch_window_that_outlasts_the_ack_deadline_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "ack_deadline": "5s", "batch_window": @"5s", "stages": [)" SINK
         "]}}"),
     "is not below the \"ack_deadline\" of 5s"},
    {"a_weight_of_nothing_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "weight": @0, "stages": [)" SINK
         "]}}"),
     "must be 1 to 100, found 0"},
    {"a_rate_that_lets_nothing_pass_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "max_rate": @0.0004, "stages": [)" SINK
         "]}}"),
     "would let nothing pass: give a higher one, or leave it out for no limit"},
    {"a_rate_below_nothing_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "max_rate": @-1, "stages": [)" SINK
         "]}}"),
     "must be above 0, up to 1000000, found -1"},
    {"a_rate_that_is_no_number_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "max_rate": @"5/s", "stages": [)" SINK
         "]}}"),
     "max_rate"},
    {"a_batch_size_over_10000_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "batch_size": @10001, "stages": [)" SINK
         "]}}"),
     "must be 1 to 10000"},
    {"a_service_without_workers_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"desired_capacity": @0}}})"),
     "\"desired_capacity\" must be 1 to 1, found 0"},
    {"no_worker_without_a_maximum_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"min_capacity": @0, "stop_when_empty": true}}})"),
     "scaling of service \"s\" lacks the key \"max_capacity\", which \"min_capacity\": 0 needs"},
    {"no_worker_with_a_policy_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"policy": "target_tracking", "min_capacity": @0, "max_capacity": 2}}})"),
     "must be 1 or more with a \"policy\""},
    {"workers_that_must_be_there_cannot_leave_an_empty_queue",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"stop_when_empty": @true}}})"),
     "\"stop_when_empty\" of scaling of service \"s\" needs \"min_capacity\": 0, found 1"},
    {"more_workers_desired_than_allowed_are_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"max_capacity": 2, "desired_capacity": @3}}})"),
     "must be 1 to 2, found 3"},
    {"a_maximum_below_the_minimum_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(], "scaling": {"min_capacity": 3, "max_capacity": @2}}})"),
     "is below \"min_capacity\" 3"},
    {"an_option_below_its_minimum_is_refused", SHAPE(R"(, "width": @0)"), "at least 1"},
    {"an_option_that_its_plugin_refuses_is_placed", SHAPE(R"(, "width": @13)"),
     "13 brings bad luck"},
    {"a_queue_name_with_a_blank_is_refused", "{\"queues\": {@\"a b\": {}}}",
     "\"a b\" is no name for a queue"},
    {"an_empty_topic_name_is_refused", "{\"topics\": {@\"\": {}}}", "is no name for a topic"},
    {"a_name_of_81_characters_is_refused",
     "{\"queues\": "
     "{@\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\": "
     "{}}}",
     "1 to 80"},
    {"a_bucket_name_with_a_slash_is_refused",
     "{\"buckets\": {@\"a/b\": {\"type\": \"test_bucket\"}}}", "is no name for a bucket"},
    {"a_pipeline_name_with_an_umlaut_is_refused", "{\"name\": @\"\xC3\xA4\"}",
     "is no name for a pipeline"},
    {"an_empty_state_is_no_path", "{\"state\": @\"\"}", "is no path"},
    {"an_access_point_that_allows_nothing_is_refused",
     R"({"buckets": {"b": {"type": "test_bucket", "access_points": {"p": {"allow": @[]}}}}})",
     "allows nothing"},
    {"an_unknown_action_names_the_nearest",
     R"({"buckets": {"b": {"type": "test_bucket", "access_points": {"p": {"allow": [@"gets"]}}}}})",
     "did you mean \"get\"?"},
    // What is missing.
    {"a_bucket_without_a_type_is_refused", "{\"buckets\": {\"b\": @{}}}",
     "bucket \"b\" lacks the key \"type\""},
    {"a_source_without_a_target_is_refused", "{\"sources\": {\"s\": @{\"type\": \"test_source\"}}}",
     "source \"s\" lacks the key \"publish_to\""},
    {"a_service_without_a_queue_is_refused",
     WITH_BUCKET(R"("services": {"s": @{"stages": [)" SINK "]}}"),
     "service \"s\" lacks the key \"queue\""},
    {"a_service_without_stages_is_refused",
     R"({"queues": {"q": {}}, "services": {"s": @{"queue": "q"}}})", "lacks the key \"stages\""},
    {"an_empty_chain_is_refused", SERVICE("\"queue\": \"q\", \"stages\": @[]"), "has no stage"},
    {"a_stage_without_a_type_is_refused", STAGES("@{}"),
     "stage 1 of service \"s\" lacks the key \"type\""},
    {"a_required_option_is_missed",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [@{"type": "test_shape"}, )" SINK
         "]}}"),
     "option \"width\" is missing"},
    {"an_unknown_option_that_was_to_be_a_needed_one_tells_both", SHAPE(R"(, @"widht": 5)"),
     "stage \"test_shape\" has no option \"widht\", and its option \"width\" is missing: did you mean \"width\"?"},
    {"an_access_point_without_allow_is_refused",
     R"({"buckets": {"b": {"type": "test_bucket", "access_points": {"p": @{}}}}})",
     "lacks the key \"allow\""},
    // Alarms.
    {"an_alarm_needs_a_queue", ALARM_OF(R"(@{"metric_name": "NumberOfMessagesSent", "threshold": 1,
       "comparison_operator": "LessThanThreshold"})"),
     "alarm \"a\" lacks the key \"queue\""},
    {"an_alarm_watches_a_queue_that_is_there", ALARM_OF(R"({"metric_name": "NumberOfMessagesSent", "threshold": 1,
       "comparison_operator": "LessThanThreshold", "queue": @"qq"})"),
     "alarm \"a\": queue \"qq\" is not declared: did you mean \"q\"?"},
    {"a_misspelt_metric_names_the_nearest", ALARM_OF(R"({"metric_name": @"NumberOfMessageSent", "threshold": 1,
       "comparison_operator": "LessThanThreshold", "queue": "q"})"),
     "did you mean \"NumberOfMessagesSent\"?"},
    {"an_unknown_operator_is_refused", ALARM_OF(R"({"metric_name": "NumberOfMessagesSent", "threshold": 1,
       "comparison_operator": @">", "queue": "q"})"),
     "\"comparison_operator\" of alarm \"a\" is GreaterThanOrEqualToThreshold, "},
    {"an_unknown_statistic_is_refused", ALARM(R"("statistic": @"p99")"),
     "is SampleCount, Average, Sum, Minimum or Maximum, found \"p99\""},
    {"an_unknown_treatment_is_refused", ALARM(R"("treat_missing_data": @"not_breaching")"),
     "did you mean \"notBreaching\"?"},
    {"a_period_of_nothing_is_refused", ALARM(R"("period": @"99ms")"), "must be 100ms to 1d, found 99ms"},
    {"more_datapoints_than_are_looked_at_are_refused",
     ALARM(R"("evaluation_periods": 2, "datapoints_to_alarm": @3)"),
     "\"datapoints_to_alarm\" of alarm \"a\" is 3, and it looks at 2 datapoints"},
    {"more_than_a_day_is_not_looked_at", ALARM(R"("evaluation_periods": @25, "period": "1h")"),
     "alarm \"a\" looks at 25 periods of 1h, and a day is the most: set \"evaluation_periods\" to 24 or "
     "fewer, or a shorter \"period\""},
    {"days_are_not_looked_at", ALARM(R"("evaluation_periods": @2, "period": "1d")"),
     "alarm \"a\" looks at 2 periods of 1d"},
    {"an_unknown_key_of_an_alarm_names_the_nearest", ALARM(R"(@"on_alarms": [])"),
     "unknown key \"on_alarms\" in alarm \"a\": did you mean \"on_alarm\"?"},
    {"an_action_that_does_nothing_is_refused", ALARM(R"("on_ok": [@{}])"),
     "action 1 of \"on_ok\" of alarm \"a\" does nothing"},
    {"an_action_that_does_two_things_is_refused",
     ALARM(R"("on_alarm": [@{"publish_to": "t", "start": "s"}])"), "does two things"},
    {"a_count_without_a_start_is_refused", ALARM(R"("on_alarm": [{"publish_to": "t", "count": @4}])"),
     "belongs to \"start\""},
    {"an_action_on_a_topic_that_is_not_there_is_refused", ALARM(R"("on_ok": [{"publish_to": @"alarms"}])"),
     "topic or queue \"alarms\" is not declared"},
    {"an_action_on_a_service_that_is_not_there_is_refused", ALARM(R"("on_alarm": [{"start": @"ss"}])"),
     "action 1 of \"on_alarm\" of alarm \"a\": service \"ss\" is not declared: did you mean \"s\"?"},
    {"a_service_that_always_runs_is_not_started", ALARM(R"("on_alarm": [{"start": @"always"}])"),
     "service \"always\" has workers all the time"},
    {"more_workers_than_ever_run_are_not_started", ALARM(R"("on_alarm": [{"start": "s", "count": @5}])"),
     "service \"s\" never has 5 workers: its \"max_capacity\" is 4"},
    {"nothing_to_restart_is_refused",
     ALARM(R"("on_ok": [{"start": "s"}], "restart_while_in_alarm": @true)"),
     "its \"on_alarm\" starts no service"},
    // Names that lead nowhere.
    {"an_unknown_topic_names_the_nearest",
     R"({"topics": {"new-icons": {}}, "queues": {"q": {"subscriptions": [{"topic": @"new-icon"}]}}})",
     "topic \"new-icon\" is not declared: did you mean \"new-icons\"?"},
    {"an_unknown_target_names_the_nearest",
     R"({"queues": {"events": {}}, "sources": {"s": {"type": "test_source", "publish_to": @"event"}}})",
     "topic or queue \"event\" is not declared: did you mean \"events\"?"},
    {"an_unknown_service_queue_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": @"quux", "stages": [)" SINK
                 "]}}"),
     "queue \"quux\" is not declared"},
    {"an_unknown_dead_letter_queue_is_refused",
     R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": @"brokn"}}, "broken": {}}})",
     "did you mean \"broken\"?"},
    {"an_unknown_bucket_names_the_nearest",
     R"({"buckets": {"graphics": {"type": "test_bucket"}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": @"grafics", "publish_to": "t"}}})",
     "did you mean \"graphics\"?"},
    {"an_unknown_access_point_is_refused",
     R"({"buckets": {"b": {"type": "test_bucket", "access_points": {"design": {"allow": ["get"]}}}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": @"b/desing", "publish_to": "t"}}})",
     "bucket \"b\" has no access point \"desing\": did you mean \"b/design\"?"},
    {"a_table_without_a_type_is_refused", "{\"tables\": {\"t\": @{}}}",
     "table \"t\" lacks the key \"type\""},
    {"a_table_name_with_a_slash_is_refused", "{\"tables\": {@\"a/b\": {\"type\": \"test_table\"}}}",
     "is no name for a table"},
    {"an_unknown_option_of_a_table_names_the_nearest",
     R"({"tables": {"t": {"type": "test_table", @"itmes": 5}}})", "did you mean \"items\"?"},
    {"a_bucket_is_no_table", R"({"tables": {"t": {"type": @"test_bucket"}}})",
     "\"test_bucket\" is a bucket, not a table"},
    {"an_unknown_table_names_the_nearest",
     R"({"tables": {"users": {"type": "test_table"}}, "queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": "test_store", "table": @"usres"}]}}})",
     "\"table\" names no table: \"usres\" is not declared: did you mean \"users\"?"},
    {"a_bucket_stands_for_no_table",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": "test_store", "table": @"b"}]}})"),
     "\"b\" is not declared"},
    {"an_unknown_type_names_the_nearest", R"({"buckets": {"b": {"type": @"test_buckt"}}})",
     "did you mean \"test_bucket\"?"},
    {"a_type_of_another_kind_is_refused", R"({"buckets": {"b": {"type": @"test_sink"}}})",
     "is a stage"},
    {"a_shipped_plugin_that_is_not_there_is_unavailable", STAGES(R"({"type": @"image_resize"})"),
     "image_resize", Errc::unavailable},
    {"a_name_for_a_topic_and_a_queue_is_ambiguous",
     R"({"topics": {"x": {}}, "queues": {"x": {}}, "sources": {"s": {"type": "test_source", "publish_to": @"x"}}})",
     "names a topic and a queue"},
    {"an_implied_dead_letter_queue_is_no_target",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(]}}, "sources": {"x": {"type": "test_source", "publish_to": @"q-dead"}})"),
     "is only made for the dead letters"},
    // Graphs that cannot work.
    {"a_second_service_on_a_queue_is_refused",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"a": {"queue": "q", "stages": [)" SINK
                 R"(]}, "b": {"queue": @"q", "stages": [)" SINK "]}}"),
     "queue \"q\" has service \"a\" already"},
    {"a_second_subscription_to_a_topic_is_refused",
     R"({"topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t"}, {"topic": @"t"}]}}})",
     "subscribed to topic \"t\" twice"},
    {"a_sink_in_the_middle_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": @"test_sink", "bucket": "b"}, )" SINK
         "]}}"),
     "must be the last"},
    {"a_splitting_stage_in_the_middle_is_refused",
     WITH_BUCKET(
         R"("queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": @"test_split"}, )" SINK
         "]}}"),
     "emits without bound"},
    {"a_splitting_stage_needs_a_target", STAGES(R"({"type": @"test_split"})"),
     "needs a \"publish_to\""},
    {"a_chain_without_a_sink_needs_a_target", STAGES(R"({"type": @"test_upper"})"),
     "its results would go nowhere"},
    {"a_sink_with_a_target_is_refused",
     WITH_BUCKET(
         R"("topics": {"t": {}}, "queues": {"q": {}}, "services": {"s": {"queue": "q", "publish_to": @"t", "stages": [)" SINK
         "]}}"),
     "would never get a message"},
    {"a_queue_that_feeds_itself_is_a_cycle",
     SERVICE(R"("queue": "q", "publish_to": @"q", "stages": [{"type": "test_upper"}])"),
     "closes a cycle of queues that all block: \"q\" -> \"q\""},
    {"a_cycle_through_a_topic_is_refused",
     R"({"topics": {"t": {}}, "queues": {"a": {}, "b": {"subscriptions": [{"topic": "t"}]}}, "services": {
       "s": {"queue": "a", "publish_to": "t", "stages": [{"type": "test_upper"}]}, "r": {"queue": "b", "publish_to": @"a", "stages": [{"type": "test_upper"}]}}})",
     "\"a\" -> \"b\" -> \"a\""},
    {"a_queue_as_its_own_dead_letter_queue_is_refused",
     R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": @"q"}}}})",
     "is its own dead-letter queue"},
    {"dead_letter_queues_in_a_cycle_are_refused",
     R"({"queues": {"a": {"redrive_policy": {"dead_letter_queue": "b"}}, "b": {"redrive_policy": {"dead_letter_queue": @"a"}}}})",
     "dead-letter queues in a cycle"},
    {"a_state_folder_in_a_watched_bucket_is_refused",
     R"({"state": @"graphics/state", "buckets": {"b": {"type": "test_bucket", "path": "graphics"}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": "b", "publish_to": "t"}}})",
     "lies where source \"s\" watches"},
    {"a_watched_prefix_in_the_state_folder_is_refused",
     R"({"state": @"graphics/icons", "buckets": {"b": {"type": "test_bucket", "path": "graphics"}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": "b", "prefix": "icons/new/", "publish_to": "t"}}})",
     "lies where source"},
    {"the_default_state_folder_is_checked_too",
     R"(@{"buckets": {"b": {"type": "test_bucket", "path": "."}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": "b", "publish_to": "t"}}})",
     "lies where source"},
    // The environment.
    {"a_variable_that_is_not_set_is_placed", "{\"state\": \"a/@${NOWHERE}/b\"}",
     "the environment has no \"NOWHERE\""},
    {"a_variable_that_is_not_set_is_reported_once", QUEUE("\"capacity_bytes\": \"@${NOWHERE}\""),
     "the environment has no \"NOWHERE\""},
    {"a_name_from_a_variable_that_is_not_set_is_reported_once",
     QUEUE(R"("subscriptions": [{"topic": "@${NOWHERE}"}])"), "the environment has no \"NOWHERE\""},
    {"a_folder_below_a_variable_that_is_not_set_is_reported_once",
     R"({"buckets": {"b": {"type": "test_bucket", "path": "@${NOWHERE}/"}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": "b", "publish_to": "t"}}})",
     "the environment has no \"NOWHERE\""},
    {"a_variable_without_an_end_is_refused", "{\"state\": \"@${HOME\"}", "begins a variable"},
    {"a_variable_without_a_name_is_refused", "{\"state\": \"@${}\"}", "begins a variable"},
    // What only follows from a fault is not told.
    {"a_maximum_that_is_wrong_is_not_missing",
     STARTED_WITH(R"({"min_capacity": 0, "max_capacity": @0})"), "must be 1 to 1000, found 0"},
    {"a_maximum_that_is_wrong_stops_no_action",
     STARTED_WITH(R"({"min_capacity": 0, "max_capacity": @1001})"),
     "must be 1 to 1000, found 1001"},
    {"a_minimum_that_is_wrong_may_be_any",
     STARTED_WITH(
         R"({"min_capacity": @"0", "max_capacity": 4, "desired_capacity": 0, "stop_when_empty": true})"),
     "must be a whole number, found a string"},
    {"a_minimum_that_is_wrong_needs_no_maximum", STARTED_WITH(R"({"min_capacity": @-1})"),
     "must be 0 to 1000, found -1"},
    {"a_desired_number_that_is_wrong_may_be_the_maximum",
     STARTED_WITH(R"({"min_capacity": 0, "desired_capacity": @1001})"),
     "must be 0 to 1000, found 1001"},
    {"a_policy_that_is_wrong_may_be_none",
     STARTED_WITH(R"({"min_capacity": 0, "max_capacity": 4, "policy": @null})"),
     "must be a word in quotes, found null"},
    {"a_policy_that_is_wrong_needs_no_maximum", SCALED(R"({"policy": @"target_trackin"})"),
     "did you mean \"target_tracking\"?"},
    {"a_misspelt_policy_is_one",
     SCALED(R"({@"polcy": "target_tracking", "max_capacity": 5, "metric": {"type": "visible"}, "target_value": 5,
       "low_fraction": 0.5, "period": "5s", "scale_in_cooldown": "5s", "evaluation": {"type": "direct"}})"),
     "did you mean \"policy\"?"},
    {"a_misspelt_minimum_may_be_any",
     STARTED_WITH(R"({@"min_capcity": 0, "max_capacity": 4, "stop_when_empty": true})"),
     "did you mean \"min_capacity\"?"},
    {"a_misspelt_maximum_is_not_missing", STARTED_WITH(R"({"min_capacity": 0, @"max_capcity": 4})"),
     "did you mean \"max_capacity\"?"},
    {"a_missing_maximum_stops_no_action", STARTED_WITH(R"({"min_capacity": @0})"),
     "lacks the key \"max_capacity\", which \"min_capacity\": 0 needs"},
    {"a_policy_that_was_refused_stops_no_action",
     STARTED_WITH(R"({"policy": "target_tracking", "min_capacity": @0, "max_capacity": 4})"),
     "must be 1 or more with a \"policy\""},
    {"a_misspelt_scaling_may_be_any",
     STARTED(R"({"s": {"queue": "q", "stages": [)" SINK R"(], @"scalng": {"min_capacity": 0}}})"),
     "did you mean \"scaling\"?"},
    {"a_misspelt_section_may_have_any_name",
     R"({@"topcs": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t"}]}}})",
     "did you mean \"topics\"?"},
    {"a_misspelt_state_may_be_anywhere",
     R"({@"stat": "elsewhere", "buckets": {"b": {"type": "test_bucket", "path": "."}}, "topics": {"t": {}}, "sources": {"s": {"type": "test_watch", "bucket": "b", "publish_to": "t"}}})",
     "did you mean \"state\"?"},
    {"a_scaling_that_is_no_object_may_be_any", STARTED_WITH("@5"),
     "\"scaling\" of service \"s\" must be an object, found a whole number"},
    {"a_service_that_is_no_object_may_be_any", STARTED(R"({"s": @5})"),
     "service \"s\" must be an object, found a whole number"},
    {"a_period_that_is_wrong_has_any_multiple",
     SCALED(R"({"policy": "target_tracking", "max_capacity": 5, "period": @"1",
       "evaluation": {"type": "alarms", "period": "15s"}})"),
     "\"1\" needs a unit"},
    {"a_service_that_is_not_there_may_be_the_one_to_restart",
     ALARM(R"("on_alarm": [{"start": @"ss"}], "restart_while_in_alarm": true)"),
     "service \"ss\" is not declared"},
    {"an_action_that_is_no_object_may_start_one",
     ALARM(R"("on_alarm": [@null], "restart_while_in_alarm": true)"), "must be an object"},
    {"actions_that_are_no_array_may_start_one",
     ALARM(R"("on_alarm": @{"start": "s"}, "restart_while_in_alarm": true)"), "must be an array"},
    {"a_misspelt_action_does_something",
     ALARM(R"("on_alarm": [{@"strat": "s", "count": 2}], "restart_while_in_alarm": true)"),
     "did you mean \"start\"?"},
    {"periods_that_are_wrong_may_be_as_many_as_datapoints",
     ALARM(R"("evaluation_periods": @0, "datapoints_to_alarm": 3)"), "must be 1 to 1440, found 0"},
    {"tables_that_are_no_object_may_have_any_name",
     R"({"tables": @[], "queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": "test_store", "table": "users"}]}}})",
     "\"tables\" of the pipeline must be an object"},
    {"buckets_that_are_no_object_may_have_any_name",
     R"({"buckets": @[], "queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [)" SINK
     "]}}}",
     "\"buckets\" of the pipeline must be an object"},
    {"topics_that_are_no_object_may_have_any_name",
     R"({"topics": @5, "queues": {"q": {"subscriptions": [{"topic": "t"}]}}})",
     "\"topics\" of the pipeline must be an object"},
    {"queues_that_are_no_object_may_have_any_name",
     WITH_BUCKET(R"("queues": @[], "services": {"s": {"queue": "q", "stages": [)" SINK
                 R"(]}}, "sources": {"x": {"type": "test_source", "publish_to": "q"}})"),
     "\"queues\" of the pipeline must be an object"},
    {"services_that_are_no_object_may_have_any_name", STARTED("@[]"),
     "\"services\" of the pipeline must be an object"},
    {"a_table_without_a_name_is_not_missed", STAGES(R"({"type": "test_store", "table": @""})"),
     "must be the name of a table, not \"\""},
    {"a_bucket_that_is_no_name_is_not_missed", STAGES(R"({"type": "test_sink", "bucket": @"a/b/c"})"),
     "must be the name of a bucket, or bucket/access point"},
    {"a_redrive_policy_that_is_wrong_is_one",
     QUEUE("\"redrive_policy\": @5, \"when_full\": \"dead_letter\""), "must be an object or null"},
    {"a_redrive_policy_that_is_wrong_may_name_another_queue",
     WITH_BUCKET(R"("queues": {")" NAME_OF_78 R"(": {"redrive_policy": @5}}, "services": {"s": {"queue": ")"
                 NAME_OF_78 R"(", "stages": [)" SINK "]}}"),
     "must be an object or null"},
    {"a_dead_letter_queue_that_is_not_there_is_one",
     QUEUE(R"("redrive_policy": {"dead_letter_queue": @"dead"}, "when_full": "dead_letter")"),
     "queue \"dead\" is not declared"},
    {"a_dead_letter_queue_that_is_no_name_may_be_any",
     R"({"queues": {")" NAME_OF_78 R"(": {"redrive_policy": {"dead_letter_queue": @5}}}})",
     "must be a name in quotes, found a whole number"},
    {"a_service_of_a_misspelt_queue_may_be_of_any",
     WITH_BUCKET(
         R"("queues": {"jobs": {"when_full": "dead_letter"}}, "services": {"s": {"queue": @"job", "stages": [)" SINK
         "]}}"),
     "queue \"job\" is not declared: did you mean \"jobs\"?"},
    {"a_misspelt_queue_is_of_no_cycle",
     R"({"queues": {"q": {}, "long": {}}, "services": {"s": {"queue": @"lon", "publish_to": "q", "stages": [{"type": "test_upper"}]}}})",
     "did you mean \"long\"?"},
    {"a_misspelt_queue_has_no_timeout",
     WITH_BUCKET(R"("queues": {"q": {}, "long": {}}, "services": {"a": {"queue": "q", "stages": [)" SINK
                 R"(]}, "b": {"queue": @"lon", "batch_window": "40s", "stages": [)" SINK "]}}"),
     "did you mean \"long\"?"},
    {"a_timeout_of_a_service_that_is_wrong_may_be_any",
     WITH_BUCKET(R"("queues": {"q": {}}, "services": {"s": )" WINDOW(R"("visibility_timeout": @"x", )") "}"),
     "\"visibility_timeout\" of service \"s\""},
    {"a_timeout_of_a_queue_that_is_wrong_may_be_any",
     WITH_BUCKET(R"("queues": {"q": {"visibility_timeout": @"x"}}, "services": {"s": )" WINDOW("") "}"),
     "\"visibility_timeout\" of queue \"q\""},
    {"a_target_that_is_no_name_is_one",
     SERVICE(R"("queue": "q", "publish_to": @5, "stages": [{"type": "test_upper"}])"),
     "must be a name in quotes, found a whole number"},
    {"what_a_full_queue_does_may_be_any",
     R"({"queues": {"q": {"when_full": @"drop"}}, "services": {"s": {"queue": "q", "publish_to": "q", "stages": [{"type": "test_upper"}]}}})",
     "is block, drop_new, drop_old or dead_letter"},
    {"a_queue_that_may_be_fifo_may_deduplicate",
     QUEUE(R"("fifo": @1, "content_based_deduplication": true, "deduplication_capacity": 5000)"),
     "\"fifo\" of queue \"q\" must be true or false"},
    {"a_policy_of_a_wrong_scope_is_not_read",
     SUBSCRIPTION(R"("filter_policy": {"a": {"b": ["x"]}}, "filter_policy_scope": @"Body")"),
     "is MessageAttributes or MessageBody, found \"Body\""},
    {"a_policy_of_a_wrong_profile_may_be_extended",
     R"({"topics": {"t": {"filter_profile": @"extend"}}, "queues": {"q": {"subscriptions": [{"topic": "t",
       "filter_policy": {"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}}]}}})",
     "is sns or extended, found \"extend\""},
};

/// The text without its mark, and the mark's place as "LINE:COLUMN".
std::pair<std::string, std::string> without_mark(std::string text) {
  const std::size_t at = text.find('@');
  if (at == std::string::npos)
    ADD_FAILURE() << "no mark in " << text;
  text.erase(at, 1);
  const auto line =
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
  const std::size_t newline = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  const std::size_t column = newline == std::string::npos ? at + 1 : at - newline;
  return {text, std::to_string(line) + ":" + std::to_string(column)};
}

class BrokenConfig : public testing::TestWithParam<Broken> {};

TEST_P(BrokenConfig, is_reported_once_at_its_place) {
  const Broken& broken = GetParam();
  const auto [text, place] = without_mark(broken.text);

  const Loaded loaded(text);

  ASSERT_FALSE(loaded.result.has_value());
  EXPECT_EQ(loaded.result.error().code, broken.code);
  ASSERT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
  const Diagnostic& first = loaded.diagnostics.all().front();
  EXPECT_EQ(first.place.label, "/configs/test.json:" + place) << loaded.text();
  EXPECT_NE(first.text.find(broken.error), std::string::npos) << loaded.text();
}

INSTANTIATE_TEST_SUITE_P(Table, BrokenConfig, testing::ValuesIn(kBroken),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(BrokenConfigs, all_errors_of_a_file_come_in_one_run_in_their_order) {
  const Loaded loaded(R"({
  "nme": "x",
  "topics": { "t": { "x": 1 } },
  "queues": { "q": { "capacity": 0, "subscriptions": [ { "topic": "u" } ] } },
  "sources": { "s": { "type": "test_source", "publish_to": "nowhere" } },
  "services": { "w": { "queue": "r", "stages": [ { "type": "test_shape", "widht": 5 } ] } }
})");

  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
    lines.push_back(diagnostic.place.label.substr(std::string("/configs/test.json:").size()));
  }
  // The stage has an unknown option, which is told to be missing as well.
  const std::vector<std::string> expected{"2:3", "3:22", "4:34", "4:67", "5:60", "6:33", "6:74"};
  EXPECT_EQ(lines, expected) << loaded.text();
  EXPECT_EQ(loaded.result.error().code, Errc::config);
}

TEST(BrokenConfigs, what_only_follows_from_an_error_is_not_warned_of) {
  for (const char* text :
       {SUBSCRIPTION(R"("filter_policy": 5, "filter_policy_scope": "MessageBody")"),
        SCALED(R"({"policy": "target_tracking", "max_capacity": 5, "target_value": 600, "metric": 5})"),
        SCALED(R"({"policy": "target_tracking", "max_capacity": 5, "target_value": 600, "metric": {"type": "visibel"}})"),
        SCALED(R"({"policy": "target_tracking", "max_capacity": 5, "target_value": 600,
                   "metric": {"type": "backlog_per_worker", "maximum": 0}})"),
        SCALED(R"({"policy": "target_tracking", "max_capacity": 5, "target_value": -1,
                   "metric": {"type": "backlog_per_worker", "maximum": 1}})")}) {
    const Loaded loaded(text);
    EXPECT_EQ(loaded.diagnostics.errors(), 1U) << loaded.text();
    EXPECT_EQ(loaded.diagnostics.warnings(), 0U) << loaded.text();
  }
}

TEST(BrokenConfigs, a_maximum_that_two_keys_need_is_missed_once) {
  const Loaded loaded(SCALED(R"({"policy": "target_tracking", "min_capacity": 0})"));

  ASSERT_EQ(loaded.diagnostics.errors(), 2U) << loaded.text();
  EXPECT_NE(loaded.text().find("\"max_capacity\", which a \"policy\" needs"), std::string::npos)
      << loaded.text();
  EXPECT_NE(loaded.text().find("must be 1 or more with a \"policy\""), std::string::npos)
      << loaded.text();
}

TEST(BrokenConfigs, what_does_not_follow_is_told_beside_a_fault_of_the_same_object) {
  const Loaded loaded(STARTED_WITH(
      R"({"min_capacity": 3, "max_capacity": 2, "desired_capacity": 1001})"));

  ASSERT_EQ(loaded.diagnostics.errors(), 3U) << loaded.text();
  for (const char* fault : {"found 1001", "\"max_capacity\" 2 is below \"min_capacity\" 3",
                            "service \"s\" has workers all the time"})
    EXPECT_NE(loaded.text().find(fault), std::string::npos) << fault << "\n" << loaded.text();
}

TEST(BrokenConfigs, a_config_error_wins_over_a_missing_plugin) {
  const Loaded both(
      R"({"queues": {"q": {"x": 1}}, "services": {"s": {"queue": "q", "stages": [{"type": "image_resize"}]}}})");

  ASSERT_EQ(both.diagnostics.errors(), 2U) << both.text();
  EXPECT_EQ(both.result.error().code, Errc::config);
}

TEST(BrokenConfigs, a_missing_file_is_missing_input) {
  Registry registry({test_plugin_folder()});
  Diagnostics diagnostics;
  const auto result = load_pipeline("/nowhere/at/all.json", {}, registry, diagnostics);

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::missing_input);
  EXPECT_NE(result.error().message.find("/nowhere/at/all.json"), std::string::npos);
}

TEST(BrokenConfigs, a_folder_is_missing_input) {
  Registry registry({test_plugin_folder()});
  Diagnostics diagnostics;
  EXPECT_EQ(load_pipeline("/", {}, registry, diagnostics).error().code, Errc::missing_input);
}

TEST(BrokenConfigs, a_hostile_number_of_faults_is_counted_and_cut) {
  std::string text = "{";
  for (int i = 0; i < 20'000; ++i)
    text += "\"unknown" + std::to_string(i) + "\": 1, ";
  const Loaded loaded(text + "\"name\": \"x\"}");

  EXPECT_EQ(loaded.diagnostics.errors(), 20'000U);
  EXPECT_EQ(loaded.diagnostics.all().size(), Diagnostics::kKeptMax);
  EXPECT_NE(loaded.text().find("and 19000 more"), std::string::npos);
}

TEST(BrokenConfigs, too_many_queues_are_refused) {
  std::string text = "{\"queues\": {\"q\": {}";
  for (int i = 0; i < 5000; ++i)
    text += ", \"q" + std::to_string(i) + "\": {}";
  const Loaded loaded(text + "}}");

  ASSERT_EQ(loaded.diagnostics.errors(), 1U);
  EXPECT_NE(loaded.text().find("more than 4096 queues"), std::string::npos);
}

}  // namespace
}  // namespace sluice::core
