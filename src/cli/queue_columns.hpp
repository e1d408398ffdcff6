// The numbers of queues as columns of a table, wherever people look at them.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "queue/queue.hpp"

namespace sluice::core {

struct QueueColumn {
  std::string_view title;
  std::uint64_t QueueCounters::*number;
  bool is_now = false;   ///< what it holds; else what happened since the start
  bool is_rare = false;  ///< left away where no queue has any
};
constexpr QueueColumn kQueueColumns[] = {
    {.title = "sent", .number = &QueueCounters::sent},
    {.title = "moved in", .number = &QueueCounters::moved_in, .is_rare = true},
    {.title = "received", .number = &QueueCounters::received},
    {.title = "deleted", .number = &QueueCounters::deleted},
    {.title = "visible", .number = &QueueCounters::visible, .is_now = true},
    {.title = "in flight", .number = &QueueCounters::in_flight, .is_now = true},
    {.title = "delayed", .number = &QueueCounters::delayed, .is_now = true},
    {.title = "dead-lettered", .number = &QueueCounters::moved_to_dead_letter},
    {.title = "expired", .number = &QueueCounters::expired, .is_rare = true},
    {.title = "dropped", .number = &QueueCounters::dropped, .is_rare = true},
    {.title = "purged", .number = &QueueCounters::purged, .is_rare = true},
    {.title = "past ack deadline",
     .number = &QueueCounters::ack_deadline_exceeded,
     .is_rare = true}};

/// Those that tell something of `queues`, which are QueueCounters.
template <class Queues>
std::vector<QueueColumn> queue_columns(const Queues& queues) {
  std::vector<QueueColumn> columns;
  for (const QueueColumn& column : kQueueColumns) {
    if (!column.is_rare || std::ranges::any_of(queues, [&](const QueueCounters& queue) {
          return queue.*column.number != 0;
        }))
      columns.push_back(column);
  }
  return columns;
}

}  // namespace sluice::core
