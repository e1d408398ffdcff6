// Whoever waits (for messages, for a batch to gather, for credit) hears of what ends the wait at once, not when its
// time is over, and nothing is lost by it (reliability catalogue B12). Waits are hours long, on a clock that stands
// still: what needs the time to pass never ends. How soon a wait of a second ends is measured as a part of that second.
#include <algorithm>
#include <chrono>
#include <semaphore>
#include <thread>

#include "engine_fixture.hpp"
#include "support/asleep.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Summary;
using std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kPartMax = 0.1;
#else
constexpr double kPartMax = 0.01;
#endif

constexpr std::int64_t kHourMs = 3'600'000;

enum class WaitsFor { messages, messages_on_the_pool, batch, credit, credit_in_a_stage };

/// A pipeline in which somebody waits.
class Waiting {
 public:
  explicit Waiting(WaitsFor what, core::Clock& clock = core::system_clock(), std::int64_t window_ms = kHourMs)
      : what_(what),
        source_(Script::source("source", 0, [this](sluice_out* out) { return run(out); }, {}, [this] { more_.release(); })),
        stage_(Script::stage("stage", flags_of(what), [this](const sluice_batch& batch, sluice_out* out) { return process(batch, out); })) {
    core::QueueDescription narrow;
    narrow.name = "full";
    narrow.capacity = 1;
    narrow.visibility_timeout_ms = 12 * kHourMs;
    const std::uint32_t full = plan_.queue(narrow);  // nobody receives from it
    narrow.name = "in";
    const std::uint32_t in = plan_.queue(narrow);
    plan_.source(*source_, Plan::to(what == WaitsFor::credit ? full : in));
    core::ServiceDescription& service = plan_.service("service", in, {stage_.get()});
    service.batch_size = 2;
    service.batch_window_ms = what == WaitsFor::batch ? window_ms : 0;
    if (what == WaitsFor::credit_in_a_stage) {
      service.publish_to = Plan::to(full);
    }
    auto engine = plan_.start(false, 2, clock);
    EXPECT_TRUE(engine);
    engine_ = std::move(*engine);
  }
  core::Engine& engine() { return *engine_; }
  /// What it waits for does not come by itself from now on. `asleep`: and it has gone to sleep over it.
  void wait_until_waiting(bool asleep = true) {
    if (what_ == WaitsFor::credit || what_ == WaitsFor::credit_in_a_stage) {
      no_credit_.acquire();
    }
    while (what_ == WaitsFor::batch && engine_->snapshot().queues[kIn].in_flight == 0) {
      std::this_thread::yield();
    }
    while (asleep && !all_others_sleep()) {
      std::this_thread::yield();
    }
  }
  /// The batch that gathers gets the message that it lacks, and comes to its stage.
  void fill_batch() {
    more_.release();
    processed_.acquire();
  }
  /// False: it did not end within a minute, so it never does.
  bool ends() {
    const auto limit = steady_clock::now() + std::chrono::minutes(1);
    while (!engine_->wait_for_end(std::chrono::milliseconds(0))) {
      if (steady_clock::now() > limit) {
        return false;
      }
      std::this_thread::yield();
    }
    return true;
  }
  /// After the end: what was in hand is done, what was being emitted came or was refused.
  void expect_whole() {
    const Summary summary = engine_->finish();
    EXPECT_FALSE(summary.threads_left);
    expect_conservation(summary);
    EXPECT_EQ(summary.services[0].processed, received_);
    EXPECT_EQ(summary.queues[kIn].visible + summary.queues[kIn].deleted, sent_);
    EXPECT_EQ(summary.queues[kIn].in_flight, 0u);
    EXPECT_EQ(summary.queues[kFull].visible, sent_to_full_);
  }

 private:
  static constexpr std::size_t kFull = 0, kIn = 1;
  static std::uint32_t flags_of(WaitsFor what) {
    return what == WaitsFor::messages_on_the_pool ? 0 : what == WaitsFor::credit_in_a_stage ? SLUICE_BLOCKS | SLUICE_SPLITS : SLUICE_BLOCKS;
  }
  int32_t run(sluice_out* out) {
    switch (what_) {
      case WaitsFor::messages:
      case WaitsFor::messages_on_the_pool: break;
      case WaitsFor::credit: fill(out); break;
      case WaitsFor::credit_in_a_stage: send(out); break;
      case WaitsFor::batch:
        send(out);
        more_.acquire();
        send(out);
    }
    return SLUICE_END;
  }
  void send(sluice_out* out) {
    sent_ += emit(out, 0, "x") == SLUICE_OK ? 1 : 0;
    host().flush(out);
  }
  int32_t process(const sluice_batch& batch, sluice_out* out) {
    received_ += batch.count;
    if (what_ == WaitsFor::credit_in_a_stage) {
      fill(out);
    }
    processed_.release();
    return SLUICE_OK;
  }
  /// Emits until there is no credit, tells so, and waits for some.
  void fill(sluice_out* out) {
    const sluice_emission made = emission(0, "x");
    int32_t status = SLUICE_OK;
    for (; status == SLUICE_OK; status = host().try_emit(out, &made)) {
      sent_to_full_ += 1;
    }
    --sent_to_full_;  // the first round is none
    EXPECT_EQ(status, SLUICE_WOULD_BLOCK);
    no_credit_.release();
    sent_to_full_ += emit(out, 0, "y") == SLUICE_OK ? 1 : 0;
    host().flush(out);
  }

  const WaitsFor what_;
  Plan plan_;
  std::unique_ptr<Script> source_, stage_;
  std::unique_ptr<core::Engine> engine_;
  std::counting_semaphore<> no_credit_{0}, more_{0}, processed_{0};
  std::atomic<std::uint64_t> sent_{0}, received_{0}, sent_to_full_{0};
};

TEST(Wait, of_whatever_kind_ends_with_a_stop_while_the_clock_stands_still) {
  static core::FakeClock clock;  // threads that do not end look at it to the last
  for (const WaitsFor what : {WaitsFor::messages, WaitsFor::messages_on_the_pool, WaitsFor::batch, WaitsFor::credit,
                              WaitsFor::credit_in_a_stage}) {
    for (const bool at_once : {false, true}) {
      for (std::uint64_t round = 0; round < 2 + scaled(30); ++round) {
        SCOPED_TRACE("waits for " + std::to_string(static_cast<int>(what)) + ", at once: " + std::to_string(at_once));
        Waiting waiting(what, clock);
        waiting.wait_until_waiting(round % 2 == 0);
        at_once ? waiting.engine().request_abort() : waiting.engine().request_stop();
        if (!waiting.ends()) {
          ADD_FAILURE() << "it waits on";
          for (int phase = 0; phase < 2; ++phase) {  // the drain's time, and that after it
            clock.advance_ms(kHourMs);
            (void)waiting.engine().wait_for_end(std::chrono::milliseconds(0));
          }
          waiting.expect_whole();
          return;
        }
        waiting.expect_whole();
      }
    }
  }
}

/// As parts of the window that a batch has to gather, the median of the times from what ends the wait to its end.
double part_of_window(const std::function<void(Waiting&)>& end_wait) {
  constexpr std::int64_t kWindowMs = 1000;
  std::vector<double> parts;
  for (std::uint64_t round = 0; round < 5 + scaled(20); ++round) {
    Waiting waiting(WaitsFor::batch, core::system_clock(), kWindowMs);
    waiting.wait_until_waiting();
    const auto begin = steady_clock::now();
    end_wait(waiting);
    parts.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count() / kWindowMs);
    waiting.engine().request_stop();
    EXPECT_TRUE(waiting.ends());
    waiting.expect_whole();
  }
  std::ranges::nth_element(parts, parts.begin() + static_cast<std::ptrdiff_t>(parts.size() / 2));
  return parts[parts.size() / 2];
}

TEST(Wait, for_a_batch_ends_within_a_hundredth_of_its_second_when_it_is_full_or_the_engine_stops) {
  const double full = part_of_window([](Waiting& waiting) { waiting.fill_batch(); });
  const double stop = part_of_window([](Waiting& waiting) {
    waiting.engine().request_stop();
    EXPECT_TRUE(waiting.ends());
  });
  const double abort = part_of_window([](Waiting& waiting) {
    waiting.engine().request_abort();
    EXPECT_TRUE(waiting.ends());
  });
  for (const auto& [name, part] : {std::pair("full", full), std::pair("stop", stop), std::pair("abort", abort)}) {
    RecordProperty(name, std::to_string(part));
    EXPECT_LT(part, kPartMax) << name;
  }
}

/// The second message of each round comes at another time: with the first, at the window's end, after it.
TEST(Wait, for_a_batch_ends_when_as_much_is_in_flight_as_may_be) {
  Plan plan;
  core::FakeClock clock;  // stands still: a window never ends
  Record<std::string> bodies;
  auto source = counting_source(6);
  auto stage = keeping_stage(bodies, SLUICE_BLOCKS);
  core::QueueDescription queue;
  queue.name = "q";
  queue.in_flight_max = 3;
  queue.visibility_timeout_ms = 3'600'000;
  const std::uint32_t q = plan.queue(queue);
  plan.source(*source, Plan::to(q));
  core::ServiceDescription& service = plan.service("s", q, {stage.get()});
  service.batch_size = 5;
  service.batch_window_ms = 600'000;
  auto engine = plan.start(true, 2, clock);
  ASSERT_TRUE(engine);
  EXPECT_TRUE((*engine)->wait_for_end(std::chrono::minutes(1)));
  EXPECT_EQ((*engine)->finish().exit, 0);
  EXPECT_EQ(bodies.size(), 6u);
}

TEST(Wait, for_a_batch_loses_nothing_that_arrives_as_its_window_ends) {
  constexpr std::int64_t kWindowMs = 1;
  const std::uint64_t rounds = 32 + scaled(500);
  Plan plan;
  std::counting_semaphore<> settled{0};
  auto source = Script::source("pairs", 0, [&](sluice_out* out) {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const auto begin = steady_clock::now();
      emit(out, 0, "first", 2 * i);
      host().flush(out);
      while (steady_clock::now() - begin < std::chrono::milliseconds(kWindowMs) * (i % 32) / 8) {
      }
      emit(out, 0, "second", 2 * i + 1);
      host().flush(out);
      settled.acquire();
      settled.acquire();  // hangs if one is lost
    }
    return int32_t{SLUICE_END};
  }, [&](std::uint64_t, int32_t) { settled.release(); });
  std::atomic<std::uint64_t> together{0}, apart{0};
  auto stage = Script::stage("count", 0, [&](const sluice_batch& batch, sluice_out*) {
    ++(batch.count == 2 ? together : apart);
    return int32_t{SLUICE_OK};
  });
  const std::uint32_t queue = plan.queue("q");
  plan.source(*source, Plan::to(queue));
  plan.service("s", queue, {stage.get()}).batch_window_ms = kWindowMs;
  const Summary summary = plan.run();
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(summary.services[0].processed, 2 * rounds);
  EXPECT_EQ(2 * together + apart, 2 * rounds);
  EXPECT_GT(together, 0u) << "the window was a window";
  EXPECT_GT(apart, 0u) << "it came to its end";
  expect_conservation(summary);
}

}  // namespace
}  // namespace sluice::test
