#include "queue/dead_letters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "base/fault.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "message/message_view.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
/// Of each dead-letter queue: a flood of rejections is counted, not printed.
constexpr std::uint32_t kLogLinesPerSecond = 10;
/// Of a letter's detail, in its log line.
constexpr std::size_t kDetailShownMax = 300;

/// Calls `each(line, offset of the line)` for every whole line from `offset`; false from it stops.
/// Returns the offset behind the last whole line that was handed out.
template <class Each>
Result<std::uint64_t> for_each_line(AppendFile& file, std::uint64_t offset, Each&& each) {
  std::string pending;
  std::uint64_t begin = offset;
  for (;;) {
    Result<std::string> block = file.read(begin + pending.size(), kReadBytes);
    if (!block) {
      return std::unexpected(block.error());
    }
    if (block->empty()) {
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

std::string removal_line(const Uuid& id) { return fmt::format("{{\"deleted\":\"{}\"}}\n", to_text(id)); }

/// A letter's message in the form that a chunk takes. Borrows from the text; stays where it was made.
struct LetterParts {
  explicit LetterParts(const MessageText& text) {
    attributes.reserve(text.attributes.size());
    for (const MessageText::Attribute& from : text.attributes) {
      attributes.push_back({sizeof(sluice_attribute), from.type, {from.name.data(), from.name.size()},
                            {from.value.data(), from.value.size()}});
      pointers.push_back(&attributes.back());
    }
    parts = {&*text.id, text.group_id, {}, static_cast<std::uint32_t>(pointers.size()), pointers.data()};
  }
  LetterParts(const LetterParts&) = delete;
  LetterParts& operator=(const LetterParts&) = delete;

  std::vector<sluice_attribute> attributes;
  std::vector<const sluice_attribute*> pointers;
  MessageParts parts;
};

/// Whether a chunk can carry it, beside any body that is kept inline and what the evacuator reckons with.
bool fits(const MessageText& text) {
  const LetterParts letter(text);
  std::uint64_t reckoned = 64 + 16 * std::uint64_t{letter.parts.attribute_count};
  return ChunkPool::class_for(Chunk::meta_bytes(letter.parts) + reckoned + kInlineBodyMax) < ChunkPool::kClasses;
}

/// What a line says. A foreign one is neither, be it for its id or for its content: not ours to
/// deliver, and not ours to delete.
struct Line {
  enum class Kind { letter, removal, foreign } kind = Kind::foreign;
  Uuid id;
  MessageText message;  ///< of a letter
};

Line read_line(std::string_view text) {
  std::expected<Json, JsonError> json = parse_json(text, std::numeric_limits<std::uint32_t>::max());
  if (!json) {
    return {};
  }
  if (const Json* deleted = json->find("deleted")) {
    std::optional<Uuid> id = parse_uuid(deleted->text);
    return id ? Line{Line::Kind::removal, *id, {}} : Line{};
  }
  Result<MessageText> message = message_from_json(*json);
  if (!message || !message->id || !fits(*message)) {
    return {};
  }
  return {Line::Kind::letter, *message->id, std::move(*message)};
}

/// What a whole file holds.
struct Content {
  std::unordered_set<Uuid, UuidHash> ids;  ///< letters that are not deleted
  bool has_garbage = false;                ///< removals, and letters written twice
  std::uint64_t foreign = 0;               ///< lines that are neither
  std::uint64_t first_foreign = 0;         ///< the number of the first of them, from 1
  std::uint64_t end = 0;                   ///< behind the last whole line
};

Result<Content> read_content(AppendFile& file) {
  Content content;
  std::uint64_t lines = 0;
  Result<std::uint64_t> end = for_each_line(file, 0, [&](std::string_view text, std::uint64_t) {
    Line line = read_line(text);
    ++lines;
    if (line.kind == Line::Kind::removal) {
      content.ids.erase(line.id);
      content.has_garbage = true;
    } else if (line.kind == Line::Kind::letter) {
      content.has_garbage |= !content.ids.insert(line.id).second;
    } else {
      content.first_foreign = ++content.foreign == 1 ? lines : content.first_foreign;
    }
    return true;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  content.end = *end;
  return content;
}

}  // namespace

DeadLetters::DeadLetters(Storage& storage, std::string folder, Clock& clock,
                         std::function<void(const Error&)> failed)
    : storage_(storage),
      folder_(std::move(folder)),
      clock_(clock),
      failed_(std::move(failed)),
      log_limit_(kLogLinesPerSecond) {}

DeadLetters::~DeadLetters() = default;

Result<void> DeadLetters::open(Queue& queue) {
  if (Result<void> made = storage_.make_folders(folder_); !made) {
    return made;
  }
  File& file = files_[&queue];
  file.queue = &queue;
  queue.set_letters(this);
  file.path = fmt::format("{}/{}.jsonl", folder_, queue.name());
  file.evacuator = std::make_unique<Evacuator>(pool_);
  if (Result<void> compacted = compact(file); !compacted) {
    return compacted;
  }
  stored_.fetch_add(file.ids.size(), std::memory_order_relaxed);
  queue.moved_in.fetch_add(file.ids.size(), std::memory_order_release);
  queue.unloaded.fetch_add(file.ids.size(), std::memory_order_release);
  return load(file);
}

/// Reads the whole file once; writes it anew without deleted letters and without a torn last line if
/// there are any. A whole line is never dropped unless it was deleted (DESIGN §2.6).
Result<void> DeadLetters::compact(File& file) {
  Result<std::unique_ptr<AppendFile>> opened = storage_.open_append(file.path);
  if (!opened) {
    return std::unexpected(opened.error());
  }
  file.file = std::move(*opened);
  Result<Content> content = read_content(*file.file);
  if (!content) {
    return std::unexpected(content.error());
  }
  file.ids = std::move(content->ids);
  if (content->foreign != 0) {
    log_warning("", "'{}': {} cannot be read as dead letters, the first is line {}; they stay in the file and are not "
                    "delivered: correct or delete them while the engine is stopped",
                file.path, count_text(content->foreign, "line"), content->first_foreign);
  }
  if (!content->has_garbage && content->end == file.file->size()) {
    return {};
  }
  std::string anew = file.path + ".new";
  if (Result<void> removed = storage_.remove(anew); !removed) {
    return removed;
  }
  Result<std::unique_ptr<AppendFile>> copy = storage_.open_append(anew);
  if (!copy) {
    return std::unexpected(copy.error());
  }
  Result<void> written;
  std::unordered_set<Uuid, UuidHash> left = file.ids;
  Result<std::uint64_t> copied = for_each_line(*file.file, 0, [&](std::string_view text, std::uint64_t) {
    Line line = read_line(text);
    if (line.kind == Line::Kind::foreign || (line.kind == Line::Kind::letter && left.erase(line.id) != 0)) {
      written = (*copy)->append(std::string(text) + '\n');
    }
    return written.has_value();
  });
  if (!copied) {
    return std::unexpected(copied.error());
  }
  if (!written) {
    return written;
  }
  if (Result<void> synced = (*copy)->sync(); !synced) {
    return synced;
  }
  if (Result<void> replaced = storage_.replace(anew, file.path); !replaced) {
    return replaced;
  }
  file.file = std::move(*copy);
  return {};
}

Result<std::uint64_t> DeadLetters::count_in(Storage& storage, const std::string& path) {
  Result<std::unique_ptr<AppendFile>> file = storage.open_append(path);
  if (!file) {
    return std::unexpected(file.error());
  }
  Result<Content> content = read_content(**file);
  if (!content) {
    return std::unexpected(content.error());
  }
  return content->ids.size();
}

bool DeadLetters::deliver(File& file, const MessageText& text) {
  const LetterParts letter(text);
  Lineage lineage{};
  lineage.receive_count = text.receive_count;
  lineage.first_received_ms = text.dead_letter ? text.dead_letter->first_ms : 0;
  lineage.stored_in = file.queue;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.body.data());
  Evacuator::Copy copy = file.evacuator->store({bytes, text.body.size()}, letter.parts, text.sent_ms, lineage);
  if (copy.chunk == nullptr) {
    return false;
  }
  file.queue->credits().take(1, copy.chunk->charge_of(copy.index));
  file.queue->put_back({copy.chunk, std::uint64_t{1} << copy.index}, false);
  return true;
}

Result<void> DeadLetters::load(File& file) {
  Result<std::uint64_t> end = for_each_line(*file.file, file.read_offset, [&](std::string_view text, std::uint64_t) {
    if (!file.queue->credits().available()) {
      return false;
    }
    Line line = read_line(text);
    if (line.kind != Line::Kind::letter || !file.ids.contains(line.id)) {
      return true;
    }
    if (!deliver(file, line.message)) {
      return false;
    }
    file.queue->unloaded.fetch_sub(1, std::memory_order_release);
    return true;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  file.read_offset = *end;
  file.queue->loading.store(false, std::memory_order_seq_cst);
  return {};
}

void DeadLetters::submit(Job job) {
  waiting_.fetch_add(1, std::memory_order_acq_rel);
  jobs_.enqueue(std::move(job));
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1);
}

void DeadLetters::submit(DeadLetter letter) {
  Job job{Job::Kind::letter, std::make_unique<DeadLetter>(std::move(letter)), nullptr, {}};
  submit(std::move(job));
}

void DeadLetters::submit_removal(Queue& queue, const Uuid& id) { submit(Job{Job::Kind::removal, nullptr, &queue, id}); }

void DeadLetters::submit_load(Queue& queue) { submit(Job{Job::Kind::load, nullptr, &queue, {}}); }

void DeadLetters::run() {
  for (;;) {
    std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
    bool stopping = stopping_.load(std::memory_order_seq_cst);
    if (write_waiting()) {
      continue;
    }
    if (stopping) {
      for (const auto& [queue, file] : files_) {
        tell_left_out(*queue, log_limit_.finish(queue->name()));
      }
      return;
    }
    futex_wait(epoch_, epoch);
  }
}

void DeadLetters::stop() {
  stopping_.store(true, std::memory_order_seq_cst);
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1);
}

bool DeadLetters::write_waiting() {
  std::vector<Job> jobs;
  Job job;
  while (jobs_.try_dequeue(job)) {
    jobs.push_back(std::move(job));
  }
  if (jobs.empty()) {
    return false;
  }
  if (!broken_) {
    if (Result<void> written = write(jobs); !written) {
      broken_ = true;  // what was not synced is not acknowledged: its sources bring it again
      failed_(written.error());
    }
  }
  waiting_.fetch_sub(jobs.size(), std::memory_order_acq_rel);
  return true;
}

std::string DeadLetters::line_of(const DeadLetter& letter, Uuid* id) {
  ChunkViews views;
  auto index = lowest_bit(letter.copy.mask);
  views.show(*letter.copy.chunk, letter.copy.mask);
  const Lineage& lineage = letter.copy.chunk->lineage[index];
  sluice_message message = *views.pointers()[index];
  message.receive_count = lineage.receive_count;
  *id = letter.copy.chunk->id(index);
  DeadLetterNote note{letter.to->name(), letter.service, letter.stage, letter.reason, letter.detail,
                      lineage.first_received_ms, letter.last_ms};
  return message_to_json(message, &note) + '\n';
}

Result<void> DeadLetters::append(File& file, std::string_view line, std::vector<File*>& touched) {
  if (std::ranges::find(touched, &file) == touched.end()) {
    touched.push_back(&file);
  }
  return file.file->append(line);
}

Result<void> DeadLetters::append_removal(File& file, const Uuid& id, std::vector<File*>& touched) {
  if (file.ids.erase(id) == 0) {
    return {};
  }
  stored_.fetch_sub(1, std::memory_order_relaxed);
  return append(file, removal_line(id), touched);
}

Result<void> DeadLetters::sync(const std::vector<File*>& files) {
  for (File* file : files) {
    if (Result<void> synced = file->file->sync(); !synced) {
      return synced;
    }
  }
  return {};
}

Result<void> DeadLetters::write(std::vector<Job>& jobs) {
  std::vector<bool> is_new(jobs.size(), false);
  std::vector<File*> touched;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    Result<void> appended;
    if (job.kind == Job::Kind::letter) {
      File& file = files_.at(job.letter->to);
      Uuid id;
      std::string line = line_of(*job.letter, &id);
      is_new[i] = file.ids.insert(id).second;
      if (is_new[i]) {
        appended = append(file, line, touched);
        job.line_end = file.file->size();
      }
    } else if (job.kind == Job::Kind::removal) {
      appended = append_removal(files_.at(job.queue), job.id, touched);
    }
    if (!appended) {
      return appended;
    }
  }
  if (SLUICE_FAULT("dead_letters.before_sync")) {
    return fail(Errc::io, "injected fault before the sync");
  }
  if (Result<void> synced = sync(touched); !synced) {
    return synced;
  }
  (void)SLUICE_FAULT("dead_letters.after_sync");
  if (Result<void> moved = move_on(jobs); !moved) {
    return moved;
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    if (job.kind == Job::Kind::letter) {
      complete(*job.letter, is_new[i], job.line_end);
    } else if (job.kind == Job::Kind::load) {
      if (Result<void> loaded = load(files_.at(job.queue)); !loaded) {
        return loaded;
      }
    }
  }
  return load_what_fits();
}

/// Letters that stood in another dead-letter queue's file leave it now that they are stored in theirs.
Result<void> DeadLetters::move_on(const std::vector<Job>& jobs) {
  std::vector<File*> touched;
  for (const Job& job : jobs) {
    if (job.kind != Job::Kind::letter || job.letter->stood_in == nullptr || job.letter->stood_in == job.letter->to) {
      continue;
    }
    const Taken& copy = job.letter->copy;
    Uuid id = copy.chunk->id(lowest_bit(copy.mask));
    if (Result<void> appended = append_removal(files_.at(job.letter->stood_in), id, touched); !appended) {
      return appended;
    }
  }
  return sync(touched);
}

/// Consumers ask for what is in the file only when they run dry; a letter that was left there after
/// the last of them looked is loaded here.
Result<void> DeadLetters::load_what_fits() {
  for (auto& [queue, file] : files_) {
    // seq_cst pairs with Consumer::idle: it gave credit back first and looks at `unloaded` then.
    if (queue->unloaded.load(std::memory_order_seq_cst) != 0 && queue->credits().available()) {
      if (Result<void> loaded = load(file); !loaded) {
        return loaded;
      }
    }
  }
  return {};
}

/// A line for whoever looks on: what was given up, why, and where it lies.
void DeadLetters::tell(const DeadLetter& letter, const Uuid& id) {
  LogLimit::Verdict verdict = log_limit_.judge(letter.to->name(), clock_.steady_ns());
  tell_left_out(*letter.to, verdict.left_out);
  if (!verdict.pass) {
    return;
  }
  const Queue& speaker = letter.from != nullptr ? *letter.from : *letter.to;
  log_warning(speaker.name(), "{} {} is dead-lettered: {}{}{}; it lies in '{}'",
              letter.from != nullptr ? "message" : "part", to_text(id), letter.reason,
              letter.detail.empty() ? "" : ": ",
              std::string_view(letter.detail).substr(0, kDetailShownMax),
              files_.at(letter.to).path);
}

void DeadLetters::tell_left_out(const Queue& queue, std::uint64_t left_out) const {
  if (left_out != 0) {
    log_warning(queue.name(), "{} left out of this log", count_text(left_out, "more dead letter"));
  }
}

/// The letter is on the device: it leaves its queue, its origin hears of its end, and it goes into
/// the dead-letter queue's memory if it is next in line there and there is room.
void DeadLetters::complete(DeadLetter& letter, bool is_new, std::uint64_t line_end) {
  Chunk* chunk = letter.copy.chunk;
  auto index = lowest_bit(letter.copy.mask);
  Lineage& lineage = chunk->lineage[index];
  Origin* origin = lineage.origin;
  std::uint32_t message = lineage.message;
  std::uint32_t units = chunk->charge_of(index);
  lineage.origin = nullptr;
  delete lineage.last_error;
  lineage.last_error = nullptr;
  lineage.stored_in = letter.to;
  // One that was redriven and failed again stands in the file still; it is next in memory.
  bool comes_back = letter.stood_in == letter.to;
  if (is_new || comes_back) {
    tell(letter, chunk->id(index));
    stored_.fetch_add(is_new ? 1 : 0, std::memory_order_relaxed);
    File& file = files_.at(letter.to);
    bool next_in_line = letter.to->unloaded.load(std::memory_order_acquire) == 0;
    bool fits = comes_back || (next_in_line && letter.to->credits().available());
    if (fits) {
      file.read_offset = comes_back ? file.read_offset : line_end;
      letter.to->credits().take(1, units);
    } else {
      letter.to->unloaded.fetch_add(1, std::memory_order_seq_cst);
    }
    letter.to->moved_in.fetch_add(1, std::memory_order_release);
    if (fits) {
      letter.to->put_back(letter.copy, false);
    } else {
      release_chunk(chunk, 1);
    }
  } else {
    release_chunk(chunk, 1);
  }
  if (letter.from != nullptr) {
    letter.from->moved_to_dead_letter.fetch_add(1, std::memory_order_release);
    letter.from->give_credit(1, units);
  }
  if (origin != nullptr) {
    origin->reject(message);
    origin->drop_copy(message);
  }
}

}  // namespace sluice::core
