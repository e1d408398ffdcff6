// Stands in for src/service/worker.hpp in the explored build: a worker without stages, which only
// takes from its queue. What it does with a batch is the scenario's.
#pragma once

#include <functional>

#include "queue/consumer.hpp"
#include "service/work_thread.hpp"

namespace sluice::core {

class Worker {
 public:
  /// `work` hears how many messages were taken.
  Worker(Queue& queue, std::uint32_t batch_size, std::function<void(std::uint32_t)> work)
      : queue_(queue), batch_size_(batch_size), work_(std::move(work)) {}

  std::uint32_t receive(std::int64_t) {
    in_hand_ = bit_count(queue_.take(batch_size_, &turn_, &freed_).mask);
    return in_hand_;
  }
  bool receive_more(std::int64_t) { return true; }
  bool caught_up() const { return in_hand_ < batch_size_; }
  bool work(WorkThread&) {
    work_(in_hand_);
    return true;
  }
  std::uint32_t in_hand() const { return in_hand_; }
  void idle() {}
  void give_way() {}
  void rest() {}
  bool is_open() const { return true; }
  void close() {}
  void retire() {}
  bool lacks_credit() const { return false; }

  enum class State : std::uint8_t { closed, working, leaving, gone };
  Atomic<State> state{State::closed};
  Atomic<bool> busy{false};

 private:
  Queue& queue_;
  const std::uint32_t batch_size_;
  const std::function<void(std::uint32_t)> work_;
  Subscription* turn_ = nullptr;
  std::int64_t freed_ = 0;
  std::uint32_t in_hand_ = 0;
};

}  // namespace sluice::core
