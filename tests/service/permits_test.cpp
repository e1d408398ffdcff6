// CPU permits: as many as cores, by weight; between equals first come, first served.
#include <gtest/gtest.h>

#include <algorithm>
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
  EXPECT_EQ(share.start(0), 1'000'001);
}

/// Two cores; each service has one batch at work at a time. Half of the weight is one core.
TEST(Share, of_one_with_long_batches_is_not_charged_what_others_have_meanwhile) {
  constexpr std::int64_t kMs = 1'000'000, kAll = 100'000 * kMs;
  struct Rival {
    core::Share share;
    std::int64_t batch_ns, had = 0;
    bool at_work = false;
  };
  struct Core {
    std::int64_t free_at = 0, start = 0;
    Rival* has = nullptr;
  };
  Rival rivals[] = {{core::Share(2), 200 * kMs}, {core::Share(1), 1 * kMs}, {core::Share(1), 1 * kMs}};
  Core cores[2];
  std::int64_t now = 0;
  for (Core* core = cores; core->free_at < kAll; core = std::ranges::min_element(cores, {}, &Core::free_at)) {
    if (core->has != nullptr) {
      core->has->share.charge(core->start, core->has->batch_ns);
      core->has->had += core->has->batch_ns;
      core->has->at_work = false;
    }
    core->has = nullptr;
    for (Rival& rival : rivals) {
      if (!rival.at_work && (core->has == nullptr || rival.share.start(now) < core->has->share.start(now))) {
        core->has = &rival;
      }
    }
    core->start = now = core->has->share.start(now);
    core->has->at_work = true;
    core->free_at += core->has->batch_ns;
  }
  EXPECT_NEAR(static_cast<double>(rivals[0].had) / kAll, 1.0, 0.02);
  EXPECT_NEAR(static_cast<double>(rivals[1].had) / kAll, 0.5, 0.02);
  EXPECT_NEAR(static_cast<double>(rivals[2].had) / kAll, 0.5, 0.02);
}

}  // namespace
}  // namespace sluice::test
