// Messages that no stage can handle: they always fail, outlast every lease, are refused, or kill the
// engine (reliability catalogue B5). What becomes of them, and of the others.
#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class CrashPoison : public Pipeline {
 protected:
  static constexpr int kGood = 200, kReceivesMax = 3;

  /// `fates` stand among the good ones.
  void issue(const Words& fates) const {
    std::ofstream file(folder() / "in.jsonl");
    const std::size_t each = kGood / (fates.size() + 1);
    for (std::size_t i = 0; i < kGood; ++i) {
      if (i % each == 0 && i / each >= 1 && i / each <= fates.size())
        file << Json{{"body", fates[i / each - 1]}, {"attributes", {{"fate", fates[i / each - 1]}}}}
             << "\n";
      file << Json{{"body", std::to_string(i)}, {"attributes", {{"fate", "none"}}}} << "\n";
    }
  }
  /// One message at a time, so that each has its lease for itself.
  Command pipeline(bool mended = false, const std::string& ack_deadline = "12h") const {
    return own(R"({"name":"poison","state":"@/state",
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"jobs"}},
      "queues":{"jobs":{"visibility_timeout":"200ms",
                        "redrive_policy":{"max_receive_count":3,"dead_letter_queue":"jobs-dead"}},"jobs-dead":{}},
      "services":{"work":{"queue":"jobs","batch_size":1,"ack_deadline":")" +
                   ack_deadline + R"(","scaling":{"desired_capacity":2,"max_capacity":2},"stages":[
        {"type":"unreliable","mended":)" +
                   std::string(mended ? "true" : "false") +
                   R"(},{"type":"lines","path":"@/out.jsonl","fsync":"never"}]}}})",
               {"--until-idle"});
  }
  /// Bodies that came out, and at which receive.
  std::multimap<std::string, int> out() const {
    std::multimap<std::string, int> found;
    for (const std::string& text : lines("out.jsonl")) {
      const Json line = Json::parse(text);
      found.emplace(line["body"], std::stoi(line["attributes"]["attempt"]["value"].get<std::string>()));
    }
    return found;
  }
};

TEST_F(CrashPoison, is_a_dead_letter_after_its_last_receive_with_the_reason_and_the_others_come_through_once) {
  issue({"retry", "timeout", "reject"});

  const Ended ended = run(pipeline());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  std::map<std::string, Json> letters;
  for (const Json& letter : dead_letters("jobs-dead"))
    EXPECT_TRUE(letters.emplace(letter["body"], letter).second) << "twice: " << letter;
  ASSERT_EQ(letters.size(), 3U);
  EXPECT_EQ(letters["retry"]["receive_count"], kReceivesMax);
  EXPECT_EQ(letters["timeout"]["receive_count"], kReceivesMax);
  EXPECT_EQ(letters["reject"]["receive_count"], 1) << "it is not tried again";
  EXPECT_EQ(letters["reject"]["dead_letter"]["reason"], "poison");
  EXPECT_NE(letters["retry"].dump().find("received 3 times, max_receive_count is 3"), std::string::npos);
  EXPECT_NE(letters["retry"].dump().find("poison"), std::string::npos);
  EXPECT_NE(letters["timeout"].dump().find("visibility timeout expired"), std::string::npos);
  EXPECT_EQ(summary["services"]["work"]["stale"], kReceivesMax) << "the late results of what timed out";
  const std::multimap<std::string, int> found = out();
  for (int i = 0; i < kGood; ++i)
    EXPECT_EQ(found.count(std::to_string(i)), 1U) << i;
  EXPECT_EQ(found.size(), std::size_t{kGood}) << "what was late when its stage was done went to no sink";
}

/// Reliability catalogue C6: its stage reports progress and never settles it.
TEST_F(CrashPoison, that_is_swallowed_is_a_dead_letter_at_its_ack_deadline_and_the_stage_is_named) {
  issue({"swallow"});

  const Ended ended = run(pipeline(false, "700ms"));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  const std::vector<Json> letters = dead_letters("jobs-dead");
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0]["receive_count"], 1);
  EXPECT_EQ(letters[0]["dead_letter"]["stage"], "unreliable");
  EXPECT_EQ(letters[0]["dead_letter"]["reason"],
            "stage 'unreliable' did not settle it within the ack_deadline of 700ms");
  EXPECT_EQ(summary["sources"]["in"]["acknowledged"], kGood + 1);
  const std::multimap<std::string, int> found = out();
  for (int i = 0; i < kGood; ++i)
    EXPECT_EQ(found.count(std::to_string(i)), 1U) << i;
}

/// Receives are counted in memory: a message that takes the engine with it comes as new at each start, for ever. It is
/// no dead letter, nothing is lost by it, and what was acknowledged before stays so.
TEST_F(CrashPoison, that_kills_the_engine_comes_again_as_new_and_loses_nothing_else) {
  issue({"crash"});
  for (int start = 0; start < kReceivesMax + 2; ++start) {
    const Ended ended = run(pipeline());
    EXPECT_EQ(ended.exit, 128 + SIGKILL) << ended.err;
  }
  EXPECT_EQ(dead_letters("jobs-dead").size(), 0U);
  EXPECT_EQ(out().count("crash"), 0U);

  const Ended ended = run(pipeline(true));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 0);
  const std::multimap<std::string, int> found = out();
  for (int i = 0; i < kGood; ++i)
    EXPECT_GE(found.count(std::to_string(i)), 1U) << i;
  ASSERT_EQ(found.count("crash"), 1U);
  EXPECT_EQ(found.find("crash")->second, 1) << "of this engine's receives";
}

}  // namespace
}  // namespace sluice::test
