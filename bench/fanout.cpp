// bench/fanout: the whole engine against bare queues, input messages per second.
//
//   fanout/1xN/bK/sluice       one source publishes to a topic with N queues, each with a service of one
//                              worker. The engine as it is: matching masks, log, credits, leases, receive
//                              counts, timers, counters, views, a C stage, origin acknowledgement. Time runs
//                              from the first emission to the last settled().
//   fanout/1xN/bK/moodycamel   one producer and one consumer thread; pooled 320-byte messages, N concurrent
//                              queues with tokens and bulk calls, one reference count per message (none at
//                              N = 1). No acknowledgement, lease, credit, count or timer.
//                              Beside it, in the same harness: tbb-bounded (oneTBB's concurrent_bounded_queue),
//                              boost-lockfree, mutex-deque.
//   fanout/1xN/b64/tbb-flow-graph   a broadcast node and N serial function nodes, which take a message at a time.
//   fanout/workers/N/<how>     one queue, one service of N workers: on the CPU pool (pool), or on threads of their
//                              own (threads). 2, 4 and 8 on two cores must not collapse.
//   fanout/handover/polled/<who>   one message at a time to a receiver that is awake: counters p50_us, p99_us.
//   fanout/handover/parked/<who>   the same to one that sleeps, every 200 us.
//
// b64: 64 per call; b5: published by 64, received by 5; b1: one per call. Both sides write 256 bytes of every
// message and read four words of it, and are bound to the same two cores. Compare ratios of medians of one run:
//   bench/fanout --benchmark_repetitions=9 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "base/cpu.hpp"
#include "base/futex.hpp"
#include "config/load.hpp"
#include "pipeline/engine.hpp"
#include "main.hpp"
#include "peers.hpp"

// The plugin's C11 header, in C++ clothes: same layout.
#define _Atomic
#include "fanout_parts.h"
#undef _Atomic

namespace sluice::core {
namespace {

static_assert(FANOUT_BODY == PooledMessage::kBody);

struct Case {
  std::uint32_t branches;
  std::uint32_t publish, receive;
  std::uint64_t messages;  ///< a round
  std::uint32_t workers = 1;
  bool own_threads = false;
  bool on_all_cores = false;  ///< as a user runs it: nothing is bound
};

int core_of(std::size_t thread) {
  static const std::vector<int> cores = allowed_cores();
  return cores[thread % cores.size()];
}

/// The running engine of one case.
class Fanout {
 public:
  explicit Fanout(const Case& which)
      : registry_({SLUICE_BENCH_PLUGINS}),
        folder_(std::filesystem::temp_directory_path() / fmt::format("sluice-fanout-{}", getpid())) {
    std::filesystem::create_directories(folder_);
    void* library = dlopen(SLUICE_BENCH_PLUGINS "/fanout_parts.so", RTLD_NOW);
    control_ = library != nullptr ? static_cast<fanout_control*>(dlsym(library, "fanout_control")) : nullptr;
    if (control_ == nullptr) {
      error_ = "fanout_parts.so is missing";
      return;
    }
    control_->stop = 0;
    control_->messages = which.messages;
    control_->batch = which.publish;
    control_->threads = which.workers;
    control_->latencies = nullptr;
    Diagnostics diagnostics;
    Result<PipelineDescription> pipeline =
        parse_pipeline(config_of(which), (folder_ / "fanout.json").string(), {}, {}, registry_, diagnostics);
    if (!pipeline) {
      error_ = pipeline.error().message + render(diagnostics, false);
      return;
    }
    RunOptions options;
    if (!which.on_all_cores) {
      options.pool_threads = 1;
      options.pool_cores = {core_of(1)};
      options.source_core = core_of(0);
    }
    Result<std::unique_ptr<Engine>> engine = Engine::start(std::move(*pipeline), system_clock(), options);
    if (!engine) {
      error_ = engine.error().message;
      return;
    }
    engine_ = std::move(*engine);
  }

  ~Fanout() {
    if (engine_ != nullptr) {
      engine_->request_stop();
      while (!engine_->wait_for_end(std::chrono::milliseconds(1000))) {
      }
      engine_->finish();
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const std::string& error() const { return error_; }

  /// From now on rounds are of single messages, each so long after the one before it was received.
  void measure_handovers(std::vector<std::uint32_t>& latencies, std::uint32_t pause_ns) {
    control_->latencies = latencies.data();
    control_->messages = latencies.size();
    control_->pause_ns = pause_ns;
  }

  /// Seconds from the first emission to the last settled.
  double round() {
    auto& start = reinterpret_cast<Atomic<std::uint32_t>&>(control_->round);
    auto& finished = reinterpret_cast<Atomic<std::uint32_t>&>(control_->finished_round);
    std::uint32_t number = start.fetch_add(1, std::memory_order_seq_cst) + 1;
    futex_wake(start, 1);
    for (std::uint32_t seen; (seen = finished.load(std::memory_order_seq_cst)) != number;) {
      futex_wait(finished, seen);
    }
    return static_cast<double>(control_->end_ns - control_->begin_ns) / 1e9;
  }

 private:
  std::string config_of(const Case& which) {
    std::string queues, services;
    for (std::uint32_t i = 0; i < which.branches; ++i) {
      queues += fmt::format(R"({}"q{}":{{"subscriptions":[{{"topic":"t"}}],"capacity":{}}})", i == 0 ? "" : ",", i, kPooled);
      services += fmt::format(R"({}"s{}":{{"queue":"q{}","batch_size":{},"stages":[{{"type":"{}"}}],)"
                              R"("scaling":{{"min_capacity":{}}}}})",
                              i == 0 ? "" : ",", i, i, which.receive,
                              which.own_threads ? "fanout_waiting_stage" : "fanout_stage", which.workers);
    }
    return fmt::format(R"({{"name":"fanout","state":"state","sources":{{"source":{{"type":"fanout_source","publish_to":"t"}}}},)"
                       R"("topics":{{"t":{{}}}},"queues":{{{}}},"services":{{{}}}}})", queues, services);
  }

  Registry registry_;
  std::filesystem::path folder_;
  fanout_control* control_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::string error_;
};

void run_sluice(benchmark::State& state, const Case& which) {
  Fanout fanout(which);
  if (!fanout.error().empty()) {
    state.SkipWithError(fanout.error().c_str());
    return;
  }
  fanout.round();  // warm-up
  for (auto _ : state) {
    fanout.round();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(which.messages * state.iterations()));
}

/// Bare queues: what a careful user would write by hand without any of the engine's guarantees.
template <class Peer>
class Bare {
 public:
  explicit Bare(const Case& which)
      : case_(which),
        pool_(std::make_unique<PooledMessage[]>(kPooled)) {
    for (std::uint32_t i = 0; i < which.branches; ++i) {
      queues_.push_back(std::make_unique<Peer>());
    }
  }

  void round() {
    std::thread consumer([this] { consume(); });
    std::thread producer([this] { produce(); });
    producer.join();
    consumer.join();
  }

 private:
  void produce() {
    pin_this_thread(core_of(0));
    std::vector<PooledMessage*> idle;
    for (std::uint32_t i = 0; i < kPooled; ++i) {
      idle.push_back(&pool_[i]);
    }
    std::array<PooledMessage*, 64> batch;
    for (std::uint64_t sent = 0; sent < case_.messages; sent += case_.publish) {
      while (idle.size() < case_.publish) {
        std::array<PooledMessage*, 64> back;
        std::size_t count = free_.receive(back.data(), back.size());
        idle.insert(idle.end(), back.begin(), back.begin() + count);
        if (count == 0) {
          pause_core();
        }
      }
      for (std::uint32_t i = 0; i < case_.publish; ++i) {
        batch[i] = idle.back();
        idle.pop_back();
        std::memset(batch[i]->body, static_cast<int>(sent + i), FANOUT_BODY);
        if (case_.branches > 1) {
          batch[i]->references.store(case_.branches, std::memory_order_relaxed);
        }
      }
      for (std::unique_ptr<Peer>& queue : queues_) {
        queue->send(batch.data(), case_.publish);
      }
    }
  }

  void consume() {
    pin_this_thread(core_of(1));
    std::array<PooledMessage*, 64> batch, done;
    std::uint64_t left = case_.messages * case_.branches;
    std::uint64_t sum = 0;
    while (left != 0) {
      bool idle = true;
      for (std::unique_ptr<Peer>& queue : queues_) {
        std::size_t count = queue->receive(batch.data(), case_.receive);
        std::size_t done_count = 0;
        for (std::size_t k = 0; k < count; ++k) {
          for (int line = 0; line < 4; ++line) {
            std::uint64_t word;
            std::memcpy(&word, batch[k]->body + 64 * line, sizeof word);
            sum += word;
          }
          if (case_.branches == 1 || batch[k]->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            done[done_count++] = batch[k];
          }
        }
        if (done_count != 0) {
          free_.send(done.data(), done_count);
        }
        left -= count;
        idle &= count == 0;
      }
      if (idle) {
        pause_core();
      }
    }
    benchmark::DoNotOptimize(sum);
    // The producer of the next round begins with the whole pool.
    while (free_.receive(batch.data(), batch.size()) != 0) {
    }
  }

  const Case case_;
  std::unique_ptr<PooledMessage[]> pool_;
  std::vector<std::unique_ptr<Peer>> queues_;
  Moodycamel free_;
};

template <class Peer>
void run_bare(benchmark::State& state, const Case& which) {
  Bare<Peer> peer(which);
  peer.round();
  for (auto _ : state) {
    peer.round();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(which.messages * state.iterations()));
}

void run_flow_graph(benchmark::State& state, const Case& which) {
  namespace flow = oneapi::tbb::flow;
  oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  auto pool = std::make_unique<PooledMessage[]>(kPooled);
  flow::graph graph;
  flow::broadcast_node<PooledMessage*> topic(graph);
  std::vector<std::unique_ptr<flow::function_node<PooledMessage*>>> branches;
  for (std::uint32_t i = 0; i < which.branches; ++i) {
    branches.push_back(std::make_unique<flow::function_node<PooledMessage*>>(graph, flow::serial, [](PooledMessage* message) {
      std::uint64_t sum = 0;
      for (int line = 0; line < 4; ++line) {
        std::uint64_t word;
        std::memcpy(&word, message->body + 64 * line, sizeof word);
        sum += word;
      }
      benchmark::DoNotOptimize(sum);
      message->references.fetch_sub(1, std::memory_order_acq_rel);
      return flow::continue_msg();
    }));
    flow::make_edge(topic, *branches.back());
  }
  for (auto _ : state) {
    for (std::uint64_t sent = 0; sent < which.messages; ++sent) {
      PooledMessage& message = pool[sent % kPooled];
      if (sent % kPooled == 0) {
        graph.wait_for_all();  // the graph has no bound of its own
      }
      std::memset(message.body, static_cast<int>(sent), FANOUT_BODY);
      message.references.store(which.branches, std::memory_order_relaxed);
      topic.try_put(&message);
    }
    graph.wait_for_all();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(which.messages * state.iterations()));
}

constexpr std::uint32_t kPolledPauseNs = 1'000, kParkedPauseNs = 200'000;
constexpr std::size_t kPolledHandovers = 50'000, kParkedHandovers = 2'000;

void report(benchmark::State& state, std::vector<std::uint32_t>& latencies) {
  std::ranges::sort(latencies);
  const auto at = [&](double part) { return latencies[static_cast<std::size_t>(part * static_cast<double>(latencies.size() - 1))] / 1e3; };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
}

std::vector<std::uint32_t> handovers(std::uint32_t pause_ns) {
  return std::vector<std::uint32_t>(pause_ns == kPolledPauseNs ? kPolledHandovers : kParkedHandovers);
}

void handover_sluice(benchmark::State& state, std::uint32_t pause_ns) {
  std::vector<std::uint32_t> latencies = handovers(pause_ns);
  Fanout fanout({1, 1, 64, latencies.size()});
  if (!fanout.error().empty()) {
    state.SkipWithError(fanout.error().c_str());
    return;
  }
  fanout.measure_handovers(latencies, pause_ns);
  for (auto _ : state) {
    fanout.round();
  }
  report(state, latencies);
}

std::int64_t now_ns() { return system_clock().steady_ns(); }

/// As the bench's source does it.
void pause_for(std::uint32_t ns) {
  if (ns >= 50'000) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
    return;
  }
  for (const std::int64_t until = now_ns() + ns; now_ns() < until;) {
    pause_core();
  }
}

/// `wait(peer)` is how its receiver waits for the next message.
template <class Peer, class Wait>
void handover_bare(benchmark::State& state, std::uint32_t pause_ns, Wait&& wait) {
  std::vector<std::uint32_t> latencies = handovers(pause_ns);
  for (auto _ : state) {
    Peer peer;
    std::atomic<std::size_t> received{0};
    std::thread receiver([&] {
      pin_this_thread(core_of(1));
      for (std::size_t i = 0; i < latencies.size(); ++i) {
        std::int64_t sent;
        std::memcpy(&sent, wait(peer)->body, sizeof sent);
        latencies[i] = static_cast<std::uint32_t>(now_ns() - sent);
        received.store(i + 1, std::memory_order_release);
      }
    });
    std::thread sender([&] {
      pin_this_thread(core_of(0));
      PooledMessage message;
      for (std::size_t i = 0; i < latencies.size(); ++i) {
        while (received.load(std::memory_order_acquire) != i) {
          pause_core();
        }
        pause_for(pause_ns);
        PooledMessage* sent = &message;
        const std::int64_t now = now_ns();
        std::memcpy(message.body, &now, sizeof now);
        peer.send(&sent, 1);
      }
    });
    sender.join();
    receiver.join();
  }
  report(state, latencies);
}

template <class Peer>
void handover_polled(benchmark::State& state) {
  handover_bare<Peer>(state, kPolledPauseNs, [](Peer& peer) {
    PooledMessage* message;
    while (peer.receive(&message, 1) == 0) {
      pause_core();
    }
    return message;
  });
}

template <class Peer>
void handover_parked(benchmark::State& state) {
  handover_bare<Peer>(state, kParkedPauseNs, [](Peer& peer) { return peer.wait(); });
}

void add_case(const std::string& name, void (*run)(benchmark::State&, const Case&), const Case& which) {
  benchmark::RegisterBenchmark(name.c_str(), run, which)->UseRealTime()->Unit(benchmark::kMillisecond);
}

template <class Run>
void add_handover(const char* name, Run run) {
  benchmark::RegisterBenchmark(name, run)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);
}

void add_handovers() {
  add_handover("fanout/handover/polled/sluice", [](benchmark::State& state) { handover_sluice(state, kPolledPauseNs); });
  add_handover("fanout/handover/polled/moodycamel", handover_polled<Moodycamel>);
  add_handover("fanout/handover/polled/tbb-bounded", handover_polled<TbbBounded>);
  add_handover("fanout/handover/polled/boost-lockfree", handover_polled<BoostLockfree>);
  add_handover("fanout/handover/polled/mutex-deque", handover_polled<MutexDeque>);
  add_handover("fanout/handover/parked/sluice", [](benchmark::State& state) { handover_sluice(state, kParkedPauseNs); });
  add_handover("fanout/handover/parked/moodycamel", handover_parked<MoodycamelBlocking>);
  add_handover("fanout/handover/parked/tbb-bounded", handover_parked<TbbBounded>);
  add_handover("fanout/handover/parked/mutex-deque", handover_parked<MutexDeque>);
}

void add_workers() {
  for (std::uint32_t workers : {2u, 4u, 8u}) {
    for (bool own_threads : {false, true}) {
      add_case(fmt::format("fanout/workers/{}/{}", workers, own_threads ? "threads" : "pool"), run_sluice,
               {1, 64, 64, 1 << 20, workers, own_threads, true});
    }
  }
}

void add_all() {
  for (std::uint32_t branches : {1u, 3u, 8u, 64u}) {
    std::uint64_t messages = std::uint64_t{1} << (branches == 64 ? 17 : branches == 8 ? 19 : 20);
    for (auto [name, publish, receive] : {std::tuple{"b1", 1u, 1u}, {"b5", 64u, 5u}, {"b64", 64u, 64u}}) {
      std::string prefix = fmt::format("fanout/1x{}/{}/", branches, name);
      const Case bare{branches, publish, receive, messages / (publish == 1 ? 4 : 1)};
      // Ours receives what is there, up to 64, where the publisher sends one at a time.
      add_case(prefix + "sluice", run_sluice, {branches, publish, publish == 1 ? 64 : receive, messages});
      add_case(prefix + "moodycamel", run_bare<Moodycamel>, bare);
      if (publish == 1) {
        add_case(prefix + "moodycamel-bulk-receive", run_bare<Moodycamel>, {branches, 1, 64, messages / 4});
      }
      add_case(prefix + "tbb-bounded", run_bare<TbbBounded>, bare);
      add_case(prefix + "boost-lockfree", run_bare<BoostLockfree>, bare);
      add_case(prefix + "mutex-deque", run_bare<MutexDeque>, bare);
      if (receive == 64) {
        add_case(prefix + "tbb-flow-graph", run_flow_graph, {branches, 64, 64, std::uint64_t{1} << 14});
      }
    }
  }
  add_workers();
  add_handovers();
}

}  // namespace
}  // namespace sluice::core

int main(int count, char** arguments) {
  return run_benches(count, arguments, sluice::core::add_all);
}
