// The queues of an engine that runs in this process.
#pragma once

#include "config/description.hpp"
#include "pipeline/graph.hpp"
#include "pipeline/queue_control.hpp"

namespace sluice::core {

/// Both outlive it.
class LiveQueues final : public QueueControl {
 public:
  LiveQueues(const PipelineDescription& pipeline, Graph& graph)
      : pipeline_(pipeline), graph_(graph) {}

  Result<std::vector<QueueFacts>> list() override;
  Result<Peeked> peek(const std::string& queue, std::uint32_t count_max) override;
  Result<RedriveStatus> redrive(const std::string& queue, const RedriveRequest& request) override;
  Result<RedriveStatus> redrive_status(const std::string& queue) override;
  Result<RedriveStatus> cancel_redrive(const std::string& queue) override;
  Result<std::uint64_t> purge(const std::string& queue) override;

 private:
  Result<Queue*> find(const std::string& name) const;
  QueueFacts facts(const Queue& queue) const;

  const PipelineDescription& pipeline_;
  Graph& graph_;
};

}  // namespace sluice::core
