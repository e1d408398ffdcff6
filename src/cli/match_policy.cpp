#include "cli/match_policy.hpp"

#include <fmt/format.h>

#include <utility>

#include "filter/explain.hpp"

namespace sluice::core {

std::optional<FilterScope> filter_scope_from(std::string_view name) {
  if (name == "MessageAttributes")
    return FilterScope::message_attributes;
  if (name == "MessageBody")
    return FilterScope::message_body;
  return std::nullopt;
}

Result<MessageText> message_from(const Json& json) {
  const bool has_any = json.find("body") != nullptr || json.find("body_base64") != nullptr ||
                       json.find("attributes") != nullptr;
  if (json.type == Json::Type::object && !has_any) {
    return fail(Errc::bad_data,
                "no message: it has none of \"body\", \"body_base64\" and \"attributes\"; a bare "
                "body is given as {\"body\": ...}");
  }
  const Json* attributes = json.find("attributes");
  if (attributes != nullptr && attributes->type != Json::Type::object)
    return fail(Errc::bad_data, "\"attributes\" must be an object of names and values");
  return message_from_json(json);
}

PolicyTrial::PolicyTrial(FilterPolicy policy, std::shared_ptr<const CompiledFilter> filter)
    : policy_(std::move(policy)), filter_(std::move(filter)), scratch_(*filter_) {}

std::expected<std::unique_ptr<PolicyTrial>, PolicyError> PolicyTrial::create(
    std::string_view policy, FilterScope scope, FilterProfile profile) {
  auto parsed = parse_policy(policy, scope, profile);
  if (!parsed)
    return std::unexpected(std::move(parsed.error()));
  auto filter = CompiledFilter::compile({*parsed});
  if (!filter)
    return std::unexpected(PolicyError{filter.error().text, 0});
  return std::unique_ptr<PolicyTrial>(new PolicyTrial(std::move(*parsed), std::move(*filter)));
}

PolicyTrial::Answer PolicyTrial::ask(const MessageText& message, bool explained) {
  const bool is_read = read(message);
  const bool is_told = is_read && filter_->match(scratch_);
  Answer answer;
  answer.matches = !(is_told ? scratch_.matched : filter_->take_all()).empty();
  if (!explained)
    return answer;
  if (is_told && !answer.matches && !scratch_.untold.empty()) {
    answer.reasons = {"- the message takes more steps than one may: this policy does not take it"};
  } else if (is_told || answer.matches) {
    answer.reasons = reasons(message);
  } else if (is_read) {
    answer.reasons = {"- the message takes more steps than one may: no policy takes it"};
  } else {
    answer.reasons = {"- invalid body: " + body_fault(message.body)};
  }
  return answer;
}

/// The message's fields, which point into it. False: no policy with a clause matches.
bool PolicyTrial::read(const MessageText& message) {
  if (policy_.scope == FilterScope::message_body) {
    const auto* body = reinterpret_cast<const std::uint8_t*>(message.body.data());
    return reader_.read_body({body, message.body.size()}, filter_->paths(), scratch_);
  }
  std::vector<sluice_attribute> attributes;
  for (const MessageText::Attribute& each : message.attributes) {
    attributes.push_back({sizeof(sluice_attribute),
                          each.type,
                          {each.name.data(), each.name.size()},
                          {each.value.data(), each.value.size()}});
  }
  std::vector<const sluice_attribute*> pointers;
  for (const sluice_attribute& attribute : attributes)
    pointers.push_back(&attribute);
  reader_.read_attributes(pointers, filter_->paths(), scratch_);
  return true;
}

std::vector<std::string> PolicyTrial::reasons(const MessageText& message) const {
  std::vector<std::string> lines = explain(policy_, filter_->paths(), scratch_).lines;
  if (policy_.scope == FilterScope::message_body)
    return lines;
  for (const MessageText::Attribute& each : message.attributes) {
    if (each.type == SLUICE_BINARY && filter_->paths().find(each.name) != PathTree::kNone)
      lines.push_back(
          fmt::format("note: {} is Binary, which filters ignore", json_quote(each.name)));
  }
  if (message.attributes.empty() && filter_->take_all().empty()) {
    lines.emplace_back(
        "note: the message has no attributes; the scope for policies on the body is MessageBody");
  }
  return lines;
}

}  // namespace sluice::core
