// bench/scaling: what deciding about the number of workers costs, one thread.
//
//   scaling/step-1000-services/sluice  the engine's own step: 1 000 idle services are sampled at their queues and decided
//                                      on, as once in a period; items are services
//   scaling/decide-1000-direct/sluice  the controllers of 1 000 services alone, on samples of every kind
//   scaling/decide-1000-alarms/sluice  the same, judged by averages as CloudWatch's alarms
//   scaling/explain/sluice             a decision in words
//   scaling/simulate-burst/sluice      a burst of 1 000 messages of 5 s each, five workers, 1 040 s of simulated time
//                                      (configs/simulations/burst.json); items are simulated seconds
#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "main.hpp"
#include "pipeline/scaler.hpp"
#include "scaling/simulator.hpp"

namespace sluice::core {
namespace {

constexpr std::int64_t kServices = 1000;

ScalingPolicy policy(ScalingEvaluation::Type evaluation) {
  ScalingPolicy policy{.max_capacity = 5, .tracks_target = true};
  policy.evaluation.type = evaluation;
  policy.evaluation.low_samples = 1;
  return policy;
}

/// Every service is at another place of its rise and fall, so that all kinds of decisions occur.
void decide(benchmark::State& state, ScalingEvaluation::Type evaluation) {
  std::vector<ScalingController> controllers(kServices, ScalingController(policy(evaluation)));
  std::vector<std::uint32_t> counts(kServices, 1);
  std::int64_t time_ms = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < controllers.size(); ++i) {
      const std::uint64_t turn = (static_cast<std::uint64_t>(time_ms) / 10'000 + i) % 64;
      const ScalingSample sample{.time_ms = time_ms,
                                 .visible = turn < 32 ? turn * 5 : 0,
                                 .in_flight = turn,
                                 .count = counts[i]};
      const ScalingDecision decision = controllers[i].decide(sample);
      counts[i] = decision.desired;
      benchmark::DoNotOptimize(decision);
    }
    time_ms += 10'000;
  }
  state.SetItemsProcessed(state.iterations() * kServices);
}

/// Services with one worker that runs, of five that may; nobody works.
void step(benchmark::State& state) {
  FakeClock clock;
  Timers timers(clock);
  DeadLetters dead_letters(file_storage(), "", timers, {});
  ReadySet ready(kServices, [](std::uint32_t) {});
  const Atomic<bool> stopping{false}, aborting{false};
  const ScalingPolicy policy_of_all = policy(ScalingEvaluation::Type::direct);
  std::deque<Queue> queues;
  std::deque<Share> shares;
  std::vector<std::unique_ptr<Service>> services;
  Scaler scaler(timers);
  for (std::uint32_t i = 0; i < kServices; ++i) {
    Queue& queue = queues.emplace_back(QueueOptions{.name = "q"});
    queue.open();
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint32_t worker = 0; worker < policy_of_all.max_capacity; ++worker) {
      workers.push_back(std::make_unique<Worker>(
          queue, timers, dead_letters,
          WorkerOptions{.service = "svc", .batch_size = 10, .workers = policy_of_all.max_capacity, .max_body_bytes = 1 << 20, .stopping = &stopping, .aborting = &aborting}));
    }
    services.push_back(std::make_unique<Service>(
        ServiceOptions{.name = "svc", .index = i, .own_threads = false, .share = &shares.emplace_back(), .stopping = &stopping, .failed = {},
                       .open_worker = [](Worker& worker) -> Result<void> {
                         worker.open({});
                         return {};
                       }},
        queue, timers, ready, std::move(workers)));
    if (!services.back()->run_workers(1)) {
      state.SkipWithError("a worker cannot be opened");
      return;
    }
    scaler.add(*services.back(), policy_of_all);
  }
  for (auto _ : state) {
    clock.advance_ms(policy_of_all.period_ms);
    benchmark::DoNotOptimize(scaler.step());
  }
  state.SetItemsProcessed(state.iterations() * kServices);
  for (const std::unique_ptr<Service>& service : services) {
    for (const std::unique_ptr<Worker>& worker : service->workers()) {
      worker->close();
    }
  }
}

void explain(benchmark::State& state) {
  const ScalingPolicy direct = policy(ScalingEvaluation::Type::direct);
  ScalingController controller(direct);
  const ScalingDecision decision = controller.decide({.visible = 995, .in_flight = 5, .count = 1});
  for (auto _ : state)
    benchmark::DoNotOptimize(reason_text(direct, decision));
  state.SetItemsProcessed(state.iterations());
}

void simulate_burst(benchmark::State& state) {
  const ScalingSimulation burst{
      .policy = policy(ScalingEvaluation::Type::direct),
      .load = {.arrivals = {{0, 1000}}, .service_time_ms = 5000, .batch_size = 5},
      .until_ms = 1'040'000};
  for (auto _ : state) {
    benchmark::DoNotOptimize(simulate(burst, [](const SimulatedSample& sample) {
      benchmark::DoNotOptimize(sample);
      return true;
    }));
  }
  state.SetItemsProcessed(state.iterations() * burst.until_ms / 1000);
}

void add_all() {
  benchmark::RegisterBenchmark("scaling/step-1000-services/sluice", step)->UseRealTime();
  benchmark::RegisterBenchmark("scaling/decide-1000-direct/sluice", decide,
                               ScalingEvaluation::Type::direct)
      ->UseRealTime();
  benchmark::RegisterBenchmark("scaling/decide-1000-alarms/sluice", decide,
                               ScalingEvaluation::Type::alarms)
      ->UseRealTime();
  benchmark::RegisterBenchmark("scaling/explain/sluice", explain)->UseRealTime();
  benchmark::RegisterBenchmark("scaling/simulate-burst/sluice", simulate_burst)->UseRealTime();
}

}  // namespace
}  // namespace sluice::core

int main(int count, char** arguments) {
  return run_benches(count, arguments, sluice::core::add_all);
}
