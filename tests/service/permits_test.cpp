// CPU permits: as many as cores, first come, first served.
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
        permits.acquire();
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
  EXPECT_FALSE(permits.wanted());
}

TEST(Permits, a_thread_that_lets_go_and_asks_again_stands_behind_one_that_waits) {
  Permits permits(1);
  permits.acquire();
  std::atomic<bool> had_it{false};
  std::thread waiter([&] {
    permits.acquire();
    had_it = true;
    permits.release();
  });
  while (!permits.wanted()) {
    std::this_thread::yield();
  }
  permits.release();
  permits.acquire();
  EXPECT_TRUE(had_it);
  permits.release();
  waiter.join();
}

}  // namespace
}  // namespace sluice::test
