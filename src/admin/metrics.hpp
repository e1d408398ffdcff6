// The numbers of a run for Prometheus: `GET /metrics`, in its text format 0.0.4.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/queue_control.hpp"
#include "pipeline/summary.hpp"

namespace sluice::core {

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// Every series is labelled with what it is of: `queue`, `service`, `source`, `alarm`. What has no
/// value now (a metric that is missing, an alarm before its first datapoint) is left out.
std::string metrics_text(const Snapshot& snapshot, const std::vector<QueueFacts>& queues);

}  // namespace sluice::core
