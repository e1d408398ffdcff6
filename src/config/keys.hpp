// The configuration's keys as data: what the loader accepts, the schema documents and
// docs/pipeline.schema.json shows all come from these tables. Plugin options stand in the plugins.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::core {

struct Shape;

/// One key of an object.
struct Key {
  enum class Type : std::uint8_t {
    name,  ///< 1-80 of [A-Za-z0-9_-]
    string,
    path,  ///< relative to the configuration file
    integer,
    number,  ///< any; limits are whole numbers
    boolean,
    duration,     ///< "75s"; limits and values in milliseconds
    size,         ///< "256KiB"; limits and values in bytes
    object,       ///< `shape` says of what
    objects,      ///< an object whose members are named by the user, each of `shape`
    array,        ///< of `shape`
    actions,      ///< an array of the access point actions
    choice,       ///< one of `choices`
    policy,       ///< an object that its reader checks
    maybe_object  ///< `shape`, or null
  };

  std::string_view name;
  Type type;
  std::string_view help;
  bool required = false;
  std::string_view default_json = {};     ///< as it stands in a configuration; empty: none
  std::int64_t minimum = 0, maximum = 0;  ///< of integer, number, duration, size
  const Shape* shape = nullptr;
  std::span<const std::string_view> choices = {};
  bool above_minimum = false;  ///< of number: the minimum itself is too small
};

/// What an object may hold.
struct Shape {
  std::string_view what;  ///< "queue"
  std::span<const Key> keys;
  /// The kind of plugin whose options stand beside the keys ("stage"); empty: other keys are
  /// unknown.
  std::string_view plugin_kind = {};

  const Key* find(std::string_view name) const;
};

/// The whole file.
extern const Shape kPipelineShape;
extern const Shape kBucketShape, kAccessPointShape, kTableShape, kSourceShape, kTopicShape,
    kQueueShape, kSubscriptionShape, kRedrivePolicyShape, kServiceShape, kStageShape, kAdminShape;
/// `scaling` of a service, and the file that `sluice scale` reads (scaling_keys.cpp).
extern const Shape kScalingPolicyShape, kScalingMetricShape, kScalingEvaluationShape;
extern const Shape kSimulationShape, kLoadShape;
/// alarm_keys.cpp
extern const Shape kAlarmShape, kAlarmActionShape;

/// Actions of an access point: sluice_bucket_ref::Action bits by name.
struct ActionName {
  std::string_view name;
  unsigned bit;
};
extern const std::span<const ActionName> kActions;

constexpr std::size_t kNameBytesMax = 80;  // SQS: queue names
/// 1-80 of [A-Za-z0-9_-].
bool valid_name(std::string_view name);

}  // namespace sluice::core
