// The age of the oldest of many things, without looking at each.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sluice::test
