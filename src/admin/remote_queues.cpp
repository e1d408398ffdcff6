#include "admin/remote_queues.hpp"

#include <fmt/format.h>

#include "admin/queue_json.hpp"

namespace sluice::core {
namespace {

std::string queue_path(const std::string& queue, std::string_view action) {
  return fmt::format("/api/v1/queues/{}{}", queue, action);
}

}  // namespace

Result<std::vector<QueueFacts>> RemoteQueues::list() {
  const Result<Json> json = remote_.ask("GET", "/api/v1/queues");
  if (!json)
    return std::unexpected(json.error());
  const Json* queues = json->find("queues");
  if (queues == nullptr)
    return remote_.not_sluice("queues");
  std::vector<QueueFacts> all;
  for (const Json& item : queues->items) {
    Result<QueueFacts> queue = read_queue(item);
    if (!queue)
      return std::unexpected(queue.error());
    all.push_back(std::move(*queue));
  }
  return all;
}

Result<Peeked> RemoteQueues::peek(const std::string& queue, std::uint32_t count_max) {
  const Result<Json> json =
      remote_.ask("GET", queue_path(queue, fmt::format("/messages?limit={}", count_max)));
  if (!json)
    return std::unexpected(json.error());
  const Json* items = json->find("messages");
  if (items == nullptr)
    return remote_.not_sluice("messages");
  Peeked peeked;
  for (const Json& item : items->items)
    peeked.messages.push_back(to_text(item));
  const Json* more = json->find("more");
  peeked.more = more != nullptr && more->boolean;
  return peeked;
}

Result<RedriveStatus> RemoteQueues::ask_redrive(std::string_view method, const std::string& queue,
                                                const std::string& body) const {
  const Result<Json> json = remote_.ask(method, queue_path(queue, "/redrive"), body);
  return json ? read_redrive(*json) : std::unexpected(json.error());
}

Result<RedriveStatus> RemoteQueues::redrive(const std::string& queue,
                                            const RedriveRequest& request) {
  return ask_redrive("POST", queue, request_json(request));
}

Result<RedriveStatus> RemoteQueues::redrive_status(const std::string& queue) {
  return ask_redrive("GET", queue);
}

Result<RedriveStatus> RemoteQueues::cancel_redrive(const std::string& queue) {
  return ask_redrive("DELETE", queue);
}

Result<std::uint64_t> RemoteQueues::purge(const std::string& queue) {
  const Result<Json> json = remote_.ask("POST", queue_path(queue, "/purge"));
  if (!json)
    return std::unexpected(json.error());
  const Json* purged = json->find("purged");
  if (purged == nullptr)
    return remote_.not_sluice("purged");
  return static_cast<std::uint64_t>(purged->integer.value_or(0));
}

}  // namespace sluice::core
