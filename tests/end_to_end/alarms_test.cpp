// A queue that is drained on an alarm (seed system 2), in the program itself.
#include <algorithm>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class AlarmRun : public Pipeline {
 protected:
  /// in.jsonl -> work, which nobody works off until it has more than 100 messages; what the alarm
  /// says goes to notes.jsonl.
  Command drain(const std::string& alarm = "", const Words& more = {}) {
    return own(
        R"({"name":"drain","state":"@/state","admin":{"listen":"127.0.0.1:0"},
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"work"}},
      "topics":{"alarms":{}},
      "queues":{"work":{},"notes":{"subscriptions":[{"topic":"alarms","filter_policy":{"alarm.state":["ALARM"]}}]}},
      "services":{
        "drain":{"queue":"work","batch_size":1,"scaling":{"min_capacity":0,"max_capacity":4,"stop_when_empty":true},
          "stages":[{"type":"pause","duration":"20ms"},{"type":"lines","path":"@/out.jsonl"}]},
        "notes":{"queue":"notes","stages":[{"type":"lines","path":"@/notes.jsonl"}]}},
      "alarms":{"full":{"queue":"work","metric_name":"ApproximateNumberOfMessagesVisible","period":"300ms",
        "comparison_operator":"GreaterThanThreshold","threshold":100,)" +
            alarm +
            R"("on_alarm":[{"publish_to":"alarms"},{"start":"drain","count":4}],"on_ok":[{"publish_to":"alarms"}]}}})",
        more);
  }
  void write(int count) const {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 0; i < count; ++i)
      file << 100'000'000 + i << "\n";
  }
  /// What `sluice ...` says of the configuration that was last run.
  Ended ask(Words words) const {
    words.insert(words.begin() + 2, config_);
    return run({words, {}});
  }
  Command started(Command command) {
    config_ = command.words[1];
    return command;
  }

 private:
  std::string config_;
};

TEST_F(AlarmRun, an_alarm_starts_workers_once_who_work_all_off_and_leave) {
  write(400);
  Process engine(started(drain()));
  EXPECT_TRUE(engine.until_logged("-> ALARM: Threshold Crossed", 1));
  EXPECT_TRUE(engine.until_logged("drain: starts 4 workers, 4 run: alarm 'full' is in ALARM", 1));
  EXPECT_TRUE(engine.until_logged("drain: 0 left of 4 workers: its queue is empty", 1));
  EXPECT_TRUE(engine.until_logged("full: ALARM -> OK", 1));
  EXPECT_TRUE(engine.until("the notification came", [&] { return !lines("notes.jsonl").empty(); }));
  const Json alarms = Json::parse(ask({"alarm", "list", "--json"}).out);
  EXPECT_EQ(alarms["alarms"][0]["state"], "OK");
  EXPECT_NE(ask({"alarm", "list"}).out.find("was not greater than the threshold (100.0)"),
            std::string::npos);
  const Json services = Json::parse(ask({"service", "list", "--json"}).out);
  EXPECT_EQ(services["services"][0]["workers"], 0);
  EXPECT_EQ(services["services"][0]["workers_max"], 4);
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));
  std::set<std::string> bodies;
  for (const std::string& line : lines("out.jsonl"))
    bodies.insert(Json::parse(line)["body"]);
  EXPECT_EQ(bodies.size(), 400U);
  ASSERT_EQ(lines("notes.jsonl").size(), 1U) << "the filter policy keeps OK away";
  const Json note = Json::parse(lines("notes.jsonl")[0]);
  EXPECT_EQ(note["attributes"]["alarm.name"]["value"], "full");
  EXPECT_EQ(note["attributes"]["alarm.state"]["value"], "ALARM");
  EXPECT_NE(note["attributes"]["alarm.old_state"]["value"], "ALARM");
  EXPECT_EQ(note["attributes"]["alarm.subject"]["value"], "ALARM: \"full\" in local");
  const Json body = Json::parse(note["body"].get<std::string>());
  EXPECT_EQ(body["NewStateValue"], "ALARM");
  EXPECT_EQ(body["Trigger"]["Period"], 0.3);
}

TEST_F(AlarmRun, what_is_too_little_for_the_alarm_is_worked_off_by_hand) {
  write(100);
  Process engine(started(drain()));
  EXPECT_TRUE(engine.until_logged("full: INSUFFICIENT_DATA -> OK", 1));
  EXPECT_EQ(ask({"service", "start", "drian"}).exit, 66);
  EXPECT_EQ(ask({"service", "start", "notes"}).exit, 64) << "it has workers all the time";
  EXPECT_EQ(lines("out.jsonl").size(), 0U);
  const Ended started = ask({"service", "start", "drain", "--count", "3"});
  EXPECT_EQ(started.exit, 0) << started.err;
  EXPECT_EQ(started.out, "drain: 3 workers started, 3 now\n");
  EXPECT_TRUE(engine.until_logged("drain: 0 left of 3 workers: its queue is empty", 1));
  EXPECT_EQ(ask({"service", "stop", "drain"}).out, "drain: 0 workers stopped, 0 now: no more ran\n");
  engine.send(SIGTERM);
  EXPECT_EQ(engine.wait().exit, 0);
  EXPECT_EQ(lines("out.jsonl").size(), 100U);
  const Ended stopped = ask({"alarm", "list"});
  EXPECT_EQ(stopped.exit, 69);
  EXPECT_NE(stopped.err.find("no engine runs pipeline 'drain'"), std::string::npos) << stopped.err;
}

/// S2.4: workers that go in mid-run lose nothing; the rest stays until somebody starts others.
TEST_F(AlarmRun,
       workers_that_go_in_mid_run_lose_nothing_and_are_started_again_while_it_is_in_alarm) {
  write(1000);
  Process engine(started(drain(R"("restart_while_in_alarm":true,)")));
  EXPECT_TRUE(engine.until_logged("drain: starts 4 workers", 1));
  EXPECT_EQ(ask({"service", "stop", "drain", "--count", "1"}).exit, 0);
  EXPECT_EQ(ask({"service", "stop", "drain", "--count", "3"}).exit, 0);
  EXPECT_TRUE(engine.until_logged("drain: starts 4 workers", 2));
  EXPECT_TRUE(engine.until_logged("its queue is empty", 1));
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(lines("out.jsonl").size(), 1000U) << "each once";
  EXPECT_EQ(summary_of(ended)["queues"]["work"]["received"], 1000);
}

TEST_F(AlarmRun, a_run_until_idle_that_no_alarm_helps_ends_and_says_so) {
  write(7);
  const Ended ended = run(drain("", {"--until-idle"}));
  EXPECT_EQ(ended.exit, 75) << ended.err;
  EXPECT_NE(ended.err.find("queue 'work' holds 7 messages and service 'drain' has no worker: it "
                           "waits for what alarm 'full' does"),
            std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("no alarm will start any worker: it ends"), std::string::npos) << ended.err;
}

/// The notification that the alarm is OK comes and goes in between.
TEST_F(AlarmRun, a_run_until_idle_says_once_what_it_waits_for) {
  write(7);
  const Ended ended = run(drain("", {"--until-idle", "--set", R"(/queues/notes/subscriptions/0={"topic":"alarms"})"}));
  EXPECT_EQ(ended.exit, 75) << ended.err;
  EXPECT_EQ(lines("notes.jsonl").size(), 1U) << ended.err;
  const std::string said =
      "queue 'work' holds 7 messages and service 'drain' has no worker: it waits for what alarm 'full' does";
  const std::size_t first = ended.err.find(said);
  ASSERT_NE(first, std::string::npos) << ended.err;
  EXPECT_EQ(ended.err.find(said, first + 1), std::string::npos) << ended.err;
}

TEST_F(AlarmRun, workers_whose_queue_has_only_delayed_messages_leave_and_say_so) {
  write(3);
  Process engine(own(R"({"name":"late","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"work"}},
      "queues":{"work":{"delay":"15m"}},
      "services":{"drain":{"queue":"work","stages":[{"type":"lines","path":"@/out.jsonl"}],
        "scaling":{"min_capacity":0,"max_capacity":2,"desired_capacity":2,"stop_when_empty":true}}}})"));
  EXPECT_TRUE(engine.until_logged(
      "drain: 0 left of 2 workers: its queue has only delayed messages, which are not waited for", 1));
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 75) << "three are left: " << ended.err;
  EXPECT_EQ(summary_of(ended)["queues"]["work"]["received"], 0);
}

/// Seed system 2 as it is shipped, but with a period and a pause of milliseconds (S2.1, S2.2, S2.3, S2.6).
TEST_F(AlarmRun, drain_on_alarm_has_four_workers_store_every_body_with_its_host_and_leave) {
  constexpr std::size_t kMessages = 1100;
  {
    std::ofstream file(folder() / "messages.txt");
    for (std::size_t i = 0; i < kMessages; ++i)
      file << 100'000'001 + i << "\n";
  }
  const std::string config = source_root() + "/configs/drain-on-alarm.json";
  const Command command{{"run", config, "--summary", "json", "--set", "/state=" + file("state"), "--set",
                         "/alarms/work-is-full/period=300ms", "--set", "/services/drain/stages/0/duration=2ms"},
                        {{"MESSAGES", file("messages.txt")}, {"TABLE", file("messages")}, {"NOTIFICATIONS", file("notifications.jsonl")}}};
  Process engine(command);
  EXPECT_TRUE(engine.until_logged("drain: starts 4 workers, 4 run: alarm 'work-is-full' is in ALARM", 1));
  EXPECT_TRUE(engine.until_logged("drain: 0 left of 4 workers: its queue is empty", 1));
  EXPECT_TRUE(engine.until_logged("work-is-full: ALARM -> OK", 1));
  EXPECT_TRUE(engine.until("the notification came", [&] { return !lines("notifications.jsonl").empty(); }));
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(summary["services"]["drain"]["processed"], kMessages);
  EXPECT_EQ(summary["services"]["drain"]["workers_max"], 4);
  EXPECT_EQ(summary["queues"]["work"]["received"], kMessages) << "each once";

  const Ended listed = run({{"table", "list", config, "messages", "--limit", "2000"}, command.environment});
  ASSERT_EQ(listed.exit, 0) << listed.err;
  const Json items = Json::parse(listed.out)["items"];
  ASSERT_EQ(items.size(), kMessages);
  std::set<std::string> workers, hosts;
  for (const Json& item : items) {
    workers.insert(item["worker"].get<std::string>());
    hosts.insert(item["host"].get<std::string>());
  }
  EXPECT_EQ(workers, (std::set<std::string>{"drain-1", "drain-2", "drain-3", "drain-4"}));
  EXPECT_EQ(hosts.size(), 1U);
  ASSERT_EQ(lines("notifications.jsonl").size(), 1U) << "at the transition, once";
  const Json note = Json::parse(Json::parse(lines("notifications.jsonl")[0])["body"].get<std::string>());
  EXPECT_EQ(note["AlarmName"], "work-is-full");
  EXPECT_EQ(note["NewStateValue"], "ALARM");
  EXPECT_EQ(note["Trigger"]["MetricName"], "ApproximateNumberOfMessagesVisible");
  EXPECT_EQ(note["Trigger"]["Statistic"], "SUM");
  EXPECT_EQ(note["Trigger"]["Threshold"], 100.0);
}

}  // namespace
}  // namespace sluice::test
