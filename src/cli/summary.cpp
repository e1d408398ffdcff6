#include "cli/summary.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/units.hpp"
#include "cli/describe.hpp"
#include "cli/queue_columns.hpp"

namespace sluice::core {
namespace {

/// `{"a":{...},"b":{...}}` of things with a name; `fields` gives what stands in the inner braces.
template <class Things, class Fields>
std::string object_of(const Things& things, Fields&& fields) {
  std::string text = "{";
  for (const auto& thing : things) {
    if (text.size() > 1)
      text += ',';
    text += json_quote(thing.name) + ":{" + fields(thing) + "}";
  }
  return text + "}";
}

std::string cell(auto number) {
  return fmt::format("{}", number);
}

std::vector<std::vector<std::string>> queue_rows(const Summary& summary) {
  std::vector<std::vector<std::string>> rows{{"queue"}};
  for (const QueueNumbers& queue : summary.queues)
    rows.push_back({queue.name});
  for (const QueueColumn& column : queue_columns(summary.queues)) {
    rows[0].emplace_back(column.title);
    for (std::size_t i = 0; i < summary.queues.size(); ++i)
      rows[i + 1].push_back(cell(summary.queues[i].*column.number));
  }
  return rows;
}

std::vector<std::vector<std::string>> subscription_rows(const Summary& summary) {
  std::vector<std::vector<std::string>> rows{
      {"topic", "queue", "matched", "filtered", "invalid attributes", "invalid body"}};
  for (const TopicNumbers& topic : summary.topics) {
    for (const SubscriptionNumbers& subscription : topic.subscriptions) {
      rows.push_back({topic.name, subscription.name, cell(subscription.matched),
                      cell(subscription.filtered), cell(subscription.invalid_attributes),
                      cell(subscription.invalid_body)});
    }
  }
  return rows;
}

}  // namespace

std::string summary_json(const std::string& pipeline, const Summary& summary) {
  const std::string sources = object_of(summary.sources, [](const auto& source) {
    return fmt::format(R"("events":{},"acknowledged":{})", source.events, source.acknowledged);
  });
  std::string topics = object_of(summary.topics, [](const auto& topic) {
    return fmt::format(
        R"("published":{},"subscriptions":{})", topic.published,
        object_of(topic.subscriptions, [](const auto& subscription) {
          return fmt::format(
              R"("matched":{},"filtered":{},"invalid_attributes":{},"invalid_body":{})",
              subscription.matched, subscription.filtered, subscription.invalid_attributes,
              subscription.invalid_body);
        }));
  });
  topics = summary.topics.empty() ? "" : fmt::format(R"("topics":{},)", topics);
  const std::string queues = object_of(summary.queues, [](const auto& queue) {
    return fmt::format(
        R"("sent":{},"moved_in":{},"received":{},"deleted":{},"visible":{},"in_flight":{},"delayed":{},)"
        R"("moved_to_dead_letter":{},"expired":{},"dropped":{},"purged":{})",
        queue.sent, queue.moved_in, queue.received, queue.deleted, queue.visible, queue.in_flight,
        queue.delayed, queue.moved_to_dead_letter, queue.expired, queue.dropped, queue.purged);
  });
  const std::string services = object_of(summary.services, [](const auto& service) {
    return fmt::format(
        R"("processed":{},"retried":{},"rejected":{},"stale":{},"ignored":{},"workers_max":{})",
        service.processed, service.retried, service.rejected, service.stale, service.ignored,
        service.workers_max);
  });
  return fmt::format(
      R"({{"pipeline":{},"seconds":{:.3f},"exit":{},"dead_letters":{},"sources":{},{}"queues":{},"services":{}}})",
      json_quote(pipeline), summary.seconds, summary.exit, summary.dead_letters, sources, topics,
      queues, services);
}

std::string summary_text(const std::string& pipeline, const Summary& summary) {
  std::string text = fmt::format("{}: {:.1f} s, {} stored, exit {}\n", pipeline, summary.seconds,
                                 count_text(summary.dead_letters, "dead letter"), summary.exit);
  std::vector<std::vector<std::string>> rows{{"source", "events", "acknowledged"}};
  for (const auto& source : summary.sources)
    rows.push_back({source.name, cell(source.events), cell(source.acknowledged)});
  if (rows.size() > 1)
    text += columns_text(rows);
  rows = subscription_rows(summary);
  if (rows.size() > 1)
    text += columns_text(rows);
  rows = {{"service", "processed", "retried", "rejected", "stale", "ignored", "workers"}};
  for (const auto& service : summary.services) {
    rows.push_back({service.name, cell(service.processed), cell(service.retried),
                    cell(service.rejected), cell(service.stale), cell(service.ignored),
                    cell(service.workers_max)});
  }
  if (rows.size() > 1)
    text += columns_text(rows);
  rows = queue_rows(summary);
  if (rows.size() > 1)
    text += columns_text(rows);
  for (const std::string& note : summary.notes)
    text += note + "\n";
  return text;
}

}  // namespace sluice::core
