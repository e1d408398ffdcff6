// Stages that are slow, fail, or hang; leases that expire: S1.4, S1.6 and S1.7.
#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

using Faults = Pipeline;

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST_F(Faults, one_slow_size_does_not_hold_up_the_other_two) {
  const int count = 20;
  for (int i = 0; i < count; ++i)
    put("icons/" + std::to_string(i) + ".png", icon_png());

  Process process(icons_until_idle(probe_16({{"gate", file("gate")}})));

  process.until("all of 32 and 64", [&] { return results(32) == count && results(64) == count; });
  EXPECT_EQ(results(16), 0U);
  put_file(folder() / "gate", "open");
  EXPECT_EQ(process.wait().exit, 0);
  EXPECT_EQ(results(16), static_cast<std::size_t>(count));
}

TEST_F(Faults, a_stage_that_keeps_failing_goes_to_the_dead_letters_after_max_receive_count) {
  put("icons/a.png", icon_png());

  const Ended ended = run(icons_until_idle(
      probe_16({{"failures", 100}, {"retry_after_ms", 0}, {"trace", file("trace")}})));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(lines("trace").size(), 3U);
  ASSERT_EQ(dead_letters("resize-16-dead").size(), 1U);
  const Json letter = dead_letters("resize-16-dead")[0];
  EXPECT_EQ(letter["receive_count"], 3) << letter;
  EXPECT_EQ(letter["dead_letter"]["stage"], "probe") << letter;
  EXPECT_FALSE(letter["dead_letter"]["reason"].get<std::string>().empty()) << letter;
  EXPECT_EQ(results(), 2U) << "the other two sizes";
  EXPECT_EQ(summary_of(ended)["services"]["resize-16"]["retried"], 3)
      << "each retry counts, also the last";
}

TEST_F(Faults, a_stage_that_fails_twice_succeeds_the_third_time) {
  put("icons/a.png", icon_png());

  const Ended ended = run(icons_until_idle(probe_16({{"failures", 2}, {"retry_after_ms", 1}})));

  const Json summary = summary_of(ended);
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(results(), 3U);
  EXPECT_EQ(summary["services"]["resize-16"]["retried"], 2);
  EXPECT_EQ(summary["dead_letters"], 0);
}

TEST_F(Faults, a_message_that_makes_a_stage_throw_is_dead_lettered_with_the_exceptions_text) {
  put("icons/a.png", icon_png());
  put("icons/poison.png", icon_png());
  put("icons/z.png", icon_png());

  const Ended ended =
      run(icons_until_idle(probe_16({{"throws_on", "icons/poison.png"}}) +
                           Words{"--set", "/queues/resize-16/visibility_timeout=\"50ms\"", "--set",
                                 "/services/resize-16/batch_size=1"}));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  ASSERT_EQ(dead_letters("resize-16-dead").size(), 1U);
  const Json letter = dead_letters("resize-16-dead")[0];
  EXPECT_EQ(letter["attributes"]["s3.key"]["value"], "icons/poison.png");
  EXPECT_EQ(letter["receive_count"], 3) << letter;
  EXPECT_EQ(letter["dead_letter"]["stage"], "probe") << letter;
  EXPECT_EQ(letter["dead_letter"]["detail"], "a bug that icons/poison.png brings out") << letter;
  EXPECT_EQ(keys("icons-size-16/"),
            (std::set<std::string>{"icons-size-16/a.png", "icons-size-16/z.png"}));
  expect_conservation(summary_of(ended));
}

TEST_F(Faults, a_fatal_failure_ends_the_run_with_70_and_is_told_once) {
  put("icons/a.png", icon_png());

  const Ended ended = run(icons_until_idle(probe_16({{"trace", file("no/such/folder/trace")}})));

  EXPECT_EQ(ended.exit, 70) << ended.err;
  const std::string said = ended.out + ended.err, text = "failed and cannot go on";
  const std::size_t at = said.find(text);
  ASSERT_NE(at, std::string::npos) << said;
  EXPECT_EQ(said.find(text, at + 1), std::string::npos) << said;
}

/// The time in ms that begins a line of the probe's trace.
std::int64_t time_of(const std::string& line) {
  return std::stoll(line);
}

TEST_F(Faults, what_a_hung_worker_holds_reappears_after_its_visibility_timeout_and_not_before) {
  put("icons/a.png", icon_png());
  Process process(
      icons_until_idle(probe_16({{"gate", file("gate")}, {"holds", 1}, {"trace", file("trace")}}) +
                       Words{"--set", "/queues/resize-16/visibility_timeout=\"400ms\""}));

  process.until("the second receive's result", [&] { return results(16) == 1; });
  put_file(folder() / "gate", "open");
  const Ended ended = process.wait();

  EXPECT_EQ(ended.exit, 0) << ended.err;
  const std::vector<std::string> receives = lines("trace");
  ASSERT_EQ(receives.size(), 2U);
  // The lease is taken a moment before the stage sees the message.
  EXPECT_GE(time_of(receives[1]) - time_of(receives[0]), 395);
  EXPECT_EQ(summary_of(ended)["services"]["resize-16"]["stale"], 1)
      << "the first one's late result";
  expect_conservation(summary_of(ended));
}

TEST_F(Faults, what_a_killed_worker_held_is_done_after_the_restart) {
  put("icons/a.png", icon_png());
  put("icons/b.png", icon_png());
  {
    Process process(icons_until_idle(probe_16({{"gate", file("gate")}, {"trace", file("trace")}})));
    process.until("messages in hand", [&] { return !lines("trace").empty() && results(64) == 2; });
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().exit, 128 + SIGKILL);
  }
  EXPECT_EQ(results(16), 0U);

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["sources"]["uploads"]["events"], 2) << "neither was acknowledged";
  EXPECT_EQ(results(), 6U);
}

}  // namespace
}  // namespace sluice::test
