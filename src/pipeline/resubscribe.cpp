#include "pipeline/resubscribe.hpp"

#include <algorithm>

namespace sluice::core {
namespace {

std::string under(const std::string& pointer, std::string_view name) {
  std::string text = pointer + '/';
  for (const char c : name) {
    text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return text;
}

/// Where two values first differ, as a JSON pointer below `pointer`; members are sorted by name.
std::optional<std::string> difference(const Json& a, const Json& b, const std::string& pointer) {
  if (a.type != b.type) {
    return pointer;
  }
  for (std::size_t i = 0; i < std::max(a.members.size(), b.members.size()); ++i) {
    if (i == a.members.size() || (i < b.members.size() && b.members[i].name < a.members[i].name)) {
      return under(pointer, b.members[i].name);
    }
    if (i == b.members.size() || a.members[i].name != b.members[i].name) {
      return under(pointer, a.members[i].name);
    }
    if (auto found =
            difference(a.members[i].value, b.members[i].value, under(pointer, a.members[i].name))) {
      return found;
    }
  }
  for (std::size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i) {
    if (auto found = difference(a.items[i], b.items[i], under(pointer, std::to_string(i)))) {
      return found;
    }
  }
  const bool same = a.items.size() == b.items.size() && a.text == b.text && a.boolean == b.boolean;
  return same ? std::nullopt : std::optional(pointer);
}

/// REQUIRES: both have the same queues and topics.
class Change {
 public:
  Change(Graph& graph, PipelineDescription& pipeline, std::mutex& mutex,
         const PipelineDescription& changed)
      : graph_(graph), pipeline_(pipeline), mutex_(mutex), changed_(changed) {}

  void apply(std::uint32_t topic) {
    const auto found =
        std::ranges::find(changed_.topics, pipeline_.topics[topic].name, &TopicDescription::name);
    const TopicDescription& wanted = *found;
    FilterUse use{wanted.filter, {}, add_branches(topic, wanted)};
    bool all_stay = true;
    for (const std::uint32_t queue : pipeline_.topics[topic].queues) {
      use.subscriptions.push_back(subscription_of(pipeline_.queues[queue].name, wanted));
      all_stay &= use.subscriptions.back() != Fanout::kUnsubscribed;
    }
    const auto& publishers = graph_.topic_publishers[topic];
    if (use.filter == nullptr &&
        (!all_stay || std::ranges::any_of(publishers, &Publisher::was_given_filter))) {
      use.filter =
          *TopicFilter::compile(std::vector<std::optional<FilterPolicy>>(wanted.queues.size()));
    }
    if (use.filter == nullptr && use.added.empty()) {
      return;  // there was no filter and there is none: publishing to all needs no masks
    }
    for (Publisher* publisher : publishers) {
      publisher->change_filter(use);
    }
  }

 private:
  std::uint32_t subscription_of(const std::string& queue, const TopicDescription& topic) const {
    for (std::uint32_t i = 0; i < topic.queues.size(); ++i) {
      if (changed_.queues[topic.queues[i]].name == queue) {
        return i;
      }
    }
    return Fanout::kUnsubscribed;
  }

  /// Queues that `wanted` has beyond the running topic become branches of it; publishers take them
  /// over with their next filter.
  std::vector<Queue*> add_branches(std::uint32_t topic, const TopicDescription& wanted) {
    std::vector<Queue*> added;
    std::vector<std::uint32_t>& branches = pipeline_.topics[topic].queues;
    for (const std::uint32_t other : wanted.queues) {
      const auto queue =
          std::ranges::find(pipeline_.queues, changed_.queues[other].name, &QueueDescription::name);
      const auto index = static_cast<std::uint32_t>(queue - pipeline_.queues.begin());
      if (std::ranges::find(branches, index) == branches.end()) {
        added.push_back(graph_.queues[index].get());
        tell_of_credit(topic, *added.back());
        std::lock_guard lock(mutex_);
        branches.push_back(index);
      }
    }
    return added;
  }

  /// Services of the pool that publish to the topic hear when the queue has credit again.
  void tell_of_credit(std::uint32_t topic, Queue& queue) {
    for (std::uint32_t service = 0; service < graph_.services.size(); ++service) {
      const auto& target = pipeline_.services[service].publish_to;
      if (target && target->kind == Target::Kind::topic && target->index == topic &&
          !graph_.services[service]->own_threads()) {
        queue.credits().add_waiter(*graph_.ready, service);
      }
    }
  }

  Graph& graph_;
  PipelineDescription& pipeline_;
  std::mutex& mutex_;
  const PipelineDescription& changed_;
};

}  // namespace

std::optional<std::string> resubscribe(Graph& graph, PipelineDescription& pipeline,
                                       std::mutex& mutex, const PipelineDescription& changed) {
  if (auto other = difference(pipeline.fixed_part, changed.fixed_part, "")) {
    return other;
  }
  Change change(graph, pipeline, mutex, changed);
  for (std::uint32_t topic = 0; topic < pipeline.topics.size(); ++topic) {
    change.apply(topic);
  }
  return std::nullopt;
}

}  // namespace sluice::core
