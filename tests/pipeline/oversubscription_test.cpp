// Whatever services there are, no more stages compute at a time than there are cores (reliability catalogue F5).
#include <algorithm>
#include <atomic>
#include <latch>

#include "base/cpu.hpp"

#include "engine_fixture.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

/// Stages that compute, and how many of them do so at the same time.
class Computing {
 public:
  std::unique_ptr<Script> stage(std::int64_t cost_ns, bool passes_on) {
    return Script::stage("compute", 0, [this, cost_ns, passes_on](const sluice_batch& batch, sluice_out* out) {
      const std::int64_t now = at_once_.fetch_add(1) + 1;
      for (std::int64_t most = most_at_once_.load(); now > most && !most_at_once_.compare_exchange_weak(most, now);) {
      }
      const std::int64_t until = core::system_clock().steady_ns() + cost_ns;
      while (core::system_clock().steady_ns() < until) {
      }
      at_once_.fetch_sub(1);
      for (std::uint32_t i = 0; passes_on && i < batch.count; ++i) {
        if (const int32_t status = emit(out, i, body_of(*batch.messages[i])); status != SLUICE_OK) {
          return status;
        }
      }
      return int32_t{SLUICE_OK};
    });
  }
  std::int64_t most_at_once() const { return most_at_once_; }

 private:
  std::atomic<std::int64_t> at_once_{0}, most_at_once_{0};
};

std::uint32_t permits() { return std::max(static_cast<std::uint32_t>(core::allowed_cores().size()), 2u); }

TEST(Oversubscription, no_more_stages_compute_at_a_time_than_cores_beside_any_number_that_wait) {
  const std::uint32_t cores = permits();
  constexpr int kServices = 12;
  const std::uint32_t workers = cores + 2;
  const std::uint64_t messages = scaled(2000);
  Plan plan;
  Computing computing;
  const std::uint32_t meet = cores + 3;
  std::latch met(meet);
  std::atomic<std::uint32_t> came{0};
  auto source = counting_source(messages);
  auto computes = computing.stage(20'000, false), computes_first = computing.stage(20'000, true);
  auto waits = Script::stage("wait", SLUICE_BLOCKS, [&](const sluice_batch& batch, sluice_out* out) {
    if (came.fetch_add(1) < meet) {
      met.arrive_and_wait();  // hangs if who waits holds a core
    }
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      if (const int32_t status = emit(out, i, body_of(*batch.messages[i])); status != SLUICE_OK) {
        return status;
      }
    }
    return int32_t{SLUICE_OK};
  });
  std::vector<std::uint32_t> queues;
  for (int i = 0; i < kServices; ++i) {
    queues.push_back(plan.queue("q" + std::to_string(i)));
  }
  plan.source(*source, plan.topic(queues));
  for (int i = 0; i < kServices; ++i) {
    const std::vector<Script*> chains[] = {{computes.get()}, {computes_first.get(), waits.get(), computes.get()}};
    core::ServiceDescription& service = plan.service("s" + std::to_string(i), queues[static_cast<std::size_t>(i)], chains[i % 2]);
    service.batch_size = 5;
    service.scaling.desired_capacity = workers;
  }

  const core::Summary summary = plan.run(cores);

  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(summary.sources[0].acknowledged, messages);
  EXPECT_LE(computing.most_at_once(), cores);
  EXPECT_GE(computing.most_at_once(), 1) << "the run was worth something";
}

/// All cores' worth of workers emit more than the next queue takes; those who would make room compute, too.
TEST(Oversubscription, a_stage_that_waits_for_credit_in_the_midst_of_its_work_holds_no_core) {
  constexpr std::uint32_t kCopies = 60;
  const std::uint32_t cores = permits();
  const std::uint64_t messages = 40 * cores;
  Plan plan;
  std::atomic<std::uint64_t> arrived{0};
  auto source = counting_source(messages);
  auto waits = forwarding_stage(SLUICE_BLOCKS);
  auto multiplies = Script::stage("multiply", 0, [](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count * kCopies; ++i) {
      if (const int32_t status = emit(out, i / kCopies, "copy"); status != SLUICE_OK) {
        return status;
      }
    }
    return int32_t{SLUICE_OK};
  });
  auto counts = Script::stage("count", 0, [&](const sluice_batch& batch, sluice_out*) {
    arrived += batch.count;
    return int32_t{SLUICE_OK};
  });
  const std::uint32_t from = plan.queue("from");
  core::QueueDescription narrow;
  narrow.name = "narrow";
  narrow.capacity = 1;
  const std::uint32_t to = plan.queue(std::move(narrow));
  plan.source(*source, Plan::to(from));
  core::ServiceDescription& first = plan.service("multiply", from, {waits.get(), multiplies.get()});
  first.publish_to = Plan::to(to);
  first.batch_size = 10;
  first.scaling.desired_capacity = cores + 1;
  plan.service("count", to, {waits.get(), counts.get()});

  EXPECT_EQ(plan.run(cores).exit, 0);

  EXPECT_EQ(arrived, messages * kCopies);
}

}  // namespace
}  // namespace sluice::test
