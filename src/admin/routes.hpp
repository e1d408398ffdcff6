// The admin address's requests and answers, apart from how they travel.
//
//   GET    /healthz                               200 {"status":"ok","pipeline","instance"}; 503 while
//                                                 the engine stops
//   GET    /api/v1/queues                         all queues
//   GET    /api/v1/queues/NAME                    one
//   GET    /api/v1/queues/NAME/messages?limit=10  peek: {"messages":[...]}; with "more":true where
//                                                 it ends for its size
//   POST   /api/v1/queues/NAME/redrive            begins: {"to","reason","messages_per_second",
//                                                 "dry_run"}
//   GET    /api/v1/queues/NAME/redrive            how the last one goes
//   DELETE /api/v1/queues/NAME/redrive            cancels it
//   POST   /api/v1/queues/NAME/purge              {"purged":N}
//   GET    /api/v1/services                       all, with the last decision on each that scales
//   POST   /api/v1/services/NAME/start            {"count":N}: workers of one with "min_capacity": 0;
//                                                 answers {"service","before","workers"}
//   POST   /api/v1/services/NAME/stop             likewise
//   GET    /api/v1/alarms                         all, each with its state and why
//   GET    /metrics                               the numbers of all of these, for Prometheus
//
// An error is {"error":TEXT,"exit":N} with the exit code that the command line ends with.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pipeline/queue_control.hpp"
#include "pipeline/service_control.hpp"
#include "pipeline/summary.hpp"

namespace sluice::core {

/// Most workers of one start or stop.
constexpr std::uint32_t kStartMax = 1000;

/// Most messages of one peek.
constexpr std::uint32_t kPeekMax = 10'000;

struct AdminRequest {
  std::string_view method, target;  ///< "GET", "/healthz"
  std::string_view host, origin;    ///< its headers; empty: not given
  std::string_view body;
};

struct AdminAnswer {
  int status;
  std::string body;
  std::string_view allow{};  ///< the methods that would do, where another was asked for
  std::string_view type = "application/json";
};

/// What the server answers for. Everything outlives it. [any]
struct AdminSubject {
  std::string pipeline;
  QueueControl& queues;
  ServiceControl& services;
  std::function<Snapshot()> snapshot;
  bool on_loopback;  ///< only this machine reaches it
  std::function<bool()> is_stopping;
  std::string instance{};  ///< one engine's own, each time that it runs
};

/// [any]
AdminAnswer answer(const AdminSubject& subject, const AdminRequest& request);

/// An error as the body of an answer.
std::string error_json(const Error& error);

}  // namespace sluice::core
