#include "pipeline/starter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/units.hpp"

namespace sluice::core {
namespace {

/// What is delayed is not waited for: a consumer of SQS that receives nothing leaves, too. What was received and failed
/// is in flight until it comes back.
bool is_empty_queue(const Queue& queue) {
  const QueueCounters counters = queue.counters();
  return counters.visible == 0 && counters.in_flight == 0;
}

}  // namespace

void Starter::add(Service& service, const ScalingPolicy& policy) {
  if (policy.is_started()) {
    started_.try_emplace(&service, Started{service, policy});
  }
}

Result<Starter::Started*> Starter::find(const Service& service) {
  const auto found = started_.find(&service);
  if (found == started_.end()) {
    return fail(Errc::usage, fmt::format("service '{}' has workers all the time: only one with \"min_capacity\": 0 in its "
                                         "\"scaling\" is started and stopped",
                                         service.name()));
  }
  return &found->second;
}

Result<WorkerChange> Starter::start(Service& service, std::uint32_t count, std::string_view why) {
  const Result<Started*> found = find(service);
  if (!found) {
    return std::unexpected(found.error());
  }
  Started& started = **found;
  const std::uint32_t before = service.wanted();
  const std::uint32_t most = started.policy.max_capacity;
  const std::uint32_t meant = count < most - std::min(before, most) ? before + count : std::max(before, most);
  if (meant == before) {
    log_info(service.name(), "starts no worker: {} already, its max_capacity; {}",
             before == 1 ? "1 runs" : fmt::format("{} run", before), why);
    return WorkerChange{before, before};
  }
  const Result<void> run = service.run_workers(meant);
  started.some_leave = service.retire_workers();
  if (!run) {
    log_warning(service.name(), "{} of {} started: {}; {}", service.wanted() - before, count_text(meant - before, "worker"),
                run.error().message, why);
    return std::unexpected(run.error());
  }
  log_info(service.name(), "starts {}, {} run: {}", count_text(meant - before, "worker"), meant, why);
  return WorkerChange{before, meant};
}

Result<WorkerChange> Starter::stop(Service& service, std::uint32_t count, std::string_view why) {
  const Result<Started*> found = find(service);
  if (!found) {
    return std::unexpected(found.error());
  }
  const std::uint32_t before = service.wanted();
  const std::uint32_t left = before - std::min(before, count);
  (void)service.run_workers(left);  // none is made
  (*found)->some_leave = service.retire_workers();
  log_info(service.name(), "{} left of {}: {}", left, count_text(before, "worker"), why);
  return WorkerChange{before, left};
}

std::int64_t Starter::step() {
  bool some = false;
  for (auto& [key, each] : started_) {
    const std::uint32_t before = each.service.wanted();
    const bool was_used = each.service.queue().created() != 0;  // those that are there first wait for a message
    if (before != 0 && each.policy.stop_when_empty && was_used && is_empty_queue(each.service.queue())) {
      const bool has_delayed = each.service.queue().counters().delayed != 0;
      (void)stop(each.service, before,
                 has_delayed ? "its queue has only delayed messages, which are not waited for" : "its queue is empty");
    } else if (each.some_leave) {
      each.some_leave = each.service.retire_workers();
    }
    some |= each.some_leave || (each.service.wanted() != 0 && each.policy.stop_when_empty);
  }
  return some ? clock_.steady_ns() + kLookNs : INT64_MAX;
}

bool Starter::rests(const Service& service) const {
  const auto found = started_.find(&service);
  return found != started_.end() && service.wanted() == 0 && !found->second.some_leave;
}

}  // namespace sluice::core
