#include "pipeline/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <span>
#include <system_error>

#include "base/futex.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "pipeline/graph.hpp"
#include "pipeline/leftovers.hpp"
#include "pipeline/live_queues.hpp"
#include "pipeline/live_services.hpp"
#include "pipeline/resubscribe.hpp"
#include "pipeline/standstill.hpp"

namespace sluice::core {
namespace {

constexpr std::int64_t kIdleStepNs = 2'000'000;      // how often idleness is looked at
constexpr std::int64_t kAbortGraceNs = 500'000'000;  // for stages that were told to stop

}  // namespace

struct Engine::State {
  enum class Phase { running, draining, aborting, ended };

  State(Clock& used_clock, const RunOptions& used_options)
      : clock(used_clock),
        options(used_options) {}

  Clock& clock;
  const RunOptions options;
  PipelineDescription pipeline;
  std::unique_ptr<Graph> graph;
  std::optional<LiveQueues> queues;
  std::optional<LiveServices> services;
  std::optional<Standstill> standstill;
  Thread ticker, writer;
  bool pool_started = false;
  std::size_t sources_started = 0;  ///< the first so many
  Atomic<bool> ticking{true};
  // Requests: from anywhere, also from a signal handler.
  Atomic<std::uint32_t> stop_requested{0}, abort_requested{0};
  Atomic<std::uint32_t> event{0};
  // Failures: the one that decides the exit code.
  mutable std::mutex mutex;  // of failures and the topics' queues
  std::vector<Error> failures;
  // Control thread.
  Phase phase = Phase::running;
  std::int64_t started_ns = 0, phase_ends_ns = 0;
  std::int64_t acts_at_ns = 0;  ///< when alarms, workers that are started and the scaler are to be looked at again

  void ring() {
    event.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(event, 1);
  }

  /// Tells of it once: several workers of a service may fail at the same time, for the same reason.
  void fail(Error error) {
    {
      std::lock_guard lock(mutex);
      if (std::ranges::find(failures, error.message, &Error::message) == failures.end()) {
        log_error("", "{}", error.message);
        failures.push_back(std::move(error));
      }
    }
    stop_requested.store(1, std::memory_order_seq_cst);
    ring();
  }

  /// Where one cannot be started, those before it run.
  Result<void> start_threads() {
    started_ns = clock.steady_ns();
    try {
      writer = Thread("dead letters", [this] { graph->dead_letters->run(); });
      ticker = Thread("ticker", [this] {
        while (ticking.load(std::memory_order_seq_cst)) {
          graph->timers.sleep_until(graph->timers.advance());
        }
      });
      graph->pool->start();
      pool_started = true;
      for (std::unique_ptr<Service>& service : graph->services) {
        if (Result<void> started = service->start(); !started) {
          return std::unexpected(Error{started.error().code, fmt::format("service '{}': {}", service->name(), started.error().message)});
        }
      }
      for (std::unique_ptr<Source>& source : graph->sources) {
        source->start();
        ++sources_started;
      }
    } catch (const std::system_error& error) {
      return std::unexpected(Error{Errc::unavailable, fmt::format("cannot start a thread: {}", error.code().message())});
    }
    return {};
  }

  std::span<const std::unique_ptr<Source>> started_sources() const { return std::span(graph->sources).first(sources_started); }

  /// Every source is exhausted, and all that was put into a queue with a service came to its end.
  bool is_idle() { return is_at_rest(false) && !sends_kept_notifications(); }

  /// There is room for some by now. False: there are none, or nobody makes room for them.
  bool sends_kept_notifications() {
    bool sent = false;
    for (const std::unique_ptr<Notifier>& notifier : graph->notifiers) {
      const std::size_t before = notifier->kept();
      notifier->send_kept();
      sent |= notifier->kept() != before;
    }
    return sent;
  }

  /// The same; `may_wait`: or it waits for workers to be started, and a source, a service or a redrive for room.
  /// What ended is read before what was created: equal numbers leave no room for anything between.
  bool is_at_rest(bool may_wait) const {
    const auto rests = [may_wait](const std::unique_ptr<Source>& source) {
      return source->is_exhausted() || (may_wait && source->waits());
    };
    if (!std::ranges::all_of(graph->sources, rests) || !graph->dead_letters->quiet(may_wait)) {
      return false;
    }
    // A worker whose lease has expired may still publish. None has one now, and (see below) none got one meanwhile.
    const std::uint64_t ended_late = graph->timers.ended_late(), expired = graph->timers.expired_leases();
    if (ended_late != expired) {
      return false;
    }
    std::vector<std::uint64_t> ended;
    for (const std::unique_ptr<Queue>& queue : graph->queues) {
      ended.push_back(queue->ended());
    }
    // A part that was rejected belongs to no queue until it is stored: what is quiet now was created by now.
    if (!graph->dead_letters->quiet(may_wait)) {
      return false;
    }
    for (std::size_t i = 0; i < ended.size(); ++i) {
      if (graph->queues[i]->has_service() && graph->queues[i]->created() != ended[i] &&
          !(may_wait && (standstill->waits_for_start(static_cast<std::uint32_t>(i)) ||
                         standstill->waits_for_room(static_cast<std::uint32_t>(i))))) {
        return false;
      }
    }
    return std::ranges::all_of(graph->sources, rests) && graph->timers.expired_leases() == expired;
  }

  bool stands_still() {
    const auto waits_for_room = [this](const ServiceDescription& service) { return standstill->waits_for_room(service.queue); };
    const bool may_wait = !graph->starter.is_empty() || std::ranges::any_of(graph->sources, &Source::waits) ||
                          std::ranges::any_of(pipeline.services, waits_for_room);
    return may_wait && standstill->is_final(is_at_rest(true) && !sends_kept_notifications());
  }

  void begin_drain() {
    phase = Phase::draining;
    phase_ends_ns = clock.steady_ns() + pipeline.drain_timeout_ms * 1'000'000;
    graph->stopping.store(true, std::memory_order_seq_cst);
    graph->dead_letters->cancel_redrives();
    services->close();
    for (const std::unique_ptr<Source>& source : started_sources()) {
      source->cancel();
    }
    for (std::unique_ptr<Service>& service : graph->services) {
      service->wake_all();
    }
    for (std::unique_ptr<Queue>& queue : graph->queues) {
      queue->credits().ring();  // whoever waits for credit looks at `stopping`
    }
    graph->pool->wake_all();
  }

  void begin_abort() {
    phase = Phase::aborting;
    phase_ends_ns = clock.steady_ns() + kAbortGraceNs;
    graph->aborting.store(true, std::memory_order_seq_cst);
    for (std::unique_ptr<Service>& service : graph->services) {
      for (const std::unique_ptr<Worker>& worker : service->workers()) {
        worker->cancel();
      }
    }
  }

  /// A pool that lacks threads still counts them. It is joined: those that it has see `stopping`.
  bool pool_runs() const { return pool_started && graph->pool->running() != 0; }

  bool all_returned() const {
    return std::ranges::none_of(started_sources(), &Source::running) && !pool_runs() &&
           std::ranges::all_of(graph->services, [](const std::unique_ptr<Service>& service) { return service->running() == 0; });
  }

  void step() {
    bool stop = stop_requested.load(std::memory_order_seq_cst) != 0;
    if (phase == Phase::running && (stop || (options.until_idle && (is_idle() || stands_still())))) {
      begin_drain();
    }
    if (phase == Phase::running && (services->serve() || clock.steady_ns() >= acts_at_ns)) {
      const std::int64_t alarms_ns = graph->alarms.step();  // they start workers
      acts_at_ns = std::min({graph->scaler.step(), alarms_ns, graph->starter.step()});
    }
    if (phase == Phase::draining && all_returned()) {
      phase = Phase::ended;
    }
    bool late = clock.steady_ns() >= phase_ends_ns;
    if (phase == Phase::draining && (late || abort_requested.load(std::memory_order_seq_cst) != 0)) {
      begin_abort();
    } else if (phase == Phase::aborting && (late || all_returned())) {
      phase = Phase::ended;
    }
  }

  /// What did not return keeps its threads; the process ends without them.
  void join(Summary& summary) {
    for (const std::unique_ptr<Source>& source : started_sources()) {
      if (source->running()) {
        summary.threads_left = true;
        summary.notes.push_back(fmt::format("source '{}' did not return in time", source->name()));
        source->abandon();
      } else {
        source->join();
      }
    }
    for (std::unique_ptr<Service>& service : graph->services) {
      if (service->running() != 0) {
        summary.threads_left = true;
        summary.notes.push_back(fmt::format("service '{}': {} did not return in time",
                                            service->name(),
                                            count_text(service->running(), "worker")));
        service->abandon();
      } else {
        service->join();
      }
    }
    if (pool_runs()) {
      summary.threads_left = true;
      summary.notes.emplace_back("a stage on the CPU pool did not return in time");
      graph->pool->abandon();
    } else {
      graph->pool->join();
    }
    for (const std::unique_ptr<Notifier>& notifier : graph->notifiers) {
      notifier->close();
    }
    if (!summary.threads_left) {
      for (std::unique_ptr<Service>& service : graph->services) {
        for (const std::unique_ptr<Worker>& worker : service->workers()) {
          if (!service->own_threads()) {
            worker->close();
          }
        }
      }
    }
    ticking.store(false, std::memory_order_seq_cst);
    graph->timers.stop();
    ticker.join();
    graph->dead_letters->stop();
    writer.join();
    leave_rest_behind();
    for (const std::unique_ptr<Source>& source : started_sources()) {
      if (Result<void> finished; !source->running() && !(finished = source->finish())) {
        fail(finished.error());
      }
    }
  }

  /// So that sources hear of each message that has ended, and not only of chunks without any that is left. Where memory
  /// lacks they hear of fewer, and more comes again.
  void leave_rest_behind() try {
    for (std::unique_ptr<Queue>& queue : graph->queues) {
      queue->leave_rest_behind();
    }
    graph->timers.leave_rest_behind();
  } catch (const std::bad_alloc&) {
    log_warning("", "no memory to tell the sources of each message: some that were done come again");
  }

  TopicNumbers topic_numbers(std::size_t topic) const {
    const TopicDescription& description = pipeline.topics[topic];
    TopicNumbers numbers{description.name, 0, {}};
    std::lock_guard lock(mutex);  // branches may be added
    for (const std::uint32_t queue : description.queues) {
      SubscriptionNumbers& subscription = numbers.subscriptions.emplace_back();
      subscription.name = pipeline.queues[queue].name;
      for (const Publisher* publisher : graph->topic_publishers[topic]) {
        static_cast<BranchCounts&>(subscription) += publisher->counts(*graph->queues[queue]);
      }
    }
    for (const Publisher* publisher : graph->topic_publishers[topic]) {
      numbers.published += publisher->published();
    }
    return numbers;
  }

  void fill(Snapshot& snapshot) const {
    snapshot.seconds = static_cast<double>(clock.steady_ns() - started_ns) / 1e9;
    snapshot.dead_letters = graph->dead_letters->stored();
    for (const std::unique_ptr<Source>& source : graph->sources) {
      snapshot.sources.push_back({source->name(), source->events(), source->acknowledged()});
    }
    for (std::size_t topic = 0; topic < pipeline.topics.size(); ++topic) {
      if (std::ranges::any_of(graph->topic_publishers[topic], &Publisher::filters)) {
        snapshot.topics.push_back(topic_numbers(topic));
      }
    }
    for (const std::unique_ptr<Queue>& queue : graph->queues) {
      QueueNumbers numbers;
      static_cast<QueueCounters&>(numbers) = queue->counters();
      numbers.name = queue->name();
      snapshot.queues.push_back(std::move(numbers));
    }
    for (const std::unique_ptr<Service>& service : graph->services) {
      ServiceNumbers numbers;
      numbers.name = service->name();
      for (const std::unique_ptr<Worker>& worker : service->workers()) {
        const WorkerCounters& counters = worker->counters();
        numbers.processed += counters.processed.load(std::memory_order_relaxed);
        numbers.retried += counters.retried.load(std::memory_order_relaxed);
        numbers.rejected += counters.rejected.load(std::memory_order_relaxed);
        numbers.stale += counters.stale.load(std::memory_order_relaxed);
        numbers.ignored += counters.ignored.load(std::memory_order_relaxed);
      }
      numbers.workers = service->wanted();
      numbers.workers_max = service->most_wanted();
      numbers.leaving = service->leaving();
      numbers.scaling = graph->scaler.facts(*service);
      snapshot.services.push_back(std::move(numbers));
    }
    snapshot.alarms = graph->alarms.facts();
  }

  /// DESIGN §5, Exit codes: 70, 74, 69, 76, 75 in this order; others only come alone.
  int judge(Summary& summary) {
    bool lost = false, comes_again = false;
    std::lock_guard lock(mutex);
    const std::string_view again = failures.empty() ? "to come again at the next start"
                                                    : "to come again at the next start if its source could keep them";
    for (std::size_t i = 0; i < summary.sources.size(); ++i) {
      const SourceNumbers& source = summary.sources[i];
      if (source.events == source.acknowledged) {
        continue;
      }
      bool repeats = graph->sources[i]->repeats();
      (repeats ? comes_again : lost) = true;
      summary.notes.push_back(
          fmt::format("source '{}': {} not acknowledged, {}", source.name,
                      count_text(source.events - source.acknowledged, "event"),
                      repeats ? again : "not to come again"));
    }
    for (const std::unique_ptr<Notifier>& notifier : graph->notifiers) {
      if (const std::uint64_t unsettled = notifier->unsettled(); unsettled != 0) {
        lost = true;
        summary.notes.push_back(fmt::format("{}: {} of alarms not settled, not to come again", notifier->target(),
                                            count_text(unsettled, "notification")));
      }
    }
    for (Errc code : {Errc::internal, Errc::io, Errc::unavailable}) {
      if (std::ranges::find(failures, code, &Error::code) != failures.end()) {
        return exit_code(code);
      }
    }
    if (!failures.empty()) {
      return exit_code(failures.front().code);
    }
    return lost ? 76 : comes_again ? 75 : 0;
  }

  void note_leftovers(Summary& summary) const {
    for (std::size_t i = 0; i < summary.queues.size(); ++i) {
      const QueueNumbers& queue = summary.queues[i];
      if (queue.dropped != 0) {
        const QueueDescription& description = pipeline.queues[i];
        std::string_view why = description.when_full == WhenFull::block ? "its redrive_policy is null"
                               : description.redrive_policy             ? "it was full"
                                                                        : "it was full, or they were rejected";
        summary.notes.push_back(fmt::format("queue '{}': {} dropped; {}", queue.name, count_text(queue.dropped, "message"), why));
      }
      if (queue.expired != 0) {
        summary.notes.push_back(fmt::format("queue '{}': {} expired; older than its retention of {}", queue.name,
                                            count_text(queue.expired, "message"),
                                            format_duration(pipeline.queues[i].retention_ms)));
      }
      std::uint64_t left = queue.visible + queue.in_flight + queue.delayed;
      if (left == 0) {
        continue;
      }
      // Where messages were published too, what is left may be theirs, which are not stored.
      bool holds_dead_letters = queue.sent == 0 && std::ranges::any_of(pipeline.queues, [i](const QueueDescription& other) {
        return other.redrive_policy && other.redrive_policy->dead_letter_queue == i;
      });
      std::string_view what = holds_dead_letters ? "dead letter" : "message";
      std::string_view where = holds_dead_letters                ? "stored"
                               : !graph->queues[i]->has_service() ? "left; it has no service"
                               : standstill->waits_for_start(static_cast<std::uint32_t>(i))
                                   ? "left; no worker of its service runs"
                                   : "left";
      summary.notes.push_back(
          fmt::format("queue '{}': {} {}", queue.name, count_text(left, what), where));
    }
  }
};

Engine::Engine(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::start(PipelineDescription&& pipeline, Clock& clock, const RunOptions& options) {
  set_host_clock(clock);
  auto state = std::make_unique<State>(clock, options);
  State* raw = state.get();
  state->pipeline = std::move(pipeline);
  Result<std::unique_ptr<Graph>> graph =
      build_graph(state->pipeline, clock, options, [raw](Error error) { raw->fail(std::move(error)); });
  if (!graph) {
    return std::unexpected(graph.error());
  }
  state->graph = std::move(*graph);
  state->queues.emplace(state->pipeline, *state->graph);
  state->services.emplace(*state->graph, [raw] { raw->ring(); });
  state->standstill.emplace(state->pipeline, *state->graph);
  for (const std::string& text : forgotten_dead_letters(state->pipeline)) {
    log_warning("", "{}", text);
  }
  const Result<void> started = state->start_threads();
  std::unique_ptr<Engine> engine(new Engine(std::move(state)));
  if (!started) {  // what runs ends as in any run, and is joined
    engine->request_stop();
    while (!engine->wait_for_end(std::chrono::seconds(1))) {
    }
    (void)engine->finish();
    return std::unexpected(started.error());
  }
  return engine;
}

void Engine::request_stop() {
  state_->stop_requested.store(1, std::memory_order_seq_cst);
  state_->ring();
}

void Engine::request_abort() {
  state_->stop_requested.store(1, std::memory_order_seq_cst);
  state_->abort_requested.store(1, std::memory_order_seq_cst);
  state_->ring();
}

bool Engine::wait_for_end(std::chrono::milliseconds limit) {
  State& state = *state_;
  std::int64_t until = state.clock.steady_ns() + std::chrono::nanoseconds(limit).count();
  for (;;) {
    std::uint32_t seen = state.event.load(std::memory_order_seq_cst);
    state.step();
    std::int64_t left = until - state.clock.steady_ns();
    if (state.phase == State::Phase::ended || left <= 0) {
      return state.phase == State::Phase::ended;
    }
    bool polls = state.phase != State::Phase::running || state.options.until_idle;
    if (state.phase == State::Phase::running) {
      left = std::min(left, std::max<std::int64_t>(1, state.acts_at_ns - state.clock.steady_ns()));
    }
    futex_wait(state.event, seen, polls ? std::min(left, kIdleStepNs) : left);
  }
}

std::optional<std::string> Engine::resubscribe(const PipelineDescription& changed) {
  return core::resubscribe(*state_->graph, state_->pipeline, state_->mutex, changed);
}

QueueControl& Engine::queues() { return *state_->queues; }

ServiceControl& Engine::services() { return *state_->services; }

bool Engine::is_stopping() const { return state_->graph->stopping.load(std::memory_order_seq_cst); }

Snapshot Engine::snapshot() const {
  Snapshot snapshot;
  state_->fill(snapshot);
  return snapshot;
}

Summary Engine::finish() {
  Summary summary;
  state_->join(summary);
  state_->fill(summary);
  state_->note_leftovers(summary);
  summary.exit = state_->judge(summary);
  if (summary.threads_left) {
    (void)state_.release();  // its threads still use it
  }
  return summary;
}

}  // namespace sluice::core
