// The queues of an engine in another process, through its admin address.
#pragma once

#include <string_view>

#include "admin/remote.hpp"
#include "pipeline/queue_control.hpp"

namespace sluice::core {

/// Errors: as the engine answers; unavailable, where it does not.
class RemoteQueues final : public QueueControl {
 public:
  /// As Remote has them.
  RemoteQueues(std::string host, std::string port, std::string instance = {})
      : remote_(std::move(host), std::move(port), {}, std::move(instance)) {}

  Result<std::vector<QueueFacts>> list() override;
  Result<Peeked> peek(const std::string& queue, std::uint32_t count_max) override;
  Result<RedriveStatus> redrive(const std::string& queue, const RedriveRequest& request) override;
  Result<RedriveStatus> redrive_status(const std::string& queue) override;
  Result<RedriveStatus> cancel_redrive(const std::string& queue) override;
  Result<std::uint64_t> purge(const std::string& queue) override;

 private:
  Result<RedriveStatus> ask_redrive(std::string_view method, const std::string& queue,
                                    const std::string& body = {}) const;

  const Remote remote_;
};

}  // namespace sluice::core
