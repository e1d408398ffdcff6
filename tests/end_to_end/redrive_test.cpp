// Redrives of a real engine that is killed at each step of them, runs into a full queue, or into what
// killed the letters before (reliability catalogue B7): nothing is lost, and each letter comes to one end.
#include <csignal>
#include <fstream>
#include <random>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class CrashRedrive : public Pipeline {
 protected:
  CrashRedrive() {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 0; i < kLetters; ++i)
      file << Json{{"body", std::to_string(i)}, {"attributes", {{"fate", "reject"}}}} << "\n";
  }
  static constexpr int kLetters = 60;

  /// Every message is rejected, unless the stage is mended.
  Command pipeline(bool mended, const Words& more = {}) const {
    return own(R"({"name":"redrive","state":"@/state",
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"jobs"}},
      "queues":{"jobs":{"capacity":8}},
      "services":{"work":{"queue":"jobs","batch_size":5,"stages":[
        {"type":"unreliable","mended":)" +
                   std::string(mended ? "true" : "false") +
                   R"(,"retries_one_in":4},{"type":"lines","path":"@/out.jsonl","fsync":"never"}]}}})",
               more);
  }
  Command mended() const { return pipeline(true, {"--admin", "127.0.0.1:0"}); }
  Command queue(const std::string& action, const Words& more = {}) const {
    Words words{"queue", action, file("pipeline.json"), "jobs-dead", "--plugin-dir",
                build_root() + "/tests/end_to_end"};
    words.insert(words.end(), more.begin(), more.end());
    return {words, {}};
  }
  Json redrive(const Words& more = {}) const {
    Words words{"--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = run(queue("redrive", words));
    EXPECT_FALSE(ended.out.empty()) << ended.err;
    return Json::parse(ended.out, nullptr, false);
  }
  static void await_admin(Process& engine) { engine.until_logged("admin answers at", 1); }
  void bury_all() const {
    const Ended ended = run(pipeline(false, {"--until-idle"}));
    ASSERT_EQ(ended.exit, 0) << ended.err;
    ASSERT_EQ(summary_of(ended)["dead_letters"], kLetters);
  }

  std::multiset<std::string> delivered() const {
    std::multiset<std::string> bodies;
    for (const std::string& line : lines("out.jsonl"))
      bodies.insert(Json::parse(line)["body"]);
    return bodies;
  }
  /// Bodies of the letters that stand in the file, each of which does so once.
  std::set<std::string> stored() const {
    std::set<std::string> bodies;
    for (const Json& line : dead_letters("jobs-dead")) {
      if (line.contains("deleted") || line.contains("redrive"))
        continue;
      bodies.insert(line["body"]);
    }
    return bodies;
  }
  /// After a kill: what was not delivered is still a letter.
  void expect_nothing_lost() const {
    const std::multiset<std::string> out = delivered();
    const std::set<std::string> left = stored();
    for (int i = 0; i < kLetters; ++i) {
      const std::string body = std::to_string(i);
      EXPECT_TRUE(out.contains(body) || left.contains(body)) << body << " is lost";
    }
  }
  /// With nothing under way: each is delivered, and none is a letter. What a kill came between is there twice.
  void expect_all_delivered(std::size_t repeats_max) const {
    const std::multiset<std::string> out = delivered();
    EXPECT_EQ(std::set<std::string>(out.begin(), out.end()).size(), std::size_t{kLetters});
    EXPECT_LE(out.size(), kLetters + repeats_max);
    const Json summary = summary_of(run(pipeline(true, {"--until-idle"})));
    EXPECT_EQ(summary["dead_letters"], 0);
    EXPECT_EQ(summary["sources"]["in"]["events"], 0);
    EXPECT_EQ(delivered().size(), out.size()) << "one more start has nothing to do";
  }
  /// Redrives what is left, to the end.
  void finish(std::size_t repeats_max) const {
    Process engine(mended());
    await_admin(engine);
    EXPECT_EQ(redrive()["status"], "COMPLETED");
    engine.until("the rest", [&] { return listed_letters() == 0; });
    engine.send(SIGTERM);
    const Ended ended = engine.wait();
    EXPECT_EQ(ended.exit, 0) << ended.err;
    expect_conservation(summary_of(ended));
    expect_all_delivered(repeats_max);
  }
  std::int64_t listed_letters() const {
    const Ended ended = run({{"queue", "list", file("pipeline.json"), "--json", "--plugin-dir",
                              build_root() + "/tests/end_to_end"},
                             {}});
    if (ended.exit != 0)
      return -1;
    std::int64_t sum = 0;
    const Json all = Json::parse(ended.out);
    for (const Json& each : all["queues"]) {
      for (const char* state : {"", "NotVisible", "Delayed"})
        sum += each["ApproximateNumberOfMessages" + std::string(state)].get<std::int64_t>();
    }
    return sum;
  }
};

TEST_F(CrashRedrive, a_kill_at_each_sync_and_at_random_moments_of_it_loses_no_letter) {
  bury_all();
  std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()));
  std::size_t repeats_max = 0;
  const int rounds = scaled(12, 4);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    Command command = mended();
    if (round % 4 < 2)
      command.environment["SLUICE_DIE_AT"] =
          round % 4 == 0 ? "dead_letters.before_sync" : "dead_letters.after_sync";
    Process engine(command);
    await_admin(engine);
    const std::size_t before = delivered().size();
    // It moves its letters over half a second.
    Process mover(queue("redrive", {"--max-rate", "100"}));
    engine.ends_within(std::chrono::milliseconds(round % 4 < 2 ? 2000 : 100 + random() % 700));
    engine.send(SIGKILL);
    engine.wait();
    mover.wait();
    // Of what was done in this life, anything may stand in the file still.
    repeats_max += delivered().size() - before;
    expect_nothing_lost();
  }
  finish(repeats_max);
}

TEST_F(CrashRedrive, a_kill_after_letters_were_marked_while_nothing_ran_loses_none) {
  bury_all();
  std::size_t repeats_max = 0;
  for (const char* point : {"dead_letters.before_sync", "dead_letters.after_sync"}) {
    run(queue("redrive"));
    Command command = pipeline(true, {"--until-idle"});
    command.environment["SLUICE_DIE_AT"] = point;
    run(command);
    repeats_max += delivered().size();
    expect_nothing_lost();
  }
  // What was marked before the kill goes by itself.
  EXPECT_EQ(run(pipeline(true, {"--until-idle"})).exit, 0);
  expect_all_delivered(repeats_max);
}

TEST_F(CrashRedrive, a_letter_that_kills_the_engine_is_a_letter_again_and_stays_one) {
  bury_all();
  Command crashing = own(R"({"name":"redrive","state":"@/state",
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"jobs"}},
      "queues":{"jobs":{}},
      "services":{"work":{"queue":"jobs","stages":[{"type":"unreliable"},{"type":"lines","path":"@/out.jsonl"}]}}})",
                         {"--until-idle"});
  std::string letters = read_file(folder() / "state/dead-letters/jobs-dead.jsonl");
  const std::string reject = R"({"type":"String","value":"reject"})";
  letters.replace(letters.find(reject), reject.size(), R"({"type":"String","value":"crash"})");
  put_file(folder() / "state/dead-letters/jobs-dead.jsonl", letters);
  run(queue("redrive"));

  EXPECT_EQ(run(crashing).exit, 128 + SIGKILL);

  expect_nothing_lost();
  EXPECT_EQ(stored().size(), std::size_t{kLetters}) << "those that failed again, too";
}

TEST_F(CrashRedrive, that_is_cancelled_at_its_rate_can_be_taken_up_again_and_runs_through_a_full_queue) {
  bury_all();
  Process engine(mended());
  await_admin(engine);
  redrive({"--max-rate", "30", "--no-wait"});
  engine.until("some letters", [&] { return delivered().size() >= 5; });
  redrive({"--cancel"});
  Json status;
  engine.until("its end", [&] {
    status = redrive({"--status"});
    return status["status"] == "CANCELLED";
  });
  const auto moved = status["moved"].get<std::size_t>();
  EXPECT_GE(moved, 5U);
  EXPECT_LT(moved, std::size_t{kLetters});
  engine.until("what was moved", [&] { return delivered().size() == moved; });
  EXPECT_EQ(listed_letters(), static_cast<std::int64_t>(kLetters - moved));

  // Eight have room in the queue.
  const Json again = redrive();
  EXPECT_EQ(again["status"], "COMPLETED") << again;
  EXPECT_EQ(again["moved"], kLetters - moved) << again;
  engine.until("the rest", [&] { return listed_letters() == 0; });
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));
  expect_all_delivered(0);
}

TEST_F(CrashRedrive, of_letters_that_fail_again_moves_each_once_and_ends) {
  bury_all();
  Process engine(pipeline(false, {"--admin", "127.0.0.1:0"}));
  await_admin(engine);

  EXPECT_EQ(redrive()["moved"], kLetters);

  engine.until("all to come back", [&] { return redrive({"--status"})["came_back"] == kLetters; });
  EXPECT_EQ(redrive({"--status"})["status"], "COMPLETED");
  EXPECT_EQ(listed_letters(), kLetters);
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], kLetters);
  expect_conservation(summary_of(ended));
  EXPECT_EQ(delivered().size(), 0U);
}

}  // namespace
}  // namespace sluice::test
