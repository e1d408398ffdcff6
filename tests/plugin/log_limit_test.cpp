#include "plugin/log_limit.hpp"

#include <gtest/gtest.h>

#include "base/log.hpp"
#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(LogLimit, only_so_many_lines_of_a_component_pass_in_a_second) {
  LogLimit limit(3);
  int passed = 0;
  for (int i = 0; i < 10; ++i) {
    passed += limit.judge("a", i * kSecond / 20).pass ? 1 : 0;
  }
  EXPECT_EQ(passed, 3);
  EXPECT_TRUE(limit.judge("b", 0).pass);
}

TEST(LogLimit, the_next_second_begins_with_what_was_left_out) {
  LogLimit limit(1);
  limit.judge("a", 0);
  limit.judge("a", 1);
  limit.judge("a", kSecond - 1);
  const LogLimit::Verdict verdict = limit.judge("a", kSecond);
  EXPECT_TRUE(verdict.pass);
  EXPECT_EQ(verdict.left_out, 2u);
  EXPECT_EQ(limit.judge("a", 2 * kSecond).left_out, 0u);
}

TEST(LogLimit, a_component_that_ends_has_its_rest_told_once) {
  LogLimit limit(1);
  limit.judge("a", 0);
  limit.judge("a", 1);
  EXPECT_EQ(limit.finish("a"), 1u);
  EXPECT_EQ(limit.finish("a"), 0u);
  EXPECT_TRUE(limit.judge("a", 2).pass);
}

class HostLog : public testing::Test {
 protected:
  HostLog() {
    set_host_clock(clock_);
    set_log_sink([this](std::string_view line) { lines_.emplace_back(line.substr(33)); });
  }
  ~HostLog() override {
    set_log_sink({});
    set_host_clock(system_clock());
  }
  FakeClock clock_;
  std::vector<std::string> lines_;
};

TEST_F(HostLog, names_the_config_or_the_component_that_runs_on_the_thread) {
  sluice_config config;
  config.name = "uploads";
  host().log(&config, SLUICE_LOG_WARNING, str("one"));
  {
    const ComponentScope outer("resize");
    { const ComponentScope inner("inner"); }
    host().log(nullptr, SLUICE_LOG_ERROR, str("two"));
  }
  host().log(nullptr, SLUICE_LOG_INFO, str("three"));
  EXPECT_EQ(lines_, (std::vector<std::string>{"uploads: one", "resize: two", "plugin: three"}));
}

TEST_F(HostLog, a_flood_is_cut_and_counted) {
  sluice_config config;
  config.name = "flood";
  for (int i = 0; i < 100; ++i) {
    host().log(&config, SLUICE_LOG_INFO, str("x"));
    host().log(&config, SLUICE_LOG_DEBUG, str("not even counted"));
  }
  EXPECT_EQ(lines_.size(), 20u);
  clock_.advance_ms(1000);
  host().log(&config, SLUICE_LOG_INFO, str("y"));
  ASSERT_EQ(lines_.size(), 22u);
  EXPECT_EQ(lines_[20], "flood: 80 more log lines were left out");
  EXPECT_EQ(lines_[21], "flood: y");
}

TEST_F(HostLog, a_long_text_is_cut) {
  host().log(nullptr, SLUICE_LOG_INFO, str(std::string(100'000, 'x')));
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_LT(lines_[0].size(), 5'000u);
}

TEST_F(HostLog, now_is_the_tests_own_time) {
  const int64_t before = host().now_ms();
  clock_.advance_ms(250);
  EXPECT_EQ(host().now_ms(), before + 250);
}

}  // namespace
}  // namespace sluice::core
