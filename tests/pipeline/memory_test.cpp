// The memory of an engine beside the bound that `validate` prints for it (DESIGN §7.6, reliability catalogue I7): more
// than the bound is sent into a queue whose consumer is slow, whatever the queue does when it is full, in small bodies
// and in large ones. What the system holds of the process is counted; with AddressSanitizer what is allocated on the
// heap, which is all but the slabs that are carved from blocks.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <semaphore>
#include <thread>

#include "config/topology.hpp"
#include "engine_fixture.hpp"
#include "message/chunk.hpp"
#include "support/log_lines.hpp"
#include "support/resident.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::WhenFull;

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kCapacityBytes = 32 * kMiB;

/// A source that sends as fast as the queue takes it, and a sink that is let through a batch at a time.
class Flood {
 public:
  Flood(WhenFull when_full, std::size_t body_bytes)
      : body_(body_bytes, 'x'),
        source_(Script::source("flood", 0, [this](sluice_out* out) { return run(out); })),
        sink_(Script::stage("slow", SLUICE_BLOCKS, [this](const sluice_batch&, sluice_out*) {
          waits_ = true;
          turns_.acquire();
          return int32_t{SLUICE_OK};
        })) {
    const std::uint32_t queue = plan_.queue_with_dead("q", 3, 12 * 3'600'000);
    core::QueueDescription& dead = plan_.pipeline().queues[kDead];
    dead.capacity = 1000;
    dead.capacity_bytes = 4 * kMiB;
    core::QueueDescription& description = plan_.pipeline().queues[queue];
    description.when_full = when_full;
    description.capacity_bytes = kCapacityBytes;
    description.capacity = capacity();
    plan_.source(*source_, Plan::to(queue));
    plan_.service("slow", queue, {sink_.get()}).max_body_bytes = static_cast<std::int64_t>(body_bytes);
    core::MemoryBound bound = core::memory_bound(plan_.pipeline());
    bound.timers = 0;  // nothing is delayed, and nothing fails
    bound_ = bound.total();
    const auto each = static_cast<std::int64_t>(body_bytes);
    // Where the queue makes its source wait for the sink, or for the disk, some more than it holds; else more than the
    // bound lets anybody hold.
    const bool is_held_up = when_full == WhenFull::block || when_full == WhenFull::dead_letter;
    count_ = static_cast<std::uint64_t>(is_held_up ? capacity() * 9 / 8 : bound_ / each + capacity() / 2);
  }
  core::Summary run() {
    malloc_trim(0);  // what earlier tests left
    before_ = held_bytes();
    auto engine = plan_.start(true);
    EXPECT_TRUE(engine);
    EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
    return (*engine)->finish();
  }
  std::int64_t bound() const { return bound_; }
  std::int64_t most() const { return most_ - before_; }  ///< that the engine held while messages were sent
  std::uint64_t count() const { return count_; }
  /// Messages of these bodies that both limits let in.
  std::int64_t capacity() const { return kCapacityBytes / static_cast<std::int64_t>(body_.size() + 2 * core::kCreditUnit); }
  static constexpr std::size_t kDead = 0, kQueue = 1;

 private:
  static constexpr std::uint64_t kSentForEachBatch = 400;  ///< of ten

  int32_t run(sluice_out* out) {
    const sluice_emission made = emission(0, body_);
    std::int64_t next_look = 0;
    for (std::uint64_t sent = 0; sent < count_;) {
      const int32_t status = host().try_emit(out, &made);
      if (status == SLUICE_WOULD_BLOCK) {
        look();
        let_one_batch();
        std::this_thread::yield();
        continue;
      }
      if (status != SLUICE_OK) {
        return status;
      }
      if (++sent % kSentForEachBatch == 0) {
        let_one_batch();
      }
      if (static_cast<std::int64_t>(sent * body_.size()) >= next_look) {
        look();
        next_look += kMiB;
      }
    }
    host().flush(out);
    look();
    turns_.release(1 << 20);
    return SLUICE_END;
  }
  void look() { most_ = std::max(most_, held_bytes()); }
  void let_one_batch() {
    if (waits_.exchange(false)) {
      turns_.release();
    }
  }

  Plan plan_;
  const std::string body_;
  std::atomic<bool> waits_{false};
  std::counting_semaphore<> turns_{0};
  std::unique_ptr<Script> source_, sink_;
  std::uint64_t count_ = 0;
  std::int64_t bound_ = 0, before_ = 0, most_ = 0;
};

TEST(Memory, of_an_engine_with_a_full_queue_and_a_slow_consumer_stays_below_the_bound_that_validate_prints) {
  LogLines quiet;
  for (const WhenFull when_full : {WhenFull::block, WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    for (const std::size_t body_bytes : {std::size_t{512}, std::size_t{core::kInlineBodyMax}, std::size_t{100'000}}) {
      SCOPED_TRACE("when_full " + std::to_string(static_cast<int>(when_full)) + ", bodies of " + std::to_string(body_bytes));
      Flood flood(when_full, body_bytes);
      const core::Summary summary = flood.run();
      EXPECT_LE(flood.most(), flood.bound());
      if (kResidentCounts) {
        EXPECT_GE(flood.most(), kCapacityBytes / 2) << "it was full";
      }
      EXPECT_EQ(summary.exit, 0);
      EXPECT_EQ(summary.sources[0].acknowledged, flood.count());
      const core::QueueNumbers& queue = summary.queues[Flood::kQueue];
      EXPECT_EQ(queue.sent, flood.count());
      EXPECT_EQ(queue.deleted + queue.dropped + queue.moved_to_dead_letter, flood.count());
      if (when_full != WhenFull::block) {
        EXPECT_GT(queue.dropped + queue.moved_to_dead_letter, 0u) << "it was full";
      }
      expect_conservation(summary);
    }
  }
}

}  // namespace
}  // namespace sluice::test
