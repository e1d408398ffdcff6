// How services that all have work share the cores: by weight, in time, whatever their batches cost.
#include <atomic>

#include "base/cpu.hpp"
#include "engine_fixture.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

/// A clock for each thread, which its own work moves: what a batch took is not what others did meanwhile.
class WorkClock final : public core::Clock {
 public:
  std::int64_t steady_ns() const override { return worked_ns; }
  std::int64_t coarse_steady_ms() const override { return worked_ns / 1'000'000; }
  std::int64_t wall_ms() const override { return worked_ns / 1'000'000; }
  void work(std::int64_t ns) { worked_ns += ns; }

 private:
  static inline thread_local std::int64_t worked_ns = 1;
};

/// Two services with as much work as there can be. What their stages cost is time of the clock.
struct Rivals {
  explicit Rivals(std::uint64_t used_messages) : messages(used_messages) {}

  std::unique_ptr<Script> stage(int who, std::int64_t cost_ns) {
    return Script::stage("work", 0, [this, who, cost_ns](const sluice_batch& batch, sluice_out*) {
      door.wait();
      clock.work(cost_ns);
      const std::int64_t until = core::system_clock().steady_ns() + takes_ns;
      while (core::system_clock().steady_ns() < until) {
      }
      const std::uint64_t done = worked[who].fetch_add(batch.count) + batch.count;
      if (who == 0 && done >= messages / 2 && done - batch.count < messages / 2) {
        others_by_then = worked[1].load();
      }
      return int32_t{SLUICE_OK};
    });
  }
  /// Messages of the second, by the time that the first has done half of its own: of 1000 of these.
  std::uint64_t per_thousand(std::uint32_t batch_size, std::uint32_t first_weight, std::int64_t first_ns, std::int64_t second_ns,
                             std::uint32_t workers = 1, Script* waits = nullptr, std::int64_t batch_window_ms = 0) {
    Plan plan;
    auto source = Script::source("count", 0, [this](sluice_out* out) {
      for (std::uint64_t i = 0; i < messages; ++i) {
        emit(out, 0, "m", i);
      }
      core::host().flush(out);
      door.open();  // neither lacks work from here on
      return int32_t{SLUICE_END};
    });
    auto first = stage(0, first_ns), second = stage(1, second_ns);
    const std::uint32_t a = plan.queue("first"), b = plan.queue("second");
    plan.source(*source, plan.topic({a, b}));
    const auto chain = [waits](Script* last) { return waits == nullptr ? std::vector{last} : std::vector{waits, last}; };
    for (auto [name, queue, script, weight] : {std::tuple{"first", a, first.get(), first_weight}, {"second", b, second.get(), 1u}}) {
      core::ServiceDescription& service = plan.service(name, queue, chain(script));
      service.batch_size = batch_size;
      service.weight = weight;
      service.batch_window_ms = batch_window_ms;
      service.scaling.desired_capacity = workers;
    }
    auto engine = plan.start(true, 1, clock);
    EXPECT_TRUE(engine);
    EXPECT_TRUE((*engine)->wait_for_end(std::chrono::hours(10)));  // by the clock that the stages move
    EXPECT_EQ((*engine)->finish().exit, 0);
    return others_by_then * 1000 / (messages / 2);
  }

  const std::uint64_t messages;
  std::int64_t takes_ns = 0;  ///< a batch, by the real clock
  WorkClock clock;
  Door door;
  std::atomic<std::uint64_t> worked[2]{0, 0};
  std::atomic<std::uint64_t> others_by_then{0};
};

constexpr std::int64_t kMs = 1'000'000;

TEST(Share, of_one_that_weighs_three_is_three_times_that_of_one_that_weighs_one) {
  const std::uint64_t others = Rivals(2000).per_thousand(1, 3, 2 * kMs, 2 * kMs);
  EXPECT_GE(others, 320u);
  EXPECT_LE(others, 346u);
}

TEST(Share, is_of_time_and_not_of_batches) {
  const std::uint64_t others = Rivals(2000).per_thousand(1, 1, 1 * kMs, 4 * kMs);
  EXPECT_GE(others, 240u);
  EXPECT_LE(others, 260u);
}

TEST(Share, holds_for_small_batches_too) {
  const std::uint64_t others = Rivals(80'000).per_thousand(10, 4, 10'000, 10'000);
  EXPECT_GE(others, 200u);
  EXPECT_LE(others, 310u) << "they go round together as long as none is a millisecond ahead";
}

TEST(Share, of_a_service_with_small_batches_is_not_taken_by_one_with_long_ones) {
  const std::uint64_t others = Rivals(40'000).per_thousand(10, 1, 10'000, 200 * kMs);
  EXPECT_LE(others, 2u) << "20 000 messages take 20 ms, and each batch of the other 200 ms";
}

/// A service that gathers has a thread of its own for each worker. Who lets go of a core is not there to ask for it.
TEST(Share, holds_for_services_of_no_more_workers_than_cores_with_threads_of_their_own) {
  Rivals rivals(4000);
  rivals.takes_ns = 50'000;
  const auto cores = static_cast<std::uint32_t>(core::allowed_cores().size());
  const std::uint64_t others = rivals.per_thousand(1, 4, 1 * kMs, 1 * kMs, cores, nullptr, 1);
  EXPECT_GE(others, 200u);
  EXPECT_LE(others, 400u) << "in turns it would be 1000";
}

/// A worker with a thread of its own asks for a core around each stage that computes.
TEST(Share, holds_for_workers_with_threads_of_their_own) {
  const auto cores = static_cast<std::uint32_t>(core::allowed_cores().size());
  auto waits = forwarding_stage(SLUICE_BLOCKS);
  Rivals rivals(4000);
  rivals.takes_ns = 50'000;  // longer than a thread takes to come for its next core: else there is nobody to be put first
  const std::uint64_t others = rivals.per_thousand(1, 4, 1 * kMs, 1 * kMs, 4 * std::max(2u, cores), waits.get());
  EXPECT_LE(others, 600u) << "first come, first served would be 1000";
}

}  // namespace
}  // namespace sluice::test
