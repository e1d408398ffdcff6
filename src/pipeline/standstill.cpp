#include "pipeline/standstill.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/units.hpp"
#include "config/topology.hpp"

namespace sluice::core {
namespace {

/// Who is between two looks, or was just woken, is not to be taken for one who waits.
constexpr std::int64_t kStillNs = 100'000'000;

}  // namespace

bool Standstill::waits_for_start(std::uint32_t queue) const {
  const auto service = std::ranges::find(pipeline_.services, queue, &ServiceDescription::queue);
  if (service == pipeline_.services.end() || !graph_.starter.rests(*graph_.services[static_cast<std::size_t>(service - pipeline_.services.begin())])) {
    return false;
  }
  const QueueCounters counters = graph_.queues[queue]->counters();
  return counters.in_flight == 0 && counters.delayed == 0;
}

bool Standstill::waits_for_room(std::uint32_t queue) const {
  const auto service = std::ranges::find(pipeline_.services, queue, &ServiceDescription::queue);
  if (service == pipeline_.services.end() || !service->publish_to) {
    return false;
  }
  std::uint64_t waits_in_hand = 0;
  for (const std::unique_ptr<Worker>& worker : graph_.services[static_cast<std::size_t>(service - pipeline_.services.begin())]->workers()) {
    waits_in_hand += worker->waits_with();
  }
  const QueueCounters counters = graph_.queues[queue]->counters();
  return counters.visible + counters.in_flight != 0 && counters.in_flight == waits_in_hand && counters.delayed == 0 &&
         std::ranges::any_of(queues_of(pipeline_, *service->publish_to), [this](std::uint32_t target) {
           Queue& full = *graph_.queues[target];
           return full.options().when_full == WhenFull::block && !full.credits().available();
         });
}

bool Standstill::is_final(bool rests) {
  if (!rests) {
    since_ns_.reset();
    return false;
  }
  Numbers numbers;
  for (const std::unique_ptr<Queue>& queue : graph_.queues) {
    const QueueCounters counters = queue->counters();
    numbers.insert(numbers.end(), {queue->created(), queue->ended(), counters.visible, counters.received});
  }
  const bool is_new = !since_ns_ || numbers != numbers_;
  if (is_new) {
    numbers_ = std::move(numbers);
    since_ns_ = graph_.clock.steady_ns();
  }
  const std::string* alarm = graph_.alarms.may_act(*since_ns_);
  if (alarm == nullptr) {
    if (graph_.clock.steady_ns() - *since_ns_ < kStillNs) {
      return false;
    }
    log_warning("", "{}, and no alarm will start any worker: it ends", waiting_text());
    return true;
  }
  if (is_new) {
    std::string text = fmt::format("{}: it waits for what alarm '{}' does, and ends if that is nothing", waiting_text(), *alarm);
    if (text != told_) {  // something else moved since, such as a notification
      log_info("", "{}", text);
      told_ = std::move(text);
    }
  }
  return false;
}

std::string Standstill::waiting_text() const {
  std::string text;
  for (const ServiceDescription& service : pipeline_.services) {
    const Queue& queue = *graph_.queues[service.queue];
    if (queue.created() != queue.ended() && waits_for_start(service.queue)) {
      text += fmt::format("{}queue '{}' holds {} and service '{}' has no worker", text.empty() ? "" : ", ", queue.name(),
                          count_text(queue.created() - queue.ended(), "message"), service.name);
    } else if (waits_for_room(service.queue)) {
      text += fmt::format("{}service '{}' waits for room in a full queue", text.empty() ? "" : ", ", service.name);
    }
  }
  for (const std::unique_ptr<Source>& source : graph_.sources) {
    if (!source->is_exhausted()) {
      text += fmt::format("{}source '{}' waits for room in a full queue", text.empty() ? "" : ", ", source->name());
    }
  }
  for (const std::string& queue : graph_.dead_letters->redrives().waiting_for_room()) {
    text += fmt::format("{}the redrive of '{}' waits for room in a full queue", text.empty() ? "" : ", ", queue);
  }
  return text;
}

}  // namespace sluice::core
