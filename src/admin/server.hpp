// The admin address: an HTTP server for health and queues (routes.hpp).
#pragma once

#include <memory>
#include <string>

#include "admin/routes.hpp"
#include "base/listen_address.hpp"

namespace sluice::core {

class AdminServer {
 public:
  /// From now on connections wait. Errors: unavailable, where the address cannot be had.
  static Result<std::unique_ptr<AdminServer>> listen(const ListenAddress& address);
  /// Answers on threads of its own until it is destroyed. Once. What is given outlives it. Errors:
  /// unavailable, where the system gives no thread.
  Result<void> serve(std::string pipeline, QueueControl& queues, ServiceControl& services,
                     std::function<Snapshot()> snapshot, std::function<bool()> is_stopping);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// With the port that it got.
  const ListenAddress& address() const;
  /// What tells it from all others that may have the address before or after it.
  const std::string& instance() const;

 private:
  struct State;
  explicit AdminServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::core
