// What shows only when the whole is there: chains that lead nowhere, cycles, things without use.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/units.hpp"
#include "config/loader.hpp"
#include "config/topology.hpp"

namespace sluice::core {
namespace {

/// "a" -> "b" -> "a"
std::string path_text(const PipelineDescription& pipeline,
                      const std::vector<std::uint32_t>& cycle) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < cycle.size() && i < kShown; ++i)
    text += in_quotes(pipeline.queues[cycle[i]].name) + " -> ";
  if (cycle.size() > kShown)
    text += "... -> ";
  return text + in_quotes(pipeline.queues[cycle.front()].name);
}

}  // namespace

void Loader::check_chain(const ServiceDescription& service, const ObjectReader& fields,
                         const std::vector<std::uint32_t>& stage_offsets) {
  const bool publishes = fields.find("publish_to") != nullptr || fields.is_wrong("publish_to");
  for (std::size_t i = 0; i < service.stages.size(); ++i) {
    if (service.stages[i] == nullptr)
      continue;  // reported already
    const sluice_component& stage = *service.stages[i]->component->descriptor;
    const std::string who = fmt::format("stage {} of {}, {},", i + 1, fields.who(), stage.type);
    const bool sink = (stage.flags & SLUICE_SINK) != 0, splits = (stage.flags & SLUICE_SPLITS) != 0;
    if (i + 1 < service.stages.size()) {
      if (sink)
        reporter_.error(stage_offsets[i], who + " emits nothing: it must be the last");
      if (splits)
        reporter_.error(
            stage_offsets[i],
            who +
                " emits without bound: it must be the last, and what follows a service of its own");
      continue;
    }
    if (sink && publishes) {
      reporter_.error(fields.offset("publish_to"),
                      who + " emits nothing: \"publish_to\" would never get a message");
    } else if (splits && !publishes) {
      reporter_.error(stage_offsets[i], who + " needs a \"publish_to\" for what it emits");
    } else if (!sink && !publishes) {
      reporter_.error(stage_offsets[i], who +
                                            " is the last and no sink, and there is no "
                                            "\"publish_to\": its results would go nowhere");
    }
  }
}

/// A batch's first message must not expire while the batch gathers.
void Loader::check_window(const ServiceDescription& service, const ObjectReader& fields) {
  const std::int64_t timeout_ms = service.visibility_timeout_ms >= 0
                                      ? service.visibility_timeout_ms
                                      : result_.queues[service.queue].visibility_timeout_ms;
  if (service.batch_window_ms != 0 && service.batch_window_ms >= service.ack_deadline_ms) {
    reporter_.error(
        fields.offset("batch_window"),
        fmt::format(
            "{}: its \"batch_window\" is not below the \"ack_deadline\" of {}: a batch would "
            "be rejected while it gathers",
            fields.who(), format_duration(service.ack_deadline_ms)));
    return;
  }
  if (service.batch_window_ms != 0 && service.batch_window_ms >= timeout_ms) {
    reporter_.error(
        fields.offset("batch_window"),
        fmt::format(
            "{}: its \"batch_window\" is not below the visibility timeout of {}: a batch would "
            "expire while it gathers",
            fields.who(), format_duration(timeout_ms)));
  }
}

void Loader::check_cycles() {
  for (const std::vector<std::uint32_t>& cycle :
       find_cycles(next_queues(result_, Edges::blocking))) {
    std::size_t closing = 0;
    for (std::size_t i = 0; i < result_.services.size(); ++i) {
      if (result_.services[i].queue == cycle.back() && result_.services[i].publish_to)
        closing = i;
    }
    reporter_.error(
        publish_offsets_[closing],
        fmt::format("service {} closes a cycle of queues that all block: {}: once they are full "
                    "nothing moves",
                    in_quotes(result_.services[closing].name), path_text(result_, cycle)));
  }
}

void Loader::check_dead_letter_cycles() {
  std::vector<std::vector<std::uint32_t>> edges(result_.queues.size());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (result_.queues[i].redrive_policy)
      edges[i].push_back(result_.queues[i].redrive_policy->dead_letter_queue);
  }
  for (const std::vector<std::uint32_t>& cycle : find_cycles(edges)) {
    const std::uint32_t last = cycle.back();
    reporter_.error(
        redrive_offsets_[last],
        fmt::format("dead-letter queues in a cycle: {}: what keeps failing would go round for ever",
                    path_text(result_, cycle)));
  }
}

/// A dead letter of a standard queue is as old as its message (SQS; a FIFO queue's letters are kept anew).
void Loader::check_dead_letter_retentions() {
  for (std::size_t i = 0; i < result_.queues.size(); ++i) {
    const QueueDescription& queue = result_.queues[i];
    if (!queue.redrive_policy || queue.fifo)
      continue;
    const QueueDescription& dead = result_.queues[queue.redrive_policy->dead_letter_queue];
    const bool outlives = dead.retention_ms == 0 || (queue.retention_ms != 0 && dead.retention_ms >= queue.retention_ms);
    if (outlives)
      continue;
    reporter_.warning(
        redrive_offsets_[i],
        fmt::format("queue {} keeps messages {}, and its dead-letter queue {} only {} from when they were sent: late "
                    "ones expire there at once; give {} the longer \"retention\", or none",
                    in_quotes(queue.name),
                    queue.retention_ms == 0 ? "for ever" : format_duration(queue.retention_ms), in_quotes(dead.name),
                    format_duration(dead.retention_ms), in_quotes(dead.name)));
  }
}

/// SQS refuses such a pair. Here it works, but not as its user may think (a made one has no
/// service).
void Loader::check_dead_letter_types() {
  for (std::size_t i = 0; i < result_.queues.size(); ++i) {
    const QueueDescription& queue = result_.queues[i];
    if (!queue.redrive_policy)
      continue;
    const QueueDescription& dead = result_.queues[queue.redrive_policy->dead_letter_queue];
    if (dead.implied || dead.fifo == queue.fifo)
      continue;
    reporter_.warning(
        redrive_offsets_[i],
        queue.fifo ? fmt::format(
                         "queue {} is a FIFO queue and its dead-letter queue {} is none, which SQS "
                         "refuses: a service of {} gets letters of one group in any order and at "
                         "the same time; set \"fifo\": true there, too",
                         in_quotes(queue.name), in_quotes(dead.name), in_quotes(dead.name))
                   : fmt::format(
                         "queue {} is no FIFO queue and its dead-letter queue {} is one, which SQS "
                         "refuses: letters without a group_id are one group there, of which one "
                         "batch is received at a time; set \"fifo\" in both, or in neither",
                         in_quotes(queue.name), in_quotes(dead.name)));
  }
}

void Loader::check_use() {
  std::vector<bool> fed(result_.queues.size()), dead(result_.queues.size()),
      served(result_.queues.size());
  std::vector<bool> published(result_.topics.size());
  const auto feed = [&](const Target& target) {
    if (target.kind == Target::Kind::topic)
      published[target.index] = true;
    if (target.kind == Target::Kind::queue)
      fed[target.index] = true;
  };
  for (const SourceDescription& source : result_.sources)
    feed(source.publish_to);
  for (const ServiceDescription& service : result_.services) {
    served[service.queue] = true;
    if (service.publish_to)
      feed(*service.publish_to);
  }
  for (const AlarmDescription& alarm : result_.alarms) {
    for (const std::vector<AlarmAction>& actions : alarm.actions) {
      for (const AlarmAction& action : actions) {
        if (action.publish_to)
          feed(*action.publish_to);
      }
    }
  }
  for (const TopicDescription& topic : result_.topics) {
    for (const std::uint32_t queue : topic.queues)
      fed[queue] = true;
  }
  for (const QueueDescription& queue : result_.queues) {
    if (queue.redrive_policy)
      dead[queue.redrive_policy->dead_letter_queue] = true;
  }
  for (std::size_t i = 0; i < result_.queues.size(); ++i) {
    const std::string name = in_quotes(result_.queues[i].name);
    if (result_.queues[i].implied || (dead[i] && !fed[i]))
      continue;
    if (!fed[i] && !served[i]) {
      reporter_.warning(
          queue_offsets_[i],
          fmt::format("queue {} has no use: nothing is sent to it and no service reads it", name));
    } else if (!served[i]) {
      const bool blocks = result_.queues[i].when_full == WhenFull::block;
      reporter_.warning(queue_offsets_[i],
                        fmt::format("queue {} has no service: once it is full, {}", name,
                                    blocks ? "whoever publishes to it stands still"
                                           : "messages go as its \"when_full\" says"));
    } else if (!fed[i]) {
      reporter_.warning(
          queue_offsets_[i],
          fmt::format("queue {} gets no messages: no subscription and no \"publish_to\" names it",
                      name));
    }
  }
  for (std::size_t i = 0; i < result_.topics.size(); ++i) {
    const std::string name = in_quotes(result_.topics[i].name);
    if (result_.topics[i].queues.empty()) {
      reporter_.warning(
          topic_offsets_[i],
          fmt::format("topic {} has no subscriptions: what is published to it is dropped", name));
    } else if (!published[i]) {
      reporter_.warning(topic_offsets_[i], fmt::format("nothing publishes to topic {}", name));
    }
  }
  if (result_.sources.empty())
    reporter_.warning(reporter_.document.root().offset,
                      "there is no source: no message ever comes in");
}

void Loader::check_state() {
  for (const SourceDescription& source : result_.sources) {
    if (source.options != nullptr)
      check_state(source);
  }
}

/// A source that watches a folder must not see the engine's own files come and go below it.
void Loader::check_state(const SourceDescription& source) {
  const std::string reference = option_text_of_type(*source.options, "bucket");
  const std::string name = reference.substr(0, reference.find('/'));
  const auto bucket = std::find_if(
      result_.buckets.begin(), result_.buckets.end(),
      [&](const BucketDescription& b) { return b.name == name && b.options != nullptr; });
  if (bucket == result_.buckets.end())
    return;
  if (option_text_of_type(*bucket->options, "path").empty())
    return;
  const std::string root = absolute_path(folder_, option_text_of_type(*bucket->options, "path"));
  const std::string prefix = watched_prefix(source);
  const std::string below = root == "/" ? root : root + "/";
  const std::string state = result_.state + "/";
  // The keys of its files begin with this; where the bucket lies in the state folder, all keys do.
  const std::string keys = state.starts_with(below)   ? state.substr(below.size())
                           : below.starts_with(state) ? ""
                                                      : "\n";
  if (keys == "\n" || !(keys.starts_with(prefix) || prefix.starts_with(keys)))
    return;
  reporter_.error(top_.offset("state"),
                  fmt::format("the state folder {} lies where source {} watches ({}{}): "
                              "set \"state\" to a folder outside of it",
                              in_quotes(result_.state), in_quotes(source.name), below, prefix));
}

}  // namespace sluice::core
