// Alarms at work: samples what each watches when its period is over, judges it, and does what its configuration says of
// a transition.
//
// Thread safety: control's, but for facts().
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.hpp"
#include "config/description.hpp"
#include "pipeline/notifier.hpp"
#include "pipeline/starter.hpp"
#include "pipeline/summary.hpp"
#include "queue/timers.hpp"

namespace sluice::core {

class Alarms {
 public:
  Alarms(const Timers& timers, Starter& starter)
      : timers_(timers), clock_(timers.clock()), starter_(starter), start_ns_(clock_.steady_ns()), configured_ms_(clock_.wall_ms()) {}

  struct Action {
    Notifier* notifier = nullptr;  ///< nullptr: it starts workers
    Service* service = nullptr;
    std::uint32_t count = 0;
  };
  using Actions = std::array<std::vector<Action>, kAlarmStates>;
  /// All outlive it. `actions` as in `alarm`.
  void add(const PipelineDescription& pipeline, const AlarmDescription& alarm, Queue& queue, Actions actions);

  /// Does what is due. When to call it again, by the clock's steady time; INT64_MAX: there is nothing to do, ever.
  std::int64_t step();
  /// Whether an alarm may still act if nothing but time changes what they watch, and has not since `since_ns`. Its name,
  /// or nullptr.
  const std::string* may_act(std::int64_t since_ns) const;
  /// In the order of the configuration. [any]
  std::vector<AlarmFacts> facts() const;

 private:
  /// Notifications that found no room are tried again so often.
  static constexpr std::int64_t kRetryNs = 1'000'000'000;

  struct Watched {
    Watched(const PipelineDescription& used_pipeline, const AlarmDescription& used_alarm, Queue& used_queue, Actions used_actions)
        : pipeline(used_pipeline), description(used_alarm), queue(used_queue), actions(std::move(used_actions)), alarm(used_alarm.rule) {}
    const PipelineDescription& pipeline;
    const AlarmDescription& description;
    Queue& queue;
    const Actions actions;
    Alarm alarm;
    std::int64_t periods = 0;     ///< that are over
    std::uint64_t counted = 0;    ///< a counter's value at the end of the last one
    bool waits_told = false;      ///< that messages wait for workers which it does not start; once for each ALARM
    AlarmFacts facts = {};        // guarded by mutex_
  };
  std::int64_t due_ns(const Watched& watched) const;
  double sample(Watched& watched) const;
  void evaluate(Watched& watched, std::int64_t now_ns);
  void change(Watched& watched, std::int64_t now_ms);
  void start(const Watched& watched, const Action& action);
  void stay(Watched& watched);
  bool is_settled(const Watched& watched, std::int64_t since_ns) const;
  bool lacks_workers(const Action& action) const;

  const Timers& timers_;
  const Clock& clock_;
  Starter& starter_;
  const std::int64_t start_ns_, configured_ms_;
  std::deque<Watched> watched_;
  mutable std::mutex mutex_;
};

}  // namespace sluice::core
