#include "support/backoff.hpp"

#include <gtest/gtest.h>

namespace sluice::support {
namespace {

TEST(Backoff, is_anything_up_to_the_doubled_base) {
  EXPECT_EQ(full_jitter_ms(50, 20'000, 0, 0), 0);
  EXPECT_EQ(full_jitter_ms(50, 20'000, 0, 50), 50);
  EXPECT_EQ(full_jitter_ms(50, 20'000, 0, 51), 0);
  EXPECT_EQ(full_jitter_ms(50, 20'000, 3, 400), 400);
  EXPECT_EQ(full_jitter_ms(50, 20'000, 3, 401), 0);
}

TEST(Backoff, has_a_most_whatever_the_attempt) {
  for (const std::uint32_t attempt : {9U, 63U, 64U, UINT32_MAX}) {
    EXPECT_EQ(full_jitter_ms(50, 20'000, attempt, 20'000), 20'000) << attempt;
    EXPECT_EQ(full_jitter_ms(50, 20'000, attempt, 20'001), 0) << attempt;
  }
  EXPECT_EQ(full_jitter_ms(50, 20, 0, 20), 20);
  EXPECT_EQ(full_jitter_ms(50, 20, 5, 21), 0);
}

}  // namespace
}  // namespace sluice::support
