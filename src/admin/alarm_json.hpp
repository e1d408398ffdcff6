// What the admin address says of alarms, as JSON.
#pragma once

#include <string>
#include <vector>

#include "pipeline/summary.hpp"

namespace sluice::core {

/// {"pipeline","alarms":[{"name","queue","metric_name","state","reason","since","value"}]}; "since"
/// in milliseconds since 1970, "value" null before the first datapoint.
std::string alarms_json(const std::string& pipeline, const std::vector<AlarmFacts>& alarms);

}  // namespace sluice::core
