#include "admin/routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "admin/alarm_json.hpp"
#include "admin/metrics.hpp"
#include "admin/queue_json.hpp"
#include "admin/service_json.hpp"
#include "base/listen_address.hpp"

namespace sluice::core {
namespace {

constexpr std::string_view kQueues = "/api/v1/queues", kServices = "/api/v1/services",
                           kAlarms = "/api/v1/alarms", kMetrics = "/metrics";

int http_status(Errc code) {
  switch (code) {
    case Errc::usage:
    case Errc::bad_data:
      return 400;
    case Errc::missing_input:
      return 404;
    case Errc::unavailable:
      return 409;
    default:
      return 500;
  }
}

AdminAnswer refuse(const Error& error) {
  return {.status = http_status(error.code), .body = error_json(error)};
}

AdminAnswer refuse(int status, std::string text) {
  return {.status = status, .body = error_json({Errc::usage, std::move(text)})};
}

template <class T, class Text>
AdminAnswer answer_with(const Result<T>& result, Text&& text, int status = 200) {
  return result ? AdminAnswer{status, text(*result)} : refuse(result.error());
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  return lower;
}

bool is_address(const std::string& host) {
  return parse_listen_address(host).has_value() ||
         parse_listen_address(fmt::format("{}:80", host)).has_value();
}

/// A page of another site must not reach the queues through its visitor's browser: neither across
/// origins, nor by a name of its own that resolves to this machine (DNS rebinding).
bool is_foreign(const AdminSubject& subject, const AdminRequest& request) {
  const std::string host = lower_case(request.host);
  if (!request.origin.empty() && lower_case(request.origin) != "http://" + host)
    return true;
  return subject.on_loopback && !host.empty() && !is_address(host);
}

/// RFC 9112, 3.2.2: a whole address as the target tells the host in the header's place.
void take_host_from_target(AdminRequest& request) {
  constexpr std::string_view kScheme = "http://";
  if (lower_case(request.target.substr(0, kScheme.size())) != kScheme)
    return;
  request.target.remove_prefix(kScheme.size());
  const std::size_t end = std::min(request.target.find_first_of("/?"), request.target.size());
  request.host = request.target.substr(0, end);
  request.target.remove_prefix(end);
}

/// A name and what stands behind it: "/resize-16/redrive".
struct NamedPath {
  std::string name;
  std::string_view action;
};

/// Of a path below `collection`.
std::optional<NamedPath> named_path(std::string_view collection, std::string_view path) {
  if (!path.starts_with(collection) || path.size() <= collection.size() + 1 ||
      path[collection.size()] != '/')
    return std::nullopt;
  path.remove_prefix(collection.size() + 1);
  const std::size_t slash = path.find('/');
  return NamedPath{std::string(path.substr(0, slash)),
                   slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1)};
}

AdminAnswer one_queue(const AdminSubject& subject, const std::string& name) {
  const Result<std::vector<QueueFacts>> all = subject.queues.list();
  if (!all)
    return refuse(all.error());
  std::vector<std::string_view> known;
  for (const QueueFacts& queue : *all) {
    if (queue.name == name)
      return {200, queue_json(queue)};
    known.push_back(queue.name);
  }
  return refuse(no_queue(name, known).error());
}

AdminAnswer metrics(const AdminSubject& subject) {
  const Result<std::vector<QueueFacts>> queues = subject.queues.list();
  if (!queues)
    return refuse(queues.error());
  return {.status = 200, .body = metrics_text(subject.snapshot(), *queues), .type = kMetricsType};
}

AdminAnswer peek(const AdminSubject& subject, const std::string& queue, std::string_view query) {
  std::uint32_t limit = 10;
  if (!query.empty()) {
    const std::string_view digits =
        query.starts_with("limit=") ? query.substr(6) : std::string_view("?");
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), limit);
    if (error != std::errc() || end != digits.data() + digits.size() || limit == 0 ||
        limit > kPeekMax)
      return refuse(400, fmt::format("'{}': messages takes ?limit=N, 1 to {}", query, kPeekMax));
  }
  return answer_with(subject.queues.peek(queue, limit), [](const Peeked& peeked) {
    return fmt::format("{{\"messages\":[{}]{}}}", fmt::join(peeked.messages, ","),
                       peeked.more ? ",\"more\":true" : "");
  });
}

AdminAnswer begin_redrive(const AdminSubject& subject, const std::string& queue,
                          std::string_view body) {
  RedriveRequest request;
  if (!body.empty()) {
    const std::expected<Json, JsonError> json = parse_json(body);
    if (!json)
      return refuse({Errc::bad_data, fmt::format("the body is no JSON: {} at byte {}",
                                                 json.error().message, json.error().offset)});
    Result<RedriveRequest> read = read_request(*json);
    if (!read)
      return refuse(read.error());
    request = std::move(*read);
  }
  return answer_with(subject.queues.redrive(queue, request), redrive_json, 202);
}

AdminAnswer wrong_method(std::string_view path, std::string_view allow) {
  AdminAnswer answer = refuse(405, fmt::format("'{}' takes {}", path, allow));
  answer.allow = allow;
  return answer;
}

/// {"count":N}, or {} or nothing, which is 1.
Result<std::uint32_t> read_count(std::string_view body) {
  if (body.empty())
    return 1;
  const std::expected<Json, JsonError> json = parse_json(body);
  if (json && json->type == Json::Type::object && json->members.empty())
    return 1;
  const Json* count = json ? json->find("count") : nullptr;
  if (count == nullptr || json->members.size() != 1 || !count->integer || *count->integer < 1 ||
      *count->integer > kStartMax)
    return fail(Errc::bad_data,
                fmt::format("the body must be {{\"count\":N}}, 1 to {}", kStartMax));
  return static_cast<std::uint32_t>(*count->integer);
}

AdminAnswer answer_for_service(const AdminSubject& subject, const AdminRequest& request,
                               const NamedPath& path) {
  const bool starts = path.action == "start";
  if (!starts && path.action != "stop")
    return refuse(404, fmt::format("'{}' is nothing of a service: start or stop", path.action));
  if (request.method != "POST")
    return wrong_method(path.action, "POST");
  const Result<std::uint32_t> count = read_count(request.body);
  if (!count)
    return refuse(count.error());
  return answer_with(
      starts ? subject.services.start(path.name, *count) : subject.services.stop(path.name, *count),
      [&path](const WorkerChange& change) { return worker_change_json(path.name, change); });
}

AdminAnswer answer_for_queue(const AdminSubject& subject, const AdminRequest& request,
                             const NamedPath& path, std::string_view query) {
  const std::string_view method = request.method;
  if (!query.empty() && path.action != "messages")
    return refuse(400, fmt::format("'?{}': only messages takes parameters behind its path", query));
  if (path.action.empty())
    return method == "GET" ? one_queue(subject, path.name)
                           : wrong_method("/" + path.name, "GET, HEAD");
  if (path.action == "messages")
    return method == "GET" ? peek(subject, path.name, query)
                           : wrong_method("messages", "GET, HEAD");
  if (path.action == "redrive") {
    if (method == "POST")
      return begin_redrive(subject, path.name, request.body);
    if (method == "GET")
      return answer_with(subject.queues.redrive_status(path.name), redrive_json);
    if (method == "DELETE")
      return answer_with(subject.queues.cancel_redrive(path.name), redrive_json);
    return wrong_method("redrive", "GET, HEAD, POST, DELETE");
  }
  if (path.action == "purge") {
    if (!request.body.empty() && request.body != "{}")
      return refuse(400, "a purge takes no body: it is of all messages");
    return method == "POST" ? answer_with(subject.queues.purge(path.name),
                                          [](std::uint64_t purged) {
                                            return fmt::format("{{\"purged\":{}}}", purged);
                                          })
                            : wrong_method("purge", "POST");
  }
  return refuse(404,
                fmt::format("'{}' is nothing of a queue: messages, redrive or purge", path.action));
}

}  // namespace

std::string error_json(const Error& error) {
  return fmt::format("{{\"error\":{},\"exit\":{}}}", json_quote(error.message),
                     exit_code(error.code));
}

AdminAnswer answer(const AdminSubject& subject, const AdminRequest& asked) {
  AdminRequest request = asked;
  if (request.method == "HEAD")
    request.method = "GET";  // the server leaves the body away
  take_host_from_target(request);
  if (is_foreign(subject, request))
    return refuse(
        403,
        "requests of other sites' pages are refused: ask by the address that sluice listens on");
  const std::size_t mark = request.target.find('?');
  const std::string_view path = request.target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1);
  if (path == "/healthz") {
    if (request.method != "GET")
      return wrong_method(path, "GET, HEAD");
    const bool stopping = subject.is_stopping();
    return {stopping ? 503 : 200,
            fmt::format("{{\"status\":\"{}\",\"pipeline\":{},\"instance\":{}}}",
                        stopping ? "stopping" : "ok", json_quote(subject.pipeline),
                        json_quote(subject.instance))};
  }
  if (path == kQueues) {
    return request.method == "GET" ? answer_with(subject.queues.list(),
                                                 [&](const std::vector<QueueFacts>& all) {
                                                   return queues_json(subject.pipeline, all);
                                                 })
                                   : wrong_method(path, "GET, HEAD");
  }
  if (path == kServices) {
    return request.method == "GET"
               ? AdminAnswer{200, services_json(subject.pipeline, subject.snapshot().services)}
               : wrong_method(path, "GET, HEAD");
  }
  if (path == kAlarms) {
    return request.method == "GET"
               ? AdminAnswer{200, alarms_json(subject.pipeline, subject.snapshot().alarms)}
               : wrong_method(path, "GET, HEAD");
  }
  if (path == kMetrics)
    return request.method == "GET" ? metrics(subject) : wrong_method(path, "GET, HEAD");
  if (const std::optional<NamedPath> queue = named_path(kQueues, path))
    return answer_for_queue(subject, request, *queue, query);
  if (const std::optional<NamedPath> service = named_path(kServices, path))
    return answer_for_service(subject, request, *service);
  return refuse(404, fmt::format("there is nothing at '{}': /healthz, {}, {}, {} or {}", path,
                                 kQueues, kServices, kAlarms, kMetrics));
}

}  // namespace sluice::core
