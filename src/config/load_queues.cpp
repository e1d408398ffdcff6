// Topics, queues and their dead-letter queues, and the names that lead to them.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "config/loader.hpp"
#include "filter/parse_policy.hpp"

namespace sluice::core {

namespace {

constexpr std::int64_t kRetentionMs = 4 * 86'400'000;  // SQS: 4 days

void sort_members(Json& value) {
  std::ranges::sort(value.members, {}, &JsonMember::name);
  for (JsonMember& member : value.members)
    sort_members(member.value);
  for (Json& item : value.items)
    sort_members(item);
}

}  // namespace

void Loader::read_topics() {
  for (const JsonMember& member : members("topics", "topic")) {
    const ObjectReader fields(reporter_, member.value, kTopicShape,
                              fmt::format("topic {}", in_quotes(member.name)));
    topics_.emplace(member.name, static_cast<std::uint32_t>(result_.topics.size()));
    result_.topics.emplace_back().name = member.name;
    profiles_.push_back(fields.text("filter_profile") == "extended" ||
                                fields.is_wrong("filter_profile")  // it takes all that sns does
                            ? FilterProfile::extended
                            : FilterProfile::sns);
    policies_.emplace_back();
    policy_offsets_.emplace_back();
    topic_offsets_.push_back(member.offset);
  }
}

void Loader::read_queues() {
  const std::vector<JsonMember>& declared = members("queues", "queue");
  for (const JsonMember& member : declared) {
    queues_.emplace(member.name, static_cast<std::uint32_t>(result_.queues.size()));
    result_.queues.emplace_back().name = member.name;
    queue_offsets_.push_back(member.offset);
  }
  serves_unknown_ = top_.is_wrong("services");
  if (const Json* services = top_.find("services")) {
    for (const JsonMember& service : services->members) {
      const Json* queue = service.value.find("queue");
      if (queue != nullptr && queues_.contains(queue->text))
        served_.insert(queue->text);
      else
        serves_unknown_ = true;
    }
  }
  redrive_offsets_ = queue_offsets_;
  for (std::uint32_t index = 0; index < declared.size(); ++index) {
    const JsonMember& member = declared[index];
    const ObjectReader fields(reporter_, member.value, kQueueShape,
                              fmt::format("queue {}", in_quotes(member.name)));
    QueueDescription& queue = result_.queues[index];
    queue.capacity = *fields.number("capacity");
    queue.capacity_bytes = *fields.number("capacity_bytes");
    queue.visibility_timeout_ms = *fields.number_or_most("visibility_timeout");
    if (queue.visibility_timeout_ms == 0 && served_.contains(queue.name)) {
      reporter_.warning(
          fields.offset("visibility_timeout"),
          fmt::format(
              "{}: with a \"visibility_timeout\" of 0s a message is visible again while it is "
              "still worked on, and is worked on again; give the longest time a batch takes",
              fields.who()));
    }
    queue.delay_ms = *fields.number("delay");
    queue.retention_ms = fields.number("retention").value_or(kRetentionMs);
    keeps_letters_.push_back(!fields.number("retention").has_value());
    if (queue.retention_ms != 0 && queue.delay_ms >= queue.retention_ms) {
      reporter_.warning(fields.offset("delay"),
                        fmt::format("{}: with a \"delay\" of {} no message is ever received: it is kept for a "
                                    "\"retention\" of {}",
                                    fields.who(), format_duration(queue.delay_ms),
                                    format_duration(queue.retention_ms)));
    }
    if (queue.retention_ms != 0 && queue.visibility_timeout_ms >= queue.retention_ms && served_.contains(queue.name)) {
      reporter_.warning(fields.offset("retention"),
                        fmt::format("{}: with a \"visibility_timeout\" of {} a message that fails is never received "
                                    "again: it expires after a \"retention\" of {}",
                                    fields.who(), format_duration(queue.visibility_timeout_ms),
                                    format_duration(queue.retention_ms)));
    }
    queue.in_flight_max = static_cast<std::uint32_t>(*fields.number("in_flight_max"));
    read_subscriptions(index, fields);
    read_redrive_policy(index, fields);
    read_when_full(index, fields);
    read_fifo(index, fields);
  }
}

void Loader::read_when_full(std::uint32_t queue, const ObjectReader& fields) {
  // A wrong one makes nobody wait, so that it closes no cycle.
  const std::string text = fields.is_wrong("when_full") ? "drop_new" : fields.text("when_full");
  QueueDescription& description = result_.queues[queue];
  description.when_full = text == "drop_new"      ? WhenFull::drop_new
                          : text == "drop_old"    ? WhenFull::drop_old
                          : text == "dead_letter" ? WhenFull::dead_letter
                                                  : WhenFull::block;
  const Json* policy = fields.find("redrive_policy");
  const bool none_is_meant = policy != nullptr
                                 ? policy->type == Json::Type::null
                                 : !fields.is_wrong("redrive_policy") && !serves_unknown_;
  if (description.when_full == WhenFull::dead_letter && !description.redrive_policy &&
      none_is_meant) {
    reporter_.error(fields.offset("when_full"),
                    fmt::format("{} has no dead-letter queue for what finds it full: give it a \"redrive_policy\"",
                                fields.who()));
  }
}

void Loader::read_fifo(std::uint32_t queue, const ObjectReader& fields) {
  QueueDescription& description = result_.queues[queue];
  description.fifo = fields.flag("fifo");
  description.content_based_deduplication = fields.flag("content_based_deduplication");
  description.deduplication_capacity = *fields.number("deduplication_capacity");
  if (fields.is_wrong("fifo"))
    return;
  const auto refuse = [&](const char* key) {
    reporter_.error(fields.offset(key),
                    fmt::format("{} is no FIFO queue, and only those deduplicate: \"{}\" needs \"fifo\": true",
                                fields.who(), key));
  };
  if (!description.fifo && description.content_based_deduplication)
    refuse("content_based_deduplication");
  if (!description.fifo && fields.find("deduplication_capacity") != nullptr)
    refuse("deduplication_capacity");
}

/// Dead letters are never lost (DESIGN §2.6): they expire only where it says so.
void Loader::keep_dead_letters() {
  for (const QueueDescription& queue : result_.queues) {
    if (!queue.redrive_policy)
      continue;
    const std::uint32_t target = queue.redrive_policy->dead_letter_queue;
    if (target >= keeps_letters_.size() || keeps_letters_[target])
      result_.queues[target].retention_ms = 0;
  }
}

void Loader::read_subscriptions(std::uint32_t queue, const ObjectReader& fields) {
  const Json* subscriptions = fields.find("subscriptions");
  if (subscriptions == nullptr)
    return;
  std::set<std::uint32_t> seen;
  for (const Json& item : subscriptions->items) {
    const ObjectReader subscription(reporter_, item, kSubscriptionShape,
                                    fmt::format("subscription of {}", fields.who()));
    const Json* topic = subscription.find("topic");
    if (topic == nullptr)
      continue;
    const std::optional<std::uint32_t> found =
        resolve(topics_, *topic, "topic", subscription.who());
    if (!found)
      continue;
    if (!seen.insert(*found).second) {
      reporter_.error(topic->offset, fmt::format("{} is subscribed to topic {} twice", fields.who(),
                                                 in_quotes(topic->text)));
      continue;
    }
    TopicDescription& description = result_.topics[*found];
    description.queues.push_back(queue);
    policy_offsets_[*found].push_back(subscription.offset("filter_policy"));
    policies_[*found].push_back(
        read_filter_policy(subscription, profiles_[*found], description.policies.emplace_back()));
  }
}

/// nullopt: it has none, or a wrong one, which was reported. `text` becomes the policy as compact
/// JSON.
std::optional<FilterPolicy> Loader::read_filter_policy(const ObjectReader& subscription,
                                                       FilterProfile profile, std::string& text) {
  const Json* policy = subscription.find("filter_policy");
  if (policy == nullptr || subscription.is_wrong("filter_policy_scope")) {
    if (subscription.find("filter_policy_scope") != nullptr &&
        !subscription.is_wrong("filter_policy")) {
      reporter_.warning(
          subscription.offset("filter_policy_scope"),
          fmt::format("{}: a \"filter_policy_scope\" without a \"filter_policy\" does nothing",
                      subscription.who()));
    }
    return std::nullopt;
  }
  const FilterScope scope = subscription.text("filter_policy_scope") == "MessageBody"
                                ? FilterScope::message_body
                                : FilterScope::message_attributes;
  std::vector<JsonMark> marks;
  text = to_text(*policy, marks);
  std::expected<FilterPolicy, PolicyError> parsed = parse_policy(text, scope, profile);
  if (parsed)
    return std::move(*parsed);
  const auto after = std::ranges::upper_bound(marks, parsed.error().offset, {}, &JsonMark::written);
  reporter_.error(
      after == marks.begin() ? policy->offset : std::prev(after)->offset,
      fmt::format("filter policy of the {}: {}", subscription.who(), parsed.error().text));
  return std::nullopt;
}

void Loader::compile_filters() {
  for (std::size_t topic = 0; topic < policies_.size(); ++topic) {
    std::vector<std::optional<FilterPolicy>>& policies = policies_[topic];
    if (std::ranges::none_of(policies, [](const auto& policy) { return policy.has_value(); }))
      continue;
    auto filter = TopicFilter::compile(std::move(policies));
    if (filter) {
      result_.topics[topic].filter = std::move(*filter);
    } else {
      const QueueDescription& queue =
          result_.queues[result_.topics[topic].queues[filter.error().policy]];
      reporter_.error(policy_offsets_[topic][filter.error().policy],
                      fmt::format("filter policies of topic {}, at that of queue {}: {}",
                                  in_quotes(result_.topics[topic].name), in_quotes(queue.name),
                                  filter.error().text));
    }
  }
}

Json Loader::fixed_part() const {
  Json rest = reporter_.document.root();
  for (const auto& [section, key] :
       {std::pair{"queues", "subscriptions"}, std::pair{"topics", "filter_profile"}}) {
    for (JsonMember& part : rest.members) {
      if (part.name != section)
        continue;
      for (JsonMember& object : part.value.members)
        std::erase_if(object.value.members,
                      [key](const JsonMember& member) { return member.name == key; });
    }
  }
  sort_members(rest);
  return rest;
}

void Loader::read_redrive_policy(std::uint32_t queue, const ObjectReader& fields) {
  constexpr std::uint32_t kImpliedReceiveCount = 10;
  const Json* given = fields.find("redrive_policy");
  if (fields.is_wrong("redrive_policy"))
    return;
  if (given == nullptr) {
    // Without a service nothing is ever received, so nothing can fail.
    if (!served_.contains(result_.queues[queue].name))
      return;
    const auto target = dead_letter_queue(queue, nullptr, queue_offsets_[queue]);
    if (target)
      result_.queues[queue].redrive_policy = RedrivePolicy{kImpliedReceiveCount, *target};
    return;
  }
  if (given->type == Json::Type::null)
    return;
  const ObjectReader policy(reporter_, *given, kRedrivePolicyShape,
                            fmt::format("redrive policy of {}", fields.who()));
  redrive_offsets_[queue] = policy.offset("dead_letter_queue");
  const auto target = dead_letter_queue(queue, &policy, redrive_offsets_[queue]);
  const auto count = static_cast<std::uint32_t>(*policy.number("max_receive_count"));
  if (target)
    result_.queues[queue].redrive_policy = RedrivePolicy{count, *target};
}

/// The queue that `policy` names, or NAME-dead: the declared one, else one made for it.
std::optional<std::uint32_t> Loader::dead_letter_queue(std::uint32_t queue,
                                                       const ObjectReader* policy,
                                                       std::uint32_t offset) {
  const std::string own = result_.queues[queue].name;
  if (policy != nullptr && policy->is_wrong("dead_letter_queue"))
    return std::nullopt;
  const Json* given = policy == nullptr ? nullptr : policy->find("dead_letter_queue");
  const std::string name = given == nullptr ? own + "-dead" : given->text;
  if (name == own) {
    reporter_.error(
        offset,
        fmt::format("queue {} is its own dead-letter queue: what fails would come back for ever",
                    in_quotes(own)));
    return std::nullopt;
  }
  if (name != own + "-dead")
    return resolve(queues_, *given, "queue", policy->who());
  const auto declared = queues_.find(name);
  if (declared != queues_.end())
    return declared->second;
  return implied_queue(queue, offset);
}

std::uint32_t Loader::implied_queue(std::uint32_t owner, std::uint32_t offset) {
  QueueDescription made;
  made.name = result_.queues[owner].name + "-dead";
  made.implied = true;
  if (made.name.size() > kNameBytesMax) {
    reporter_.error(
        offset,
        fmt::format("the name of its dead-letter queue, {}, would have more than 80 characters: "
                    "give the queue a \"redrive_policy\" that names another",
                    in_quotes(made.name)));
  }
  result_.queues.push_back(std::move(made));
  return static_cast<std::uint32_t>(result_.queues.size() - 1);
}

std::optional<std::uint32_t> Loader::resolve(const Names& names, const Json& value,
                                             std::string_view what, const std::string& who) {
  const auto found = names.find(value.text);
  if (found != names.end())
    return found->second;
  for (const std::string_view section : {"topics", "queues", "services"}) {
    const std::string_view one = section.substr(0, section.size() - 1);
    if (is_lost(section) && what.find(one) != std::string_view::npos)
      return std::nullopt;
  }
  std::vector<std::string_view> known;
  for (const auto& [name, index] : names)
    known.push_back(name);
  for (const QueueDescription& queue : result_.queues) {
    if (!queue.implied || queue.name != value.text || what == "topic" || what == "service")
      continue;
    reporter_.error(
        value.offset,
        fmt::format("{}: {} is only made for the dead letters of another queue: declare it under "
                    "\"queues\" to use it",
                    who, in_quotes(value.text)));
    return std::nullopt;
  }
  reporter_.error(value.offset, fmt::format("{}: {} {} is not declared{}", who, what,
                                            in_quotes(value.text), hint(value.text, known)));
  return std::nullopt;
}

std::optional<Target> Loader::resolve_target(const ObjectReader& fields) {
  const Json* value = fields.find("publish_to");
  if (value == nullptr)
    return std::nullopt;
  const auto topic = topics_.find(value->text);
  const auto queue = queues_.find(value->text);
  if (topic != topics_.end() && queue != queues_.end()) {
    reporter_.error(value->offset,
                    fmt::format("{}: {} names a topic and a queue: rename one of them",
                                fields.who(), in_quotes(value->text)));
    return std::nullopt;
  }
  if (topic != topics_.end())
    return Target{Target::Kind::topic, topic->second};
  if (queue != queues_.end())
    return Target{Target::Kind::queue, queue->second};
  Names both = topics_;
  both.insert(queues_.begin(), queues_.end());
  (void)resolve(both, *value, "topic or queue", fields.who());  // reports
  return std::nullopt;
}

}  // namespace sluice::core
