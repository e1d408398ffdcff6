// The steps of load_pipeline(): each section of the file becomes its part of the description, then
// the whole is checked. One use, one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/component_reader.hpp"
#include "config/description.hpp"
#include "config/object_reader.hpp"

namespace sluice::core {

class Loader {
 public:
  /// Borrows `document`; `folder` is where the file stands, absolute.
  Loader(const Reporter& reporter, Registry& registry, std::string folder);

  /// Reports every fault; what it returns counts only if there was none.
  PipelineDescription load();

 private:
  using Names = std::map<std::string, std::uint32_t, std::less<>>;

  // load.cpp: what stands at the top, and the plugins' objects.
  void read_top();
  void read_admin(const Json& object);
  void read_buckets();
  void read_access_points(BucketDescription& bucket, const Json& points);
  void read_tables();
  void read_sources();
  void read_services();
  void read_stages(ServiceDescription& service, const ObjectReader& fields);
  std::uint64_t read_max_rate(const ObjectReader& fields);

  // load_queues.cpp: topics, queues, what names them.
  void read_topics();
  void read_queues();
  void read_subscriptions(std::uint32_t queue, const ObjectReader& fields);
  std::optional<FilterPolicy> read_filter_policy(const ObjectReader& subscription, FilterProfile profile,
                                                 std::string& text);
  void compile_filters();
  void read_when_full(std::uint32_t queue, const ObjectReader& fields);
  void read_fifo(std::uint32_t queue, const ObjectReader& fields);
  void keep_dead_letters();
  void check_window(const ServiceDescription& service, const ObjectReader& fields);
  Json fixed_part() const;
  void read_redrive_policy(std::uint32_t queue, const ObjectReader& fields);
  std::optional<std::uint32_t> dead_letter_queue(std::uint32_t queue, const ObjectReader* policy,
                                                 std::uint32_t offset);
  std::uint32_t implied_queue(std::uint32_t owner, std::uint32_t offset);
  std::optional<std::uint32_t> resolve(const Names& names, const Json& value, std::string_view what,
                                       const std::string& who);
  std::optional<Target> resolve_target(const ObjectReader& fields);

  // load_alarms.cpp
  void read_alarms();
  void read_alarm_rule(AlarmRule& rule, const ObjectReader& fields);
  void read_actions(std::vector<AlarmAction>& actions, const ObjectReader& alarm, std::string_view key);
  void read_start(std::vector<AlarmAction>& actions, const ObjectReader& fields);
  void check_thresholds();
  void check_starts();

  // load_access.cpp: what is done to buckets.
  /// A stage that writes objects.
  struct Put {
    std::size_t service;  ///< index
    std::string who, bucket, key;
    std::uint32_t offset;  ///< of its key
  };
  void check_access(const sluice_config& options, const ObjectReader& fields);
  void note_put(const sluice_config& options, const ObjectReader& fields);
  const AccessPointDescription* find_access_point(std::string_view reference) const;
  bool is_watched(const Put& put, const SourceDescription& source) const;
  /// Only keys below it are told: the longer of the source's own and its access point's.
  std::string watched_prefix(const SourceDescription& source) const;
  void check_feedback();

  // load_tables.cpp: what is put into tables.
  void check_put_items(const sluice_config& options, const ObjectReader& fields);
  void check_item(const Json& item, const TableDescription& table, const std::string& who);

  // load_checks.cpp: what only the whole shows.
  void check_chain(const ServiceDescription& service, const ObjectReader& fields,
                   const std::vector<std::uint32_t>& stage_offsets);
  void check_cycles();
  void check_dead_letter_cycles();
  void check_dead_letter_retentions();
  void check_dead_letter_types();
  void check_use();
  void check_state();
  void check_state(const SourceDescription& source);

  /// The members of a section, each with a checked name; at most kObjectsMax.
  const std::vector<JsonMember>& members(std::string_view section, std::string_view what);
  /// The section could not be read, which was reported: nobody knows what it declares.
  bool is_lost(std::string_view section) const;

  const Reporter& reporter_;
  std::string folder_;
  ObjectReader top_;
  PipelineDescription result_;
  ComponentReader components_;
  std::vector<JsonMember> none_;

  Names topics_, queues_, services_;  ///< declared ones
  std::set<std::string> served_;  ///< queues that a service names
  bool serves_unknown_ = false;   ///< some service names none that is there
  std::vector<FilterProfile> profiles_;  ///< of each topic
  std::vector<std::vector<std::optional<FilterPolicy>>> policies_;  ///< of each topic's subscriptions
  std::vector<std::vector<std::uint32_t>> policy_offsets_;          ///< of the same
  std::vector<bool> keeps_letters_;  ///< by declared queue: it names no retention
  std::vector<std::uint32_t> queue_offsets_, topic_offsets_, redrive_offsets_;
  std::vector<Put> puts_;
  std::vector<std::uint32_t> publish_offsets_, service_offsets_;  ///< of each service
  std::vector<std::uint32_t> alarm_offsets_;
};

/// Most members of one section.
constexpr std::size_t kObjectsMax = 4096;

}  // namespace sluice::core
