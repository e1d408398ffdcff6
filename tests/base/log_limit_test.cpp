#include "base/log_limit.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sluice::core
