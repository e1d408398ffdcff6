// CPU permits: as many as cores, by weight; between equals first come, first served.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "service/permits.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Permits;

TEST(Permits, never_more_run_than_there_are_permits) {
  Permits permits(2);
  std::atomic<int> running{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t round = 0; round < scaled(2000); ++round) {
        permits.acquire(0);
        int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --running;
        permits.release();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_LE(most, 2);
  EXPECT_FALSE(permits.wanted_before(INT64_MAX - 1));
}

TEST(Permits, a_thread_that_lets_go_and_asks_again_stands_behind_one_that_waits) {
  Permits permits(1);
  permits.acquire(0);
  std::atomic<bool> had_it{false};
  std::thread waiter([&] {
    permits.acquire(0);
    had_it = true;
    permits.release();
  });
  while (!permits.wanted_before(INT64_MAX - 1)) {
    std::this_thread::yield();
  }
  permits.release();
  permits.acquire(0);
  EXPECT_TRUE(had_it);
  permits.release();
  waiter.join();
}

TEST(Permits, go_to_who_starts_first_whoever_came_first) {
  Permits permits(1);
  permits.acquire(0);
  std::vector<std::int64_t> order;
  std::vector<std::thread> threads;
  for (const std::int64_t start : {300, 200, 100}) {
    EXPECT_FALSE(permits.wanted_before(start));
    threads.emplace_back([&permits, &order, start] {
      permits.acquire(start);
      order.push_back(start);  // one at a time
      permits.release();
    });
    while (!permits.wanted_before(start)) {
      std::this_thread::yield();
    }
  }
  permits.release();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(order, (std::vector<std::int64_t>{100, 200, 300}));
  EXPECT_EQ(permits.now(), 300);
}

TEST(Share, is_time_divided_by_weight) {
  core::Share one(1), four(4);
  one.charge(0, 100);
  four.charge(0, 100);
  EXPECT_EQ(one.start(0), 100);
  EXPECT_EQ(four.start(0), 25);
  four.charge(0, 100);
  EXPECT_EQ(four.start(0), 50);
}

TEST(Share, that_was_not_used_is_not_saved_up) {
  core::Share share;
  share.charge(0, 100);
  EXPECT_EQ(share.start(1'000'000), 1'000'000);
  share.charge(1'000'000, 1);
  EXPECT_EQ(share.start(0), 1'000'100);
}

}  // namespace
}  // namespace sluice::test
