// Threads that come and go, and slabs that come home: nothing grows, nothing is handed out twice.
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "support/line.hpp"
#include "support/resident.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

TEST(Threads, that_come_and_go_leave_nothing_behind_in_a_queue) {
  Line line;
  core::Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 1);
  ASSERT_TRUE(line.open());
  const std::uint64_t threads = std::max<std::uint64_t>(1500, scaled(10'000));
  std::size_t after_a_thousand = 0;
  std::int64_t resident_after_a_thousand = 0;
  for (std::uint64_t i = 0; i < threads; ++i) {
    if (i == 1000) {
      after_a_thousand = heap_bytes();
      resident_after_a_thousand = resident_bytes();
    }
    line.publish(publisher, {"a"});
    std::thread([&] {  // each is a producer of its own to the moodycamel queue of what came back
      hand.receive();
      hand.fail_first(core::Outcome::Status::retry, 0);
      hand.consumer.idle();
    }).join();
    ASSERT_EQ(hand.drain(), 1u);
  }
  const std::size_t at_the_end = heap_bytes();
  const std::int64_t resident_at_the_end = resident_bytes();
  const std::size_t settlements = threads * 4 * sizeof(Settlements::Settlement);  // the test's own notes, and their growth
  const std::size_t growth_max = settlements + (std::size_t{1} << 20);
  EXPECT_LT(at_the_end, after_a_thousand + growth_max) << "after " << threads << " threads";
  if (kResidentCounts) {
    EXPECT_LT(resident_at_the_end, resident_after_a_thousand + static_cast<std::int64_t>(growth_max)) << "after " << threads << " threads";
  }
  EXPECT_EQ(line.settled.count(), threads);
}

/// Two to four slabs in circulation among an owner and three threads that give back.
TEST(ChunkPool, hands_out_no_slab_that_is_still_out_however_fast_they_come_round) {
  const std::uint64_t cycles = scaled(3'300'000);
  for (const std::uint32_t slabs : {2u, 3u, 4u}) {
    core::ChunkPool pool;
    constexpr std::size_t kGivers = 3;
    std::array<std::atomic<core::Chunk*>, kGivers> hands{};
    std::atomic<bool> over{false};
    std::atomic<std::int64_t> out{0};
    std::vector<std::thread> givers;
    for (std::atomic<core::Chunk*>& from : hands) {
      givers.emplace_back([&] {
        while (!over.load(std::memory_order_relaxed)) {
          core::Chunk* chunk = from.exchange(nullptr, std::memory_order_acquire);
          if (chunk == nullptr) {
            std::this_thread::yield();
            continue;
          }
          chunk->pending.store(0, std::memory_order_relaxed);  // it is at home, or on its way
          out.fetch_sub(1, std::memory_order_relaxed);
          pool.give_back(chunk);
        }
      });
    }
    std::uint64_t last_generation = 0;
    for (std::uint64_t taken = 0; taken < cycles;) {
      std::atomic<core::Chunk*>& to = hands[taken % kGivers];
      if (out.load(std::memory_order_relaxed) >= static_cast<std::int64_t>(slabs) || to.load(std::memory_order_relaxed) != nullptr) {
        std::this_thread::yield();
        continue;
      }
      core::Chunk* chunk = pool.take(0, core::Chunk::Kind::evacuated);
      ASSERT_NE(chunk->generation, last_generation);
      last_generation = chunk->generation;
      for (const std::atomic<core::Chunk*>& other : hands) {
        ASSERT_NE(other.load(std::memory_order_relaxed), chunk) << "it is still out";
      }
      out.fetch_add(1, std::memory_order_relaxed);
      to.store(chunk, std::memory_order_release);
      ++taken;
    }
    over = true;
    for (std::thread& giver : givers) {
      giver.join();
    }
  }
}

}  // namespace
}  // namespace sluice::test
