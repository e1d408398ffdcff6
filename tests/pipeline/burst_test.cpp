// Bursts of a hundred times the base rate, and rest after them, again and again: what memory an engine needs for them it
// has after the first ones. Counted are the allocations of the whole process, and what the system holds of it.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <semaphore>
#include <thread>

#include "engine_fixture.hpp"
#include "support/allocations.hpp"
#include "support/resident.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// A source that emits what it is told, when it is told. Calls return when all of it is settled.
class Tide {
 public:
  /// Its messages are of so many groups, a run of each in turn; 0: of none.
  explicit Tide(std::uint32_t groups = 0) {
    for (std::uint32_t i = 0; i < groups; ++i) {
      groups_.push_back("group-" + std::to_string(i));
    }
    script_ = Script::source("tide", 0, [this](sluice_out* out) { return run(out); },
                             [this](std::uint64_t, int32_t) { end_one(); });
  }
  Script& script() { return *script_; }
  std::uint64_t emitted() const { return emitted_; }

  /// As many bodies of so many bytes as the queues take while nobody receives, of one group or of all in turn. Calls
  /// `full` then.
  void fill(std::size_t body_bytes, bool of_one_group, const std::function<void()>& full) {
    do_and_wait([&](sluice_out* out) {
      while (put(out, body_bytes, of_one_group ? 0 : emitted_, host().try_emit) == SLUICE_OK) {
      }
      host().flush(out);
      full();
    });
  }
  /// As much as the queues take in that time.
  void burst(nanoseconds length) {
    do_and_wait([&](sluice_out* out) {
      const steady_clock::time_point begin = steady_clock::now();
      const std::uint64_t before = emitted_;
      nanoseconds passed{};
      for (; passed < length; passed = steady_clock::now() - begin) {
        for (int i = 0; i < kTimes; ++i) {
          put(out, kBodyBytes, emitted_ / kRun, host().emit);
        }
      }
      base_interval_ = passed * kTimes / (emitted_ - before);
    });
  }
  /// A hundredth of the last burst's rate, each message published by itself.
  void base(nanoseconds length) {
    do_and_wait([&](sluice_out* out) {
      const steady_clock::time_point begin = steady_clock::now();
      for (steady_clock::time_point next = begin; next - begin < length; next += base_interval_) {
        std::this_thread::sleep_until(next);  // a rate is kept by the clock
        put(out, kBodyBytes, emitted_ / kRun, host().emit);
        host().flush(out);
      }
    });
  }
  /// So many messages, each settled before the next one is emitted.
  void trickle(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      do_and_wait([&](sluice_out* out) { put(out, kBodyBytes, emitted_ / kRun, host().emit); });
    }
  }
  void end() {
    do_and_wait([&](sluice_out*) { over_ = true; });
  }

 private:
  static constexpr int kTimes = 100;
  static constexpr std::uint64_t kRun = 64;  ///< a group that is held up then keeps few chunks that others are in as well
  static constexpr std::size_t kBodyBytes = 256;

  void do_and_wait(const std::function<void(sluice_out*)>& what) {
    unsettled_.store(1, std::memory_order_relaxed);  // what is done itself
    what_ = &what;
    begin_.release();
    settled_.acquire();
  }
  int32_t run(sluice_out* out) {
    while (!over_) {
      begin_.acquire();
      (*what_)(out);
      host().flush(out);
      end_one();
    }
    return SLUICE_END;
  }
  int32_t put(sluice_out* out, std::size_t body_bytes, std::uint64_t group, int32_t (*emit)(sluice_out*, const sluice_emission*)) {
    sluice_emission made = emission(0, {body_.data(), body_bytes});
    made.cookie = emitted_;
    if (!groups_.empty()) {
      made.group_id = str(groups_[group % groups_.size()]);
    }
    unsettled_.fetch_add(1, std::memory_order_relaxed);
    const int32_t status = emit(out, &made);
    if (status == SLUICE_OK) {
      ++emitted_;
    } else {
      end_one();
    }
    return status;
  }
  void end_one() {
    if (unsettled_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      settled_.release();
    }
  }

  std::vector<std::string> groups_;
  const std::string body_ = std::string(8192, 'x');
  std::unique_ptr<Script> script_;
  std::binary_semaphore begin_{0}, settled_{0};
  std::atomic<std::uint64_t> unsettled_{0};
  const std::function<void(sluice_out*)>* what_ = nullptr;
  std::uint64_t emitted_ = 0;
  nanoseconds base_interval_{};
  bool over_ = false;
};

/// Stages wait at it while it is closed.
class Gate {
 public:
  std::unique_ptr<Script> sink(std::uint32_t flags = 0) {
    return Script::stage("sink", flags, [this](const sluice_batch&, sluice_out*) {
      closed_.wait(true);
      return int32_t{SLUICE_OK};
    });
  }
  /// Emits each message as it is.
  std::unique_ptr<Script> forward() {
    return Script::stage("forward", 0, [this](const sluice_batch& batch, sluice_out* out) {
      closed_.wait(true);
      for (std::uint32_t i = 0; i < batch.count; ++i) {
        const sluice_message& message = *batch.messages[i];
        if (int32_t status = emit(out, i, {reinterpret_cast<const char*>(message.body), message.body_size}); status != SLUICE_OK) {
          return status;
        }
      }
      return int32_t{SLUICE_OK};
    });
  }
  void close() { closed_ = true; }
  void open() {
    closed_ = false;
    closed_.notify_all();
  }

 private:
  std::atomic<bool> closed_{false};
};

/// An engine, what it is told to do, and what it took for that.
class Tides {
 public:
  Tides(Plan& plan, Tide& tide, Gate& gate)
      : tide_(tide),
        gate_(gate),
        engine_(plan.start(false).value()) {}
  ~Tides() {
    tide_.end();
    engine_->request_stop();
    EXPECT_TRUE(engine_->wait_for_end(std::chrono::minutes(1)));
    const core::Summary summary = engine_->finish();
    EXPECT_EQ(summary.exit, 0);
    EXPECT_EQ(summary.sources[0].acknowledged, tide_.emitted());
    expect_conservation(summary);
  }
  Tides(const Tides&) = delete;
  Tides& operator=(const Tides&) = delete;

  /// Fills the queues with nobody receiving. The memory that the system holds then.
  std::int64_t fill(std::size_t body_bytes, bool of_one_group = true) {
    std::int64_t resident = 0;
    gate_.close();
    tide_.fill(body_bytes, of_one_group, [&] {
      resident = resident_bytes();
      gate_.open();
    });
    return resident;
  }
  /// Brings what depends on how far who receives falls behind to its most: chunks of many small messages and of few big
  /// ones, as many as there is credit for; a lane that holds all; batches out of many chunks.
  void warm_up() {
    fill(8);
    for (const bool of_one_group : {true, false}) {
      fill(256, of_one_group);
      fill(8192, of_one_group);
      tide_.burst(burst_);
      cycle();
    }
    malloc_trim(0);  // what earlier tests left
  }
  void cycle() {
    tide_.base(burst_ / 4);
    tide_.burst(burst_);
    (void)engine_->wait_for_end(std::chrono::milliseconds(2));  // to come to rest
  }
  /// Many cycles, no more memory than before them. Allocations of each.
  std::vector<std::uint64_t> cycles() {
    std::vector<std::uint64_t> counts(std::min<std::uint64_t>(100, scaled(100)));
    const std::int64_t start = resident_bytes();
    std::int64_t most = 0;
    for (std::uint64_t& count : counts) {
      const std::uint64_t before = allocations();
      cycle();
      count = allocations() - before;
      most = std::max(most, resident_bytes());
    }
    if (kResidentCounts) {
      EXPECT_LE(most, start + start / 10);
    }
    return counts;
  }

 private:
  Tide& tide_;
  Gate& gate_;
  std::unique_ptr<core::Engine> engine_;
  const nanoseconds burst_ = std::chrono::microseconds(scaled(100'000));
};

core::QueueDescription queue_of(const std::string& name, bool fifo = false, std::int64_t capacity_bytes = 5632 << 10) {
  core::QueueDescription queue;
  queue.name = name;
  queue.capacity_bytes = capacity_bytes;  // of its own, more than a publisher's slabs go round in
  queue.fifo = fifo;
  return queue;
}

std::uint64_t sum_of(const std::vector<std::uint64_t>& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

/// Nothing in a cycle, but for what comes once and no warm-up can force: a batch out of more chunks than any before it,
/// more of the timers' slots in use at once.
void expect_none(const std::vector<std::uint64_t>& counts) {
  constexpr std::uint64_t kOnce = 32;
  EXPECT_GT(std::ranges::count(counts, 0u), std::ssize(counts) / 2) << "cycles without any";
  EXPECT_LE(sum_of(counts), kOnce) << "in " << counts.size() << " cycles";
}

TEST(Burst, on_the_pool_takes_no_memory_once_it_is_warm) {
  Plan plan;
  Tide tide;
  Gate gate;
  auto sink = gate.sink();
  const std::vector<std::uint32_t> queues{plan.queue(queue_of("a")), plan.queue(queue_of("b")), plan.queue(queue_of("c"))};
  plan.source(tide.script(), plan.topic(queues));
  for (const std::uint32_t queue : queues) {
    plan.service("s" + std::to_string(queue), queue, {sink.get()}).batch_size = queue == 0 ? 64 : 10;
  }
  Tides tides(plan, tide, gate);
  tides.warm_up();
  expect_none(tides.cycles());
}

TEST(Burst, through_fifo_queues_and_threads_of_their_own_takes_no_memory_once_it_is_warm) {
  Plan plan;
  Tide tide(100);
  Gate gate;
  auto sink = gate.sink(), blocking = gate.sink(SLUICE_BLOCKS);
  const std::vector<std::uint32_t> queues{plan.queue(queue_of("a", true)), plan.queue(queue_of("b")), plan.queue(queue_of("c", true))};
  plan.source(tide.script(), plan.topic(queues));
  plan.service("a", queues[0], {blocking.get()}).scaling.desired_capacity = 2;
  plan.service("b", queues[1], {blocking.get()}).scaling.desired_capacity = 2;
  plan.service("c", queues[2], {sink.get()});
  Tides tides(plan, tide, gate);
  tides.warm_up();
  expect_none(tides.cycles());
}

TEST(Burst, through_a_stage_that_emits_allocates_once_a_chunk_and_keeps_nothing_once_it_is_warm) {
  Plan plan;
  Tide tide;
  Gate gate;
  auto forward = gate.forward(), sink = gate.sink();
  const std::uint32_t first = plan.queue(queue_of("first", false, 2 << 20)), second = plan.queue(queue_of("second", false, 1 << 19));
  plan.source(tide.script(), Plan::to(first));
  plan.service("a-service-with-a-long-name", first, {forward.get()}).publish_to = Plan::to(second);
  plan.service("sink", second, {sink.get()});
  Tides tides(plan, tide, gate);
  tides.warm_up();
  const std::uint64_t before = tide.emitted();
  const std::uint64_t sum = sum_of(tides.cycles());
  EXPECT_LT(sum, (tide.emitted() - before) / 16) << "an origin's counters, for each chunk of the source";
}

TEST(Burst, that_nobody_received_gives_its_memory_back_once_it_is_over) {
  if (!kResidentCounts) {
    GTEST_SKIP() << "sanitizers keep back what was freed";
  }
  constexpr std::int64_t kMiB = 1 << 20;
  Plan plan;
  Tide tide;
  Gate gate;
  auto sink = gate.sink();
  const std::uint32_t queue = plan.queue(queue_of("q", false, 80 * kMiB));
  plan.pipeline().queues[queue].capacity = 1'000'000;
  plan.source(tide.script(), Plan::to(queue));
  plan.service("s", queue, {sink.get()}).batch_size = 64;
  Tides tides(plan, tide, gate);
  std::int64_t start = 0;  // after the first one
  for (std::uint64_t i = 0; i <= scaled(10); ++i) {
    const std::int64_t filled = tides.fill(256);
    tide.trickle(1000);
    const std::int64_t after = resident_bytes();
    start = i == 0 ? after : start;
    EXPECT_GE(filled, after + 30 * kMiB);
    EXPECT_LE(after, start + start / 10);
  }
}

}  // namespace
}  // namespace sluice::test
