// What a configuration without a fault becomes.
#include <gtest/gtest.h>

#include "config_fixture.hpp"
#include "plugin/host.hpp"

namespace sluice::core {
namespace {

/// The texts of all warnings, one per line.
std::string warnings(const Loaded& loaded) {
  std::string text;
  for (const Diagnostic& diagnostic : loaded.diagnostics.all())
    text += diagnostic.text + "\n";
  return text;
}

TEST(GoodConfig, names_become_indices_and_defaults_are_filled_in) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  const PipelineDescription& pipeline = loaded.pipeline();
  EXPECT_EQ(pipeline.name, "good");
  EXPECT_EQ(pipeline.state, "/configs/.sluice/good");
  EXPECT_EQ(pipeline.drain_timeout_ms, 30'000);
  EXPECT_EQ(pipeline.sources[0].publish_to.kind, Target::Kind::topic);
  EXPECT_EQ(pipeline.topics[0].queues, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(pipeline.queues[0].capacity, 100'000);
  EXPECT_EQ(pipeline.queues[0].capacity_bytes, std::int64_t{256} << 20);
  EXPECT_EQ(pipeline.queues[0].visibility_timeout_ms, 30'000);
  EXPECT_EQ(pipeline.services[0].ack_deadline_ms, 12 * 3'600'000) << "as long as SQS keeps a message in flight";
  EXPECT_EQ(pipeline.services[1].queue, 1U);
  EXPECT_EQ(pipeline.services[0].batch_size, 10U);
  EXPECT_EQ(pipeline.services[0].max_body_bytes, std::int64_t{64} << 20);
  EXPECT_EQ(pipeline.services[0].scaling.desired_capacity, 1U);
  EXPECT_EQ(warnings(loaded), "");
}

TEST(GoodConfig, a_table_has_its_plugins_options) {
  const Loaded loaded(kGoodConfig, {R"(/tables={"users": {"type": "test_table", "items": 7}, "more": {"type": "test_table"}})",
                                    R"(/services/small/stages/1={"type": "test_store", "table": "users"})"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const auto& tables = loaded.pipeline().tables;
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].name, "users");
  EXPECT_EQ(tables[0].options->values.at("items").integer, 7);
  EXPECT_EQ(tables[1].options->values.at("items").integer, 3);
  EXPECT_EQ(loaded.pipeline().services[0].stages[1]->values.at("table").text, "users");
}

TEST(GoodConfig, a_queue_is_fifo_where_it_says_so) {
  const Loaded loaded(kGoodConfig, {"/queues/large/fifo=true", "/queues/large/content_based_deduplication=true",
                                    "/queues/large/deduplication_capacity=5000"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const auto& queues = loaded.pipeline().queues;
  EXPECT_FALSE(queues[0].fifo);
  EXPECT_FALSE(queues[0].content_based_deduplication);
  EXPECT_EQ(queues[0].deduplication_capacity, 10'000'000);
  EXPECT_TRUE(queues[1].fifo);
  EXPECT_TRUE(queues[1].content_based_deduplication);
  EXPECT_EQ(queues[1].deduplication_capacity, 5000);
}

TEST(GoodConfig, a_dead_letter_queue_of_the_same_type_is_not_warned_of_nor_is_one_that_is_made) {
  const Loaded same(kGoodConfig, {"/queues/large/fifo=true", "/queues/broken/fifo=true"});
  const Loaded made(kGoodConfig, {"/queues/small/fifo=true"});
  ASSERT_TRUE(same.result && made.result) << same.text() << made.text();
  EXPECT_EQ(warnings(same) + warnings(made), "");
}

TEST(GoodConfig, another_type_of_the_dead_letter_queue_is_warned_of_where_it_is_named) {
  const Loaded loaded(kGoodConfig, {"/queues/broken/fifo=true"});
  ASSERT_EQ(loaded.diagnostics.all().size(), 1U) << loaded.text();
  EXPECT_NE(loaded.text().find("/configs/test.json:8:"), std::string::npos) << loaded.text();
}

TEST(GoodConfig, a_queue_with_a_service_has_an_implied_dead_letter_queue) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  const auto& queues = loaded.pipeline().queues;
  ASSERT_EQ(queues.size(), 4U);
  EXPECT_EQ(queues[3].name, "small-dead");
  EXPECT_TRUE(queues[3].implied);
  EXPECT_EQ(queues[0].redrive_policy->max_receive_count, 10U);
  EXPECT_EQ(queues[0].redrive_policy->dead_letter_queue, 3U);
  EXPECT_EQ(queues[1].redrive_policy->max_receive_count, 3U);
  EXPECT_EQ(queues[1].redrive_policy->dead_letter_queue, 2U);
  EXPECT_FALSE(queues[2].redrive_policy);
}

TEST(GoodConfig, filter_policies_are_compiled_for_their_topic) {
  const Loaded loaded(kGoodConfig, {"/queues/large/subscriptions/0/filter_policy={\"event\": [\"signup\"]}",
                                    "/queues/large/subscriptions/0/filter_policy_scope=MessageBody"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const TopicDescription& topic = loaded.pipeline().topics[0];
  EXPECT_EQ(topic.policies, (std::vector<std::string>{"", R"({"event":["signup"]})"}));
  ASSERT_NE(topic.filter, nullptr);
  EXPECT_FALSE(topic.filter->has_policy(0));
  EXPECT_TRUE(topic.filter->has_policy(1));
  EXPECT_EQ(Loaded(kGoodConfig).pipeline().topics[0].filter, nullptr);
}

TEST(GoodConfig, a_topic_may_take_the_operators_and_sizes_that_sns_refuses) {
  const std::string wide = R"(/queues/large/subscriptions/0/filter_policy={"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]})";
  EXPECT_FALSE(Loaded(kGoodConfig, {wide}).result);
  EXPECT_TRUE(Loaded(kGoodConfig, {wide, "/topics/new/filter_profile=extended"}).result);
}

TEST(GoodConfig, a_declared_queue_of_that_name_is_the_dead_letter_queue) {
  const Loaded loaded(kGoodConfig, {"/queues/small-dead={\"capacity\": 7}"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const auto& queues = loaded.pipeline().queues;
  ASSERT_EQ(queues.size(), 4U);
  EXPECT_FALSE(queues[3].implied);
  EXPECT_EQ(queues[queues[0].redrive_policy->dead_letter_queue].capacity, 7);
}

TEST(GoodConfig, null_turns_the_dead_letter_queue_off) {
  const Loaded loaded(kGoodConfig, {"/queues/small/redrive_policy=null"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_FALSE(loaded.pipeline().queues[0].redrive_policy);
  EXPECT_EQ(loaded.pipeline().queues.size(), 3U);
}

TEST(GoodConfig, a_redrive_policy_may_leave_its_queue_to_the_rule) {
  const Loaded loaded(kGoodConfig, {"/queues/small/redrive_policy={\"max_receive_count\": 3}"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const auto& queues = loaded.pipeline().queues;
  EXPECT_EQ(queues[0].redrive_policy->max_receive_count, 3U);
  EXPECT_EQ(queues[queues[0].redrive_policy->dead_letter_queue].name, "small-dead");
}

TEST(GoodConfig, an_implied_name_that_is_too_long_is_an_error) {
  const std::string name(78, 'q');
  const Loaded loaded(kGoodConfig, {"/queues/" + name + "={}", "/services/small/queue=" + name});
  EXPECT_NE(loaded.text().find("more than 80 characters"), std::string::npos) << loaded.text();
}

TEST(GoodConfig, access_points_have_their_prefix_and_actions) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  const AccessPointDescription& point = loaded.pipeline().buckets[0].access_points[0];
  EXPECT_EQ(point.name, "design");
  EXPECT_EQ(point.prefix, "icons/");
  EXPECT_EQ(point.allow, unsigned{sluice_bucket_ref::get} | unsigned{sluice_bucket_ref::list});
}

TEST(GoodConfig, paths_are_relative_to_the_file) {
  const Loaded loaded(kGoodConfig);
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().buckets[0].options->values.at("path").text, "/configs/graphics");
}

TEST(GoodConfig, without_a_name_the_file_gives_it) {
  const Loaded loaded("{}");
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_EQ(loaded.pipeline().name, "test");
}

TEST(GoodConfig, a_state_folder_beside_the_watched_prefix_is_fine) {
  const Loaded loaded(kGoodConfig, {"/state=graphics/.state"});
  EXPECT_TRUE(loaded.result) << loaded.text();
}

TEST(GoodConfig, workers_default_to_the_least_and_the_most_to_the_desired) {
  const Loaded least(kGoodConfig,
                     {"/services/small/scaling={\"min_capacity\": 2, \"max_capacity\": 5}"});
  const Loaded desired(kGoodConfig, {"/services/small/scaling={\"desired_capacity\": 4}"});
  ASSERT_TRUE(least.result && desired.result) << least.text() << desired.text();
  EXPECT_EQ(least.pipeline().services[0].scaling.desired_capacity, 2U);
  EXPECT_EQ(least.pipeline().services[0].scaling.max_capacity, 5U);
  EXPECT_EQ(desired.pipeline().services[0].scaling.desired_capacity, 4U);
  EXPECT_EQ(desired.pipeline().services[0].scaling.max_capacity, 4U);
}

/// A service that is started, what watches its queue, and who hears of it.
const std::string kDrain = R"({"topics": {"alarms": {}}, "buckets": {"b": {"type": "test_bucket"}},
  "queues": {"work": {}, "notes": {"subscriptions": [{"topic": "alarms"}]}},
  "sources": {"s": {"type": "test_source", "publish_to": "work"}},
  "services": {"drain": {"queue": "work", "scaling": {"min_capacity": 0, "max_capacity": 4, "stop_when_empty": true},
                         "stages": [{"type": "test_sink", "bucket": "b"}]}},
  "alarms": {"full": {"queue": "work", "metric_name": "ApproximateNumberOfMessagesVisible",
    "comparison_operator": "GreaterThanThreshold", "threshold": 100}}})";

TEST(GoodConfig, what_an_alarm_leaves_out_has_cloudwatchs_default) {
  const Loaded loaded(kDrain);
  ASSERT_TRUE(loaded.result) << loaded.text();
  const AlarmDescription& alarm = loaded.pipeline().alarms.at(0);
  EXPECT_EQ(alarm.name, "full");
  EXPECT_EQ(alarm.queue, 0U);
  EXPECT_EQ(alarm.metric, AlarmMetric::visible);
  EXPECT_EQ(alarm.rule.statistic, AlarmStatistic::sum);
  EXPECT_EQ(alarm.rule.comparison, AlarmComparison::greater);
  EXPECT_EQ(alarm.rule.threshold, 100);
  EXPECT_EQ(alarm.rule.period_ms, 60'000);
  EXPECT_EQ(alarm.rule.evaluation_periods, 1U);
  EXPECT_EQ(alarm.rule.datapoints_to_alarm, 1U);
  EXPECT_EQ(alarm.rule.missing_data, MissingData::missing);
  EXPECT_FALSE(alarm.restart_while_in_alarm);
  const ScalingPolicy& scaling = loaded.pipeline().services.at(0).scaling;
  EXPECT_TRUE(scaling.is_started());
  EXPECT_TRUE(scaling.stop_when_empty);
  EXPECT_EQ(scaling.desired_capacity, 0U);
  EXPECT_EQ(scaling.most_workers(), 4U);
}

TEST(GoodConfig, every_key_of_an_alarm_has_its_meaning) {
  const Loaded loaded(kDrain, {R"(/alarms/full={"description": "too much", "queue": "notes",
    "metric_name": "NumberOfMessagesReceived", "statistic": "Maximum", "period": "1s", "threshold": 2.5,
    "comparison_operator": "LessThanOrEqualToThreshold", "evaluation_periods": 5,
    "datapoints_to_alarm": 3, "treat_missing_data": "notBreaching", "restart_while_in_alarm": true,
    "on_alarm": [{"publish_to": "alarms"}, {"start": "drain", "count": 4}],
    "on_ok": [{"publish_to": "notes"}], "on_insufficient_data": [{"start": "drain"}]})"});
  ASSERT_TRUE(loaded.result) << loaded.text();
  const AlarmDescription& alarm = loaded.pipeline().alarms.at(0);
  EXPECT_EQ(alarm.description, "too much");
  EXPECT_EQ(alarm.queue, 1U);
  EXPECT_EQ(alarm.metric, AlarmMetric::received);
  EXPECT_EQ(alarm.rule.statistic, AlarmStatistic::maximum);
  EXPECT_EQ(alarm.rule.comparison, AlarmComparison::less_or_equal);
  EXPECT_EQ(alarm.rule.threshold, 2.5);
  EXPECT_EQ(alarm.rule.period_ms, 1000);
  EXPECT_EQ(alarm.rule.evaluation_periods, 5U);
  EXPECT_EQ(alarm.rule.datapoints_to_alarm, 3U);
  EXPECT_EQ(alarm.rule.missing_data, MissingData::not_breaching);
  EXPECT_TRUE(alarm.restart_while_in_alarm);
  const auto& [ok, on_alarm, insufficient] = alarm.actions;
  ASSERT_EQ(on_alarm.size(), 2U);
  EXPECT_EQ(on_alarm[0].publish_to->kind, Target::Kind::topic);
  EXPECT_TRUE(on_alarm[1].starts());
  EXPECT_EQ(on_alarm[1].service, 0U);
  EXPECT_EQ(on_alarm[1].count, 4U);
  ASSERT_EQ(ok.size(), 1U);
  EXPECT_EQ(ok[0].publish_to->kind, Target::Kind::queue);
  EXPECT_EQ(ok[0].publish_to->index, 1U);
  ASSERT_EQ(insufficient.size(), 1U);
  EXPECT_EQ(insufficient[0].count, 1U) << "the default";
}

TEST(GoodConfig, an_alarm_may_look_at_a_day) {
  for (const auto& [period, periods] : {std::pair{"1m", "1440"}, {"1h", "24"}, {"1d", "1"}}) {
    const Loaded loaded(kDrain, {std::string("/alarms/full/period=\"") + period + "\"",
                                 std::string("/alarms/full/evaluation_periods=") + periods});
    EXPECT_TRUE(loaded.result) << loaded.text();
  }
}

TEST(GoodConfig, a_retry_through_the_dead_letter_queue_is_no_cycle) {
  // A move to a dead-letter queue never waits, so the way back cannot stand still.
  const Loaded loaded(
      R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": "again"}}, "again": {"redrive_policy": null}}, "topics": {"t": {}},
    "services": {"work": {"queue": "q", "publish_to": "t", "stages": [{"type": "test_upper"}]},
                 "back": {"queue": "again", "publish_to": "q", "stages": [{"type": "test_upper"}]}}})");
  EXPECT_TRUE(loaded.result) << loaded.text();
}

struct Odd {
  const char* name;
  const char* text;
  const char* warning;
};

class OddConfig : public testing::TestWithParam<Odd> {};

TEST_P(OddConfig, loads_with_a_warning) {
  const Loaded loaded(GetParam().text);
  ASSERT_TRUE(loaded.result) << loaded.text();
  EXPECT_NE(warnings(loaded).find(GetParam().warning), std::string::npos) << loaded.text();
}

INSTANTIATE_TEST_SUITE_P(
    Table, OddConfig,
    testing::Values(
        Odd{"a_pipeline_without_sources", "{}", "there is no source"},
        Odd{"a_queue_without_use", R"({"queues": {"q": {}}})", "queue \"q\" has no use"},
        Odd{"a_topic_without_subscriptions",
            R"({"topics": {"t": {}}, "sources": {"s": {"type": "test_source", "publish_to": "t"}}})",
            "topic \"t\" has no subscriptions"},
        Odd{"a_topic_that_nobody_publishes_to",
            R"({"topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t"}]}}})",
            "nothing publishes to topic \"t\""},
        Odd{"a_target_that_nobody_reads",
            R"({"queues": {"q": {}}, "sources": {"s": {"type": "test_source", "publish_to": "q"}}})",
            "queue \"q\" has no service"},
        Odd{"a_service_that_gets_nothing",
            R"({"buckets": {"b": {"type": "test_bucket"}}, "queues": {"q": {}}, "services": {"s": {"queue": "q", "stages": [{"type": "test_sink", "bucket": "b"}]}}})",
            "queue \"q\" gets no messages"},
        Odd{"an_alarm_above_what_its_queue_holds",
            R"({"queues": {"q": {"capacity": 100}}, "alarms": {"a": {"queue": "q", "metric_name": "ApproximateNumberOfMessagesVisible", "comparison_operator": "GreaterThanThreshold", "threshold": 100}}})",
            "alarm \"a\" may never be in ALARM: queue \"q\" holds 100 messages"},
        Odd{"an_alarm_below_nothing",
            R"({"queues": {"q": {}}, "alarms": {"a": {"queue": "q", "metric_name": "ApproximateNumberOfMessagesVisible", "comparison_operator": "LessThanThreshold", "threshold": 0}}})",
            "alarm \"a\" is never in ALARM: its \"threshold\" is 0"},
        Odd{"an_alarm_at_nothing_and_more",
            R"({"queues": {"q": {}}, "alarms": {"a": {"queue": "q", "metric_name": "NumberOfMessagesSent", "comparison_operator": "GreaterThanOrEqualToThreshold", "threshold": 0}}})",
            "alarm \"a\" is always in ALARM: its \"threshold\" is 0"},
        Odd{"a_service_that_nothing_starts",
            R"({"queues": {"q": {}}, "topics": {"t": {}}, "services": {"s": {"queue": "q", "publish_to": "t", "scaling": {"min_capacity": 0, "max_capacity": 4}, "stages": [{"type": "test_upper"}]}}})",
            "service \"s\" has no worker until `sluice service start` is given"},
        Odd{"a_visibility_timeout_of_nothing",
            R"({"queues": {"q": {"visibility_timeout": "0s"}}, "topics": {"t": {}}, "services": {"s": {"queue": "q", "publish_to": "t", "stages": [{"type": "test_upper"}]}}})",
            "queue \"q\": with a \"visibility_timeout\" of 0s"},
        Odd{"a_visibility_timeout_above_the_retention",
            R"({"queues": {"q": {"visibility_timeout": "1m", "retention": "1m"}}, "topics": {"t": {}}, "services": {"s": {"queue": "q", "publish_to": "t", "stages": [{"type": "test_upper"}]}}})",
            "queue \"q\": with a \"visibility_timeout\" of 1m a message that fails is never received again"},
        Odd{"a_dead_letter_queue_that_keeps_its_letters_for_less_than_messages_are_kept",
            R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": "dead"}}, "dead": {"retention": "1d"}}})",
            "queue \"q\" keeps messages 4d, and its dead-letter queue \"dead\" only 1d from when they were sent"},
        Odd{"a_dead_letter_queue_that_keeps_its_letters_for_less_than_for_ever",
            R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": "dead"}}, "dead": {"redrive_policy": {"dead_letter_queue": "last"}}, "last": {"retention": "14d"}}})",
            "queue \"dead\" keeps messages for ever, and its dead-letter queue \"last\" only 14d"},
        Odd{"a_fifo_queue_whose_dead_letter_queue_is_none",
            R"({"queues": {"q": {"fifo": true, "redrive_policy": {"dead_letter_queue": "dead"}}, "dead": {}}})",
            "queue \"q\" is a FIFO queue and its dead-letter queue \"dead\" is none, which SQS refuses"},
        Odd{"a_fifo_queue_whose_declared_namesake_is_none",
            R"({"queues": {"q": {"fifo": true}, "q-dead": {}}, "topics": {"t": {}}, "services": {"s": {"queue": "q", "publish_to": "t", "stages": [{"type": "test_upper"}]}}})",
            "queue \"q\" is a FIFO queue and its dead-letter queue \"q-dead\" is none"},
        Odd{"a_queue_whose_dead_letter_queue_is_fifo",
            R"({"queues": {"q": {"redrive_policy": {"dead_letter_queue": "dead"}}, "dead": {"fifo": true}}})",
            "queue \"q\" is no FIFO queue and its dead-letter queue \"dead\" is one, which SQS refuses"},
        Odd{"an_admin_address_that_others_reach", R"({"admin": {"listen": "0.0.0.0:9640"}})", "it asks for no password"},
        Odd{"a_scope_without_a_policy",
            R"({"topics": {"t": {}}, "queues": {"q": {"subscriptions": [{"topic": "t", "filter_policy_scope": "MessageBody"}]}}})",
            "a \"filter_policy_scope\" without a \"filter_policy\" does nothing"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace sluice::core
