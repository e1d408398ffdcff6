#include "admin/queue_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::core {
namespace {

using Object = nlohmann::ordered_json;

template <class Of>
struct Number {
  const char* name;
  std::uint64_t Of::*member;
};

constexpr Number<QueueFacts> kQueueNumbers[] = {
    {"ApproximateNumberOfMessages", &QueueFacts::visible},
    {"ApproximateNumberOfMessagesNotVisible", &QueueFacts::in_flight},
    {"ApproximateNumberOfMessagesDelayed", &QueueFacts::delayed},
    {"NumberOfMessagesSent", &QueueFacts::sent},
    {"NumberOfMessagesReceived", &QueueFacts::received},
    {"NumberOfMessagesDeleted", &QueueFacts::deleted},
    {"moved_in", &QueueFacts::moved_in},
    {"moved_to_dead_letter", &QueueFacts::moved_to_dead_letter},
    {"redriven", &QueueFacts::redriven},
    {"deduplicated", &QueueFacts::deduplicated},
    {"expired", &QueueFacts::expired},
    {"dropped", &QueueFacts::dropped},
    {"purged", &QueueFacts::purged},
    {"ack_deadline_exceeded", &QueueFacts::ack_deadline_exceeded},
    {"over_in_flight_max", &QueueFacts::over_limit},
};
constexpr Number<RedriveStatus> kRedriveNumbers[] = {
    {"letters", &RedriveStatus::letters},
    {"moved", &RedriveStatus::moved},
    {"marked", &RedriveStatus::marked},
    {"filtered", &RedriveStatus::filtered},
    {"parts", &RedriveStatus::parts},
    {"in_use", &RedriveStatus::in_use},
    {"without_queue", &RedriveStatus::without_queue},
    {"without_room", &RedriveStatus::without_room},
    {"came_back", &RedriveStatus::came_back},
};
constexpr RedriveState kStates[] = {RedriveState::running,    RedriveState::completed,
                                    RedriveState::cancelling, RedriveState::cancelled,
                                    RedriveState::failed,     RedriveState::marked};

std::string dump(const Object& object) {
  return object.dump(-1, ' ', false, Object::error_handler_t::replace);
}

Object queue_object(const QueueFacts& queue) {
  Object object;
  object["name"] = queue.name;
  for (const Number<QueueFacts>& number : kQueueNumbers)
    object[number.name] = queue.*number.member;
  object["ApproximateAgeOfOldestMessage"] = queue.age_of_oldest_s;
  object["capacity"] = queue.capacity;
  object["has_service"] = queue.has_service;
  object["fifo"] = queue.fifo;
  object["is_dead_letter_queue"] = queue.keeps_letters;
  if (!queue.dead_letter_queue.empty())
    object["dead_letter_queue"] = queue.dead_letter_queue;
  return object;
}

Object request_object(const RedriveRequest& request) {
  Object object = Object::object();
  if (!request.to.empty())
    object["to"] = request.to;
  if (!request.reason.empty())
    object["reason"] = request.reason;
  if (request.messages_per_second != 0)
    object["messages_per_second"] = request.messages_per_second;
  if (request.dry_run)
    object["dry_run"] = true;
  return object;
}

std::unexpected<Error> bad(std::string text) {
  return fail(Errc::bad_data, std::move(text));
}

/// A whole number of 0 to `maximum` where it stands; an absent one is 0.
Result<std::uint64_t> read_number(const Json& json, std::string_view name,
                                  std::int64_t maximum = INT64_MAX) {
  const Json* found = json.find(name);
  if (found == nullptr)
    return 0;
  if (!found->integer || *found->integer < 0 || *found->integer > maximum)
    return bad(fmt::format("\"{}\" must be a whole number of 0 to {}", name, maximum));
  return static_cast<std::uint64_t>(*found->integer);
}

std::string read_text(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found != nullptr ? found->text : std::string();
}

bool read_flag(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  return found != nullptr && found->boolean;
}

/// Letters by queue.
void read_places(const Json& json, std::string_view name, decltype(RedriveStatus::moved_to)& into) {
  if (const Json* queues = json.find(name)) {
    for (const JsonMember& queue : queues->members)
      into[queue.name] = static_cast<std::uint64_t>(queue.value.integer.value_or(0));
  }
}

template <class Of, std::size_t N>
Result<void> read_numbers(const Json& json, const Number<Of> (&numbers)[N], Of& into) {
  for (const Number<Of>& number : numbers) {
    const Result<std::uint64_t> read = read_number(json, number.name);
    if (!read)
      return std::unexpected(read.error());
    into.*number.member = *read;
  }
  return {};
}

}  // namespace

std::string queue_json(const QueueFacts& queue) {
  return dump(queue_object(queue));
}

std::string queues_json(const std::string& pipeline, const std::vector<QueueFacts>& queues) {
  Object object;
  object["pipeline"] = pipeline;
  object["queues"] = Object::array();
  for (const QueueFacts& queue : queues)
    object["queues"].push_back(queue_object(queue));
  return dump(object);
}

std::string redrive_json(const RedriveStatus& status) {
  Object object;
  object["status"] = name_of(status.state);
  object["request"] = request_object(status.request);
  for (const Number<RedriveStatus>& number : kRedriveNumbers)
    object[number.name] = status.*number.member;
  object["moved_to"] = status.moved_to;
  if (!status.marked_for.empty())
    object["marked_for"] = status.marked_for;
  object["started"] = status.started_ms;
  if (status.ended_ms != 0)
    object["ended"] = status.ended_ms;
  if (!status.failure.empty())
    object["failure"] = status.failure;
  return dump(object);
}

std::string request_json(const RedriveRequest& request) {
  return dump(request_object(request));
}

Result<QueueFacts> read_queue(const Json& json) {
  QueueFacts queue;
  queue.name = read_text(json, "name");
  if (Result<void> read = read_numbers(json, kQueueNumbers, queue); !read)
    return std::unexpected(read.error());
  const Result<std::uint64_t> age = read_number(json, "ApproximateAgeOfOldestMessage");
  const Result<std::uint64_t> capacity = read_number(json, "capacity");
  if (!age || !capacity)
    return std::unexpected(age ? capacity.error() : age.error());
  queue.age_of_oldest_s = static_cast<std::int64_t>(*age);
  queue.capacity = static_cast<std::int64_t>(*capacity);
  queue.has_service = read_flag(json, "has_service");
  queue.fifo = read_flag(json, "fifo");
  queue.keeps_letters = read_flag(json, "is_dead_letter_queue");
  queue.dead_letter_queue = read_text(json, "dead_letter_queue");
  return queue;
}

Result<RedriveStatus> read_redrive(const Json& json) {
  RedriveStatus status;
  const std::string name = read_text(json, "status");
  const auto* state = std::ranges::find(kStates, name, name_of);
  if (state == std::end(kStates))
    return bad(fmt::format("\"status\" '{}' is unknown", name));
  status.state = *state;
  if (const Json* request = json.find("request")) {
    Result<RedriveRequest> read = read_request(*request);
    if (!read)
      return std::unexpected(read.error());
    status.request = std::move(*read);
  }
  if (Result<void> read = read_numbers(json, kRedriveNumbers, status); !read)
    return std::unexpected(read.error());
  read_places(json, "moved_to", status.moved_to);
  read_places(json, "marked_for", status.marked_for);
  const Result<std::uint64_t> started = read_number(json, "started"),
                              ended = read_number(json, "ended");
  if (!started || !ended)
    return std::unexpected(started ? ended.error() : started.error());
  status.started_ms = static_cast<std::int64_t>(*started);
  status.ended_ms = static_cast<std::int64_t>(*ended);
  status.failure = read_text(json, "failure");
  return status;
}

Result<RedriveRequest> read_request(const Json& json) {
  if (json.type != Json::Type::object)
    return bad("a redrive is asked for with a JSON object");
  RedriveRequest request;
  for (const JsonMember& member : json.members) {
    const Json& value = member.value;
    if (member.name == "to" && value.type == Json::Type::string) {
      request.to = value.text;
    } else if (member.name == "reason" && value.type == Json::Type::string) {
      request.reason = value.text;
    } else if (member.name == "dry_run" && value.type == Json::Type::boolean) {
      request.dry_run = value.boolean;
    } else if (member.name == "messages_per_second") {
      const Result<std::uint64_t> rate = read_number(json, member.name, kRedriveRateMax);
      if (!rate || *rate == 0)
        return bad(
            fmt::format("\"messages_per_second\" must be a whole number of 1 to {}; without it "
                        "there is no limit",
                        kRedriveRateMax));
      request.messages_per_second = static_cast<std::uint32_t>(*rate);
    } else {
      return bad(fmt::format(
          "{}: a redrive takes \"to\" and \"reason\" (texts), \"messages_per_second\" (a number), "
          "\"dry_run\" (true or false)",
          json_quote(member.name)));
    }
  }
  return request;
}

}  // namespace sluice::core
