#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "base/token_bucket.hpp"

namespace sluice::test {
namespace {

using core::TokenBucket;

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(TokenBucket, begins_with_what_it_is_given_and_brings_its_rate) {
  TokenBucket bucket(10'000, 5, 2, 0);  // ten a second
  EXPECT_EQ(bucket.available(0), 2u);
  bucket.take(2);
  EXPECT_EQ(bucket.available(kSecond / 10 - 1), 0u);
  EXPECT_EQ(bucket.available(kSecond / 10), 1u);
  EXPECT_EQ(bucket.available(kSecond / 2), 5u);
  EXPECT_EQ(bucket.available(100 * kSecond), 5u) << "no more than it holds";
}

TEST(TokenBucket, says_when_the_next_one_is_there) {
  TokenBucket bucket(3'000, 1, 1, 0);  // three a second: a third has no end
  EXPECT_EQ(bucket.next_ns(7), 7);
  bucket.take(1);
  EXPECT_EQ(bucket.next_ns(7), 7 + 333'333'334);
  EXPECT_EQ(bucket.available(7 + 333'333'333), 0u);
  EXPECT_EQ(bucket.available(7 + 333'333'334), 1u);
}

TEST(TokenBucket, takes_back_what_was_not_used_up_to_its_capacity) {
  TokenBucket bucket(1, 4, 4, 0);
  bucket.take(3);
  bucket.give_back(2);
  EXPECT_EQ(bucket.available(0), 3u);
  bucket.give_back(9);
  EXPECT_EQ(bucket.available(0), 4u);
}

TEST(TokenBucket, is_not_moved_by_a_clock_that_goes_back) {
  TokenBucket bucket(1'000, 1, 0, 10 * kSecond);
  EXPECT_EQ(bucket.available(9 * kSecond), 0u);
  EXPECT_EQ(bucket.available(11 * kSecond - 1), 0u);
  EXPECT_EQ(bucket.available(11 * kSecond), 1u);
}

/// Exact: who takes all there is, whenever that is, has had rate x time in the end, to the token.
TEST(TokenBucket, drifts_at_no_rate_however_often_it_is_asked) {
  EXPECT_TRUE(rc::check("tokens in all are rate x time", [] {
    const auto rate = *rc::gen::inRange<std::uint64_t>(1, 1'000'000'000);  // of 1000 seconds
    const std::uint64_t room = 1'000'000;
    const auto steps = *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 900'000));
    TokenBucket bucket(rate, room, 0, 5);
    std::int64_t now = 5;
    std::uint64_t taken = 0;
    for (const std::int64_t step : steps) {
      now += step;  // never so long that it is full
      const std::uint64_t available = bucket.available(now);
      RC_ASSERT((available > 0) == (bucket.next_ns(now) == now));
      bucket.take(available);
      taken += available;
    }
    RC_ASSERT(taken == static_cast<std::uint64_t>(now - 5) * rate / 1'000'000'000'000u);
  }));
}

}  // namespace
}  // namespace sluice::test
