#include "queue/letter_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "message/chunk.hpp"
#include "queue/letter_parts.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

/// Calls `each(line, offset of the line)` for every whole line from `offset`; false from it stops. `tail`: gets what
/// stands behind the last line's end.
/// Returns the offset behind the last whole line that was handed out and not refused.
template <class Each>
Result<std::uint64_t> for_each_line(AppendFile& file, std::uint64_t offset, Each&& each, std::string* tail = nullptr) {
  std::string pending;
  std::uint64_t begin = offset;
  for (;;) {
    Result<std::string> block = file.read(begin + pending.size(), kReadBytes);
    if (!block) {
      return std::unexpected(block.error());
    }
    if (block->empty()) {
      if (tail != nullptr) {
        *tail = std::move(pending);
      }
      return begin;
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
  MessageText message;  ///< of a letter
  std::string queue;    ///< of a redrive
};

Line read_line(std::string_view text) {
  std::expected<Json, JsonError> json = parse_json(text, std::numeric_limits<std::uint32_t>::max());
  if (!json) {
    return {};
  }
  if (const Json* deleted = json->find("deleted")) {
    std::optional<Uuid> id = parse_uuid(deleted->text);
    return id ? Line{Line::Kind::removal, *id, {}, {}} : Line{};
  }
  if (const Json* redrive = json->find("redrive")) {
    std::optional<Uuid> id = parse_uuid(redrive->text);
    const Json* to = json->find("to");
    return id && to != nullptr ? Line{Line::Kind::redrive, *id, {}, to->text} : Line{};
  }
  Result<MessageText> message = message_from_json(*json);
  if (!message || !message->id || !LetterParts(*message).fits()) {
    return {};
  }
  return {Line::Kind::letter, *message->id, std::move(*message), {}};
}

}  // namespace

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
        has_garbage_ |= !letters_.insert_or_assign(line.id, Place{offset, offset + text.size() + 1}).second;
        marked_.erase(line.id);
        break;
      case Line::Kind::removal:
        letters_.erase(line.id);
        marked_.erase(line.id);
        has_garbage_ = true;
        break;
      case Line::Kind::redrive:
        if (letters_.contains(line.id)) {
          mark(line.id, std::move(line.queue));
        }
        break;
      case Line::Kind::foreign:
        first_foreign_ = ++foreign_ == 1 ? lines : first_foreign_;
        break;
    }
    return true;
  };
  std::string tail;
  Result<std::uint64_t> end = for_each_line(*file_, 0, take, &tail);
  if (!end) {
    return std::unexpected(end.error());
  }
  has_garbage_ |= !tail.empty();
  if (read_line(tail).kind != Line::Kind::foreign) {
    take(tail, *end);
  }
  return {};
}

void LetterFile::mark(const Uuid& id, std::string queue) {
  if (queue.empty()) {
    marked_.erase(id);
  } else {
    marked_.insert_or_assign(id, std::move(queue));
  }
}

/// A whole line is never dropped unless it was deleted or replaced (DESIGN §2.6).
Result<void> LetterFile::compact() {
  if (!has_garbage_) {
    return {};
  }
  const std::string anew = path_ + ".new";
  if (Result<void> removed = storage_->remove(anew); !removed) {
    return removed;
  }
  Result<std::unique_ptr<AppendFile>> copy = storage_->open_append(anew);
  if (!copy) {
    return std::unexpected(copy.error());
  }
  Result<void> written;
  std::unordered_map<Uuid, Place, UuidHash> moved;
  auto move = [&](std::string_view text, std::uint64_t offset) {
    Line line = read_line(text);
    auto found = letters_.find(line.id);
    bool stands = line.kind == Line::Kind::letter && found != letters_.end() && found->second.begin == offset;
    bool marks = line.kind == Line::Kind::redrive && moved.contains(line.id) && marked_.contains(line.id);
    if (stands) {
      moved.emplace(line.id, Place{(*copy)->size(), (*copy)->size() + text.size() + 1});
    }
    if (stands || marks || line.kind == Line::Kind::foreign) {
      written = (*copy)->append(std::string(text) + '\n');
    }
    return written.has_value();
  };
  std::string tail;
  Result<std::uint64_t> copied = for_each_line(*file_, 0, move, &tail);
  if (!copied) {
    return std::unexpected(copied.error());
  }
  if (written && read_line(tail).kind != Line::Kind::foreign) {
    move(tail, *copied);
  }
  if (!written) {
    return written;
  }
  if (Result<void> synced = (*copy)->sync(); !synced) {
    return synced;
  }
  if (Result<void> replaced = storage_->replace(anew, path_); !replaced) {
    return replaced;
  }
  file_ = std::move(*copy);
  letters_ = std::move(moved);
  has_garbage_ = false;
  return {};
}

Result<void> LetterFile::append_letter(const Uuid& id, std::string_view line) {
  std::uint64_t offset = file_->size();
  Result<void> appended = file_->append(std::string(line) + '\n');
  if (appended) {
    letters_.insert_or_assign(id, Place{offset, file_->size()});
    marked_.erase(id);
  }
  return appended;
}

Result<void> LetterFile::append_removal(const Uuid& id) {
  letters_.erase(id);
  marked_.erase(id);
  return file_->append(fmt::format("{{\"deleted\":\"{}\"}}\n", to_text(id)));
}

Result<void> LetterFile::append_redrive(const Uuid& id, const std::string& queue) {
  mark(id, queue);
  return file_->append(fmt::format("{{\"redrive\":\"{}\",\"to\":{}}}\n", to_text(id), json_quote(queue)));
}

Result<std::uint64_t> LetterFile::for_each(std::uint64_t offset, const std::function<bool(const LetterLine&)>& each) {
  return for_each_line(*file_, offset, [&](std::string_view text, std::uint64_t at) {
    Line line = read_line(text);
    if (line.kind != Line::Kind::letter) {
      return true;
    }
    auto found = letters_.find(line.id);
    return found == letters_.end() || found->second.begin != at ||
           each({line.id, std::move(line.message), text, found->second.end});
  });
}

Result<void> LetterFile::peek(std::uint32_t count_max, std::size_t bytes_max, std::vector<std::string>& letters) {
  std::size_t bytes = 0;
  Result<std::uint64_t> end = for_each(0, [&](const LetterLine& letter) {
    if (letters.size() == count_max || bytes >= bytes_max) {
      return false;
    }
    letters.emplace_back(letter.text);
    bytes += letter.text.size();
    return true;
  });
  return end ? Result<void>() : std::unexpected(end.error());
}

}  // namespace sluice::core
