// What the admin address says of services, as JSON: how many workers run, and why.
#pragma once

#include <string>
#include <vector>

#include "pipeline/service_control.hpp"
#include "pipeline/summary.hpp"

namespace sluice::core {

/// {"pipeline","services":[{"name","workers",...,"scaling":{"metric","desired","reason",...}}]}
std::string services_json(const std::string& pipeline, const std::vector<ServiceNumbers>& services);

/// {"service","before","workers"}: how many were, and are, meant to run.
std::string worker_change_json(const std::string& service, const WorkerChange& change);

}  // namespace sluice::core
