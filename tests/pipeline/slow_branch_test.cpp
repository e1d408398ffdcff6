// A branch whose stage takes a second for each message, beside one that takes all that it is sent, for ten minutes
// (reliability catalogue C2). The seconds are those of a clock that the test moves: in each the source emits, the
// sibling works that off, and the slow stage comes to the end of one message. The next second does not begin before,
// so a sibling that waits for the slow branch never comes to its end. What the slow branch costs its siblings in rate,
// and what slabs it holds, is measured in tests/topic/slow_branch_test.cpp.
#include <chrono>
#include <semaphore>

#include "engine_fixture.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::WhenFull;

constexpr std::uint64_t kPerSecond = core::kChunkMessages;
constexpr std::uint64_t kCapacity = 4 * core::kChunkMessages;  // of a slow branch that does not block

class SlowBranch {
 public:
  explicit SlowBranch(WhenFull when_full)
      : source_(Script::source("source", 0, [this](sluice_out* out) { return run(out); })),
        fast_(Script::stage("fast", 0, [this](const sluice_batch& batch, sluice_out*) {
          if ((fast_received_ += batch.count) % kPerSecond == 0) {
            fast_done_.release();
          }
          return int32_t{SLUICE_OK};
        })),
        slow_(Script::stage("slow", SLUICE_BLOCKS, [this](const sluice_batch&, sluice_out*) {
          begun_.release();
          over_.acquire();
          return int32_t{SLUICE_OK};
        })) {
    const std::uint32_t slow = plan_.queue_with_dead("slow", 3), fast = plan_.queue("fast");
    core::QueueDescription& description = plan_.pipeline().queues[slow];
    description.when_full = when_full;
    description.capacity = when_full == WhenFull::block ? 100'000 : kCapacity;
    plan_.source(*source_, plan_.topic({fast, slow}));
    plan_.service("fast", fast, {fast_.get()}).batch_size = 64;
    plan_.service("slow", slow, {slow_.get()}).batch_size = 1;
    auto engine = plan_.start(true, 2, clock_);
    EXPECT_TRUE(engine);
    engine_ = std::move(*engine);
  }
  /// False: the sibling waits for the slow branch.
  bool second() {
    next_.release();
    if (!fast_done_.try_acquire_for(std::chrono::minutes(1))) {
      return false;
    }
    begun_.acquire();
    clock_.advance_ms(1000);
    over_.release();
    return true;
  }
  core::QueueNumbers slow_queue() const { return engine_->snapshot().queues[kSlow]; }
  /// The slow branch takes what is left at once.
  core::Summary end() {
    ended_ = true;
    next_.release();
    over_.release(1 << 20);
    while (!engine_->wait_for_end(std::chrono::milliseconds(0))) {
      std::this_thread::yield();
    }
    return engine_->finish();
  }
  static constexpr std::size_t kDead = 0, kSlow = 1, kFast = 2;

 private:
  int32_t run(sluice_out* out) {
    for (std::uint64_t sequence = 0;;) {
      next_.acquire();
      if (ended_) {
        return SLUICE_END;
      }
      for (const std::uint64_t end = sequence + kPerSecond; sequence < end; ++sequence) {
        EXPECT_EQ(emit(out, 0, "x", sequence), SLUICE_OK);
      }
      host().flush(out);
    }
  }

  core::FakeClock clock_;
  Plan plan_;
  std::counting_semaphore<> next_{0}, fast_done_{0}, begun_{0}, over_{0};
  std::atomic<std::uint64_t> fast_received_{0};
  std::atomic<bool> ended_{false};
  std::unique_ptr<Script> source_, fast_, slow_;
  std::unique_ptr<core::Engine> engine_;
};

TEST(SlowBranch, of_a_message_a_second_holds_up_no_sibling_in_ten_minutes_whatever_it_does_when_it_is_full) {
  LogLines quiet;
  for (const WhenFull when_full : {WhenFull::block, WhenFull::drop_new, WhenFull::drop_old, WhenFull::dead_letter}) {
    SCOPED_TRACE("when_full " + std::to_string(static_cast<int>(when_full)));
    // Each second of the letters is one sync of a real file.
    const std::uint64_t seconds = when_full == WhenFull::dead_letter ? std::min<std::uint64_t>(600, 30 + scaled(200)) : 600;
    if (HasFailure()) {
      break;  // each that is waited for in vain takes a minute
    }
    SlowBranch branch(when_full);
    std::uint64_t second = 0, most = 0;
    while (second < seconds && branch.second()) {
      const core::QueueNumbers slow = branch.slow_queue();
      most = std::max(most, slow.visible + slow.in_flight);
      ++second;
    }
    EXPECT_EQ(second, seconds) << "the sibling waits";
    const core::Summary summary = branch.end();
    const core::QueueNumbers &slow = summary.queues[SlowBranch::kSlow], &fast = summary.queues[SlowBranch::kFast];
    const std::uint64_t sent = seconds * kPerSecond;
    EXPECT_EQ(summary.exit, 0);
    EXPECT_EQ(summary.sources[0].acknowledged, sent);
    EXPECT_EQ(fast.deleted, sent);
    EXPECT_EQ(slow.sent, sent);
    EXPECT_EQ(slow.deleted + slow.dropped + slow.moved_to_dead_letter, sent);
    EXPECT_EQ(summary.dead_letters, slow.moved_to_dead_letter);
    if (when_full == WhenFull::block) {
      EXPECT_EQ(slow.deleted, sent);
      EXPECT_GE(most, sent - seconds) << "it was slow";
    } else {
      EXPECT_GE(slow.dropped + slow.moved_to_dead_letter, sent - seconds - kCapacity - 2 * kPerSecond) << "it was full";
      // Some credit admits a whole chunk. Letters count as in flight until they are stored; a quarter of the capacity and
      // a chunk of them may be.
      EXPECT_LE(most, kCapacity + core::kChunkMessages + (when_full == WhenFull::dead_letter ? kCapacity / 4 + core::kChunkMessages : 0));
    }
    expect_conservation(summary);
  }
}

}  // namespace
}  // namespace sluice::test
