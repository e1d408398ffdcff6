// Workers that come and go, in the program itself.
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class ScalingRun : public Pipeline {
 protected:
  /// in.jsonl -> a service that takes 40 ms for each message -> out.jsonl.
  Command pipeline(const std::string& scaling, const Words& more = {}) {
    return own(R"({"name":"scaling","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"work"}},
      "queues":{"work":{}},
      "services":{"work":{"queue":"work","batch_size":1,"scaling":)" +
                   scaling + R"(,
        "stages":[{"type":"pause","duration":"40ms"},{"type":"lines","path":"@/out.jsonl"}]}}})",
               more);
  }
  void write(int count) const {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 0; i < count; ++i)
      file << i << "\n";
  }
};

constexpr const char* kPolicy =
    R"({"policy":"target_tracking","min_capacity":1,"max_capacity":5,"period":"200ms",
  "scale_out_cooldown":"1s","scale_in_cooldown":"200ms","evaluation":{"type":"direct","low_samples":1}})";

TEST_F(ScalingRun,
       workers_climb_with_the_queue_and_leave_when_it_is_empty_and_each_message_is_received_once) {
  write(100);
  Process engine(pipeline(kPolicy));
  EXPECT_TRUE(engine.until_logged(
      "scales out from 1 to 5 workers: metric 500 is above the target of 100", 1));
  EXPECT_TRUE(
      engine.until("all lines came through", [&] { return lines("out.jsonl").size() == 100; }));
  EXPECT_TRUE(engine.until_logged("to 1 worker: ", 1));
  engine.send(SIGTERM);
  const Ended ended = engine.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  expect_conservation(summary);
  EXPECT_EQ(summary["services"]["work"]["workers_max"], 5);
  EXPECT_EQ(summary["queues"]["work"]["received"], 100) << "a worker that leaves spends no receive";
  EXPECT_EQ(lines("out.jsonl").size(), 100U);
}

TEST_F(ScalingRun, a_fixed_number_stays) {
  write(30);
  const Ended ended = run(
      pipeline(R"({"min_capacity":1,"max_capacity":5,"desired_capacity":2})", {"--until-idle"}));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["services"]["work"]["workers_max"], 2);
  EXPECT_EQ(ended.err.find("scales"), std::string::npos) << ended.err;
}

/// The permit of sheet 3: one batch at work, whatever waits.
TEST_F(ScalingRun,
       at_most_one_worker_is_a_limit_of_concurrency_and_no_receive_is_spent_on_waiting) {
  write(1000);
  const Command command = own(R"({"name":"one","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"work"}},
      "queues":{"work":{}},
      "services":{"work":{"queue":"work","batch_size":10,"scaling":{"max_capacity":1},
        "stages":[{"type":"pause","duration":"1ms"},{"type":"lines","path":"@/out.jsonl"}]}}})",
                              {"--until-idle"});
  const Ended ended = run(command);
  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  EXPECT_EQ(summary["services"]["work"]["workers_max"], 1);
  EXPECT_EQ(summary["queues"]["work"]["received"], 1000);
  int number = 0;
  for (const std::string& line : lines("out.jsonl")) {
    const Json message = Json::parse(line);
    EXPECT_EQ(message["body"], std::to_string(number++)) << "one batch at a time, in order";
    EXPECT_LE(message.value("receive_count", 1), 1);
  }
}

}  // namespace
}  // namespace sluice::test
