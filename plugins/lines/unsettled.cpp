#include "unsettled.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <sluice/plugin.hpp>
#include <vector>

#include "file.hpp"
#include "support/text.hpp"

namespace sluice::lines {

namespace {

/// What is written at once, and so much memory the end takes in addition.
constexpr std::size_t kPieceBytes = 64 << 10;

std::string to_json(const support::MessageText& message) {
  std::vector<sluice_attribute> attributes;
  std::vector<const sluice_attribute*> pointers;
  for (const auto& one : message.attributes)
    attributes.push_back(attribute(one.name, one.value, one.type));
  for (const sluice_attribute& one : attributes)
    pointers.push_back(&one);
  sluice_message view{};
  view.struct_size = sizeof view;
  std::copy(message.id->begin(), message.id->end(), view.id);
  view.body = reinterpret_cast<const std::uint8_t*>(message.body.data());
  view.body_size = message.body.size();
  view.group_id = str(message.group_id);
  view.attribute_count = static_cast<std::uint32_t>(pointers.size());
  view.attributes = pointers.data();
  std::string json;
  support::append_message_json(json, view);
  json.pop_back();  // its brace: what only who sends a message knows comes in addition
  if (!message.deduplication_id.empty())
    json += ",\"deduplication_id\":" + support::json_quote(message.deduplication_id);
  if (message.delay_ms != 0)
    json += fmt::format(",\"delay\":\"{}ms\"", std::max<std::int64_t>(message.delay_ms, 0));
  json += '}';
  json.shrink_to_fit();  // it may stay for long
  return json;
}

}  // namespace

Unsettled::Unsettled(const Config& config)
    : config_(config), folder_(config.state_folder()), path_(folder_ + "/unsettled.jsonl") {
  if (::access(path_.c_str(), F_OK) == 0)
    left_behind_ = path_;
}

std::uint64_t Unsettled::add(const support::MessageText& message) {
  messages_.emplace(next_cookie_, to_json(message));
  return next_cookie_++;
}

void Unsettled::settled(std::uint64_t cookie) {
  messages_.erase(cookie);
}

void Unsettled::tidy() {
  const bool needed = left_behind_until_ == UINT64_MAX ||
                      (!messages_.empty() && messages_.begin()->first < left_behind_until_);
  if (left_behind_.empty() || needed)
    return;
  set_damaged_aside();
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
    fail_io(SLUICE_IO, "remove", path_);
  left_behind_.clear();
}

void Unsettled::save() {
  try {
    write();
  } catch (const Failure& failure) {
    // What came from the file that is still there comes again.
    const auto lost =
        left_behind_.empty() ? messages_.begin() : messages_.lower_bound(left_behind_until_);
    if (lost == messages_.end())
      throw;
    throw Failure(failure.status(),
                  fmt::format("{}; messages that came through a pipe and could not be kept: {}; "
                              "they come again only if who wrote them writes them again; make room "
                              "before the next start",
                              failure.what(), std::distance(lost, messages_.end())));
  }
}

void Unsettled::write() {
  tidy();
  // Until all that was left behind has been emitted, its file holds what is not in hand.
  const bool whole = left_behind_.empty() || left_behind_until_ != UINT64_MAX;
  if (messages_.empty() || !whole)
    return;
  set_damaged_aside();
  std::string piece;
  auto at = messages_.begin();
  const auto next = [&]() -> std::string_view {
    for (piece.clear(); at != messages_.end() && piece.size() < kPieceBytes; ++at)
      (piece += at->second) += '\n';
    return piece;
  };
  replace_file(path_, next, true);
}

void Unsettled::set_damaged_aside() {
  if (damaged_.empty())
    return;
  std::string beside = folder_ + "/unsettled.damaged.jsonl";
  for (int number = 2; ::access(beside.c_str(), F_OK) == 0; ++number)
    beside = fmt::format("{}/unsettled.damaged-{}.jsonl", folder_, number);
  replace_file(beside, damaged_, true);
  config_.log(SLUICE_LOG_WARNING,
              fmt::format("lines of \"{}\" that cannot be read: {}; they are kept in \"{}\": mend "
                          "them and append them to the first file while the pipeline does not run, "
                          "or remove the second",
                          path_, std::count(damaged_.begin(), damaged_.end(), '\n'), beside));
  damaged_.clear();
}

}  // namespace sluice::lines
