// Alarms at work: what they start and publish, and when; and workers that are started, and leave an empty queue
// (S2.1 to S2.6 of the seed system "drain on alarm").
#include "pipeline/alarms.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine_fixture.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::AlarmState;
using core::Worker;

constexpr std::uint32_t kMost = 6;
constexpr std::int64_t kPeriodMs = 60'000;

/// The queue "work" and its service "drain", of whose workers none runs; the queue "notes", which gets notifications.
struct Drain {
  explicit Drain(core::QueueOptions notes_options = {.name = "notes"})
      : ready(1, [](std::uint32_t) {}),
        work(line.queue({.name = "work"})),
        notes(line.queue(std::move(notes_options))),
        publisher(line.publisher({&work})),
        hand(line.hand(work, 10)),
        reader(line.hand(notes, 1)),
        notifier("queue 'notes'", {&notes}, line.timers, line.letters) {
    work.set_service(&ready, 0);
    core::WorkerOptions options;
    options.service = "drain";
    options.batch_size = 1;
    options.workers = kMost;
    options.max_body_bytes = 1000;
    options.stopping = options.aborting = &stopping;
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint32_t i = 0; i < kMost; ++i) {
      workers.push_back(std::make_unique<Worker>(work, line.timers, line.letters, options));
    }
    service = std::make_unique<core::Service>(
        core::ServiceOptions{.name = "drain", .index = 0, .own_threads = false, .stopping = &stopping, .failed = {},
                             .open_worker = [this](Worker& worker) { return open(worker); }},
        work, line.timers, ready, std::move(workers));
    EXPECT_TRUE(line.open());
    publisher.wire_ready();
    notifier.publisher().wire_ready();
    policy.min_capacity = policy.desired_capacity = 0;
    policy.max_capacity = kMost;
    policy.stop_when_empty = true;
    starter.add(*service, policy);
    pipeline.queues.resize(2);
    pipeline.queues[0].name = "work";
    pipeline.queues[1].name = "notes";
    pipeline.services.emplace_back().name = "drain";
    alarm.name = "full";
    alarm.rule.threshold = 100;
    alarm.actions[static_cast<std::size_t>(AlarmState::alarm)] = {{.publish_to = core::Target{core::Target::Kind::queue, 1}},
                                                                 {.service = 0, .count = 4}};
  }
  ~Drain() {
    (void)service->run_workers(0);
    service->retire_workers();
    publisher.close();
    notifier.close();
    hand.consumer.idle();
    reader.consumer.idle();
  }
  core::Result<void> open(Worker& worker) {
    if (fails) {
      return core::fail(core::Errc::unavailable, "no such library");
    }
    std::vector<core::Instance> stages;
    stages.push_back(stage->instance("drain"));
    worker.open(std::move(stages));
    return {};
  }
  /// The alarm is complete.
  void watch() {
    core::Alarms::Actions actions;
    for (std::size_t state = 0; state < core::kAlarmStates; ++state) {
      for (const core::AlarmAction& action : alarm.actions[state]) {
        actions[state].push_back(action.starts() ? core::Alarms::Action{nullptr, service.get(), action.count} : core::Alarms::Action{&notifier});
      }
    }
    alarms.add(pipeline, alarm, work, std::move(actions));
    alarms.step();
  }
  void send(int messages) {
    for (int i = 0; i < messages; ++i) {
      publisher.append({.body = bytes_of("body"), .cookie = ++sent}, core::Admission::overdraw);
      publisher.flush(true);
    }
  }
  /// So much time, in which the control thread does what is due.
  void pass(std::int64_t ms) {
    for (std::int64_t step = 0; step < ms; step += 1000) {
      line.advance(std::min<std::int64_t>(1000, ms - step));
      alarms.step();
      starter.step();
    }
  }
  void period() { pass(kPeriodMs); }
  std::uint32_t workers() const { return service->wanted(); }
  AlarmState state() const { return alarms.facts().at(0).state; }
  /// The next notification; empty if there is none.
  std::string note() {
    const std::vector<std::string> bodies = reader.receive();
    reader.settle();
    reader.consumer.idle();
    return bodies.empty() ? "" : bodies[0];
  }

  core::Atomic<bool> stopping{false};
  std::unique_ptr<Script> stage = Script::stage("work", 0, [](const sluice_batch&, sluice_out*) { return int32_t{SLUICE_OK}; });
  Line line;
  core::ReadySet ready;
  core::Queue& work;
  core::Queue& notes;
  core::Publisher& publisher;
  Hand& hand;
  Hand& reader;
  core::Notifier notifier;
  std::unique_ptr<core::Service> service;
  core::ScalingPolicy policy;
  core::PipelineDescription pipeline;
  core::AlarmDescription alarm;
  core::Starter starter{line.clock};
  core::Alarms alarms{line.timers, starter};
  bool fails = false;
  std::uint64_t sent = 0;
};

TEST(Alarms, a_hundred_messages_start_nobody_and_one_more_the_configured_number_at_the_next_evaluation) {  // S2.1
  Drain drain;
  drain.watch();
  drain.send(100);
  for (int period = 0; period < 3; ++period) {
    drain.period();
    EXPECT_EQ(drain.workers(), 0u);
    EXPECT_EQ(drain.state(), AlarmState::ok);
  }
  drain.send(1);
  drain.pass(kPeriodMs - 1000);
  EXPECT_EQ(drain.workers(), 0u) << "the period is not over";
  drain.pass(1000);
  EXPECT_EQ(drain.workers(), 4u);
  EXPECT_EQ(drain.state(), AlarmState::alarm);
  drain.hand.drain();
}

TEST(Alarms, act_on_the_transition_only_and_again_after_they_were_ok) {  // S2.3
  Drain drain;
  drain.watch();
  drain.send(101);
  drain.period();
  EXPECT_EQ(drain.workers(), 4u);
  drain.send(500);
  drain.period();
  drain.period();
  EXPECT_EQ(drain.workers(), 4u) << "it stays in ALARM";
  drain.hand.drain();
  drain.pass(1000);
  EXPECT_EQ(drain.workers(), 0u) << "the queue is empty";
  drain.period();
  EXPECT_EQ(drain.state(), AlarmState::ok);
  drain.send(200);
  drain.period();
  EXPECT_EQ(drain.workers(), 4u);
  EXPECT_EQ(drain.service->most_wanted(), 4u);
  drain.hand.drain();
}

TEST(Alarms, start_beside_those_that_run_as_many_as_the_maximum_allows) {
  Drain drain;
  drain.watch();
  ASSERT_TRUE(drain.starter.start(*drain.service, 3, "by hand"));
  drain.send(101);
  drain.period();
  EXPECT_EQ(drain.workers(), kMost) << "3 and 4 are more than its max_capacity";
  drain.hand.drain();
}

TEST(Alarms, what_is_left_when_all_workers_are_gone_stays_is_told_once_and_can_be_started_by_hand) {  // S2.4
  const LogLines log;
  Drain drain;
  drain.watch();
  drain.send(300);
  drain.period();
  ASSERT_TRUE(drain.starter.stop(*drain.service, 1, "by hand"));
  drain.period();
  EXPECT_EQ(drain.workers(), 3u) << "the others go on";
  EXPECT_EQ(log.with("no worker of service").size(), 0u);
  ASSERT_TRUE(drain.starter.stop(*drain.service, 5, "by hand"));
  for (int period = 0; period < 3; ++period) {
    drain.period();
  }
  EXPECT_EQ(drain.workers(), 0u);
  EXPECT_EQ(drain.work.counters().visible, 300u);
  EXPECT_EQ(log.with("stays in ALARM, and no worker of service 'drain' is left: 300 messages").size(), 1u);
  const auto change = drain.starter.start(*drain.service, 2, "by hand");
  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, 0u);
  EXPECT_EQ(change->now, 2u);
  EXPECT_EQ(drain.workers(), 2u);
  drain.hand.drain();
}

TEST(Alarms, start_again_while_they_stay_in_alarm_where_that_is_asked_for) {  // S2.4, "re-arm while above"
  Drain drain;
  drain.alarm.restart_while_in_alarm = true;
  drain.watch();
  drain.send(300);
  drain.period();
  ASSERT_TRUE(drain.starter.stop(*drain.service, 3, "by hand"));
  drain.period();
  EXPECT_EQ(drain.workers(), 1u) << "somebody works";
  ASSERT_TRUE(drain.starter.stop(*drain.service, 1, "by hand"));
  drain.pass(kPeriodMs - 1000);
  EXPECT_EQ(drain.workers(), 0u);
  drain.pass(1000);
  EXPECT_EQ(drain.workers(), 4u);
  EXPECT_FALSE(drain.note().empty());
  EXPECT_EQ(drain.note(), "") << "only the transition is published";
  drain.hand.drain();
}

TEST(Alarms, are_without_data_then_ok_then_in_alarm_each_with_its_reason) {  // S2.6
  const LogLines log;
  Drain drain;
  drain.watch();
  core::AlarmFacts facts = drain.alarms.facts().at(0);
  EXPECT_EQ(facts.name, "full");
  EXPECT_EQ(facts.queue, "work");
  EXPECT_EQ(facts.metric_name, "ApproximateNumberOfMessagesVisible");
  EXPECT_EQ(facts.state, AlarmState::insufficient_data);
  EXPECT_EQ(facts.reason, "Unchecked: Initial alarm creation");
  EXPECT_FALSE(facts.value);
  drain.period();
  facts = drain.alarms.facts().at(0);
  EXPECT_EQ(facts.state, AlarmState::ok);
  EXPECT_EQ(facts.since_ms, drain.line.clock.wall_ms());
  EXPECT_EQ(facts.reason, "Threshold Crossed: 1 datapoint [0.0 (01/01/26 00:00:00)] was not greater than the threshold (100.0).");
  drain.send(1100);
  drain.period();
  facts = drain.alarms.facts().at(0);
  EXPECT_EQ(facts.state, AlarmState::alarm);
  EXPECT_EQ(facts.value, 1100);
  EXPECT_EQ(log.with("info    full: OK -> ALARM: Threshold Crossed: 1 datapoint [1100.0 (01/01/26 00:01:00)] was greater than").size(), 1u);
  const std::int64_t since_ms = facts.since_ms;
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).since_ms, since_ms) << "of the transition";
  drain.hand.drain();
}

TEST(Alarms, publish_cloudwatchs_notification) {  // S2.6
  Drain drain;
  drain.alarm.description = "too much work";
  drain.watch();
  drain.period();
  EXPECT_EQ(drain.note(), "") << "no action on OK";
  drain.send(1100);
  drain.period();
  const nlohmann::json note = nlohmann::json::parse(drain.note());
  const nlohmann::json expected = {
      {"AlarmName", "full"},
      {"AlarmDescription", "too much work"},
      {"AWSAccountId", "000000000000"},
      {"AlarmConfigurationUpdatedTimestamp", "2026-01-01T00:00:00.000+0000"},
      {"NewStateValue", "ALARM"},
      {"NewStateReason", "Threshold Crossed: 1 datapoint [1100.0 (01/01/26 00:01:00)] was greater than the threshold (100.0)."},
      {"StateChangeTime", "2026-01-01T00:02:00.000+0000"},
      {"Region", "local"},
      {"AlarmArn", "arn:aws:cloudwatch:local:000000000000:alarm:full"},
      {"OldStateValue", "OK"},
      {"OKActions", nlohmann::json::array()},
      {"AlarmActions", {"arn:aws:sqs:local:000000000000:notes", "arn:aws:ecs:local:000000000000:service/drain"}},
      {"InsufficientDataActions", nlohmann::json::array()},
      {"Trigger",
       {{"MetricName", "ApproximateNumberOfMessagesVisible"},
        {"Namespace", "AWS/SQS"},
        {"StatisticType", "Statistic"},
        {"Statistic", "SUM"},
        {"Unit", nullptr},
        {"Dimensions", nlohmann::json::array({nlohmann::json{{"value", "work"}, {"name", "QueueName"}}})},
        {"Period", 60},
        {"EvaluationPeriods", 1},
        {"DatapointsToAlarm", 1},
        {"ComparisonOperator", "GreaterThanThreshold"},
        {"Threshold", 100.0},
        {"TreatMissingData", "missing"},
        {"EvaluateLowSampleCountPercentile", ""}}}};
  EXPECT_EQ(note, expected);
  EXPECT_EQ(drain.notifier.unsettled(), 0u);
  drain.hand.drain();
}

TEST(Alarms, keep_a_notification_until_there_is_room_for_it) {
  const LogLines log;
  Drain drain({.name = "notes", .capacity = 1});
  drain.alarm.actions[static_cast<std::size_t>(AlarmState::ok)] = {{.publish_to = core::Target{core::Target::Kind::queue, 1}}};
  drain.watch();
  int transitions = 0;
  for (; transitions < 200; ++transitions) {  // credit admits a chunk
    drain.period();
    if (transitions % 2 == 0) {
      drain.send(101);
    } else {
      drain.hand.drain();
    }
  }
  EXPECT_GE(log.with("full: its notification waits until queue 'notes' has room").size(), 1u);
  std::string before = "ALARM";
  int notes = 0;
  for (int look = 0; look < 300; ++look) {
    const std::string text = drain.note();
    if (!text.empty()) {
      const std::string state = nlohmann::json::parse(text)["NewStateValue"];
      EXPECT_NE(state, before) << "each once, in order";
      before = state;
      ++notes;
    }
    drain.alarms.step();
  }
  EXPECT_EQ(notes, transitions);
  EXPECT_EQ(drain.notifier.unsettled(), 0u);
  drain.hand.drain();
}

TEST(Alarms, of_a_counter_see_what_a_period_added) {
  Drain drain;
  drain.alarm.metric = core::AlarmMetric::sent;
  drain.send(1000);
  drain.watch();
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).value, 0) << "what was before it is not its";
  drain.send(101);
  drain.period();
  EXPECT_EQ(drain.state(), AlarmState::alarm);
  drain.period();
  EXPECT_EQ(drain.state(), AlarmState::ok) << "1 101 were sent, none in this period";
  drain.hand.drain();
}

TEST(Alarms, of_the_oldest_messages_age_see_seconds) {
  Drain drain;
  drain.alarm.metric = core::AlarmMetric::age;
  drain.alarm.rule.comparison = core::AlarmComparison::greater_or_equal;
  drain.watch();
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).value, 0) << "the queue is empty";
  drain.send(1);
  drain.period();
  EXPECT_EQ(drain.state(), AlarmState::ok) << "a minute";
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).value, 120);
  EXPECT_EQ(drain.workers(), 4u);
  drain.hand.drain();
}

TEST(Alarms, of_the_oldest_messages_age_hold_through_a_jump_of_the_wall_clock) {
  Drain drain;
  drain.alarm.metric = core::AlarmMetric::age;
  drain.watch();
  drain.send(1);
  drain.line.clock.jump_wall_ms(3'600'000);
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).value, 60);
  EXPECT_EQ(drain.state(), AlarmState::ok);
  drain.line.clock.jump_wall_ms(-7'200'000);
  drain.period();
  EXPECT_EQ(drain.alarms.facts().at(0).value, 120);
  drain.hand.drain();
}

TEST(Alarms, sample_once_after_periods_that_they_slept_through) {
  Drain drain;
  drain.alarm.rule.evaluation_periods = drain.alarm.rule.datapoints_to_alarm = 3;
  drain.watch();
  drain.send(101);
  drain.period();
  drain.period();
  const std::int64_t begin_ns = drain.line.clock.steady_ns();
  drain.line.advance(3 * kPeriodMs + 5000);
  EXPECT_EQ(drain.alarms.step(), begin_ns + 4 * kPeriodMs * 1'000'000) << "at the end of the period that runs";
  EXPECT_EQ(drain.state(), AlarmState::alarm) << "XX--X: three are real, and breach";
  drain.hand.drain();
}

TEST(Started, workers_leave_once_nothing_is_visible_or_in_flight) {
  Drain drain;
  drain.send(1);
  EXPECT_EQ(drain.hand.drain(), 1u);
  ASSERT_TRUE(drain.starter.start(*drain.service, 2, "by hand"));
  EXPECT_EQ(drain.starter.step(), INT64_MAX) << "an empty queue is left at once";
  EXPECT_EQ(drain.workers(), 0u);
  drain.send(1);
  ASSERT_TRUE(drain.starter.start(*drain.service, 2, "by hand"));
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 2u) << "it is visible";
  drain.hand.receive();
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 2u) << "it is in flight";
  drain.hand.fail_first(core::Outcome::Status::retry, 5000);
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 2u) << "it failed, and comes again";
  drain.pass(6000);
  EXPECT_EQ(drain.hand.drain(), 1u);
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 0u);
}

TEST(Started, workers_do_not_wait_for_delayed_messages) {
  Drain drain;
  drain.publisher.append({.body = bytes_of("body"), .delay_ms = 900'000, .cookie = 1}, core::Admission::overdraw);
  drain.publisher.flush(true);
  ASSERT_EQ(drain.work.counters().delayed, 1u);
  ASSERT_TRUE(drain.starter.start(*drain.service, 2, "by hand"));
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 0u);
  drain.line.advance(900'000);
  EXPECT_EQ(drain.hand.drain(), 1u);
}

TEST(Started, workers_that_are_there_before_the_first_message_wait_for_it) {
  Drain drain;
  ASSERT_TRUE(drain.starter.start(*drain.service, 2, "by hand"));
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 2u) << "its queue was never used";
  drain.send(1);
  drain.hand.drain();
  drain.starter.step();
  EXPECT_EQ(drain.workers(), 0u);
}

TEST(Started, workers_stay_where_they_are_not_told_to_leave_an_empty_queue) {
  Drain drain;
  drain.policy.stop_when_empty = false;
  ASSERT_TRUE(drain.starter.start(*drain.service, 2, "by hand"));
  EXPECT_EQ(drain.starter.step(), INT64_MAX);
  EXPECT_EQ(drain.workers(), 2u);
}

TEST(Started, a_start_whose_stages_cannot_be_made_is_told) {
  const LogLines log;
  Drain drain;
  drain.watch();
  drain.fails = true;
  drain.send(101);
  drain.period();
  EXPECT_EQ(drain.workers(), 0u);
  EXPECT_EQ(log.with("drain: 0 of 4 workers started: no such library; alarm 'full' is in ALARM").size(), 1u);
  drain.hand.drain();
}

/// In the engine: the service "drain" is started, by an alarm on more than 100 visible messages.
class DrainPlan : public Plan {
 public:
  DrainPlan(std::uint64_t messages, Script& stage) : source_(counting_source(messages)) {
    const std::uint32_t work = queue("work");
    source(*source_, to(work));
    core::ScalingPolicy& scaling = service("drain", work, {&stage}).scaling;
    scaling.min_capacity = scaling.desired_capacity = 0;
    scaling.max_capacity = 4;
    scaling.stop_when_empty = true;
  }
  core::AlarmDescription& alarm() {
    core::AlarmDescription& made = pipeline().alarms.emplace_back();
    made.name = "full";
    made.rule.threshold = 100;
    made.rule.period_ms = 100;
    made.actions[static_cast<std::size_t>(AlarmState::alarm)] = {{.service = 0, .count = 4}};
    return made;
  }

 private:
  std::unique_ptr<Script> source_;
};

/// The queue is full before the alarm's threshold is reached: no worker ever starts.
TEST(UntilIdle, a_run_ends_whose_source_waits_for_room_that_nobody_makes) {
  const LogLines log;
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  DrainPlan plan(500, *stage);
  plan.pipeline().queues[0].capacity = 50;
  plan.alarm();
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 76);
  EXPECT_EQ(bodies.all().size(), 0u);
  EXPECT_EQ(log.with("source 'source' waits for room in a full queue, and no alarm will start any worker: it ends").size(), 1u);
  expect_conservation(summary);
}

TEST(UntilIdle, a_run_ends_whose_source_waits_for_room_in_a_queue_without_a_service) {
  const LogLines log;
  Plan plan;
  auto source = counting_source(500);
  core::QueueDescription narrow;
  narrow.name = "narrow";
  narrow.capacity = 50;
  plan.source(*source, Plan::to(plan.queue(std::move(narrow))));
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 76);
  EXPECT_EQ(log.with("source 'source' waits for room in a full queue").size(), 1u);
  expect_conservation(summary);
}

TEST(UntilIdle, a_run_ends_whose_redrive_waits_for_room_that_nobody_makes) {
  const LogLines log;
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  Plan plan;
  const std::uint32_t q = plan.queue_with_dead("q", 3);
  plan.pipeline().queues[q].capacity = 10;
  core::ScalingPolicy& scaling = plan.service("drain", q, {stage.get()}).scaling;
  scaling.min_capacity = scaling.desired_capacity = 0;
  scaling.max_capacity = 4;
  std::filesystem::create_directories(plan.pipeline_state() + "/dead-letters");
  std::ofstream letters(plan.pipeline_state() + "/dead-letters/q-dead.jsonl");
  for (int i = 10; i < 30; ++i) {
    letters << R"({"id":"019b76da-a800-7ad9-8d9b-792efcd468)" << i << R"(","body":"a","dead_letter":{"queue":"q-dead","source_queue":"q","reason":"r"}})" << "\n"
            << R"({"redrive":"019b76da-a800-7ad9-8d9b-792efcd468)" << i << R"(","source_queue":"q","to":"q"})" << "\n";
  }
  letters.close();
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.dead_letters, 20u) << "they leave their file when they are at their end";
  EXPECT_EQ(summary.queues[q].visible, 10u);
  EXPECT_EQ(log.with("the redrive of 'q-dead' waits for room in a full queue, and no alarm will start any worker: it ends").size(), 1u);
  expect_conservation(summary);
}

/// On the pool it waits before it takes a batch, on threads of its own in the midst of one.
void expect_end_where_the_service_waits_for_room(std::uint32_t stage_flags, std::int64_t batch_window_ms) {
  const LogLines log;
  auto stage = Script::stage("pass", stage_flags, [](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const sluice_emission made = emission(i, "x");
      EXPECT_EQ(core::host().emit(out, &made), SLUICE_OK);
    }
    return int32_t{SLUICE_OK};
  });
  Plan plan;
  auto source = counting_source(1000);
  core::QueueDescription narrow;
  narrow.name = "narrow";
  narrow.capacity = 10;
  const std::uint32_t target = plan.queue(std::move(narrow)), q = plan.queue("q");
  plan.source(*source, Plan::to(q));
  core::ServiceDescription& work = plan.service("work", q, {stage.get()});
  work.publish_to = Plan::to(target);
  work.batch_window_ms = batch_window_ms;
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 76);
  EXPECT_EQ(log.with("service 'work' waits for room in a full queue, and no alarm will start any worker: it ends").size(), 1u);
  EXPECT_GT(summary.queues[q].visible, 0u);
  expect_conservation(summary);
}

TEST(UntilIdle, a_run_ends_whose_service_waits_for_room_that_nobody_makes) {
  expect_end_where_the_service_waits_for_room(0, 0);
  expect_end_where_the_service_waits_for_room(SLUICE_BLOCKS, 0);
  expect_end_where_the_service_waits_for_room(SLUICE_SPLITS, 0);
  expect_end_where_the_service_waits_for_room(0, 1);
}

TEST(UntilIdle, a_run_ends_that_nobody_will_work_for_and_names_what_is_left) {
  const LogLines log;
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  DrainPlan plan(100, *stage);
  plan.alarm();
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 76) << "the source does not repeat them";
  EXPECT_EQ(bodies.all().size(), 0u);
  EXPECT_NE(std::ranges::find(summary.notes, "queue 'work': 100 messages left; no worker of its service runs"), summary.notes.end());
  EXPECT_EQ(log.with("it waits for what alarm 'full' does, and ends if that is nothing").size(), 1u);
  EXPECT_EQ(log.with("queue 'work' holds 100 messages and service 'drain' has no worker, and no alarm will start any worker: it ends").size(), 1u);
  expect_conservation(summary);
}

TEST(UntilIdle, a_run_without_an_alarm_does_not_wait_for_one) {
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  DrainPlan plan(5, *stage);
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 76);
}

TEST(UntilIdle, a_run_waits_for_the_alarm_that_will_start_workers) {
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  DrainPlan plan(5, *stage);
  core::AlarmDescription& alarm = plan.alarm();
  alarm.metric = core::AlarmMetric::age;
  alarm.rule.comparison = core::AlarmComparison::greater_or_equal;
  alarm.rule.threshold = 1;
  const core::Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 0) << "a second later they are old enough";
  EXPECT_EQ(bodies.all().size(), 5u);
  EXPECT_EQ(summary.services[0].workers_max, 4u);
}

TEST(UntilIdle, a_started_service_drains_its_queue_and_its_workers_leave) {
  Door all_sent;
  Record<std::string> bodies;
  auto stage = Script::stage("keep", SLUICE_BLOCKS, [&](const sluice_batch& batch, sluice_out*) {
    all_sent.wait();
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      bodies.add(body_of(*batch.messages[i]));
    }
    return int32_t{SLUICE_OK};
  });
  auto source = Script::source("count", 0, [&](sluice_out* out) {
    for (int i = 0; i < 500; ++i) {
      if (int32_t status = emit(out, 0, std::to_string(i), static_cast<std::uint64_t>(i)); status != SLUICE_OK) {
        return status;
      }
    }
    core::host().flush(out);
    all_sent.open();
    return int32_t{SLUICE_END};
  });
  DrainPlan plan(0, *stage);
  plan.pipeline().sources.front() = {"source", source->config("source"), Plan::to(0)};
  plan.alarm();
  auto engine = plan.start();
  ASSERT_TRUE(engine);
  ASSERT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  const core::Summary summary = (*engine)->finish();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(bodies.all().size(), 500u);
  EXPECT_EQ(summary.queues[0].received, 500u) << "no receive is spent on leaving";
  EXPECT_EQ(summary.services[0].workers_max, 4u);
  EXPECT_EQ(summary.alarms.at(0).name, "full");
}

TEST(ByHand, workers_are_started_and_stopped_by_the_control_thread_and_refused_when_it_stops) {
  Record<std::string> bodies;
  auto stage = keeping_stage(bodies);
  DrainPlan plan(0, *stage);
  plan.service("always", plan.queue("other"), {stage.get()});
  auto engine = plan.start(false);
  ASSERT_TRUE(engine);
  core::ServiceControl& services = (*engine)->services();
  std::thread asks([&] {
    EXPECT_EQ(services.start("drian", 1).error().code, core::Errc::missing_input);
    EXPECT_EQ(services.start("drian", 1).error().message, "there is no service 'drian': did you mean \"drain\"?");
    EXPECT_EQ(services.start("always", 1).error().code, core::Errc::usage);
    const auto started = services.start("drain", 3);
    ASSERT_TRUE(started);
    EXPECT_EQ(started->now, 3u);
    (*engine)->request_stop();
  });
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  asks.join();
  EXPECT_EQ(services.stop("drain", 1).error().code, core::Errc::unavailable);
  EXPECT_EQ((*engine)->finish().exit, 0);
}

}  // namespace
}  // namespace sluice::test
