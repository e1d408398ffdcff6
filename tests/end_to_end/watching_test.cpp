// A running engine: what is put while it runs, and how it is stopped.
#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

using Watching = Pipeline;

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST_F(Watching,
       an_image_put_into_a_running_engine_comes_out_and_sigterm_ends_it_with_nothing_left) {
  Process process(icons());
  put("icons/first.png", icon_png());
  process.until("the first results", [&] { return results() == 3; });

  put("icons/moved in.png", icon_png());
  put("icons/new/folder/below.png", icon_png());
  std::ofstream(bucket() / "icons/written in place.png") << icon_png();
  process.until("the results of what came while it ran", [&] { return results() == 12; });
  process.send(SIGTERM);
  const Ended ended = process.wait();

  EXPECT_EQ(ended.exit, 0) << ended.err;
  const Json summary = summary_of(ended);
  EXPECT_EQ(summary["sources"]["uploads"]["acknowledged"], summary["sources"]["uploads"]["events"]);
  expect_conservation(summary);
}

TEST_F(Watching, a_file_still_being_written_is_not_taken) {
  const std::string png = icon_png();
  std::ofstream file(bucket() / "icons/slow.png", std::ios::binary);
  file << png.substr(0, png.size() / 2) << std::flush;
  Process process(icons());
  put("icons/other.png", icon_png());
  process.until("the results of the other", [&] { return results() == 3; });

  file << png.substr(png.size() / 2);
  file.close();
  process.until("all results", [&] { return results() == 6; });
  process.send(SIGTERM);

  EXPECT_EQ(summary_of(process.wait())["dead_letters"], 0);
}

TEST_F(Watching, what_came_while_it_was_down_is_done_at_the_next_start) {
  put("icons/a.png", icon_png());
  run(icons_until_idle());
  put("icons/b.png", icon_png());

  Process process(icons());
  process.until("the results of the second", [&] { return results() == 6; });
  process.send(SIGINT);

  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["sources"]["uploads"]["events"], 1);
}

TEST_F(Watching, sigterm_lets_what_is_in_hand_be_finished) {
  put("icons/a.png", icon_png());
  Process process(icons(probe_16({{"gate", file("gate")}, {"trace", file("trace")}})));
  process.until("a message in hand", [&] { return !lines("trace").empty() && results() == 2; });

  process.send(SIGTERM);
  EXPECT_FALSE(process.ends_within(std::chrono::milliseconds(300))) << "it has something in hand";
  put_file(folder() / "gate", "open");
  const Ended ended = process.wait();

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(results(), 3U);
}

/// Stops an engine that has one message in hand which nobody will finish.
class Stopping : public Watching {
 protected:
  Ended stop(const Words& more, int signals, Json probe = Json::object()) {
    put("icons/a.png", icon_png());
    probe["gate"] = file("gate");
    probe["trace"] = file("trace");
    Process process(icons(probe_16(probe) + more));
    process.until("a message in hand", [&] { return !lines("trace").empty() && results() == 2; });
    for (int i = 0; i < signals; ++i) {
      process.send(i == 0 ? SIGTERM : SIGINT);
      if (i + 1 < signals)
        process.ends_within(std::chrono::milliseconds(200));  // it sees one after the other
    }
    return process.wait();
  }

  void expect_done_after_restart() {
    const Ended ended = run(icons_until_idle());
    EXPECT_EQ(ended.exit, 0) << ended.err;
    EXPECT_EQ(results(), 3U);
  }
};

TEST_F(Stopping, a_second_signal_stops_at_once_and_what_is_left_comes_again) {
  const Ended ended = stop({}, 2);

  EXPECT_EQ(ended.exit, 75) << ended.err;
  EXPECT_EQ(summary_of(ended)["exit"], 75);
  EXPECT_NE(ended.err.find("uploads"), std::string::npos) << "what is left is named: " << ended.err;
  expect_conservation(summary_of(ended));
  expect_done_after_restart();
}

TEST_F(Stopping, the_drain_timeout_ends_the_wait) {
  const Ended ended = stop({"--set", "/drain_timeout=\"100ms\""}, 1);

  EXPECT_EQ(ended.exit, 75) << ended.err;
  expect_done_after_restart();
}

TEST_F(Stopping, a_stage_that_does_not_listen_cannot_keep_the_engine) {
  const Ended ended = stop({"--set", "/drain_timeout=\"100ms\""}, 1, {{"stubborn", true}});

  EXPECT_EQ(ended.exit, 75) << ended.err;
  EXPECT_NE(ended.err.find("did not return in time"), std::string::npos) << ended.err;
  expect_done_after_restart();
}

TEST_F(Stopping, what_a_source_cannot_bring_again_is_said_to_be_lost) {
  const Ended ended =
      stop({"--set", R"(/sources/numbers={"type":"generate","count":1,"publish_to":"resize-16"})",
            "--set", "/drain_timeout=\"100ms\"", "--set", "/services/resize-16/batch_size=10"},
           1);

  EXPECT_EQ(ended.exit, 76) << ended.err;
  EXPECT_NE(ended.err.find("numbers"), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace sluice::test
