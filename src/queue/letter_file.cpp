#include "queue/letter_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.hpp"
#include "message/chunk.hpp"
#include "queue/letter_parts.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
/// Lines are written together up to here.
constexpr std::size_t kPendingMax = 1 << 20;
/// No letter is longer: the greatest max_body_bytes in base64, which is what a body of that size takes at most, with what
/// stands around it.
constexpr std::size_t kLineMax = std::size_t{3} << 29;
/// Of a letter's reason, and of its detail, where its body is not shown.
constexpr std::size_t kWhyShownMax = 1 << 10;
/// A new file beside the old one leaves so much to others who write there.
constexpr std::uint64_t kRoomLeft = 8 << 20;

/// Calls `each(line, offset of the line)` for every line from `offset`; false from it stops. Returns the offset behind the
/// last one that was handed out and not refused. `tail`: hears of what stands behind the last line's end, instead.
template <class Each, class Tail>
Result<std::uint64_t> for_each_line(AppendFile& file, std::uint64_t offset, Each&& each, Tail&& tail) {
  std::string pending;
  std::uint64_t begin = offset;
  for (;;) {
    Result<std::string> block = file.read(begin + pending.size(), kReadBytes);
    if (!block) {
      return std::unexpected(block.error());
    }
    if (block->empty()) {
      if (!pending.empty()) {
        tail(std::string_view(pending), begin);
      }
      return begin;
    }
    if (pending.size() > kLineMax) {
      return fail(Errc::io, fmt::format("'{}' has a line of more than {} bytes at byte {}, which no dead letter is: correct "
                                        "or delete it while no engine runs", file.path(), kLineMax, begin));
    }
    std::size_t searched = pending.size();  // a long line is looked through once
    pending += *block;
    std::size_t used = 0;
    for (std::size_t end; (end = pending.find('\n', std::max(used, searched))) != std::string::npos; used = end + 1) {
      if (!each(std::string_view(pending).substr(used, end - used), begin + used)) {
        return begin + used;
      }
    }
    begin += used;
    pending.erase(0, used);
  }
}

/// What a line says. A foreign one is neither, be it for its id or for its content: not ours to
/// deliver, and not ours to delete.
struct Line {
  enum class Kind { letter, removal, redrive, foreign } kind = Kind::foreign;
  Uuid id;
  std::string source;
  MessageText message;  ///< of a letter
  std::string queue;    ///< of a redrive
  std::string why;      ///< it is a foreign one
};

Line foreign(std::string why) {
  Line line;
  line.why = std::move(why);
  return line;
}

Line read_line(std::string_view text) {
  std::expected<Json, JsonError> json = parse_json(text, std::numeric_limits<std::uint32_t>::max());
  if (!json) {
    return foreign("no JSON: " + json.error().message);
  }
  for (const char* name : {"source_queue", "to", "body"}) {
    if (const Json* value = json->find(name); value != nullptr && value->type != Json::Type::string) {
      return foreign(fmt::format("\"{}\" must be a string", name));
    }
  }
  const auto text_of = [&](const char* name) {
    const Json* value = json->find(name);
    return value != nullptr ? value->text : std::string();
  };
  if (const Json* deleted = json->find("deleted")) {
    std::optional<Uuid> id = parse_uuid(deleted->text);
    return id ? Line{Line::Kind::removal, *id, text_of("source_queue"), {}, {}, {}} : foreign("\"deleted\" is not a UUID");
  }
  if (const Json* redrive = json->find("redrive")) {
    std::optional<Uuid> id = parse_uuid(redrive->text);
    return id && json->find("to") != nullptr
               ? Line{Line::Kind::redrive, *id, text_of("source_queue"), {}, text_of("to"), {}}
               : foreign(id ? "\"redrive\" has no \"to\"" : "\"redrive\" is not a UUID");
  }
  Result<MessageText> message = message_from_json(*json);
  if (!message) {
    return foreign(message.error().message);
  }
  if (!message->id) {
    return foreign("the message has no \"id\"");
  }
  if (!LetterParts(*message).fits()) {
    return foreign("its attributes take more room than a message has");
  }
  std::string source = message->dead_letter ? letter_source(message->dead_letter->source_queue, message->dead_letter->letter_of)
                                            : std::string();
  return {Line::Kind::letter, *message->id, std::move(source), std::move(*message), {}, {}};
}

/// As a peek shows a letter that is too long.
std::string without_body(const MessageText& letter) {
  const LetterParts parts(letter);
  sluice_message message{};
  std::ranges::copy(letter.id->bytes, message.id);
  message.body_size = letter.body.size();
  message.attribute_count = parts.parts.attribute_count;
  message.attributes = parts.parts.attributes;
  message.group_id = {letter.group_id.data(), letter.group_id.size()};
  message.sent_ms = letter.sent_ms;
  message.receive_count = letter.receive_count;
  if (!letter.dead_letter) {
    return message_without_body(message);
  }
  DeadLetterNote note = *letter.dead_letter;
  note.reason = note.reason.substr(0, kWhyShownMax);
  note.detail = note.detail.substr(0, kWhyShownMax);
  return message_without_body(message, &note);
}

/// The end of a line that is about a letter.
std::string about(const LetterKey& key) {
  return fmt::format("\"{}\",\"source_queue\":{}", to_text(key.id), json_quote(*key.source));
}

}  // namespace

std::string letter_source(std::string_view queue, std::string_view letter_of) {
  std::string source(queue);
  return letter_of.empty() ? source : source.append(1, '\n').append(letter_of);  // which no queue's name has
}

std::string_view letter_of(std::string_view source, std::string_view queue) {
  const bool is_of = source.starts_with(queue) && source.substr(queue.size()).starts_with('\n');
  return is_of ? source.substr(queue.size() + 1) : std::string_view();
}

Result<LetterFile> LetterFile::open(Storage& storage, std::string path) {
  Result<std::unique_ptr<AppendFile>> file = storage.open_append(path);
  if (!file) {
    return std::unexpected(file.error());
  }
  LetterFile letters(storage, std::move(path), std::move(*file));
  if (Result<void> done = letters.read(); !done) {
    return std::unexpected(done.error());
  }
  return letters;
}

Result<void> LetterFile::read() {
  std::uint64_t lines = 0;
  auto take = [&](std::string_view text, std::uint64_t offset) {
    Line line = read_line(text);
    ++lines;
    switch (line.kind) {
      case Line::Kind::letter:
        place(key(line.id, line.source), {offset, offset + text.size() + 1});
        break;
      case Line::Kind::removal:
        forget(key(line.id, line.source), text.size() + 1);
        break;
      case Line::Kind::redrive:
        if (const LetterKey marked = key(line.id, line.source); letters_.contains(marked)) {
          mark(marked, std::move(line.queue));
        }
        break;
      case Line::Kind::foreign:
        if (++foreign_ <= kFaultsMax) {
          faults_.push_back({lines, offset, std::move(line.why)});
        }
        break;
    }
    return true;
  };
  auto take_tail = [&](std::string_view text, std::uint64_t offset) {
    if (read_line(text).kind != Line::Kind::foreign) {
      tail_ = Tail::unended;
      take(text, offset);
    } else {
      tail_ = Tail::torn;
      tail_offset_ = offset;
    }
  };
  Result<std::uint64_t> end = for_each_line(*file_, 0, take, take_tail);
  return end ? Result<void>() : std::unexpected(end.error());
}

Result<void> LetterFile::prepare() {
  Result<void> mended = mend_tail();
  if (Result<void> compacted = mended ? compact() : mended; !compacted) {
    return compacted;
  }
  durable_ = file_->size();
  return {};
}

Result<void> LetterFile::mend_tail() {
  switch (std::exchange(tail_, Tail::none)) {
    case Tail::torn:
      log_warning("", "'{}': its last line, {} bytes from byte {} on, has no end and is no letter: it is cut off, as what was "
                      "being written when the engine was stopped", path_, file_->size() - tail_offset_, tail_offset_);
      return file_->truncate(tail_offset_);
    case Tail::unended: return file_->append("\n");
    default: return {};
  }
}

LetterKey LetterFile::key(const Uuid& id, std::string_view source) {
  auto found = sources_.find(source);
  return {id, &(found != sources_.end() ? *found : *sources_.emplace(source).first)};
}

void LetterFile::place(const LetterKey& key, Place place) {
  auto [at, is_new] = letters_.try_emplace(key, place);
  if (!is_new) {
    garbage_bytes_ += at->second.end - at->second.begin;
    at->second = place;
  }
  marked_.erase(key);
}

/// A removal's line, of `line_bytes`, is no more worth keeping than the letter is.
void LetterFile::forget(const LetterKey& key, std::uint64_t line_bytes) {
  garbage_bytes_ += line_bytes;
  if (auto at = letters_.find(key); at != letters_.end()) {
    garbage_bytes_ += at->second.end - at->second.begin;
    letters_.erase(at);
  }
  marked_.erase(key);
}

void LetterFile::mark(const LetterKey& key, std::string queue) {
  if (queue.empty()) {
    marked_.erase(key);
  } else {
    marked_.insert_or_assign(key, std::move(queue));
  }
}

/// A whole line is never dropped unless it was deleted or replaced (DESIGN §2.6).
Result<void> LetterFile::compact() {
  if (garbage_bytes_ == 0) {
    return {};
  }
  if (Result<void> flushed = flush(); !flushed) {
    return flushed;
  }
  Moved moved;
  const std::uint64_t needed = end() - garbage_bytes_ + kRoomLeft, room = storage_->room(path_);
  Result<std::unique_ptr<AppendFile>> copy =
      room >= needed ? write_anew(moved)
                     : fail(Errc::io, fmt::format("that takes {} MiB, and {} MiB are free", needed >> 20, room >> 20));
  if (copy) {
    return replace_with(std::move(*copy), std::move(moved));
  }
  garbage_kept_ = std::max(kGarbageKept, 2 * garbage_bytes_);
  log_warning("", "'{}' holds {} MiB of letters that were deleted, and cannot be written anew without them: {}; it goes on "
                  "as it is", path_, garbage_bytes_ >> 20, copy.error().message);
  return {};
}

/// The file as it should be, beside it and synced; where each letter is in there. Leaves nothing if it fails.
Result<std::unique_ptr<AppendFile>> LetterFile::write_anew(Moved& moved) {
  if (Result<void> removed = storage_->remove(anew_path()); !removed) {
    return std::unexpected(removed.error());
  }
  Result<std::unique_ptr<AppendFile>> copy = storage_->open_append(anew_path());
  if (!copy) {
    return copy;
  }
  Result<void> copied = copy_what_stands(**copy, moved);
  if (Result<void> synced = copied ? (*copy)->sync() : copied; !synced) {
    (void)storage_->remove(anew_path());  // the next one begins with that, too
    return std::unexpected(synced.error());
  }
  return copy;
}

Result<void> LetterFile::copy_what_stands(AppendFile& copy, Moved& moved) {
  Result<void> written;
  std::uint64_t lines = 0;
  std::string block;
  const auto write_block = [&] {
    written = copy.append(block);
    block.clear();
    return written.has_value();
  };
  auto move = [&](std::string_view text, std::uint64_t offset) {
    Line line = read_line(text);
    const LetterKey letter = key(line.id, line.source);
    auto found = letters_.find(letter);
    bool stands = line.kind == Line::Kind::letter && found != letters_.end() && found->second.begin == offset;
    bool marks = line.kind == Line::Kind::redrive && moved.letters.contains(letter) && marked_.contains(letter);
    const std::uint64_t begin = copy.size() + block.size();
    if (stands || marks || line.kind == Line::Kind::foreign) {
      block.append(text).push_back('\n');
      ++lines;
    }
    if (stands) {
      moved.letters.emplace(letter, Place{begin, begin + text.size() + 1});
    }
    if (line.kind == Line::Kind::foreign && moved.faults.size() < kFaultsMax) {
      moved.faults.push_back({lines, begin, std::move(line.why)});
    }
    return block.size() < kPendingMax || write_block();
  };
  auto move_tail = [&](std::string_view text, std::uint64_t offset) {
    if (read_line(text).kind != Line::Kind::foreign) {
      move(text, offset);
    }
  };
  if (Result<std::uint64_t> copied = for_each_line(*file_, 0, move, move_tail); !copied) {
    return std::unexpected(copied.error());
  }
  if (written) {
    write_block();
  }
  return written;
}

Result<void> LetterFile::replace_with(std::unique_ptr<AppendFile> copy, Moved moved) {
  if (Result<void> replaced = storage_->replace(anew_path(), path_); !replaced) {
    return replaced;
  }
  file_ = std::move(copy);
  durable_ = file_->size();
  letters_ = std::move(moved.letters);
  faults_ = std::move(moved.faults);
  garbage_bytes_ = 0;
  garbage_kept_ = kGarbageKept;
  return {};
}

Result<void> LetterFile::append(std::string_view line) {
  pending_.append(line).push_back('\n');
  return pending_.size() < kPendingMax ? Result<void>() : flush();
}

Result<void> LetterFile::flush() {
  if (is_torn_) {
    return fail(Errc::io, fmt::format("'{}' ends in what a write that failed has left", path_));
  }
  Result<void> written = pending_.empty() ? Result<void>() : file_->append(pending_);
  pending_.clear();
  return written;
}

Result<void> LetterFile::sync() {
  Result<void> written = flush();
  Result<void> synced = written ? file_->sync() : written;
  durable_ = synced ? file_->size() : durable_;
  return synced;
}

void LetterFile::take_back() {
  pending_.clear();
  (void)file_->truncate(durable_);
}

Result<bool> LetterFile::has_body(const LetterKey& key, std::string_view body) {
  if (Result<void> flushed = flush(); !flushed) {
    return std::unexpected(flushed.error());
  }
  const Place place = letters_.at(key);
  const Result<std::string> text = file_->read(place.begin, place.end - place.begin);
  if (!text) {
    return std::unexpected(text.error());
  }
  return read_line(std::string_view(*text).substr(0, text->find('\n'))).message.body == body;
}

Result<void> LetterFile::append_letter(const LetterKey& key, std::string_view line) {
  place(key, {end(), end() + line.size() + 1});
  return append(line);
}

Result<void> LetterFile::append_removal(const LetterKey& key) {
  const std::string line = fmt::format("{{\"deleted\":{}}}", about(key));
  forget(key, line.size() + 1);
  return append(line);
}

Result<std::uint64_t> LetterFile::append_removals(const std::function<bool(const LetterKey&)>& picks) {
  std::vector<LetterKey> picked;
  for (const auto& [key, place] : letters_) {
    if (picks(key)) {
      picked.push_back(key);
    }
  }
  for (const LetterKey& key : picked) {
    if (Result<void> appended = append_removal(key); !appended) {
      return std::unexpected(appended.error());
    }
  }
  return picked.size();
}

Result<std::uint64_t> LetterFile::clear() {
  const std::uint64_t count = letters_.size();
  pending_.clear();
  letters_.clear();
  marked_.clear();
  garbage_bytes_ = 0;
  tail_ = Tail::none;
  if (foreign_ == 0) {
    Result<void> cut = file_->truncate(0);
    durable_ = cut ? 0 : durable_;
    Result<void> synced = cut ? sync() : cut;
    return synced ? Result<std::uint64_t>(count) : std::unexpected(synced.error());
  }
  Moved rest;
  Result<std::unique_ptr<AppendFile>> foreign_lines = write_anew(rest);
  Result<void> replaced = foreign_lines ? replace_with(std::move(*foreign_lines), std::move(rest))
                                        : std::unexpected(foreign_lines.error());
  return replaced ? Result<std::uint64_t>(count) : std::unexpected(replaced.error());
}

Result<void> LetterFile::append_redrive(const LetterKey& key, const std::string& queue) {
  mark(key, queue);
  return append(fmt::format("{{\"redrive\":{},\"to\":{}}}", about(key), json_quote(queue)));
}

/// Marks that end the file are cut off, maybe by the call before, which could not sync it; others are taken back one by one,
/// all or none.
Result<void> LetterFile::unmark_all() {
  if (Result<void> flushed = flush(); !flushed) {
    return flushed;
  }
  std::optional<std::uint64_t> first;  // mark's offset
  bool at_end = true;
  auto look = [&](std::string_view text, std::uint64_t offset) {
    const bool is_mark = read_line(text).kind == Line::Kind::redrive;
    first = is_mark ? first.value_or(offset) : first;
    at_end = is_mark || !first;
    return at_end;
  };
  if (Result<std::uint64_t> read = for_each_line(*file_, 0, look, look); !read) {
    return std::unexpected(read.error());
  }
  if (at_end) {
    Result<void> cut = first ? file_->truncate(*first) : Result<void>();
    durable_ = cut && first ? std::min(durable_, *first) : durable_;
    Result<void> synced = cut ? sync() : cut;
    if (synced) {
      marked_.clear();
    }
    return synced;
  }
  const auto marked = marked_;
  const std::uint64_t before = file_->size();
  Result<void> written;
  for (auto each = marked.begin(); each != marked.end() && written; ++each) {
    written = append_redrive(each->first, "");
  }
  Result<void> synced = written ? sync() : written;
  if (!synced) {
    marked_ = marked;
    pending_.clear();
    is_torn_ = !file_->truncate(before);
  }
  return synced;
}

Result<std::uint64_t> LetterFile::for_each(std::uint64_t offset, const std::function<bool(const LetterLine&)>& each) {
  if (Result<void> flushed = flush(); !flushed) {
    return std::unexpected(flushed.error());
  }
  auto show = [&](std::string_view text, std::uint64_t at) {
    Line line = read_line(text);
    if (line.kind != Line::Kind::letter) {
      return true;
    }
    auto found = letters_.find(key(line.id, line.source));
    return found == letters_.end() || found->second.begin != at ||
           each({found->first, std::move(line.message), text, found->second.end});
  };
  return for_each_line(*file_, offset, show, show);
}

Result<void> LetterFile::peek(std::uint32_t count_max, Peeked& peeked) {
  Result<std::uint64_t> end = for_each(0, [&](const LetterLine& letter) {
    const std::size_t bytes = letter.text.size();
    return peeked.messages.size() != count_max &&
           peeked.add(Peeked::shows_whole(bytes) ? std::string(letter.text) : without_body(letter.message), bytes);
  });
  return end ? Result<void>() : std::unexpected(end.error());
}

}  // namespace sluice::core
