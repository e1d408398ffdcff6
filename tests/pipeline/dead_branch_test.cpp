// A branch that nobody works off, among 3, 8 and 64, whose queue blocks (reliability catalogue C1): its source stops,
// and nothing grows however often that happens; once the branch is worked off again the source goes on. The engine's
// clock stands still. The source looks at its credit once a second by itself, by the system's clock: that it need not is
// measured as a part of that second. What a dead branch costs its siblings in rate is measured in tests/topic.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>

#include "engine_fixture.hpp"
#include "support/asleep.hpp"
#include "support/rates.hpp"
#include "support/resident.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using std::chrono::steady_clock;

constexpr std::uint64_t kCapacity = 256;
constexpr std::uint32_t kBatch = 8;
constexpr std::size_t kBodyBytes = 4000;  // a megabyte of them is everywhere when the source stops
constexpr std::chrono::seconds kLooksEvery(1);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kPartMax = 0.2;
#else
constexpr double kPartMax = 0.1;
#endif

/// An engine whose source never ends before it is told to, and whose last branch may be dead.
class Fan {
 public:
  explicit Fan(std::uint32_t branches)
      : siblings_(branches - 1),
        source_(Script::source("source", 0, [this](sluice_out* out) { return run(out); })),
        alive_(Script::stage("alive", 0, [this](const sluice_batch& batch, sluice_out*) {
          received_ += batch.count;
          return int32_t{SLUICE_OK};
        })),
        dead_(Script::stage("dead", SLUICE_BLOCKS, [this](const sluice_batch&, sluice_out*) {
          turns_.acquire();
          return int32_t{SLUICE_OK};
        })) {
    std::vector<std::uint32_t> queues;
    for (std::uint32_t i = 0; i < branches; ++i) {
      queues.push_back(plan_.queue("q" + std::to_string(i)));
      const bool is_last = i == siblings_;
      plan_.service("s" + std::to_string(i), queues[i], {is_last ? dead_.get() : alive_.get()}).batch_size = kBatch;
    }
    plan_.pipeline().queues.back().capacity = kCapacity;
    plan_.source(*source_, plan_.topic(queues));
    auto engine = plan_.start(true, 2, clock_);
    EXPECT_TRUE(engine);
    engine_ = std::move(*engine);
  }
  /// Until nobody does anything any more. What was emitted by then.
  std::uint64_t wait_until_stopped() const {
    for (std::uint64_t last = 0;;) {  // twice: threads are looked at one after the other
      while (!all_others_sleep()) {
        std::this_thread::yield();
      }
      const std::uint64_t now = emitted_;
      if (now == last && now >= kCapacity) {
        return now;
      }
      last = now;
    }
  }
  /// Half of what the branch holds is worked off. The time from then until the source goes on.
  double resume() {
    const std::uint64_t before = emitted_;
    const steady_clock::time_point begin = steady_clock::now();
    turns_.release(kCapacity / 2 / kBatch);
    while (emitted_ == before && steady_clock::now() - begin < std::chrono::minutes(1)) {
      std::this_thread::yield();
    }
    const std::chrono::duration<double> passed = steady_clock::now() - begin;
    return passed / kLooksEvery;
  }
  std::uint64_t emitted() const { return emitted_; }
  std::uint64_t received() const { return received_; }  ///< by all siblings
  std::uint64_t siblings() const { return siblings_; }
  core::QueueNumbers dead_queue() const { return engine_->snapshot().queues.back(); }
  core::Summary end() {
    is_over_ = true;
    turns_.release(1 << 20);
    EXPECT_TRUE(engine_->wait_for_end(std::chrono::minutes(1)));
    return engine_->finish();
  }

 private:
  int32_t run(sluice_out* out) {
    const std::string body(kBodyBytes, 'x');
    while (!is_over_) {
      if (const int32_t status = emit(out, 0, body, emitted_); status != SLUICE_OK) {
        return status;
      }
      ++emitted_;
    }
    return SLUICE_END;
  }

  core::FakeClock clock_;
  const std::uint32_t siblings_;
  std::counting_semaphore<> turns_{0};  // of the dead branch: batches
  std::atomic<bool> is_over_{false};
  std::atomic<std::uint64_t> emitted_{0}, received_{0};
  Plan plan_;
  std::unique_ptr<Script> source_, alive_, dead_;
  std::unique_ptr<core::Engine> engine_;
};

TEST(DeadBranch, that_blocks_stops_its_source_while_memory_stays_as_it_is_and_lets_it_go_on_when_it_is_worked_off) {
  constexpr std::uint64_t kWarmUp = 8;  // rounds: the source has gone round in its slabs by then
  constexpr std::int64_t kGrowthMax = 4 << 20;
  for (const std::uint32_t branches : {3u, 8u, 64u}) {
    SCOPED_TRACE("1->" + std::to_string(branches));
    if (HasFailure()) {
      break;  // each that is waited for in vain takes a minute
    }
    Fan fan(branches);
    std::vector<double> parts;
    std::int64_t held = 0;
    for (std::uint64_t round = 0; round < kWarmUp + 15 + scaled(30) && !HasFailure(); ++round) {
      const std::uint64_t emitted = fan.wait_until_stopped();
      for (int look = 0; look < 20; ++look) {
        const core::QueueNumbers dead = fan.dead_queue();
        EXPECT_LE(dead.visible + dead.in_flight, kCapacity + 2 * core::kChunkMessages)
            << "some credit admits a whole chunk, and one is begun";
        EXPECT_GT(dead.in_flight, 0u) << "it is dead with a batch in hand";
        EXPECT_EQ(fan.emitted(), emitted) << "and it stays so";
        std::this_thread::yield();
      }
      EXPECT_GE(fan.received(), emitted * fan.siblings()) << "what was sent is everybody else's";
      EXPECT_LE(fan.received(), (emitted + 1) * fan.siblings()) << "the source waits in the midst of an emission";
      held = round < kWarmUp ? std::max(held, held_bytes()) : held;
      EXPECT_LE(held_bytes(), held + kGrowthMax) << "in round " << round;
      parts.push_back(fan.resume());
    }
    const double part = median(parts);
    RecordProperty("resumes_" + std::to_string(branches), std::to_string(part));
    EXPECT_LT(part, kPartMax) << "of the time after which the source looks by itself";
    const core::Summary summary = fan.end();
    EXPECT_EQ(summary.exit, 0);
    EXPECT_EQ(summary.sources[0].acknowledged, fan.emitted());
    EXPECT_EQ(summary.queues.back().deleted, fan.emitted());
    expect_conservation(summary);
  }
}

}  // namespace
}  // namespace sluice::test
