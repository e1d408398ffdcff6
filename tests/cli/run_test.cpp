// `sluice run` by the real binary: summaries, signals, log formats, the display, exit codes. What
// the engine does is tested in tests/pipeline and tests/end_to_end.
#include <poll.h>
#include <pty.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace sluice::core {
namespace {

using nlohmann::json;

/// Copies from in/ to out/ of one folder; the service and all names are "copy".
class Copying {
 public:
  Copying() {
    std::filesystem::create_directories(folder_ / "files/in");
    write_text(config(), R"({
      "name": "copying", "state": "state",
      "buckets": { "files": { "type": "directory", "path": "files" } },
      "sources": { "arrivals": { "type": "bucket_events", "bucket": "files", "prefix": "in/", "publish_to": "copy" } },
      "queues": { "copy": {} },
      "services": { "copy": { "queue": "copy", "stages": [ { "type": "object_get", "bucket": "files" },
                                                           { "type": "object_put", "bucket": "files", "key": "out/{key_after_prefix}" } ] } }
    })");
  }
  std::string config() const { return folder_ / "copying.json"; }
  void put(const std::string& name) const { write_text(folder_ / ("files/in/" + name), name); }
  std::filesystem::path result(const std::string& name) const {
    return folder_ / ("files/out/" + name);
  }
  Said run(std::vector<std::string> words) const {
    words.insert(words.begin(), {"run", config(), "--until-idle"});
    return run_sluice(words);
  }

 private:
  Folder folder_;
};

/// Waits until `condition` holds, at most half a minute.
bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n') + 1;
  const std::size_t newline = text.rfind('\n', end - 1);
  return text.substr(newline == std::string::npos ? 0 : newline + 1,
                     end - (newline == std::string::npos ? 0 : newline + 1));
}

TEST(Run, the_json_summary_is_the_last_line_of_stdout) {
  const Copying copying;
  copying.put("a");
  copying.put("b");
  const Said said = copying.run({"--summary", "json"});
  ASSERT_EQ(said.exit, 0) << said.err;
  const json summary = json::parse(last_line(said.out));
  EXPECT_EQ(summary["pipeline"], "copying");
  EXPECT_EQ(summary["exit"], 0);
  EXPECT_EQ(summary["sources"]["arrivals"], (json{{"events", 2}, {"acknowledged", 2}}));
  EXPECT_EQ(summary["services"]["copy"]["processed"], 2);
  EXPECT_EQ(read_text(copying.result("a")), "a");
}

TEST(Run, without_json_the_summary_is_a_table) {
  const Copying copying;
  copying.put("a");
  const Said said = copying.run({});
  EXPECT_EQ(said.exit, 0);
  EXPECT_TRUE(has(said.out, "copying: ")) << said.out;
  EXPECT_TRUE(has(said.out, "service  processed")) << said.out;
}

TEST(Run, at_its_start_it_says_what_runs) {
  const Copying copying;
  const Said said = copying.run({});
  EXPECT_TRUE(has(said.err,
                  "/state': 1 source (arrivals watches files, prefix in/), 0 topics, 2 queues, "
                  "1 service with 1 worker\n"))
      << said.err;
  EXPECT_TRUE(has(said.err, " copying runs, state in '")) << said.err;
}

TEST(Run, a_rejected_message_is_logged_and_the_warnings_of_the_config_are_shown) {
  const Copying copying;
  copying.put("a");
  const Said said = copying.run(
      {"--set", "/services/copy/stages/1/key=../{key}", "--set", "/topics={\"unused\": {}}"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(has(said.err, "--set /topics: warning: topic \"unused\"")) << said.err;
  EXPECT_TRUE(has(said.err, " warning copy: message ")) << said.err;
  EXPECT_TRUE(has(said.err, " is dead-lettered: invalid_key: ")) << said.err;
  EXPECT_TRUE(has(said.err, "/state/dead-letters/copy-dead.jsonl'")) << said.err;
}

TEST(Run, an_override_reaches_the_engine) {
  const Copying copying;
  copying.put("a");
  const Said said =
      copying.run({"--set", "/services/copy/stages/1/key=elsewhere/{key_after_prefix}"});
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_FALSE(std::filesystem::exists(copying.result("a")));
}

TEST(Run, json_log_lines_are_all_json) {
  const Copying copying;
  const Said said = copying.run(
      {"--log-format", "json", "--log-level", "debug", "--set", "/topics={\"unused\": {}}"});
  EXPECT_EQ(said.exit, 0);
  std::stringstream lines(said.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_TRUE(json::accept(line)) << line;
  EXPECT_GT(count, 0) << "the warning about the topic is a line too";
}

TEST(Run, a_signal_stops_it_in_order_with_a_summary) {
  for (const int number : {SIGINT, SIGTERM}) {
    const Copying copying;
    copying.put("a");
    Program program({"run", copying.config(), "--summary", "json"}, "", {});
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(copying.result("a")); }));
    program.signal(number);
    const Said said = program.wait();
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_EQ(json::parse(last_line(said.out))["exit"], 0);
  }
}

TEST(Run, what_comes_later_is_seen_until_it_is_stopped) {
  const Copying copying;
  Program program({"run", copying.config()}, "", {});
  for (const char* name : {"first", "second"}) {
    copying.put(name);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(copying.result(name)); })) << name;
  }
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait().exit, 0);
}

TEST(Run, a_state_folder_in_use_is_refused) {
  const Copying copying;
  copying.put("a");
  Program first({"run", copying.config()}, "", {});
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(copying.result("a")); }));
  const Said second = copying.run({});
  EXPECT_EQ(second.exit, 73) << second.err;
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait().exit, 0);
}

TEST(Run, a_bucket_whose_folder_is_missing_is_missing_input) {
  const Copying copying;
  const Said said = copying.run({"--set", "/buckets/files/path=nowhere"});
  EXPECT_EQ(said.exit, 66) << said.err;
  EXPECT_TRUE(has(said.err, "nowhere")) << said.err;
}

TEST(Run, a_broken_config_is_reported_before_anything_is_made) {
  const Copying copying;
  const Said said = copying.run({"--set", "/queues/copy/capacity=0"});
  EXPECT_EQ(said.exit, 78);
  EXPECT_FALSE(
      std::filesystem::exists(std::filesystem::path(copying.config()).parent_path() / "state"));
}

TEST(Run, a_full_standard_output_is_an_io_error) {
  if (::access("/dev/full", W_OK) != 0)
    GTEST_SKIP() << "there is no /dev/full";
  const Copying copying;
  EXPECT_EQ(run_sluice({"run", copying.config(), "--until-idle", "--summary", "json"}, "", {},
                       "/dev/full")
                .exit,
            74);
}

/// What a program with a terminal as its stderr wrote there, and its exit code.
Said run_on_terminal(const std::vector<std::string>& words,
                     const std::function<void(pid_t)>& meanwhile) {
  std::vector<std::string> all{build_root() + "/sluice"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    ::setenv("TERM", "xterm", 1);
    ::unsetenv("NO_COLOR");
    ::dup2(::open("/dev/null", O_WRONLY), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  Said said;
  char buffer[4096];
  bool told = false;
  for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof buffer)) > 0;) {
    said.err.append(buffer, static_cast<std::size_t>(got));
    if (!told && has(said.err, "dead letters")) {
      told = true;
      meanwhile(child);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  said.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return said;
}

TEST(Run, on_a_terminal_progress_is_drawn_and_taken_away) {
  const Copying copying;
  copying.put("a");
  const Said said =
      run_on_terminal({"run", copying.config()}, [](pid_t child) { ::kill(child, SIGINT); });
  EXPECT_EQ(said.exit, 0) << said.err;
  EXPECT_TRUE(has(said.err, "copy ")) << said.err;
  EXPECT_TRUE(has(said.err, "\033[K")) << "lines are drawn over";
  EXPECT_FALSE(has(said.err, "\033[?25l")) << "the cursor is never hidden";
  EXPECT_TRUE(has(said.err, "F\033[J")) << "the display is taken away at the end: " << said.err;
}

}  // namespace
}  // namespace sluice::core
