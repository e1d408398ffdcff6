#include "config/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/units.hpp"

namespace sluice::core {
namespace {

/// A DOT string: quotes and backslashes escaped, lines parted by \n.
std::string dot_quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + "\"";
}

constexpr std::string_view kSigns[] = {">=", ">", "<", "<="};  ///< by AlarmComparison

std::string node_name(std::string_view kind, std::string_view name) {
  return dot_quote(fmt::format("{} {}", kind, name));
}

std::string node(std::string_view kind, std::string_view name, std::string_view label,
                 std::string_view style) {
  return fmt::format("  {} [label={}, {}];\n", node_name(kind, name), dot_quote(label), style);
}

std::string edge(const std::string& from, const std::string& to, std::string_view style = {}) {
  return fmt::format("  {} -> {}{};\n", from, to, style.empty() ? "" : fmt::format(" [{}]", style));
}

std::string target_name(const PipelineDescription& pipeline, const Target& target) {
  return target.kind == Target::Kind::topic
             ? node_name("topic", pipeline.topics[target.index].name)
             : node_name("queue", pipeline.queues[target.index].name);
}

/// The nodes of the buckets, without access points, and of the tables that `options` name.
std::set<std::string> stores_of(const sluice_config& options) {
  std::set<std::string> nodes;
  for (const OptionReference& reference : option_references(options)) {
    nodes.insert(reference.kind == OptionReference::Kind::bucket
                     ? node_name("bucket", reference.text.substr(0, reference.text.find('/')))
                     : node_name("table", reference.text));
  }
  return nodes;
}

std::string source_text(const PipelineDescription& pipeline, const SourceDescription& source) {
  const std::string name = node_name("source", source.name);
  std::string text =
      node("source", source.name,
           fmt::format("{}\n{}", source.name, source.options->component->descriptor->type),
           "shape=cds, fillcolor=\"#dbeafe\"");
  for (const std::string& store : stores_of(*source.options))
    text += edge(store, name);
  return text + edge(name, target_name(pipeline, source.publish_to));
}

std::string queue_text(const PipelineDescription& pipeline, const QueueDescription& queue) {
  std::string text =
      node("queue", queue.name, queue.name,
           queue.implied ? "shape=box, style=\"filled,dashed\", fillcolor=\"#fee2e2\""
                         : "shape=box, fillcolor=\"#fef3c7\"");
  if (!queue.redrive_policy)
    return text;
  return text +
         edge(node_name("queue", queue.name),
              node_name("queue", pipeline.queues[queue.redrive_policy->dead_letter_queue].name),
              fmt::format("style=dashed, label={}",
                          dot_quote(fmt::format("> {}", queue.redrive_policy->max_receive_count))));
}

/// A service is one node with its chain as its label. The bucket or table of a stage that is a sink is
/// what it writes, the others' what it reads.
std::string service_text(const PipelineDescription& pipeline, const ServiceDescription& service) {
  const std::string name = node_name("service", service.name);
  std::string label = service.name + "\n";
  std::string edges = edge(node_name("queue", pipeline.queues[service.queue].name), name);
  for (std::size_t i = 0; i < service.stages.size(); ++i) {
    const sluice_component& stage = *service.stages[i]->component->descriptor;
    label += fmt::format("{}{}", i == 0 ? "" : " -> ", stage.type);
    const bool writes = (stage.flags & SLUICE_SINK) != 0;
    for (const std::string& store : stores_of(*service.stages[i]))
      edges += writes ? edge(name, store) : edge(store, name, "style=dotted");
  }
  const ScalingPolicy& scaling = service.scaling;
  label += scaling.tracks_target || scaling.is_started()
               ? fmt::format("\n{} to {} workers", scaling.min_capacity, scaling.max_capacity)
               : "\n" + count_text(scaling.desired_capacity, "worker");
  if (service.publish_to)
    edges += edge(name, target_name(pipeline, *service.publish_to));
  return node("service", service.name, label, "shape=component, fillcolor=\"#dcfce7\"") + edges;
}

/// An alarm looks at its queue; its actions are edges with the states that they belong to.
std::string alarm_text(const PipelineDescription& pipeline, const AlarmDescription& alarm) {
  const std::string name = node_name("alarm", alarm.name);
  std::string text =
      node("alarm", alarm.name,
           fmt::format("{}\n{} {} {}", alarm.name,
                       kAlarmMetricNames[static_cast<std::size_t>(alarm.metric)],
                       kSigns[static_cast<std::size_t>(alarm.rule.comparison)],
                       alarm.rule.threshold),
           "shape=octagon, fillcolor=\"#fecaca\"") +
      edge(node_name("queue", pipeline.queues[alarm.queue].name), name, "style=dotted");
  for (std::size_t state = 0; state < kAlarmStates; ++state) {
    const std::string_view when = name_of(static_cast<AlarmState>(state));
    for (const AlarmAction& action : alarm.actions[state]) {
      text += action.starts()
                  ? edge(name, node_name("service", pipeline.services[action.service].name),
                         fmt::format("style=dashed, label={}",
                                     dot_quote(fmt::format("{}: start {}", when, action.count))))
                  : edge(name, target_name(pipeline, *action.publish_to),
                         fmt::format("label={}", dot_quote(when)));
    }
  }
  return text;
}

/// The filter policy beside its edge; a long one is cut.
std::string policy_label(std::string_view policy) {
  constexpr std::size_t kShown = 60;
  if (policy.empty())
    return {};
  std::size_t end = std::min(policy.size(), kShown);
  while (end < policy.size() && (static_cast<unsigned char>(policy[end]) & 0xC0) == 0x80)
    --end;
  return fmt::format("label={}", dot_quote(fmt::format("{}{}", policy.substr(0, end),
                                                       end < policy.size() ? "..." : "")));
}

}  // namespace

std::string graph_text(const PipelineDescription& pipeline) {
  std::string text = fmt::format(
      "digraph {} {{\n  rankdir=LR;\n  node [fontname=\"Helvetica\", style=filled];\n"
      "  edge [fontname=\"Helvetica\", fontsize=10];\n",
      dot_quote(pipeline.name));
  for (const BucketDescription& bucket : pipeline.buckets) {
    text += node("bucket", bucket.name,
                 fmt::format("{}\n{}", bucket.name, bucket.options->component->descriptor->type),
                 "shape=cylinder, fillcolor=\"#e5e7eb\"");
  }
  for (const TableDescription& table : pipeline.tables) {
    text += node("table", table.name,
                 fmt::format("{}\n{}", table.name, table.options->component->descriptor->type),
                 "shape=box3d, fillcolor=\"#e5e7eb\"");
  }
  for (const SourceDescription& source : pipeline.sources)
    text += source_text(pipeline, source);
  for (const TopicDescription& topic : pipeline.topics) {
    text += node("topic", topic.name, topic.name, "shape=hexagon, fillcolor=\"#ede9fe\"");
    for (std::size_t i = 0; i < topic.queues.size(); ++i) {
      text += edge(node_name("topic", topic.name),
                   node_name("queue", pipeline.queues[topic.queues[i]].name),
                   policy_label(topic.policies[i]));
    }
  }
  for (const QueueDescription& queue : pipeline.queues)
    text += queue_text(pipeline, queue);
  for (const ServiceDescription& service : pipeline.services)
    text += service_text(pipeline, service);
  for (const AlarmDescription& alarm : pipeline.alarms)
    text += alarm_text(pipeline, alarm);
  return text + "}\n";
}

}  // namespace sluice::core
