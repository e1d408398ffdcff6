#include "explore/verify.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/log.hpp"

namespace sluice::explore {
namespace {

/// Nothing is logged while it lives: a line would come with each schedule.
struct Silence {
  Silence() { core::configure_log(core::LogLevel::off, core::LogFormat::text); }
  ~Silence() { core::configure_log(core::LogLevel::info, core::LogFormat::text); }
};

std::string test_name() {
  const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
  return std::string(info.test_suite_name()) + "." + info.name();
}

/// SLUICE_SCHEDULE=DEPTH:CHOICES, as a failure prints it.
bool replays(const Scenario& scenario) {
  const char* text = std::getenv("SLUICE_SCHEDULE");
  if (text == nullptr) {
    return false;
  }
  char* rest = nullptr;
  const auto depth = static_cast<std::uint32_t>(std::strtoul(text, &rest, 10));
  const Findings findings = replay(scenario, {.store_buffer = depth}, *rest == ':' ? rest + 1 : rest);
  EXPECT_EQ(findings.violation, "");
  return true;
}

}  // namespace

void verify(const Scenario& scenario, Options options) {
  const Silence silence;
  if (replays(scenario)) {
    return;
  }
  for (const std::uint32_t depth : {0u, options.store_buffer}) {
    options.store_buffer = depth;
    const auto begin = std::chrono::steady_clock::now();
    const Findings findings = explore(scenario, options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::printf("%s: store buffer %u: %llu schedules, %llu steps, %.2f s\n", test_name().c_str(), depth,
                static_cast<unsigned long long>(findings.schedules), static_cast<unsigned long long>(findings.steps), seconds.count());
    ASSERT_EQ(findings.violation, "") << "run it again: SLUICE_SCHEDULE=" << depth << ":" << findings.schedule
                                      << " test_explore --gtest_filter=" << test_name();
  }
}

void expect_found(const Scenario& scenario, const Options& options) {
  const Silence silence;
  const Findings findings = explore(scenario, options);
  EXPECT_NE(findings.violation, "") << "nothing found in " << findings.schedules << " schedules";
  std::printf("%s: found after %llu schedules: %s\n", test_name().c_str(), static_cast<unsigned long long>(findings.schedules),
              findings.violation.c_str());
}

}  // namespace sluice::explore
