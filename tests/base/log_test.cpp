#include "base/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/json.hpp"

namespace sluice::core {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    set_log_sink([this](std::string_view line) { lines_.emplace_back(line); });
  }
  ~LogTest() override {
    set_log_sink({});
    configure_log(LogLevel::info, LogFormat::text);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, a_text_line_has_time_level_component_and_text) {
  configure_log(LogLevel::info, LogFormat::text);
  log_warning("resize-16", "{} of {} done", 3, 4);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].substr(23), "Z warning resize-16: 3 of 4 done");
  EXPECT_EQ(lines_[0][10], 'T');
}

TEST_F(LogTest, a_json_line_is_one_object) {
  configure_log(LogLevel::debug, LogFormat::json);
  log(LogLevel::debug, "up\"loads", "a\nb {} \xFF");
  ASSERT_EQ(lines_.size(), 1u);
  const auto line = parse_json(lines_[0]);
  ASSERT_TRUE(line.has_value()) << lines_[0];
  EXPECT_EQ(line->find("level")->text, "debug");
  EXPECT_EQ(line->find("component")->text, "up\"loads");
  EXPECT_EQ(line->find("message")->text, "a\nb {} \xEF\xBF\xBD");
  EXPECT_EQ(line->find("time")->text.size(), 24u);
}

TEST_F(LogTest, lines_below_the_level_are_left_out) {
  configure_log(LogLevel::warning, LogFormat::text);
  log_info("", "no");
  log_error("", "yes");
  configure_log(LogLevel::off, LogFormat::text);
  log_error("", "no");
  log(LogLevel::off, "", "no");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].substr(23), "Z error   yes");
}

TEST_F(LogTest, control_characters_never_make_a_second_line) {
  configure_log(LogLevel::info, LogFormat::text);
  log(LogLevel::info, "a\nb", "one\ntwo\x1b[31m\r\xFF");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].substr(33), "a\\nb: one\\ntwo\\x1b[31m\\r\xEF\xBF\xBD");
}

TEST_F(LogTest, lines_of_several_threads_stay_whole) {
  configure_log(LogLevel::info, LogFormat::text);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 250; ++i) {
        log_info("thread", "{}", std::string(100, 'x'));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_EQ(lines_.size(), 1000u);
  for (const std::string& line : lines_) {
    ASSERT_EQ(line.substr(33), "thread: " + std::string(100, 'x'));
  }
}

TEST(LogNames, levels_and_formats_are_known_by_name) {
  EXPECT_EQ(log_level_from("warning"), LogLevel::warning);
  EXPECT_EQ(log_level_from("off"), LogLevel::off);
  EXPECT_EQ(log_level_from("verbose"), std::nullopt);
  EXPECT_EQ(log_format_from("json"), LogFormat::json);
  EXPECT_EQ(log_format_from("xml"), std::nullopt);
}

}  // namespace
}  // namespace sluice::core
