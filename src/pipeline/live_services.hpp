// The services of an engine that runs in this process. Workers are the control thread's: it does what others ask for.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <vector>

#include "pipeline/graph.hpp"
#include "pipeline/service_control.hpp"

namespace sluice::core {

class LiveServices final : public ServiceControl {
 public:
  /// `ring` wakes the control thread.
  LiveServices(Graph& graph, std::function<void()> ring) : graph_(graph), ring_(std::move(ring)) {}

  /// They wait for the control thread.
  Result<WorkerChange> start(const std::string& service, std::uint32_t count) override { return ask(service, count, false); }
  Result<WorkerChange> stop(const std::string& service, std::uint32_t count) override { return ask(service, count, true); }

  /// Does what was asked for. True: something was. [control]
  bool serve();
  /// Refuses everything from now on. [control]
  void close();

 private:
  struct Request {
    Service& service;
    std::uint32_t count;
    bool stops;
    std::promise<Result<WorkerChange>> answer = {};
  };
  Result<WorkerChange> ask(const std::string& service, std::uint32_t count, bool stops);
  Result<Service*> find(const std::string& name) const;
  std::vector<std::unique_ptr<Request>> take();

  Graph& graph_;
  const std::function<void()> ring_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Request>> requests_;  // guarded by mutex_
  bool is_closed_ = false;                         // guarded by mutex_
};

}  // namespace sluice::core
