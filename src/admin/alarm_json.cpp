#include "admin/alarm_json.hpp"

#include <nlohmann/json.hpp>

namespace sluice::core {
namespace {

using Object = nlohmann::ordered_json;

Object alarm_object(const AlarmFacts& alarm) {
  Object object;
  object["name"] = alarm.name;
  object["queue"] = alarm.queue;
  object["metric_name"] = alarm.metric_name;
  object["state"] = name_of(alarm.state);
  object["reason"] = alarm.reason;
  object["since"] = alarm.since_ms;
  object["value"] = alarm.value ? Object(*alarm.value) : Object();
  return object;
}

}  // namespace

std::string alarms_json(const std::string& pipeline, const std::vector<AlarmFacts>& alarms) {
  Object object;
  object["pipeline"] = pipeline;
  object["alarms"] = Object::array();
  for (const AlarmFacts& alarm : alarms)
    object["alarms"].push_back(alarm_object(alarm));
  return object.dump(-1, ' ', false, Object::error_handler_t::replace);
}

}  // namespace sluice::core
