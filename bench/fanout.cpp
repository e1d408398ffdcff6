// bench/fanout: the whole engine against bare queues, input messages per second.
//
//   fanout/1xN/bK/sluice       one source publishes to a topic with N queues, each with a service of one
//                              worker. The engine as it is: matching masks, log, credits, leases, receive
//                              counts, timers, counters, views, a C stage, origin acknowledgement. Time runs
//                              from the first emission to the last settled().
//   fanout/1xN/bK/moodycamel   one producer and one consumer thread; pooled 320-byte messages, N concurrent
//                              queues with tokens and bulk calls, one reference count per message (none at
//                              N = 1). No acknowledgement, lease, credit, count or timer.
//   fanout/1x64/b64/tbb-flow-graph   a broadcast node and 64 serial function nodes.
//
// b64: 64 per call; b5: published by 64, received by 5; b1: one per call. Both sides write 256 bytes of every
// message and read four words of it, and are bound to the same two cores. Compare ratios of medians of one run:
//   bench/fanout --benchmark_repetitions=9 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>
#include <concurrentqueue/concurrentqueue.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>

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

// The plugin's C11 header, in C++ clothes: same layout.
#define _Atomic
#include "fanout_parts.h"
#undef _Atomic

namespace sluice::core {
namespace {

constexpr std::uint32_t kInFlightMax = 8192;  // messages: queue capacity there, pool size here

struct Case {
  std::uint32_t branches;
  std::uint32_t publish, receive;
  std::uint64_t messages;  ///< a round
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
    Diagnostics diagnostics;
    Result<PipelineDescription> pipeline =
        parse_pipeline(config_of(which), (folder_ / "fanout.json").string(), {}, {}, registry_, diagnostics);
    if (!pipeline) {
      error_ = pipeline.error().message + render(diagnostics, false);
      return;
    }
    RunOptions options;
    options.pool_threads = 1;
    options.pool_cores = {core_of(1)};
    options.source_core = core_of(0);
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
      queues += fmt::format(R"({}"q{}":{{"subscriptions":[{{"topic":"t"}}],"capacity":{}}})", i == 0 ? "" : ",", i, kInFlightMax);
      services += fmt::format(R"({}"s{}":{{"queue":"q{}","batch_size":{},"stages":[{{"type":"fanout_stage"}}]}})",
                              i == 0 ? "" : ",", i, i, which.receive);
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

struct alignas(64) PooledMessage {
  std::uint8_t body[FANOUT_BODY];
  std::atomic<std::uint32_t> references;
  std::uint32_t unused[15];
};
static_assert(sizeof(PooledMessage) == 320);

using MessageQueue = moodycamel::ConcurrentQueue<PooledMessage*>;

/// Bare moodycamel: what a careful user would write by hand without any of the engine's guarantees.
class Moodycamel {
 public:
  explicit Moodycamel(const Case& which)
      : case_(which),
        pool_(std::make_unique<PooledMessage[]>(kInFlightMax)) {
    for (std::uint32_t i = 0; i < which.branches; ++i) {
      queues_.push_back(std::make_unique<MessageQueue>(kInFlightMax));
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
    std::vector<moodycamel::ProducerToken> tokens;
    for (auto& queue : queues_) {
      tokens.emplace_back(*queue);
    }
    moodycamel::ConsumerToken free_token(free_);
    std::vector<PooledMessage*> idle;
    for (std::uint32_t i = 0; i < kInFlightMax; ++i) {
      idle.push_back(&pool_[i]);
    }
    std::array<PooledMessage*, 64> batch;
    for (std::uint64_t sent = 0; sent < case_.messages; sent += case_.publish) {
      while (idle.size() < case_.publish) {
        std::array<PooledMessage*, 64> back;
        std::size_t count = free_.try_dequeue_bulk(free_token, back.begin(), back.size());
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
      for (std::size_t i = 0; i < queues_.size(); ++i) {
        if (case_.publish == 1) {
          queues_[i]->enqueue(tokens[i], batch[0]);
        } else {
          queues_[i]->enqueue_bulk(tokens[i], batch.begin(), case_.publish);
        }
      }
    }
  }

  void consume() {
    pin_this_thread(core_of(1));
    std::vector<moodycamel::ConsumerToken> tokens;
    for (auto& queue : queues_) {
      tokens.emplace_back(*queue);
    }
    moodycamel::ProducerToken free_token(free_);
    std::array<PooledMessage*, 64> batch, done;
    std::uint64_t left = case_.messages * case_.branches;
    std::uint64_t sum = 0;
    while (left != 0) {
      bool idle = true;
      for (std::size_t i = 0; i < queues_.size(); ++i) {
        std::size_t count = case_.receive == 1 ? (queues_[i]->try_dequeue(tokens[i], batch[0]) ? 1 : 0)
                                               : queues_[i]->try_dequeue_bulk(tokens[i], batch.begin(), case_.receive);
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
          free_.enqueue_bulk(free_token, done.begin(), done_count);
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
    PooledMessage* drained;
    while (free_.try_dequeue(drained)) {
    }
  }

  const Case case_;
  std::unique_ptr<PooledMessage[]> pool_;
  std::vector<std::unique_ptr<MessageQueue>> queues_;
  MessageQueue free_{kInFlightMax};
};

void run_moodycamel(benchmark::State& state, const Case& which) {
  Moodycamel peer(which);
  peer.round();
  for (auto _ : state) {
    peer.round();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(which.messages * state.iterations()));
}

void run_flow_graph(benchmark::State& state, const Case& which) {
  namespace flow = oneapi::tbb::flow;
  oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism, 2);
  auto pool = std::make_unique<PooledMessage[]>(kInFlightMax);
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
      PooledMessage& message = pool[sent % kInFlightMax];
      if (sent % kInFlightMax == 0) {
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

void add_case(const std::string& name, void (*run)(benchmark::State&, const Case&), const Case& which) {
  benchmark::RegisterBenchmark(name.c_str(), run, which)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void add_all() {
  for (std::uint32_t branches : {1u, 3u, 8u, 64u}) {
    std::uint64_t messages = std::uint64_t{1} << (branches == 64 ? 17 : branches == 8 ? 19 : 20);
    for (auto [name, publish, receive] : {std::tuple{"b1", 1u, 1u}, {"b5", 64u, 5u}, {"b64", 64u, 64u}}) {
      std::string prefix = fmt::format("fanout/1x{}/{}/", branches, name);
      // Ours receives what is there, up to 64, where the publisher sends one at a time.
      add_case(prefix + "sluice", run_sluice, {branches, publish, publish == 1 ? 64 : receive, messages});
      add_case(prefix + "moodycamel", run_moodycamel, {branches, publish, receive, messages / (publish == 1 ? 4 : 1)});
      if (publish == 1) {
        add_case(prefix + "moodycamel-bulk-receive", run_moodycamel, {branches, 1, 64, messages / 4});
      }
    }
  }
  add_case("fanout/1x64/b64/tbb-flow-graph", run_flow_graph, {64, 64, 64, 1 << 14});
}

}  // namespace
}  // namespace sluice::core

int main(int count, char** arguments) {
  return run_benches(count, arguments, sluice::core::add_all);
}
