#include "scaling/simulator.hpp"

#include <algorithm>
#include <cassert>
#include <deque>
#include <limits>
#include <numeric>
#include <queue>
#include <set>

namespace sluice::core {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// A worker's place in the order of starting, and which of those that had it. Scale-in takes the
/// last places, so that those of the others stand.
struct WorkerId {
  std::uint32_t place;
  std::uint64_t serial;
};

struct Batch {
  std::int64_t done;  ///< step
  WorkerId worker;
  std::uint64_t first;  ///< the number of its first message, by arrival
  std::uint64_t messages;

  bool operator>(const Batch& other) const { return done > other.done; }
};

struct StartingWorker {
  std::int64_t ready;  ///< step
  WorkerId worker;
};

/// Queue, workers and messages. All times are steps.
class Plant {
 public:
  explicit Plant(const ScalingSimulation& simulation)
      : load_(simulation.load),
        step_ms_(std::gcd(std::gcd(std::int64_t{1000}, simulation.policy.period_ms),
                          std::gcd(load_.service_time_ms, load_.start_delay_ms))),
        service_(load_.service_time_ms / step_ms_) {
    for (std::uint32_t i = 0; i < simulation.policy.desired_capacity; ++i)
      start(0);
  }

  std::int64_t step_ms() const { return step_ms_; }

  /// The next step in which anything happens by itself.
  std::int64_t next() const {
    std::int64_t at = arrived_ < load_.arrivals.size() ? arrival_step() : kNever;
    if (!busy_.empty())
      at = std::min(at, busy_.top().done);
    if (!starting_.empty())
      at = std::min(at, starting_.front().ready);
    return at;
  }

  /// What happens in step `now` before a sample is taken.
  void advance(std::int64_t now) {
    while (arrived_ < load_.arrivals.size() && arrival_step() <= now)
      arrive();
    while (!busy_.empty() && busy_.top().done <= now)
      finish(now);
    for (; !starting_.empty() && starting_.front().ready <= now; starting_.pop_front()) {
      if (is_active(starting_.front().worker))
        idle_.insert(starting_.front().worker.place);
    }
    receive(now);
  }

  ScalingSample sample(std::int64_t now) const {
    ScalingSample sample{.time_ms = now * step_ms_,
                         .visible = total_ - received_,
                         .in_flight = received_ - deleted_,
                         .count = count()};
    if (oldest_ < groups_.size())
      sample.oldest_s = static_cast<double>(sample.time_ms - groups_[oldest_].sent_ms) / 1000;
    if (deleted_ > 0)
      sample.message_s = static_cast<double>(load_.service_time_ms) / 1000;
    return sample;
  }

  void scale_to(std::uint32_t count, std::int64_t now) {
    const std::int64_t delay = load_.start_delay_ms / step_ms_;
    while (active_.size() < count)
      start(now + std::max<std::int64_t>(delay, 1));
    while (active_.size() > count)
      stop();
  }

  std::uint32_t count() const { return static_cast<std::uint32_t>(active_.size()); }
  /// Those that run, if only to end their batch.
  std::int64_t present() const { return static_cast<std::int64_t>(active_.size() + stopping_); }
  std::uint64_t total() const { return total_; }
  /// All that ever arrives has, and is done.
  bool is_done() const { return arrived_ == load_.arrivals.size() && deleted_ == total_; }
  std::optional<std::int64_t> last_deleted() const { return last_deleted_; }

 private:
  struct Worker {
    std::uint64_t serial;
    bool is_busy = false;
  };
  /// Messages that arrived in one step.
  struct Group {
    std::int64_t sent_ms;
    std::uint64_t end;   ///< the number behind its last message
    std::uint64_t left;  ///< not deleted yet
  };

  std::int64_t arrival_step() const { return load_.arrivals[arrived_].time_ms / step_ms_; }
  bool is_active(const WorkerId& worker) const {
    return worker.place < active_.size() && active_[worker.place].serial == worker.serial;
  }

  void arrive() {
    const ScalingArrival& arrival = load_.arrivals[arrived_++];
    total_ += arrival.messages;
    if (arrival.messages > 0)
      groups_.push_back({arrival.time_ms, total_, arrival.messages});
  }

  void start(std::int64_t ready) {
    starting_.push_back({ready, {count(), ++serials_}});
    active_.push_back({serials_});
  }

  void stop() {
    if (active_.back().is_busy)
      ++stopping_;
    active_.pop_back();
    idle_.erase(count());
  }

  void receive(std::int64_t now) {
    while (!idle_.empty() && received_ < total_) {
      const std::uint32_t place = *idle_.begin();
      const std::uint64_t messages = std::min<std::uint64_t>(load_.batch_size, total_ - received_);
      busy_.push({now + static_cast<std::int64_t>(messages) * service_,
                  {place, active_[place].serial},
                  received_,
                  messages});
      received_ += messages;
      active_[place].is_busy = true;
      idle_.erase(idle_.begin());
    }
  }

  void finish(std::int64_t now) {
    const Batch batch = busy_.top();
    busy_.pop();
    deleted_ += batch.messages;
    last_deleted_ = now;
    remove(batch.first, batch.first + batch.messages);
    if (is_active(batch.worker)) {
      active_[batch.worker.place].is_busy = false;
      idle_.insert(batch.worker.place);
    } else {
      --stopping_;
    }
  }

  /// Takes messages `begin` to `end` out of their groups.
  void remove(std::uint64_t begin, std::uint64_t end) {
    auto group =
        std::upper_bound(groups_.begin(), groups_.end(), begin,
                         [](std::uint64_t number, const Group& g) { return number < g.end; });
    for (; begin < end; ++group) {
      const std::uint64_t until = std::min(end, group->end);
      group->left -= until - begin;
      begin = until;
    }
    while (oldest_ < groups_.size() && groups_[oldest_].left == 0)
      ++oldest_;
  }

  const ScalingLoad& load_;
  const std::int64_t step_ms_;
  const std::int64_t service_;  ///< steps for one message

  std::size_t arrived_ = 0;    ///< arrivals
  std::vector<Group> groups_;  ///< by time
  std::size_t oldest_ = 0;     ///< the first group with messages left
  std::uint64_t total_ = 0, received_ = 0, deleted_ = 0;
  std::optional<std::int64_t> last_deleted_;

  std::uint64_t serials_ = 0;
  std::vector<Worker> active_;  ///< by place
  std::set<std::uint32_t> idle_;
  std::deque<StartingWorker> starting_;  ///< by time: the delay is the same for all
  std::priority_queue<Batch, std::vector<Batch>, std::greater<>> busy_;
  std::uint64_t stopping_ = 0;  ///< batches of workers that were told to stop
};

}  // namespace

SimulationSummary simulate(const ScalingSimulation& simulation,
                           const std::function<bool(const SimulatedSample&)>& each) {
  const ScalingPolicy& policy = simulation.policy;
  Plant plant(simulation);
  ScalingController controller(policy);
  const std::int64_t step_ms = plant.step_ms();
  const std::int64_t period = policy.period_ms / step_ms, until = simulation.until_ms / step_ms;
  const std::uint32_t rest = policy.tracks_target ? policy.min_capacity : policy.desired_capacity;
  SimulationSummary summary{.max_count = policy.desired_capacity};
  std::int64_t present = 0;  // from the step before `now` on
  bool has_ended = false;

  std::int64_t before = 0, next_sample = 0;
  for (std::int64_t now = 0; now <= until; now = std::min(plant.next(), next_sample)) {
    if (!has_ended)
      summary.worker_ms += present * (now - before) * step_ms;
    before = now;
    plant.advance(now);
    if (now == next_sample) {
      next_sample += period;
      const ScalingSample sample = plant.sample(now);
      const ScalingDecision decision = controller.decide(sample);
      plant.scale_to(decision.desired, now);
      summary.scale_outs += decision.action == ScalingDecision::Action::out ? 1 : 0;
      summary.scale_ins += decision.action == ScalingDecision::Action::in ? 1 : 0;
      summary.max_count = std::max(summary.max_count, decision.desired);
      if (!has_ended && plant.is_done() && decision.desired == rest) {
        has_ended = true;
        summary.ended_at_ms = now * step_ms;
        summary.worker_ms += plant.present() * step_ms;
      }
      if (!each({sample, decision}))
        break;
    }
    present = plant.present();
  }
  if (!has_ended) {
    summary.ended_at_ms = until * step_ms;
    summary.worker_ms += present * (until - before + 1) * step_ms;
  }
  summary.total = plant.total();
  if (plant.is_done() && plant.last_deleted())
    summary.finished_at_ms = *plant.last_deleted() * step_ms;
  return summary;
}

}  // namespace sluice::core
