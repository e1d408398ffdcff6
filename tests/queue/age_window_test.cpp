// The age of the oldest of many things, without looking at each.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "queue/age_window.hpp"

namespace sluice::test {
namespace {

using core::AgeWindow;

TEST(AgeWindow, has_none_where_nothing_is) {
  AgeWindow window;
  EXPECT_EQ(window.oldest_ms(), AgeWindow::kNone);
  window.leave(window.come(5));
  EXPECT_EQ(window.oldest_ms(), AgeWindow::kNone);
}

TEST(AgeWindow, knows_the_oldest_of_what_is_there) {
  AgeWindow window;
  window.come(50);
  window.come(20);
  window.come(70);
  EXPECT_EQ(window.oldest_ms(), 20);
}

TEST(AgeWindow, forgets_the_oldest_when_all_that_came_with_it_left) {
  AgeWindow window;
  std::uint8_t old = window.come(20);
  window.turn();
  window.come(50);
  EXPECT_EQ(window.oldest_ms(), 20);
  window.leave(old);
  EXPECT_EQ(window.oldest_ms(), 50);
}

TEST(AgeWindow, keeps_what_stays_through_any_number_of_turns) {
  AgeWindow window;
  window.come(20);
  for (int i = 0; i < 1000; ++i) {
    window.turn();
    window.leave(window.come(1000 + i));
  }
  EXPECT_EQ(window.oldest_ms(), 20);
}

/// A queue with a delay, or with retries that wait: something comes at each turn, and none of it stays for ever.
TEST(AgeWindow, of_a_steady_flow_is_too_old_by_a_seventh_of_what_things_stay_and_a_turn_at_most) {
  for (const std::int64_t stay : {1, 2, 7, 15, 16, 17, 30, 100, 1000, 3000}) {
    AgeWindow window;
    std::deque<std::uint8_t> there;
    for (std::int64_t now = 0; now < 5 * stay + 1000; ++now) {
      there.push_back(window.come(now));
      if (now >= stay) {
        window.leave(there.front());
        there.pop_front();
      }
      const std::int64_t oldest = std::max<std::int64_t>(0, now - stay + 1);
      ASSERT_LE(window.oldest_ms(), oldest);
      ASSERT_GE(window.oldest_ms(), oldest - stay / 7 - 1) << "stay " << stay << ", turn " << now;
      window.turn();
    }
  }
}

TEST(AgeWindow, of_what_stays_for_ever_is_known_however_much_comes) {
  AgeWindow window;
  std::vector<std::uint8_t> there;
  for (std::int64_t now = 0; now < 50'000; ++now) {
    there.push_back(window.come(now));
    window.turn();
  }
  EXPECT_EQ(window.oldest_ms(), 0);
  for (const std::uint8_t place : there) {
    window.leave(place);
  }
  EXPECT_EQ(window.oldest_ms(), AgeWindow::kNone);
}

}  // namespace
}  // namespace sluice::test
