// The numbers of a run: while it goes (Snapshot) and at its end (Summary). DESIGN §5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "scaling/alarm.hpp"
#include "scaling/controller.hpp"
#include "topic/fanout.hpp"

namespace sluice::core {

struct SourceNumbers {
  std::string name;
  std::uint64_t events = 0;        ///< emissions
  std::uint64_t acknowledged = 0;  ///< those that are settled
};

/// What became of a topic's messages at one subscription. `filtered` includes the two that follow it.
struct SubscriptionNumbers : BranchCounts {
  std::string name;  ///< the queue's
};

struct TopicNumbers {
  std::string name;
  std::uint64_t published = 0;
  std::vector<SubscriptionNumbers> subscriptions;
};

struct QueueNumbers : QueueCounters {
  std::string name;
};

/// A service that scales, when it was last sampled.
struct ScalingFacts {
  ScalingDecision decision;
  std::string reason;        ///< of it, in words
  std::int64_t time_ms = 0;  ///< wall clock
  std::uint64_t visible = 0, in_flight = 0;
};

struct ServiceNumbers {
  std::string name;
  std::uint64_t processed = 0;  ///< received messages settled ok
  std::uint64_t retried = 0, rejected = 0, stale = 0, ignored = 0;
  std::uint32_t workers = 0, workers_max = 0;  ///< that are meant to run; the most that ever were
  std::uint32_t leaving = 0;                   ///< others, which finish what they hold
  std::optional<ScalingFacts> scaling;         ///< nullopt: there is no policy, or no sample yet
};

/// An alarm as it stands.
struct AlarmFacts {
  std::string name, queue, metric_name;
  AlarmState state = AlarmState::insufficient_data;
  std::string reason;          ///< of its last transition
  std::int64_t since_ms = 0;   ///< when that was, wall clock
  std::optional<double> value = {};  ///< its last datapoint; nullopt: there is none yet
};

struct Snapshot {
  double seconds = 0;
  std::uint64_t dead_letters = 0;  ///< stored now, in all dead-letter queues
  std::vector<SourceNumbers> sources;
  std::vector<TopicNumbers> topics;  ///< those with a filter policy
  std::vector<QueueNumbers> queues;
  std::vector<ServiceNumbers> services;
  std::vector<AlarmFacts> alarms;
};

struct Summary : Snapshot {
  int exit = 0;
  std::vector<std::string> notes;  ///< what is left, by name; what failed was logged
  bool threads_left = false;       ///< a stage did not return: end the process without destructors
};

}  // namespace sluice::core
