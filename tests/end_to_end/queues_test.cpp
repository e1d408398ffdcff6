// What a configuration says of its queues, seen from outside: full queues, delays, windows, limits.
#include "end_to_end/pipeline.hpp"

#include <fstream>
#include <map>

namespace sluice::test {
namespace {

class Queues : public Pipeline {
 protected:
  /// in.jsonl -> `queues` subscribed to a topic -> `services`, until idle.
  Ended run_all(const std::string& queues, const std::string& services, const Words& more = {}) {
    Words words{"--until-idle"};
    words.insert(words.end(), more.begin(), more.end());
    return run(own(R"({"name":"queues","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"events"}},
      "topics":{"events":{}},
      "queues":{)" + queues +
                       R"(},"services":{)" + services + "}}",
                   words));
  }
  static std::string queue(const std::string& name, const std::string& keys = {}) {
    return "\"" + name + R"(":{"subscriptions":[{"topic":"events"}])" + keys + "}";
  }
  static std::string service(const std::string& name, const std::string& keys = {}) {
    return "\"" + name + R"(":{"queue":")" + name + R"(","stages":[{"type":"lines","path":"@/)" +
           name + R"(.jsonl"}])" + keys + "}";
  }
  void write(int count) const {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 0; i < count; ++i)
      file << i << "\n";
  }
  std::vector<std::string> bodies(const std::string& name) const {
    std::vector<std::string> found;
    for (const std::string& line : lines(name + ".jsonl"))
      found.push_back(Json::parse(line)["body"]);
    return found;
  }
};

TEST_F(Queues, full_ones_that_do_not_block_hold_up_nobody) {
  write(5000);
  const Ended ended =
      run_all(queue("all") + "," + queue("newest", R"(,"capacity":64,"when_full":"drop_old")") +
                  "," + queue("oldest", R"(,"capacity":64,"when_full":"drop_new")") + "," +
                  queue("stored", R"(,"capacity":64,"when_full":"dead_letter",
                                        "redrive_policy":{"dead_letter_queue":"stored-dead"})") +
                  R"(,"stored-dead":{})",
              service("all"));
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(bodies("all").size(), 5000U);
  const Json& queues = summary["queues"];
  for (const char* name : {"newest", "oldest", "stored"})
    EXPECT_EQ(queues[name]["sent"], 5000) << name;
  EXPECT_GE(queues["oldest"]["dropped"], 5000 - 2 * 64);
  EXPECT_GE(queues["newest"]["dropped"], 5000 - 2 * 64);
  EXPECT_EQ(queues["stored"]["dropped"], 0);
  EXPECT_EQ(dead_letters("stored-dead").size(), queues["stored"]["moved_to_dead_letter"]);
  EXPECT_EQ(dead_letters("stored-dead").at(0)["dead_letter"]["reason"], "the queue was full");
}

TEST_F(Queues, a_delayed_queue_gives_each_message_later) {
  write(10);
  const Ended ended = run_all(queue("soon") + "," + queue("later", R"(,"delay":"300ms")"),
                              service("soon") + "," + service("later"));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));
  EXPECT_EQ(bodies("soon").size(), 10U);
  EXPECT_EQ(bodies("later").size(), 10U);
  EXPECT_GE(summary_of(ended)["seconds"], 0.3);
}

TEST_F(Queues, a_batch_window_gathers_what_comes_one_by_one) {
  write(40);
  const Ended ended =
      run_all(queue("work", R"(,"delay":"0s")"),
              R"("work":{"queue":"work","batch_size":40,"batch_window":"20s","stages":[
                {"type":"probe","trace":"@/trace"},{"type":"lines","path":"@/work.jsonl"}]})",
              {"--plugin-dir", build_root() + "/tests/end_to_end"});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(bodies("work").size(), 40U);
  EXPECT_LT(summary_of(ended)["seconds"], 19) << "a full batch waits for nothing";
}

/// It ends where it would split what was published together: what is there does not make it fuller.
TEST_F(Queues, a_batch_window_is_not_waited_for_at_a_chunks_edge) {
  write(1280);
  const Ended ended = run_all(queue("work", R"(,"delay":"0s")"),
                              service("work", R"(,"batch_size":100,"batch_window":"2s")"));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(bodies("work").size(), 1280U);
  EXPECT_LT(summary_of(ended)["seconds"], 20) << "20 chunks, and no window for each";
}

TEST_F(Queues, an_in_flight_limit_slows_and_loses_nothing) {
  write(500);
  const Ended ended =
      run_all(queue("work", R"(,"in_flight_max":7)"),
              service("work", R"(,"batch_size":10,"scaling":{"min_capacity":4,"max_capacity":4})"));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));
  EXPECT_EQ(bodies("work").size(), 500U);
}

TEST_F(Queues, a_fifo_queue_keeps_the_order_of_each_group_over_failures) {
  constexpr int kGroups = 20, kEach = 30;
  std::ofstream in(folder() / "in.jsonl");
  for (int number = 100; number < 100 + kEach; ++number)
    for (int group = 0; group < kGroups; ++group)
      in << Json{{"body", std::to_string(group) + ":" + std::to_string(number)}, {"group_id", "g" + std::to_string(group)}} << "\n";
  in.close();
  const Ended ended = run(own(R"({"name":"fifo","state":"@/state",
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"work"}},
      "queues":{"work":{"fifo":true,"content_based_deduplication":true}},
      "services":{"work":{"queue":"work","batch_size":7,"scaling":{"min_capacity":4,"max_capacity":4},"stages":[
        {"type":"probe","failures":1,"retry_after_ms":20},{"type":"lines","path":"@/work.jsonl"}]}}})",
                              {"--until-idle", "--plugin-dir", build_root() + "/tests/end_to_end"}));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));
  EXPECT_EQ(summary_of(ended)["services"]["work"]["retried"], kGroups * kEach);
  std::map<std::string, int> next;
  for (const std::string& body : bodies("work")) {
    const std::size_t colon = body.find(':');
    int& expected = next.try_emplace(body.substr(0, colon), 100).first->second;
    EXPECT_EQ(body.substr(colon + 1), std::to_string(expected++)) << body;
  }
  EXPECT_EQ(next.size(), kGroups);
  for (const auto& [group, end] : next)
    EXPECT_EQ(end, 100 + kEach) << group;
}

TEST_F(Queues, a_duplicate_in_a_fifo_queue_ends_well_and_goes_no_further) {
  write(50);
  std::ofstream(folder() / "in.jsonl", std::ios::app) << "7\n8\n";
  const Ended ended = run_all(queue("work", R"(,"fifo":true,"content_based_deduplication":true,"delay":"50ms")"), service("work"));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(bodies("work").size(), 50U);
  EXPECT_EQ(summary["queues"]["work"]["sent"], 52);
  EXPECT_EQ(summary["queues"]["work"]["deleted"], 52);
  EXPECT_EQ(summary["queues"]["work"]["received"], 50);
  EXPECT_EQ(summary["sources"]["in"]["acknowledged"], 52);
}

}  // namespace
}  // namespace sluice::test
