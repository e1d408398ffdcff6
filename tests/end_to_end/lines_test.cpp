// Lines in, attributes, lines out: the real binary, killed, stopped and started again.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>

#include "end_to_end/pipeline.hpp"
#include "support/base64.hpp"
#include "support/ledger.hpp"

namespace sluice::test {
namespace {

constexpr const char* kTag = R"({"type":"attributes","attributes":{"event":"/event"}},)";

class LinesPipeline : public Pipeline {
 protected:
  /// in.jsonl -> `stages` -> out.jsonl; `source` has more options of the source.
  Command pipeline(const std::string& stages, const Words& more,
                   const std::string& source = {}) const {
    return own(R"({"name":"lines","state":"@/state",
      "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"events")" +
                   source + R"(}},
      "topics":{"events":{}},
      "queues":{"work":{"subscriptions":[{"topic":"events"}]}},
      "services":{"write":{"queue":"work","batch_size":20,"scaling":{"min_capacity":3,"max_capacity":3},
        "stages":[)" +
                   stages + R"({"type":"lines","path":"@/out.jsonl"}]}}})",
               more);
  }
  Command until_idle(const std::string& source = {}) const {
    return pipeline(kTag, {"--until-idle"}, source);
  }

  void write(const std::string& text) const {
    std::ofstream(folder() / "in.jsonl", std::ios::app) << text;
  }
  /// The whole lines of out.jsonl; one that a killed process left torn is none.
  std::vector<Json> out() const {
    std::error_code none;
    const std::uintmax_t bytes = std::filesystem::file_size(folder() / "out.jsonl", none);
    const std::string text = none || bytes == 0 ? "" : read_file(folder() / "out.jsonl");
    std::vector<Json> found;
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
         at = end + 1)
      found.push_back(Json::parse(text.substr(at, end - at)));
    return found;
  }
};

TEST_F(LinesPipeline,
       events_of_a_file_come_out_with_their_attributes_and_a_restart_adds_the_new_ones) {
  write(R"({"body":{"event":"signup"},"attributes":{"n":5}})"
        "\n");
  Ended ended = run(until_idle());
  ASSERT_EQ(ended.exit, 0) << ended.err;
  expect_conservation(summary_of(ended));

  write(R"({"body":"no json"})"
        "\n"
        R"({"body":{"event":"login"}})"
        "\n");
  ended = run(until_idle());
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["sources"]["in"]["events"], 2);
  EXPECT_EQ(summary_of(ended)["dead_letters"], 1);

  ASSERT_EQ(out().size(), 2U);
  EXPECT_EQ(out()[0]["body"], R"({"event":"signup"})");
  EXPECT_EQ(out()[0]["attributes"]["event"], (Json{{"type", "String"}, {"value", "signup"}}));
  EXPECT_EQ(out()[0]["attributes"]["n"], (Json{{"type", "Number"}, {"value", "5"}}));
  EXPECT_EQ(out()[1]["attributes"]["event"]["value"], "login");
  EXPECT_EQ(dead_letters("work-dead").at(0)["dead_letter"]["reason"], "invalid_body");
}

/// What stood before the line was delivered, or comes at the next start; never both.
TEST_F(LinesPipeline, a_line_that_cannot_be_read_stops_the_engine_if_it_is_told_to) {
  const std::string first = R"({"body":"{}"})"
                            "\n";
  write(first + "oops\n");
  Ended ended = run(until_idle(R"(,"on_error":"stop")"));
  EXPECT_EQ(ended.exit, 65);
  EXPECT_NE(ended.err.find("in.jsonl:2: "), std::string::npos) << ended.err;

  std::filesystem::resize_file(folder() / "in.jsonl", first.size());
  write(R"({"body":"{\"n\":2}"})"
        "\n");
  ended = run(until_idle(R"(,"on_error":"stop")"));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  ASSERT_EQ(out().size(), 2U);
  EXPECT_EQ(out()[0]["body"], "{}");
  EXPECT_EQ(out()[1]["body"], R"({"n":2})");
}

TEST_F(LinesPipeline, a_line_s_own_delay_stands_in_place_of_its_queue_s) {
  write(R"({"body":"third","delay":"1s"})"
        "\n"
        R"({"body":"second"})"
        "\n"
        R"({"body":"first","delay":"0s"})"
        "\n"
        R"({"body":"never","delay":"1h"})"
        "\n");
  const Ended ended = run(pipeline("", {"--until-idle", "--set", "/queues/work/delay=\"500ms\""}));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_NE(ended.err.find("in.jsonl:4: \"delay\" is 1h"), std::string::npos) << ended.err;
  std::vector<std::string> bodies;
  for (const Json& message : out())
    bodies.push_back(message["body"]);
  EXPECT_EQ(bodies, (std::vector<std::string>{"first", "second", "third"}));
  expect_conservation(summary_of(ended));
}

TEST_F(LinesPipeline, what_came_through_a_fifo_and_is_left_at_a_signal_comes_at_the_next_start) {
  ASSERT_EQ(::mkfifo(file("in.jsonl").c_str(), 0600), 0);
  const int watching = ::open(file("in.jsonl").c_str(), O_RDONLY | O_NONBLOCK);
  write(R"({"body":{"event":"a"}})"
        "\n"
        R"({"body":{"event":"b"}})"
        "\n");
  Process first(pipeline(kTag, {"--set", "/services={}"}));
  first.until("both were taken", [&] {
    int left = 1;
    return ::ioctl(watching, FIONREAD, &left) == 0 && left == 0;
  });
  ::close(watching);
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().exit, 75);
  EXPECT_EQ(out().size(), 0U);

  Process second(pipeline(kTag, {}));
  second.until("both lines", [&] { return out().size() == 2; });
  second.send(SIGTERM);
  EXPECT_EQ(second.wait().exit, 0);
  EXPECT_FALSE(std::filesystem::exists(folder() / "state/components/in/unsettled.jsonl"));
}

TEST_F(LinesPipeline, standard_input_and_output_are_a_dash) {
  const Command shell{
      {"-c", R"(printf '{"body":"a"}\n{"body":"b"}\n' | "$0" "$@")", build_root() + "/sluice"},
      {},
      "/bin/sh"};
  Command command = pipeline("", {"--until-idle", "--set", "/sources/in/path=-", "--set",
                                  R"(/services/write/stages=[{"type":"lines","path":"-"}])"});
  command.words.insert(command.words.begin(), shell.words.begin(), shell.words.end());
  command.program = shell.program;

  const Ended ended = run(command);

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["sources"]["in"]["acknowledged"], 2);
  EXPECT_NE(ended.out.find(R"("body":"a")"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find(R"("body":"b")"), std::string::npos) << ended.out;
}

TEST_F(LinesPipeline, a_standard_output_that_nobody_reads_holds_no_second_signal_up) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  const int pipe = ::open(file("pipe").c_str(), O_RDWR);
  const int room = ::fcntl(pipe, F_GETPIPE_SZ);
  write(R"({"body":")" + std::string(static_cast<std::size_t>(room), 'x') + "\"}\n");
  Command command =
      pipeline("", {"--set", "/drain_timeout=1s", "--set",
                    R"(/services/write/stages=[{"type":"lines","path":"-"}])"});
  command.words.insert(command.words.begin(),
                       {"-c", R"(exec "$0" "$@" > )" + file("pipe"), command.program});
  command.program = "/bin/sh";
  Process process(command);
  process.until("the pipe is full", [&] {
    int bytes = 0;
    return ::ioctl(pipe, FIONREAD, &bytes) == 0 && bytes == room;
  });

  process.send(SIGINT);
  process.until_logged("another signal stops at once", 1);
  process.send(SIGINT);

  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 74);
  EXPECT_NE(ended.err.find("the summary is not written: nobody reads the standard output"),
            std::string::npos)
      << ended.err;
  ::close(pipe);
}

TEST_F(LinesPipeline, a_signal_ends_a_run_that_is_done_and_whose_summary_nobody_reads) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  const int pipe = ::open(file("pipe").c_str(), O_RDWR);
  const std::string full(static_cast<std::size_t>(::fcntl(pipe, F_GETPIPE_SZ)), 'x');
  ASSERT_EQ(::write(pipe, full.data(), full.size()), static_cast<ssize_t>(full.size()));
  write(R"({"body":{"event":"a"}})"
        "\n");
  Command command = until_idle();
  command.words.insert(command.words.begin(),
                       {"-c", R"(exec "$0" "$@" > )" + file("pipe"), command.program});
  command.program = "/bin/sh";
  Process process(command);
  process.until("the line is out", [&] { return out().size() == 1; });

  process.until("the end", [&] {  // the first may come while it still runs
    process.send(SIGTERM);
    return process.ends_within(std::chrono::milliseconds(100));
  });

  EXPECT_EQ(process.wait().exit, 74);
  ::close(pipe);
}

/// The oracle judges what became of a file of stamped messages.
class LinesCrash : public LinesPipeline {
 protected:
  static constexpr std::uint64_t kMessages = 3000;

  void issue() {
    std::string text;
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      text += Json{{"body_base64", support::to_base64(stamped_body(1, i, 40))}}.dump() + "\n";
      ledger_.issued(1, i);
    }
    write(text);
  }
  Command crossing() const { return pipeline("", {"--until-idle"}); }

  /// Lines of in.jsonl before which the checkpoint calls all acknowledged.
  std::uint64_t acknowledged() const {
    const auto checkpoint = folder() / "state/components/in/checkpoint";
    if (!std::filesystem::exists(checkpoint))
      return 0;
    return Json::parse(read_file(checkpoint))["line"].get<std::uint64_t>() - 1;
  }
  static std::string body_of(const Json& line) {
    return support::from_base64(line["body_base64"].get<std::string>()).value();
  }
  static std::span<const std::uint8_t> span_of(const std::string& bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  }
  /// No line of out.jsonl from `first` on is one of the first `acknowledged` messages.
  void expect_no_repeats(std::size_t first, std::uint64_t acknowledged) const {
    const std::vector<Json> lines = out();
    for (std::size_t i = first; i < lines.size(); ++i) {
      const std::string body = body_of(lines[i]);
      const std::optional<Stamp> stamp = read_stamp(span_of(body));
      ASSERT_TRUE(stamp);
      EXPECT_GE(stamp->sequence, acknowledged);
    }
  }
  void expect_everything() {
    const std::vector<Json> lines = out();
    for (const Json& line : lines)
      ledger_.ended(0, span_of(body_of(line)), Ledger::End::deleted);
    for (std::uint64_t i = 0; i < kMessages; ++i)
      ledger_.acknowledged(1, i);
    EXPECT_EQ(ledger_.judge(true, lines.size() - kMessages), Words{});
  }

  Ledger ledger_{1};
};

TEST_F(LinesCrash, kills_at_any_moment_lose_nothing_and_repeat_only_what_was_not_acknowledged) {
  issue();
  std::mt19937 random(testing::UnitTest::GetInstance()->random_seed());
  const int kills = scaled(20, 5);
  for (int kill = 0; kill < kills && !HasFailure(); ++kill) {
    const std::size_t before = out().size();
    const std::uint64_t done = acknowledged();
    Process process(crossing());
    process.ends_within(std::chrono::milliseconds(random() % 400));
    process.send(SIGKILL);
    process.wait();
    expect_no_repeats(before, done);
  }

  const Ended ended = run(crossing());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  expect_everything();
  EXPECT_EQ(summary_of(run(crossing()))["sources"]["in"]["events"], 0);
}

TEST_F(LinesCrash, stops_at_any_moment_lose_nothing_and_repeat_nothing) {
  issue();
  std::mt19937 random(testing::UnitTest::GetInstance()->random_seed());
  const int stops = scaled(20, 5);
  for (int stop = 0; stop < stops && !HasFailure(); ++stop) {
    Process process(crossing());
    const std::size_t until = out().size() + 1 + random() % (2 * kMessages / static_cast<std::size_t>(stops));
    while (!process.ends_within(std::chrono::milliseconds(1)) && out().size() < until) {
    }
    process.send(SIGTERM);
    const Ended ended = process.wait();
    EXPECT_TRUE(ended.exit == 75 || ended.exit == 0) << ended.err;
  }

  const Ended ended = run(crossing());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(out().size(), kMessages);
  expect_everything();
}

TEST_F(LinesCrash, a_full_disk_is_a_retry_and_leaves_whole_lines) {
  issue();
  Command full = crossing();
  full.file_bytes_max = 100'000;
  Process process(full);
  process.until("a file as long as it can be", [&] {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(folder() / "out.jsonl", none);
    return !none && bytes > full.file_bytes_max - 8'000;  // a batch has some 4000
  });
  process.send(SIGTERM);
  const Ended stopped = process.wait();
  EXPECT_EQ(stopped.exit, 75) << stopped.err;
  EXPECT_EQ(summary_of(stopped)["dead_letters"], 0);
  EXPECT_EQ(read_file(folder() / "out.jsonl").back(), '\n');

  EXPECT_EQ(run(crossing()).exit, 0);

  expect_everything();
}

TEST_F(LinesCrash, a_line_that_was_torn_by_a_kill_is_cut_off_and_written_again) {
  issue();
  const Ended ended = run(crossing());
  ASSERT_EQ(ended.exit, 0) << ended.err;
  std::filesystem::resize_file(folder() / "out.jsonl",
                               std::filesystem::file_size(folder() / "out.jsonl") - 30);
  std::filesystem::remove(folder() / "state/components/in/checkpoint");

  EXPECT_EQ(run(crossing()).exit, 0);

  expect_everything();
}

}  // namespace
}  // namespace sluice::test
