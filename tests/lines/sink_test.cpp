// The sink on the real host's calls.
#include <gtest/gtest.h>

#include "directory/temporary_folder.hpp"
#include "message/message_json.hpp"
#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

TEST(LinesSink, each_message_is_one_line_as_the_host_writes_messages) {
  for (const char* fsync : {"batch", "never"}) {
    const TemporaryFolder folder;
    Plugins plugins;
    const auto sink =
        plugins.make("stage", "lines", "write",
                     R"({"path":")" + folder.at("out") + R"(","fsync":")" + fsync + "\"}");
    ASSERT_NE(sink, nullptr);
    Messages messages;
    messages.add("a\nb", {{"event", "signup"}});
    messages.add("\xff", {});
    Receiver out;

    ASSERT_EQ(messages.process(*sink, out), SLUICE_OK);
    ASSERT_EQ(messages.process(*sink, out), SLUICE_OK);

    const std::string twice =
        core::message_to_json(messages[0]) + "\n" + core::message_to_json(messages[1]) + "\n";
    EXPECT_EQ(folder.read("out"), twice + twice);
    EXPECT_TRUE(out.outcomes.empty());
    EXPECT_TRUE(out.emitted.empty());
  }
}

TEST(LinesSink, a_full_disk_is_a_retry_of_the_whole_batch) {
  Plugins plugins;
  const auto sink = plugins.make("stage", "lines", "write", R"({"path":"/dev/full"})");
  ASSERT_NE(sink, nullptr);
  Messages messages;
  messages.add("a", {});
  messages.add("b", {});
  Receiver out;

  ASSERT_EQ(messages.process(*sink, out), SLUICE_OK);

  ASSERT_EQ(out.outcomes.size(), 2U);
  for (const auto& [index, outcome] : out.outcomes) {
    EXPECT_EQ(outcome.status, SLUICE_RETRY);
    EXPECT_EQ(outcome.reason, "write_failed");
    EXPECT_NE(outcome.detail.find("/dev/full"), std::string::npos) << outcome.detail;
  }
}

TEST(LinesSink, makes_the_folder_of_its_file) {
  const TemporaryFolder folder;
  Plugins plugins;
  plugins.make("stage", "lines", "write", R"({"path":")" + folder.at("forks/out") + "\"}");
  EXPECT_TRUE(std::filesystem::exists(folder.at("forks/out")));
}

TEST(LinesSink, options_that_make_no_sense_and_places_that_are_not_there_are_errors) {
  Plugins plugins;
  for (const char* options : {"{}", R"({"path":""})", R"({"path":"x","fsync":"always"})"})
    EXPECT_NE(plugins.faults("stage", "lines", options), "") << options;
  const auto made = plugins.try_make("stage", "lines", "write", R"({"path":"/dev/null/out"})", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, core::Errc::unavailable);
}

}  // namespace
}  // namespace sluice::test
