// No space left: a sink tries again and loses nothing, the state folder stops the engine (74).
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

/// The end of the disk is that of a tiny file system of our own.
class FullDisk : public Pipeline {
 protected:
  /// A file system of `bytes` at a folder of the test; skips where that is not allowed.
  void mount_small(const fs::path& at, const std::string& bytes) {
    fs::create_directories(at);
    const bool mounted = own_mounts() && ::mount("sluice-test", at.c_str(), "tmpfs", 0,
                                                 ("size=" + bytes).c_str()) == 0;
    if (!mounted)
      GTEST_SKIP() << "cannot mount a small tmpfs here: "
                   << std::strerror(errno);  // NOLINT(concurrency-mt-unsafe)
    mounted_ = at;
  }
  /// A mount namespace of our own: what is mounted goes with this process, whatever happens.
  static bool own_mounts() {
    const std::string user = std::to_string(::geteuid()), group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWNS) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
      std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
    }
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  ~FullDisk() override {
    if (!mounted_.empty())
      ::umount2(mounted_.c_str(), MNT_DETACH);
  }

  static void fill(const fs::path& with) {
    std::ofstream file(with, std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

  /// Visible again soon, and as often as it takes.
  Words patient() const {
    Words words = probe_16({{"trace", file("trace")}});
    for (const char* queue : {"resize-16", "resize-32", "resize-64"}) {
      const std::string at = std::string("/queues/") + queue;
      words.insert(words.end(), {"--set", at + "/visibility_timeout=\"50ms\"", "--set",
                                 at + "/redrive_policy=null"});
    }
    return words;
  }

 private:
  fs::path mounted_;
};

TEST_F(FullDisk, a_sink_without_space_tries_again_and_loses_nothing) {
  mount_small(bucket(), "1m");
  if (IsSkipped())
    return;
  put("icons/a.png", icon_png());
  fill(bucket() / "filler");

  Process process(icons_until_idle(patient()));
  process.until("a second attempt", [&] { return lines("trace").size() >= 2; });
  EXPECT_EQ(results(), 0U);
  fs::remove(bucket() / "filler");
  const Ended ended = process.wait();

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(results(), 3U);
  const Json summary = summary_of(ended);
  EXPECT_EQ(summary["dead_letters"], 0);
  EXPECT_GE(summary["services"]["resize-16"]["retried"], 1);
  expect_conservation(summary);
}

TEST_F(FullDisk, a_ledger_without_space_stops_the_engine_with_74_and_nothing_is_lost) {
  put("icons/a.png", icon_png());
  Command command = icons_until_idle();
  for (const int side : kSides) {
    command.words.insert(command.words.end(),
                         {"--set", "/services/resize-" + std::to_string(side) +
                                       "/stages=[{\"type\":\"count_bytes\"}]"});
  }
  command.file_bytes_max = 16;  // the ledger's head, and no record
  const Ended ended = run(command);
  EXPECT_EQ(ended.exit, 74) << ended.err;
  EXPECT_NE(ended.err.find("ledger"), std::string::npos) << ended.err;
  EXPECT_EQ(summary_of(ended)["exit"], 74);

  const Ended again = run(icons_until_idle());
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_EQ(results(), 3U);
}

TEST_F(FullDisk, dead_letters_without_space_stop_the_engine_with_74_and_come_again) {
  mount_small(folder() / "state", "256k");
  if (IsSkipped())
    return;
  put("icons/good.png", icon_png());
  EXPECT_EQ(run(icons_until_idle()).exit, 0);  // everything that a start writes is there
  put("icons/bad.png", "damaged");
  fill(folder() / "state/filler");

  const Ended ended = run(icons_until_idle());
  EXPECT_EQ(ended.exit, 74) << ended.err;
  EXPECT_NE(ended.err.find("dead-letters"), std::string::npos) << ended.err;

  fs::remove(folder() / "state/filler");
  const Ended again = run(icons_until_idle());
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_EQ(summary_of(again)["sources"]["uploads"]["events"], 1);
  for (const int side : kSides)
    EXPECT_EQ(dead_letters("resize-" + std::to_string(side) + "-dead").size(), 1U) << side;
}

TEST_F(FullDisk, a_redrive_on_what_a_stopped_engine_stored_tells_how_far_it_came_and_can_be_repeated) {
  constexpr int kLetters = 200;  // their marks do not fit into what the file's last page has left
  mount_small(folder() / "state", "1m");
  if (IsSkipped())
    return;
  std::ofstream messages(folder() / "in.jsonl");
  for (int i = 0; i < kLetters; ++i)
    messages << R"({"body":"x","attributes":{"s3.key":"key-)" << i << "\"}}\n";
  messages.close();
  const Command until_idle = own(R"({"name":"full","state":"@/state",
    "buckets":{"graphics":{"type":"directory","path":"@/graphics"}},
    "sources":{"in":{"type":"lines","path":"@/in.jsonl","publish_to":"jobs"}},
    "queues":{"jobs":{}},
    "services":{"work":{"queue":"jobs","stages":[{"type":"object_get","bucket":"graphics"},
                                                 {"type":"lines","path":"@/out.jsonl","fsync":"never"}]}}})",
                                 {"--until-idle"});
  ASSERT_EQ(summary_of(run(until_idle))["dead_letters"], kLetters);
  const Command redrive{{"queue", "redrive", file("pipeline.json"), "jobs-dead"}, {}};
  fill(folder() / "state/filler");

  const Ended refused = run(redrive);
  EXPECT_EQ(refused.exit, 74) << refused.out;
  EXPECT_NE(refused.err.find("No space left on device"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find(" of the 200 letters in '" + file("state/dead-letters/jobs-dead.jsonl")),
            std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("make room and repeat the command"), std::string::npos) << refused.err;

  fs::remove(folder() / "state/filler");
  const Ended again = run(redrive);
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_NE(again.out.find("200 of 200 letters marked"), std::string::npos) << again.out;
  for (int i = 0; i < kLetters; ++i)
    put("key-" + std::to_string(i), "object");
  const Ended ended = run(until_idle);
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 0);
  EXPECT_EQ(lines("out.jsonl").size(), std::size_t{kLetters});
  expect_conservation(summary_of(ended));
}

}  // namespace
}  // namespace sluice::test
