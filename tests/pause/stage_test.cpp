// The stage on the real host's calls.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(PauseStage, takes_as_long_as_it_says_for_each_message_and_passes_them_on_in_their_order) {
  Plugins plugins;
  const auto stage = plugins.make("stage", "pause", "p", R"({"duration":"20ms"})");
  ASSERT_NE(stage, nullptr);
  Messages messages;
  messages.add("one", {{"a", "b"}});
  messages.add("two", {});
  Receiver out;
  const auto begin = steady_clock::now();
  EXPECT_EQ(messages.process(*stage, out), SLUICE_OK);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(40));
  ASSERT_EQ(out.emitted.size(), 2U);
  EXPECT_EQ(out.emitted[0].body, "one");
  EXPECT_EQ(out.emitted[1].body, "two");
  EXPECT_EQ(out.emitted[1].parent, 1U);
  EXPECT_TRUE(out.outcomes.empty());
}

TEST(PauseStage, ends_at_once_when_it_is_cancelled) {
  Plugins plugins;
  const auto stage = plugins.make("stage", "pause", "p", R"({"duration":"12h"})");
  ASSERT_NE(stage, nullptr);
  Messages messages;
  messages.add("one", {});
  Receiver out;
  std::thread other([&] { stage->cancel(); });
  EXPECT_EQ(messages.process(*stage, out), SLUICE_CANCELLED);
  other.join();
  EXPECT_TRUE(out.emitted.empty());
}

TEST(PauseStage, takes_durations_of_a_millisecond_to_twelve_hours) {
  Plugins plugins;
  EXPECT_EQ(plugins.faults("stage", "pause", R"({"duration":"12h"})"), "");
  EXPECT_NE(plugins.faults("stage", "pause", R"({"duration":"0s"})"), "");
  EXPECT_NE(plugins.faults("stage", "pause", R"({"duration":"13h"})"), "");
}

}  // namespace
}  // namespace sluice::test
