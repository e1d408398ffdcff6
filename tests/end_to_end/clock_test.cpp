// The wall clock of a running engine is set a year forward and an hour back (reliability catalogue B3):
// no lease, no message ends by that, what is delayed comes in order, timers go on.
#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

constexpr std::int64_t kHour = 3'600'000, kDay = 24 * kHour;

class WallClock : public Pipeline {
 protected:
  static constexpr int kMessages = 50;

  WallClock() {
    std::ofstream file(folder() / "in.jsonl");
    for (int i = 0; i < kMessages; ++i)
      file << i << "\n";
    put_file(folder() / "clock", "+0\n");
  }
  /// A source that beats, and two queues whose messages wait: at a gate, and for their delay.
  Command pipeline() const {
    Command command = own(R"({"name":"clock","state":"@/state",
      "sources":{"in":{"type":"lines","format":"text","path":"@/in.jsonl","publish_to":"events"},
                 "beat":{"type":"generate","rate":100,"batch":1,"publish_to":"beats"}},
      "topics":{"events":{}},
      "queues":{"beats":{},
        "held":{"subscriptions":[{"topic":"events"}],"retention":"120s","visibility_timeout":"120s"},
        "later":{"subscriptions":[{"topic":"events"}],"retention":"120s","delay":"2s"}},
      "services":{
        "beats":{"queue":"beats","batch_size":1,"stages":[{"type":"probe","trace":"@/beats"},{"type":"count_bytes"}]},
        "held":{"queue":"held","batch_size":5,"stages":[{"type":"probe","gate":"@/gate","trace":"@/held"},
                                                        {"type":"lines","path":"@/held.jsonl"}]},
        "later":{"queue":"later","stages":[{"type":"lines","path":"@/later.jsonl"}]}}})");
    command.environment = {{"LD_PRELOAD", library()},
                           {"FAKETIME_TIMESTAMP_FILE", file("clock")},
                           {"FAKETIME_NO_CACHE", "1"},
                           {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
                           {"ASAN_OPTIONS", "intercept_tls_get_addr=0:verify_asan_link_order=0"}};
    return command;
  }
  static std::string library() {
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib")) {
      const auto found = entry.path() / "faketime" / "libfaketimeMT.so.1";
      if (std::filesystem::exists(found))
        return found.string();
    }
    return {};
  }
  /// As the engine's wall clock says.
  std::int64_t now_ms() const {
    const std::vector<std::string> beats = lines("beats");
    return beats.empty() ? 0 : std::stoll(beats.back());
  }
  /// Sets it, and lets the engine live with it for two seconds and more: what looks for old messages looks every second.
  void set_clock(Process& engine, const std::string& shift, std::int64_t shift_ms) const {
    const std::int64_t before = now_ms();
    put_file(folder() / "clock", shift + "\n");
    engine.until("the new time", [&] { return (shift_ms > 0) == (now_ms() > before + shift_ms / 2) && now_ms() != before; });
    const std::size_t beats = lines("beats").size();
    engine.until("two seconds of it", [&] { return lines("beats").size() >= beats + 200; });
  }
};

TEST_F(WallClock, that_is_set_forward_and_back_ends_nothing_and_delays_nothing) {
  if (library().empty())
    GTEST_SKIP() << "no libfaketime (package faketime)";
  Process engine(pipeline());
  engine.until("messages in hand", [&] { return lines("held").size() == 1 && now_ms() != 0; });

  set_clock(engine, "+365d", 365 * kDay);
  set_clock(engine, "-1h", -366 * kDay);
  put_file(folder() / "gate", "open");
  engine.until("all", [&] {
    return lines("held.jsonl").size() >= kMessages && lines("later.jsonl").size() >= kMessages;
  });
  engine.send(SIGTERM);
  const Ended ended = engine.wait();

  const Json summary = summary_of(ended);
  expect_conservation(summary);
  for (const char* name : {"held", "later"}) {
    EXPECT_EQ(summary["queues"][name]["expired"], 0) << name;
    EXPECT_EQ(summary["queues"][name]["deleted"], kMessages) << name;
    EXPECT_EQ(summary["queues"][name]["received"], kMessages) << name << ": each once";
    EXPECT_EQ(summary["services"][name]["stale"], 0) << name;
    int next = 0;
    for (const std::string& line : lines(std::string(name) + ".jsonl"))
      EXPECT_EQ(Json::parse(line)["body"], std::to_string(next++)) << name;
  }
}

}  // namespace
}  // namespace sluice::test
