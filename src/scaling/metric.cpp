#include "scaling/metric.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::core {

std::optional<double> metric_value(const ScalingMetric& metric, const ScalingSample& sample) {
  assert(sample.count > 0);
  const auto visible = static_cast<double>(sample.visible);
  const double count = sample.count;
  switch (metric.type) {
    case ScalingMetric::Type::backlog_per_worker: {
      const bool is_idle = sample.visible == 0 && sample.count > 1;
      const double backlog = 1 + visible / (metric.acceptable_messages_per_worker * count + 1) -
                             (is_idle ? metric.overprovision_penalty : 0);
      return std::min(backlog, metric.maximum) * 100;
    }
    case ScalingMetric::Type::visible:
      return visible / count;
    case ScalingMetric::Type::visible_and_in_flight:
      return (visible + static_cast<double>(sample.in_flight)) / count;
    case ScalingMetric::Type::age_of_oldest:
      return sample.oldest_s;
    case ScalingMetric::Type::latency_backlog: {
      const std::optional<double> each =
          metric.time_per_message_s ? metric.time_per_message_s : sample.message_s;
      if (!each)
        return std::nullopt;
      return visible / count * *each / metric.acceptable_latency_s * 100;
    }
  }
  return std::nullopt;
}

}  // namespace sluice::core
