#include "source.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

namespace sluice::lines {

namespace {

using Steady = std::chrono::steady_clock;

/// How long acknowledgements wait for others before the checkpoint is written.
constexpr auto kKeepInterval = std::chrono::milliseconds(100);
/// Ranges that it has then; the one at the end has all of them.
constexpr std::size_t kRangesMax = 1000;
/// Lines that cannot be read are told one by one up to this number, and then counted.
constexpr std::uint64_t kFaultsToldMax = 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// What is wrong with a message that the host answers so; empty: nothing.
std::string_view refusal(std::int32_t status) {
  return status == SLUICE_INVALID     ? "an attribute that no message can have"
         : status == SLUICE_TOO_LARGE ? "attributes and group are too long for a message"
                                      : "";
}

}  // namespace

LinesSource::LinesSource(const Config& config)
    : config_(config),
      is_text_(config.text("format") == "text"),
      stops_(config.text("on_error") == "stop"),
      input_(std::string(config.text("path"))),
      checkpoint_(config.state_folder()),
      unsettled_(config),
      start_(start()),
      progress_(start_),
      splitter_(static_cast<std::size_t>(config.integer("max_line_bytes")), start_.offset,
                start_.line) {
  if (is_file())
    input_.seek(start_.offset);
}

Position LinesSource::start() {
  if (!is_file())
    return {};
  Checkpoint::Kept kept = checkpoint_.load(input_.descriptor());
  if (kept.state == Checkpoint::State::other) {
    config_.log(SLUICE_LOG_WARNING,
                fmt::format("\"{}\" no longer holds what was read: it was replaced or truncated, "
                            "and is read from its beginning",
                            input_.path()));
  } else if (kept.state == Checkpoint::State::damaged) {
    config_.log(SLUICE_LOG_WARNING,
                fmt::format("the checkpoint of \"{}\" is damaged: it is read from its beginning",
                            input_.path()));
  }
  return std::move(kept.position);
}

std::int32_t LinesSource::run(Out& out) {
  if (const std::int32_t status = emit_left_behind(out); status != SLUICE_OK)
    return status;
  for (;;) {
    while (const std::optional<Line> line = splitter_.next()) {
      if (const std::int32_t status = take(out, *line); status != SLUICE_OK)
        return status;
      keep_if_due();
    }
    if (wait(out) == Input::Wait::cancelled)
      return SLUICE_CANCELLED;
    const std::optional<std::size_t> got = input_.read(splitter_.room());
    if (got && *got > 0)
      splitter_.added(*got);
    if (!got || *got > 0)
      continue;
    if (const std::int32_t status = at_end(out); status != SLUICE_OK)
      return status;
  }
}

/// What an earlier process was given through a FIFO and could not bring to its end.
std::int32_t LinesSource::emit_left_behind(Out& out) {
  if (is_file() || unsettled_.left_behind().empty())
    return SLUICE_OK;
  const File file(::open(unsettled_.left_behind().c_str(), O_RDONLY | O_CLOEXEC));
  if (!file)
    fail_io(SLUICE_IO, "open", unsettled_.left_behind());
  Splitter splitter(SIZE_MAX / 2, 0, 1);
  for (;;) {
    while (const std::optional<Line> line = splitter.next()) {
      if (const std::int32_t status = take_left_behind(out, *line); status != SLUICE_OK)
        return status;
    }
    const std::span<char> room = splitter.room();
    const ssize_t got = ::read(file.get(), room.data(), room.size());
    if (got < 0)
      fail_io(SLUICE_IO, "read", unsettled_.left_behind());
    if (got == 0)
      break;
    splitter.added(static_cast<std::size_t>(got));
  }
  if (const std::optional<Line> line = splitter.rest()) {
    if (const std::int32_t status = take_left_behind(out, *line); status != SLUICE_OK)
      return status;
  }
  unsettled_.left_behind_emitted();
  return SLUICE_OK;
}

std::int32_t LinesSource::take_left_behind(Out& out, const Line& line) {
  if (is_blank(line.text))
    return SLUICE_OK;
  Message message = support::read_message_json(reader_, line.text);
  if (message && !message->id)
    message = std::unexpected("the message has no id");
  if (message) {
    const std::int32_t status = emit(out, line, *std::move(message));
    if (refusal(status).empty())
      return status;
    message = std::unexpected(std::string(refusal(status)));
  }
  config_.log(SLUICE_LOG_ERROR, fmt::format("{}:{}: {}; the line is kept", unsettled_.left_behind(),
                                            line.number, message.error()));
  unsettled_.damaged(line.text);
  return SLUICE_OK;
}

/// Until there is something to read. All is flushed and kept before it waits.
Input::Wait LinesSource::wait(Out& out) {
  Input::Wait now = input_.wait(0);
  if (now != Input::Wait::timeout)
    return now;
  out.flush();
  do {
    keep(false);
    now = input_.wait(in_hand() > 0 ? static_cast<int>(kKeepInterval.count()) : -1);
  } while (now == Input::Wait::timeout);
  return now;
}

/// OK: more may come.
std::int32_t LinesSource::at_end(Out& out) {
  if (const std::optional<Line> line = splitter_.rest()) {
    if (const std::int32_t status = take(out, *line); status != SLUICE_OK)
      return status;
  }
  tell_faults();
  out.flush();
  out.exhausted();
  if (input_.kind() == Input::Kind::fifo) {
    input_.reopen();
    return SLUICE_OK;
  }
  // Acknowledgements come on other threads, which wake nobody; they are kept meanwhile.
  for (keep(false); in_hand() > 0; keep(false)) {
    if (input_.pause(static_cast<int>(kKeepInterval.count())) == Input::Wait::cancelled)
      return SLUICE_CANCELLED;
  }
  return SLUICE_END;
}

std::int32_t LinesSource::take(Out& out, const Line& line) {
  const std::uint64_t text_end = line.too_long ? line.end : line.begin + line.text.size();
  if (is_file() && progress_.was_done({line.begin, text_end})) {
    progress_.skipped({line.begin, line.end}, line.number);
    return SLUICE_OK;
  }
  if (!is_text_ && !line.too_long && is_blank(line.text)) {
    passed(line);
    return SLUICE_OK;
  }
  Message message = read(line);
  if (message) {
    const std::int32_t status = emit(out, line, *std::move(message));
    if (refusal(status).empty())
      return status;
    fault(line, refusal(status));
    return SLUICE_OK;
  }
  fault(line, message.error());
  // The end of the file may be a line that somebody still writes: the next start looks again.
  if (!line.unterminated)
    passed(line);
  return SLUICE_OK;
}

LinesSource::Message LinesSource::read(const Line& line) {
  if (line.too_long) {
    return std::unexpected(
        fmt::format("longer than max_line_bytes, {} bytes", config_.integer("max_line_bytes")));
  }
  std::string_view text = line.text;
  if (line.number == 1 && text.starts_with(kByteOrderMark))
    text.remove_prefix(kByteOrderMark.size());
  Message message = is_text_ ? Message(support::MessageText{.body = std::string(text)})
                             : support::read_message_json(reader_, text);
  if (message && !message->id) {
    // A file's line is known again by its place and content; what came through a pipe never comes
    // again by itself, and equal lines are different messages.
    message->id = is_file() ? support::uuid5(support::kNameSpace,
                                             fmt::format("{}{}{}{}{}", input_.path(), '\0',
                                                         line.begin, '\0', line.text))
                            : support::uuid4();
  }
  return message;
}

/// OK, CANCELLED, or a status with a refusal().
std::int32_t LinesSource::emit(Out& out, const Line& line, support::MessageText message) {
  std::vector<sluice_attribute> attributes;
  std::vector<const sluice_attribute*> pointers;
  attributes.reserve(message.attributes.size());
  for (const auto& one : message.attributes)
    pointers.push_back(&attributes.emplace_back(attribute(one.name, one.value, one.type)));
  sluice_emission emission = sluice::emission();
  emission.body = reinterpret_cast<const std::uint8_t*>(message.body.data());
  emission.body_size = message.body.size();
  emission.id = message.id->data();
  emission.group_id = str(message.group_id);
  emission.deduplication_id = str(message.deduplication_id);
  emission.delay_ms = message.delay_ms;
  emission.attribute_count = static_cast<std::uint32_t>(pointers.size());
  emission.attributes = pointers.data();
  emission.cookie =
      is_file() ? progress_.emitted({line.begin, line.end}, line.number) : unsettled_.add(message);
  const std::int32_t status = out.emit(emission);
  if (!refusal(status).empty())
    refused(emission.cookie);
  else if (status != SLUICE_OK && status != SLUICE_CANCELLED)
    throw Failure(status, fmt::format("{}:{}: cannot be emitted", input_.path(), line.number));
  return status;
}

void LinesSource::refused(std::uint64_t cookie) {
  if (is_file()) {
    progress_.refused();
  } else {
    unsettled_.settled(cookie);
  }
}

void LinesSource::passed(const Line& line) {
  if (is_file())
    progress_.passed({line.begin, line.end}, line.number);
}

void LinesSource::fault(const Line& line, std::string_view why) {
  const std::string text = fmt::format("{}:{}: {}", input_.path(), line.number, why);
  if (stops_) {
    throw Failure(SLUICE_INVALID,
                  text + "; mend the line, or set on_error to \"skip\" to pass over it");
  }
  if (++faults_ <= kFaultsToldMax)
    config_.log(SLUICE_LOG_WARNING, text + "; the line is passed over");
}

void LinesSource::tell_faults() {
  if (faults_ == faults_told_)
    return;
  faults_told_ = faults_;
  config_.log(SLUICE_LOG_WARNING, fmt::format("{}: {} {} passed over so far", input_.path(),
                                              faults_, faults_ == 1 ? "line was" : "lines were"));
}

void LinesSource::settled(std::uint64_t cookie, std::int32_t /*worst*/) {
  const std::lock_guard lock(mutex_);
  settled_.push_back(cookie);
}

void LinesSource::take_settled() {
  {
    const std::lock_guard lock(mutex_);
    taken_.swap(settled_);
  }
  for (const std::uint64_t cookie : taken_) {
    if (is_file()) {
      progress_.settled(cookie);
    } else {
      unsettled_.settled(cookie);
    }
  }
  taken_.clear();
}

void LinesSource::keep(bool last) {
  last_keep_ = Steady::now();
  take_settled();
  if (is_file()) {
    save_checkpoint(last);
  } else if (last) {
    unsettled_.save();
  } else {
    unsettled_.tidy();
  }
}

/// The last one before the file became shorter stays: the next start will see that it is another
/// file.
void LinesSource::save_checkpoint(bool last) {
  const Position position = progress_.position(last ? SIZE_MAX : kRangesMax);
  if (truncated_ || checkpoint_.save(input_.descriptor(), position, progress_.read(), last))
    return;
  truncated_ = true;
  config_.log(SLUICE_LOG_WARNING,
              fmt::format("\"{}\" was truncated while it was read: the next start reads it from "
                          "its beginning",
                          input_.path()));
}

void LinesSource::keep_if_due() {
  if (Steady::now() - last_keep_ >= kKeepInterval)
    keep(false);
}

void LinesSource::finish() {
  tell_faults();
  if (!is_file())
    keep_buffered();
  keep(true);
}

/// Lines that were taken out of the FIFO and not emitted, because the host stopped.
void LinesSource::keep_buffered() {
  while (const std::optional<Line> line = splitter_.next()) {
    if (!is_text_ && !line->too_long && is_blank(line->text))
      continue;
    if (const Message message = read(*line))
      unsettled_.add(*message);
  }
}

}  // namespace sluice::lines
