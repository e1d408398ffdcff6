// An alarm's way into a topic or queue. It never waits: a notification that finds no credit is kept, and tried again.
//
// Thread safety: control's, but for sent() and settled().
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "topic/publisher.hpp"

namespace sluice::core {

struct Notification {
  std::string body;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< by name
};

class Notifier final : private SettleListener {
 public:
  /// `target` names it in log lines: "topic 'alarms'".
  Notifier(std::string target, std::vector<Queue*> queues, Timers& timers, DeadLetters& dead_letters);
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  Publisher& publisher() { return publisher_; }
  const std::string& target() const { return target_; }
  void send(const std::string& alarm, Notification notification);
  /// Sends what was kept. False: some is kept still.
  bool send_kept();
  std::size_t kept() const { return kept_.size(); }
  /// Notifications that have not come to their end: those that are kept, and those that were lost, among them. [any, at
  /// rest]
  std::uint64_t unsettled() const { return sent_ - settled_.load(std::memory_order_acquire); }
  void close() { publisher_.close(); }

 private:
  static constexpr std::size_t kKeptMax = 1000;

  bool publish(const Notification& notification);
  void settled(std::uint64_t cookie, bool rejected, std::uint32_t messages) override;

  const std::string target_;
  std::deque<Notification> kept_;
  std::uint64_t sent_ = 0, cookie_ = 0;
  Atomic<std::uint64_t> settled_{0};
  Publisher publisher_;
};

}  // namespace sluice::core
