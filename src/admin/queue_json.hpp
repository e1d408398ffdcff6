// What the admin address says of queues, as JSON: SQS's names where SQS has one (CloudWatch metrics
// and queue attributes), the conservation law's other terms beside them (DESIGN §7.1).
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "pipeline/queue_control.hpp"

namespace sluice::core {

/// {"name","ApproximateNumberOfMessages",...}
std::string queue_json(const QueueFacts& queue);
/// {"pipeline","queues":[...]}
std::string queues_json(const std::string& pipeline, const std::vector<QueueFacts>& queues);
/// {"status":"RUNNING","letters","moved",...}
std::string redrive_json(const RedriveStatus& status);
/// {"to","reason","messages_per_second","dry_run"}; what is not asked for is left out.
std::string request_json(const RedriveRequest& request);

/// Read what is written above. Errors: bad_data, which names the member.
Result<QueueFacts> read_queue(const Json& json);
Result<RedriveStatus> read_redrive(const Json& json);
/// Strict: an unknown member or a wrong type is an error.
Result<RedriveRequest> read_request(const Json& json);

}  // namespace sluice::core
