// The plant by the words of its definition, step by step and message by message: what the simulator
// is held against.
#pragma once

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "scaling/reference_controller.hpp"
#include "scaling/simulator.hpp"

namespace sluice::test {

struct ReferenceRow {
  std::int64_t time_ms;
  std::uint64_t visible, in_flight;
  std::uint32_t count, desired = 0;
  double oldest_s = 0;
  std::optional<double> metric = {};
  ReferenceController::Action action = {};
};

/// Every step, every worker and every message by itself.
class ReferencePlant {
 public:
  explicit ReferencePlant(const core::ScalingSimulation& given)
      : given_(given), controller_(given.policy) {
    step_ = std::gcd(std::gcd(std::int64_t{1000}, given.policy.period_ms),
                     std::gcd(given.load.service_time_ms, given.load.start_delay_ms));
    for (std::uint32_t i = 0; i < given.policy.desired_capacity; ++i)
      workers_.push_back({0});
    summary.max_count = given.policy.desired_capacity;
  }

  void run() {
    for (std::int64_t now = 0; now <= given_.until_ms; now += step_)
      take_step(now);
    summary.total = messages_.size();
    if (!has_ended_)
      summary.ended_at_ms = given_.until_ms / step_ * step_;
    if (last_deleted_ && is_done())
      summary.finished_at_ms = last_deleted_;
  }

  std::vector<ReferenceRow> rows;
  core::SimulationSummary summary;

 private:
  struct Message {
    std::int64_t sent;
    enum { visible, in_flight, deleted } state = visible;
  };
  struct Worker {
    std::int64_t ready;
    std::int64_t busy_until = 0;
    std::vector<std::size_t> batch = {};  ///< messages in hand
    bool is_stopped = false;
  };

  std::uint64_t number_of(decltype(Message::state) state) const {
    return static_cast<std::uint64_t>(std::ranges::count(messages_, state, &Message::state));
  }
  std::uint32_t count() const {
    return static_cast<std::uint32_t>(std::ranges::count(workers_, false, &Worker::is_stopped));
  }
  bool is_done() const {
    return number_of(Message::deleted) == messages_.size() &&
           std::ranges::all_of(given_.load.arrivals, [&](const core::ScalingArrival& arrival) {
             return arrival.time_ms <= now_;
           });
  }
  void drop_idle_stopped() {
    std::erase_if(workers_, [](const Worker& w) { return w.is_stopped && w.batch.empty(); });
  }

  void take_step(std::int64_t now) {
    now_ = now;
    for (const core::ScalingArrival& arrival : given_.load.arrivals) {
      if (arrival.time_ms == now)
        messages_.insert(messages_.end(), arrival.messages, Message{now});
    }
    for (Worker& worker : workers_) {
      if (worker.batch.empty() || worker.busy_until != now)
        continue;
      for (const std::size_t message : worker.batch)
        messages_[message].state = Message::deleted;
      worker.batch.clear();
      last_deleted_ = now;
    }
    drop_idle_stopped();
    for (Worker& worker : workers_) {
      if (!worker.is_stopped && worker.batch.empty() && worker.ready <= now)
        receive(worker);
    }
    if (now % given_.policy.period_ms == 0)
      take_sample();
    drop_idle_stopped();
    if (!has_ended_ || summary.ended_at_ms == now)
      summary.worker_ms += static_cast<std::int64_t>(workers_.size()) * step_;
  }

  void receive(Worker& worker) {
    for (std::size_t i = 0; i < messages_.size() && worker.batch.size() < given_.load.batch_size;
         ++i) {
      if (messages_[i].state == Message::visible) {
        messages_[i].state = Message::in_flight;
        worker.batch.push_back(i);
      }
    }
    worker.busy_until =
        now_ + static_cast<std::int64_t>(worker.batch.size()) * given_.load.service_time_ms;
  }

  void take_sample() {
    const auto oldest = std::ranges::find_if(
        messages_, [](const Message& message) { return message.state != Message::deleted; });
    const double age =
        oldest == messages_.end() ? 0 : static_cast<double>(now_ - oldest->sent) / 1000;
    std::optional<double> message_s;
    if (number_of(Message::deleted) > 0)
      message_s = static_cast<double>(given_.load.service_time_ms) / 1000;
    ReferenceRow row{.time_ms = now_,
                     .visible = number_of(Message::visible),
                     .in_flight = number_of(Message::in_flight),
                     .count = count(),
                     .oldest_s = age};
    if (given_.policy.tracks_target) {
      row.metric = reference_metric(given_.policy.metric, static_cast<double>(row.visible),
                                    static_cast<double>(row.in_flight), row.count, age, message_s);
    }
    const auto decided = controller_.decide(now_, row.metric, row.count);
    row.desired = decided.desired;
    row.action = decided.action;
    rows.push_back(row);
    scale_to(row.desired);
    summary.max_count = std::max(summary.max_count, row.desired);
    summary.scale_outs += row.action == ReferenceController::Action::out ? 1 : 0;
    summary.scale_ins += row.action == ReferenceController::Action::in ? 1 : 0;
    const std::uint32_t rest =
        given_.policy.tracks_target ? given_.policy.min_capacity : given_.policy.desired_capacity;
    if (!has_ended_ && row.desired == rest && is_done()) {
      has_ended_ = true;
      summary.ended_at_ms = now_;
    }
  }

  void scale_to(std::uint32_t desired) {
    while (count() < desired)
      workers_.push_back({now_ + std::max(given_.load.start_delay_ms, step_)});
    while (count() > desired)
      std::ranges::find(workers_.rbegin(), workers_.rend(), false, &Worker::is_stopped)
          ->is_stopped = true;
  }

  const core::ScalingSimulation given_;
  ReferenceController controller_;
  std::int64_t step_, now_ = 0;
  std::vector<Message> messages_;
  std::vector<Worker> workers_;  ///< in the order of starting
  std::optional<std::int64_t> last_deleted_;
  bool has_ended_ = false;
};

}  // namespace sluice::test
