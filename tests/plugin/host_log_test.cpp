#include <gtest/gtest.h>

#include "base/log.hpp"
#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

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
