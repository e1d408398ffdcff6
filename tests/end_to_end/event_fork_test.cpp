// Seed system 4: events forked by filter policies, with the shipped configurations, and policies
// that change while they run.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class EventFork : public Pipeline {
 protected:
  /// `sluice run` of a shipped configuration on in.jsonl.
  Command shipped(const std::string& name, const Words& more = {}) const {
    Command command{
        {"run", source_root() + "/configs/" + name, "--until-idle", "--summary", "json",
         "--plugin-dir", build_root() + "/tests/end_to_end", "--set", "/state=" + file("state")},
        {{"EVENTS", file("in.jsonl")}, {"FORKS", file("forks")}}};
    command.words.insert(command.words.end(), more.begin(), more.end());
    return command;
  }
  void write(const std::string& line) const {
    std::ofstream(folder() / "in.jsonl", std::ios::app) << line << "\n";
  }
  /// Bodies that came out at a fork.
  std::vector<std::string> fork(const std::string& name) const {
    std::vector<std::string> bodies;
    for (const std::string& line : lines("forks/" + name + ".jsonl"))
      bodies.push_back(Json::parse(line)["body"]);
    return bodies;
  }
};

using Bodies = std::vector<std::string>;

TEST_F(EventFork, routes_by_the_table_of_the_seed_system) {
  write(R"({"body":"signup","attributes":{"event":"signup"}})");
  write(R"({"body":"login","attributes":{"event":"login"}})");
  write(R"({"body":"list","attributes":{"event":["x","signup"]}})");
  for (const char* nobodys :
       {R"("attributes":{"event":"other"})", R"("attributes":{"event":"Signup"})",
        R"("attributes":{"event":5})",
        R"("attributes":{"event":{"type":"Binary","value":"c2lnbnVw"}})", R"("attributes":{})"})
    write(std::string(R"({"body":{"event":"signup"},)") + nobodys + "}");

  const Ended ended = run(shipped("event-fork.json"));

  ASSERT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(fork("analytics"), (Bodies{"signup", "login", "list"}));
  EXPECT_EQ(fork("mailing-list"), (Bodies{"signup", "list"}));
  EXPECT_EQ(fork("chat-notification"), (Bodies{"signup", "list"}));
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(summary["sources"]["events"], (Json{{"events", 8}, {"acknowledged", 8}}));
  const Json& forks = summary["topics"]["events"]["subscriptions"];
  EXPECT_EQ(
      forks["analytics"],
      (Json{{"matched", 3}, {"filtered", 5}, {"invalid_attributes", 0}, {"invalid_body", 0}}));
  EXPECT_EQ(forks["mailing-list"]["filtered"], 6);
}

TEST_F(EventFork,
       a_fork_that_fails_dead_letters_after_three_receives_and_the_others_do_not_notice) {
  write(
      R"({"id":"af7c7a90-74bf-5bb0-af6c-5b241abcff4b","body":"hello","attributes":{"event":"signup"}})");
  const std::string failing = R"([{"type":"probe","failures":9,"retry_after_ms":0,"trace":")" +
                              file("trace") + R"("},{"type":"lines","path":")" +
                              file("forks/chat-notification.jsonl") + R"("}])";

  const Ended ended =
      run(shipped("event-fork.json", {"--set", "/services/chat-notification/stages=" + failing}));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(lines("trace").size(), 3U);
  const std::vector<Json> letters = dead_letters("chat-notification-dead");
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0]["id"], "af7c7a90-74bf-5bb0-af6c-5b241abcff4b");
  EXPECT_EQ(letters[0]["receive_count"], 3);
  EXPECT_EQ(letters[0]["dead_letter"]["service"], "chat-notification");
  EXPECT_EQ(fork("analytics"), Bodies{"hello"});
  EXPECT_EQ(fork("mailing-list"), Bodies{"hello"});
}

TEST_F(EventFork, plain_events_get_their_attributes_from_the_body_and_bodies_are_filtered_too) {
  const std::string signup = R"({"event":"signup","user":{"id":7}})",
                    big = R"({"event":"order","order":{"total":250}})";
  write(signup);
  write(R"({"event":"order","order":{"total":25}})");
  write(big);

  const Ended ended = run(shipped("event-fork-bodies.json"));

  ASSERT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(fork("analytics"), Bodies{signup});
  EXPECT_EQ(fork("mailing-list"), Bodies{signup});
  EXPECT_EQ(fork("large-orders"), Bodies{big});
  EXPECT_EQ(Json::parse(lines("forks/mailing-list.jsonl")[0])["attributes"]["user"]["value"], "7");
}

/// A FIFO in, one filtered queue out.
class Reload : public EventFork {
 protected:
  Reload() {
    EXPECT_EQ(::mkfifo(file("in.jsonl").c_str(), 0600), 0);
    fifo_ = ::open(file("in.jsonl").c_str(), O_RDWR | O_CLOEXEC);
  }
  ~Reload() override { ::close(fifo_); }
  Command config(const std::string& policy, const std::string& more = {}) const {
    return own(R"({"name":"reload","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"events"}},
      "topics":{"events":{}},
      "queues":{"work":{"subscriptions":[{"topic":"events","filter_policy":)" +
               policy + R"(,"filter_policy_scope":"MessageBody"}]})" + more + R"(},
      "services":{"write":{"queue":"work","stages":[{"type":"lines","path":"@/forks/out.jsonl"}]}}})");
  }
  /// Writes `event` until one comes out.
  void expect_passes(Process& process, const std::string& event) const {
    const std::string body = R"({"event":")" + event + R"("})";
    process.until(event.c_str(), [&] {
      write(body);
      return std::ranges::count(fork("out"), body) > 0;
    });
  }

 private:
  int fifo_ = -1;
};

TEST_F(Reload, sighup_puts_a_changed_filter_policy_into_force) {
  Process process(config(R"({"event":["a"]})"));
  expect_passes(process, "a");
  (void)config(R"({"event":["b"]})");
  process.send(SIGHUP);
  expect_passes(process, "b");
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
}

/// A source that is quiet takes over the last of them only.
TEST_F(Reload, sighup_twice_while_nothing_is_published_leaves_the_last_in_force) {
  const std::string before = R"({"event":["a"]})";
  Process process(config("{}"));
  expect_passes(process, "x");
  for (const std::string& policy : {before, std::string("{}")}) {
    (void)config(policy);
    process.send(SIGHUP);
    process.until_logged("reloaded", policy == before ? 1 : 2);
  }
  expect_passes(process, "y");
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit, 0);
}

TEST_F(Reload, what_else_has_changed_keeps_all_of_it_back_and_is_named) {
  Process process(config(R"({"event":["a"]})", R"(,"more":{})"));
  expect_passes(process, "a");
  (void)config(R"({"event":["b"]})",
               R"(,"more":{"capacity":7,"subscriptions":[{"topic":"events"}]})");
  process.send(SIGHUP);
  process.until_logged("not reloaded", 1);
  write(R"({"event":"b"})");
  expect_passes(process, "a");
  EXPECT_EQ(std::ranges::count(fork("out"), R"({"event":"b"})"), 0);
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_NE(ended.err.find("/queues/more/capacity has changed too, which takes a restart"),
            std::string::npos)
      << ended.err;
}

/// Its queue is full and has no service; what waits for it goes on without.
TEST_F(Reload, sighup_removes_a_subscription_that_holds_up_the_others) {
  const auto with = [this](const std::string& stuck) {
    return own(R"({"name":"reload","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"first"}},
      "topics":{"events":{}},
      "queues":{"first":{},"work":{"subscriptions":[{"topic":"events"}]},
        "stuck":{"capacity":3)" +
               stuck + R"(}},
      "services":{"tag":{"queue":"first","batch_size":1,"publish_to":"events",
          "stages":[{"type":"attributes","attributes":{"event":"/event"}}]},
        "write":{"queue":"work","stages":[{"type":"lines","path":"@/forks/out.jsonl"}]}}})");
  };
  Process process(with(R"(,"subscriptions":[{"topic":"events"}])"));
  for (int i = 0; i < 50; ++i)
    write(R"({"event":"a"})");
  process.until("the stuck queue to be full", [&] { return fork("out").size() >= 3; });
  (void)with("");
  process.send(SIGHUP);
  process.until("the others", [&] { return fork("out").size() == 50; });
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit, 75);  // what lies in the stuck queue comes again
}

TEST_F(Reload, sighup_adds_a_subscription) {
  const auto both = [this](const std::string& late) {
    return own(R"({"name":"reload","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"events"}},
      "topics":{"events":{}},
      "queues":{"work":{"subscriptions":[{"topic":"events"}]},"late":{)" +
               late + R"(}},
      "services":{"write":{"queue":"work","stages":[{"type":"lines","path":"@/forks/out.jsonl"}]},
        "late":{"queue":"late","stages":[{"type":"lines","path":"@/forks/late.jsonl"}]}}})");
  };
  Process process(both(""));
  expect_passes(process, "a");
  (void)both(R"("subscriptions":[{"topic":"events","filter_policy":{"event":["b"]},
                                   "filter_policy_scope":"MessageBody"}])");
  process.send(SIGHUP);
  process.until("the new subscription", [&] {
    write(R"({"event":"b"})");
    return !fork("late").empty();
  });
  expect_passes(process, "c");
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(std::ranges::count(fork("late"), R"({"event":"b"})"), std::ssize(fork("late")));
  const auto subscriptions = summary_of(ended)["topics"]["events"]["subscriptions"];
  EXPECT_EQ(subscriptions["late"]["matched"], fork("late").size());
  EXPECT_EQ(subscriptions["work"]["matched"], fork("out").size());
}

/// A service on the CPU pool is asked again when credit comes back, also by the queue that was
/// added.
TEST_F(Reload, sighup_adds_a_subscription_that_holds_up_a_service_on_the_pool) {
  const auto chain = [this](const std::string& subscriptions) {
    return own(R"({"name":"reload","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"first"}},
      "topics":{"events":{}},
      "queues":{"first":{},"work":{"subscriptions":[{"topic":"events"}]},
        "late":{"capacity":1)" +
               subscriptions + R"(}},
      "services":{"tag":{"queue":"first","batch_size":1,"publish_to":"events",
          "stages":[{"type":"attributes","attributes":{"event":"/event"}}]},
        "write":{"queue":"work","stages":[{"type":"lines","path":"@/forks/out.jsonl"}]},
        "late":{"queue":"late","stages":[{"type":"lines","path":"@/forks/late.jsonl"}]}}})");
  };
  Process process(chain(""));
  expect_passes(process, "a");
  (void)chain(R"(,"subscriptions":[{"topic":"events"}])");
  process.send(SIGHUP);
  process.until("the new subscription", [&] {
    write(R"({"event":"b"})");
    return !fork("late").empty();
  });
  for (int i = 0; i < 500; ++i)
    write(R"({"event":"c"})");
  write(R"({"event":"last"})");
  process.until("the last one", [&] { return fork("late").back() == R"({"event":"last"})"; });
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Bodies out = fork("out"), late = fork("late");
  ASSERT_GE(out.size(), late.size());
  EXPECT_TRUE(std::equal(late.begin(), late.end(), out.end() - std::ssize(late)));
}

TEST_F(Reload, without_filter_policies_leaves_a_topic_as_it_is) {
  Process process(own(R"({"name":"reload","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"events"}},
      "topics":{"events":{}}, "queues":{"work":{"subscriptions":[{"topic":"events"}]}},
      "services":{"write":{"queue":"work","stages":[{"type":"lines","path":"@/forks/out.jsonl"}]}}})"));
  expect_passes(process, "a");
  process.send(SIGHUP);
  expect_passes(process, "b");
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_NE(ended.err.find("reloaded"), std::string::npos) << ended.err;
  EXPECT_FALSE(summary_of(ended).contains("topics"));
}

TEST_F(Reload, a_configuration_with_errors_changes_nothing) {
  Process process(config(R"({"event":["a"]})"));
  expect_passes(process, "a");
  (void)config(R"({"event":[{"prefx":"b"}]})");
  process.send(SIGHUP);
  write(R"({"event":"a","n":2})");
  process.until("the old policy",
                [&] { return std::ranges::count(fork("out"), R"({"event":"a","n":2})") > 0; });
  process.send(SIGTERM);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_NE(ended.err.find("Unrecognized match type prefx"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("not reloaded; subscriptions and filter policies stay as they are"),
            std::string::npos)
      << ended.err;
}

}  // namespace
}  // namespace sluice::test
