// A pipeline as its configuration describes it: names resolved, options complete, nothing started.
// Produced by load_pipeline(), consumed by src/pipeline. Plain data; indices point into the
// vectors.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/listen_address.hpp"
#include "plugin/options.hpp"
#include "queue/queue.hpp"
#include "scaling/alarm.hpp"
#include "scaling/policy.hpp"
#include "topic/topic_filter.hpp"

namespace sluice::core {

/// What `publish_to` names.
struct Target {
  enum class Kind { topic, queue };
  Kind kind;
  std::uint32_t index;  ///< into topics or queues
};

struct AccessPointDescription {
  std::string name;
  std::string prefix;
  unsigned allow;  ///< sluice_bucket_ref::Action bits
};

struct BucketDescription {
  std::string name;
  std::unique_ptr<sluice_config> options;  ///< names its component
  std::vector<AccessPointDescription> access_points;
};

struct TableDescription {
  std::string name;
  std::unique_ptr<sluice_config> options;
};

struct SourceDescription {
  std::string name;
  std::unique_ptr<sluice_config> options;
  Target publish_to;
};

struct TopicDescription {
  std::string name;
  std::vector<std::uint32_t> queues;  ///< its subscriptions, in the order of the queues
  std::vector<std::string> policies;  ///< of each, as compact JSON; empty: it takes every message
  std::shared_ptr<const TopicFilter> filter;  ///< of the policies; nullptr: there are none
};

struct RedrivePolicy {
  std::uint32_t max_receive_count;
  std::uint32_t dead_letter_queue;  ///< index
};

struct QueueDescription {
  std::string name;
  std::int64_t capacity = 100'000;  ///< messages
  std::int64_t capacity_bytes = std::int64_t{256} << 20;
  std::int64_t visibility_timeout_ms = 30'000;
  std::int64_t delay_ms = 0;
  std::int64_t retention_ms = 0;  ///< 0: for ever
  std::uint32_t in_flight_max = 120'000;
  WhenFull when_full = WhenFull::block;
  bool fifo = false;
  bool content_based_deduplication = false;
  std::int64_t deduplication_capacity = 10'000'000;
  std::optional<RedrivePolicy> redrive_policy;  ///< implied ones are filled in
  bool implied = false;                         ///< the "NAME-dead" of DESIGN §2.6
};

struct ServiceDescription {
  std::string name;
  std::uint32_t queue;
  std::uint32_t batch_size = 10;
  std::uint32_t weight = 1;
  std::uint64_t max_rate_per_1000_s = 0;  ///< messages; 0: no limit
  std::int64_t visibility_timeout_ms = -1;  ///< of what it receives; -1: the queue's
  std::int64_t ack_deadline_ms = 43'200'000;  ///< how long a batch may be in hand, extensions included
  std::int64_t batch_window_ms = 0;
  std::int64_t max_body_bytes = std::int64_t{64} << 20;
  std::vector<std::unique_ptr<sluice_config>> stages;  ///< options are copied for each worker
  std::optional<Target> publish_to;
  ScalingPolicy scaling;
};

/// What an alarm does at a transition.
struct AlarmAction {
  std::optional<Target> publish_to;  ///< its notification; nullopt: it starts workers
  std::uint32_t service = 0;         ///< index
  std::uint32_t count = 0;           ///< of workers

  bool starts() const { return !publish_to; }
};

struct AlarmDescription {
  std::string name, description;
  std::uint32_t queue = 0;  ///< index
  AlarmMetric metric = AlarmMetric::visible;
  AlarmRule rule;
  std::array<std::vector<AlarmAction>, kAlarmStates> actions;  ///< by the new state
  bool restart_while_in_alarm = false;
};

struct PipelineDescription {
  std::string name;
  std::string config_path;
  std::string state;  ///< absolute
  std::int64_t drain_timeout_ms = 30'000;
  std::optional<ListenAddress> admin;  ///< nullopt: off
  std::vector<BucketDescription> buckets;
  std::vector<TableDescription> tables;
  std::vector<SourceDescription> sources;
  std::vector<TopicDescription> topics;
  std::vector<QueueDescription> queues;
  std::vector<ServiceDescription> services;
  std::vector<AlarmDescription> alarms;
  /// All of the configuration but its subscriptions and filter profiles, members sorted by name: what
  /// cannot change while it runs.
  Json fixed_part;
};

}  // namespace sluice::core
