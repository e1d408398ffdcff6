#include "admin/service_json.hpp"

#include <nlohmann/json.hpp>

namespace sluice::core {
namespace {

using Object = nlohmann::ordered_json;

Object number_or_null(const std::optional<double>& number) {
  return number ? Object(*number) : Object();
}

Object scaling_object(const ScalingFacts& facts) {
  const ScalingDecision& decision = facts.decision;
  Object object;
  object["time"] = facts.time_ms;
  object["visible"] = facts.visible;
  object["in_flight"] = facts.in_flight;
  object["count"] = decision.count;
  object["metric"] = number_or_null(decision.metric);
  object["desired"] = decision.desired;
  object["action"] = name_of(decision.action);
  object["reason"] = facts.reason;
  object["scale_out_cooldown_left"] =
      static_cast<double>(decision.scale_out_cooldown_left_ms) / 1000;
  object["scale_in_cooldown_left"] = static_cast<double>(decision.scale_in_cooldown_left_ms) / 1000;
  return object;
}

Object service_object(const ServiceNumbers& service) {
  Object object;
  object["name"] = service.name;
  object["workers"] = service.workers;
  object["leaving"] = service.leaving;
  object["workers_max"] = service.workers_max;
  object["processed"] = service.processed;
  object["retried"] = service.retried;
  object["rejected"] = service.rejected;
  object["stale"] = service.stale;
  object["ignored"] = service.ignored;
  if (service.scaling)
    object["scaling"] = scaling_object(*service.scaling);
  return object;
}

}  // namespace

std::string services_json(const std::string& pipeline,
                          const std::vector<ServiceNumbers>& services) {
  Object object;
  object["pipeline"] = pipeline;
  object["services"] = Object::array();
  for (const ServiceNumbers& service : services)
    object["services"].push_back(service_object(service));
  return object.dump(-1, ' ', false, Object::error_handler_t::replace);
}

std::string worker_change_json(const std::string& service, const WorkerChange& change) {
  const Object object = {{"service", service}, {"before", change.before}, {"workers", change.now}};
  return object.dump(-1, ' ', false, Object::error_handler_t::replace);
}

}  // namespace sluice::core
