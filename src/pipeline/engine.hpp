// The engine: builds the graph of a pipeline, starts it, watches it, stops it.
//
// Life: start() -> wait_for_end() until true -> finish(). All but request_*, snapshot() are the
// control thread's.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/description.hpp"
#include "pipeline/queue_control.hpp"
#include "pipeline/service_control.hpp"
#include "pipeline/summary.hpp"

namespace sluice::core {

struct RunOptions {
  bool until_idle = false;
  std::vector<std::string> plugin_dirs;
  /// For benches: size of the CPU pool (0: cores allowed), and the cores its threads and the first
  /// source's thread are bound to.
  std::uint32_t pool_threads = 0;
  std::vector<int> pool_cores;
  int source_core = -1;
};

class Engine {
 public:
  /// Builds and starts. Errors: cannot_create (73) for the state folder, what its components'
  /// create() answers, io (74) for the dead letters, unavailable (69) where the system gives too few threads.
  static Result<std::unique_ptr<Engine>> start(PipelineDescription&& pipeline, Clock& clock,
                                               const RunOptions& options);
  ~Engine();  ///< REQUIRES: finish() was called, or start() failed
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// First signal: receive nothing more, finish what is in hand within drain_timeout. [any, async-signal-safe]
  void request_stop();
  /// Second signal: work in hand is told to stop. [any, async-signal-safe]
  void request_abort();
  /// True when the run has ended; otherwise returns after `limit`.
  bool wait_for_end(std::chrono::milliseconds limit);
  /// Puts the subscriptions and filter policies of `changed`, the same pipeline's changed configuration, into force,
  /// under traffic (resubscribe.hpp). Where something else has changed, nothing is done: its JSON pointer. [control]
  std::optional<std::string> resubscribe(const PipelineDescription& changed);
  Snapshot snapshot() const;  ///< [any]
  /// Its queues, to be asked and operated until finish(). [any]
  QueueControl& queues();
  /// Its services, likewise.
  ServiceControl& services();
  /// It receives nothing more. [any]
  bool is_stopping() const;
  /// Joins all threads; the final numbers and the exit code. Once.
  Summary finish();

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::core
