#include "pipeline/stored_queues.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"

namespace sluice::core {

Result<const QueueDescription*> StoredQueues::find(const std::string& name) const {
  std::vector<std::string_view> known;
  for (const QueueDescription& queue : pipeline_.queues) {
    if (queue.name == name) {
      return &queue;
    }
    known.push_back(queue.name);
  }
  return no_queue(name, known);
}

bool StoredQueues::keeps_letters(const QueueDescription& queue) const {
  return std::ranges::any_of(pipeline_.queues, [&](const QueueDescription& other) {
    return other.redrive_policy &&
           &pipeline_.queues[other.redrive_policy->dead_letter_queue] == &queue;
  });
}

bool StoredQueues::has_service(const QueueDescription& queue) const {
  return std::ranges::any_of(pipeline_.services, [&](const ServiceDescription& service) {
    return &pipeline_.queues[service.queue] == &queue;
  });
}

std::string StoredQueues::path_of(const std::string& queue) const {
  return fmt::format("{}/dead-letters/{}.jsonl", pipeline_.state, queue);
}

Result<std::optional<LetterFile>> StoredQueues::open(const QueueDescription& queue,
                                                     bool writes) {
  const std::string path = path_of(queue.name);
  if (!keeps_letters(queue) || !storage_.exists(path)) {
    return std::nullopt;
  }
  Result<LetterFile> file = LetterFile::open(storage_, path);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (Result<void> prepared = writes ? file->prepare() : Result<void>(); !prepared) {
    return std::unexpected(prepared.error());
  }
  note_faults(*file);
  return std::optional(std::move(*file));
}

void StoredQueues::note_faults(const LetterFile& file) {
  std::vector<Error>& errors = unreadable_[file.path()];
  errors.clear();
  for (const LetterFile::Fault& fault : file.faults()) {
    errors.push_back(
        {Errc::bad_data,
         fmt::format("'{}', line {} (from byte {}): no dead letter can be read from it: {}; it "
                     "stays in the file, and is neither counted nor delivered: correct or delete "
                     "it while no engine runs",
                     file.path(), fault.line, fault.offset, fault.why)});
  }
  if (const std::uint64_t more = file.foreign() - file.faults().size(); more != 0) {
    errors.push_back({Errc::bad_data, fmt::format("'{}': {} no dead letter can be read from",
                                                  file.path(), count_text(more, "more line"))});
  }
}

std::vector<Error> StoredQueues::unreadable() const {
  std::vector<Error> all;
  for (const auto& [path, errors] : unreadable_)
    all.insert(all.end(), errors.begin(), errors.end());
  return all;
}

QueueFacts StoredQueues::facts(const QueueDescription& queue) {
  QueueFacts facts;
  facts.name = queue.name;
  facts.capacity = queue.capacity;
  facts.keeps_letters = keeps_letters(queue);
  facts.has_service = has_service(queue);
  facts.fifo = queue.fifo;
  if (queue.redrive_policy) {
    facts.dead_letter_queue = pipeline_.queues[queue.redrive_policy->dead_letter_queue].name;
  }
  if (Result<void> counted = count_letters(queue, facts); !counted) {
    unreadable_[path_of(queue.name)] = {
        {counted.error().code,
         fmt::format("queue '{}': {}; its dead letters are not counted: see to it that the file "
                     "can be read and written, or move it away",
                     queue.name, counted.error().message)}};
  }
  return facts;
}

Result<void> StoredQueues::count_letters(const QueueDescription& queue, QueueFacts& facts) {
  Result<std::optional<LetterFile>> file = open(queue);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (!*file) {
    return {};
  }
  Result<std::uint64_t> end = (*file)->for_each(0, [&](const LetterLine& letter) {
    const std::int64_t since_ms =
        letter.message.dead_letter ? letter.message.dead_letter->last_ms : letter.message.sent_ms;
    facts.age_of_oldest_s = std::max<std::int64_t>(0, now_ms_ - since_ms) / 1000;
    return false;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  facts.visible = facts.moved_in = (*file)->count();
  return {};
}

Result<std::vector<QueueFacts>> StoredQueues::list() {
  std::vector<QueueFacts> all;
  for (const QueueDescription& queue : pipeline_.queues)
    all.push_back(facts(queue));
  return all;
}

Result<Peeked> StoredQueues::peek(const std::string& queue, std::uint32_t count_max) {
  Result<const QueueDescription*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  Result<std::optional<LetterFile>> file = open(**found);
  if (!file) {
    return std::unexpected(file.error());
  }
  Peeked letters;
  if (Result<void> read = *file ? (*file)->peek(count_max, letters) : Result<void>(); !read) {
    return std::unexpected(read.error());
  }
  return letters;
}

Result<void> StoredQueues::check_target(const std::string& from, const std::string& to) const {
  Result<const QueueDescription*> found = find(to);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (to == from || (keeps_letters(**found) && !has_service(**found))) {
    return no_target(to);
  }
  return {};
}

/// Marks what the status' request means and is not marked so, and counts all.
Result<void> StoredQueues::mark(LetterFile& file, RedriveStatus& status) const {
  std::vector<std::pair<LetterKey, std::string>> meant;
  Result<std::uint64_t> end = file.for_each(0, [&](const LetterLine& letter) {
    std::string to;
    auto stays = why_it_stays(letter.message, status.request, &to);
    if (stays == nullptr && !find(to)) {
      stays = &RedriveStatus::without_queue;
    }
    if (stays != nullptr) {
      ++(status.*stays);
    } else if (status.request.dry_run) {
      ++status.moved;
      ++status.moved_to[to];
    } else {
      ++status.marked;
      ++status.marked_for[to];
      const auto marked = file.marked().find(letter.key);
      if (marked == file.marked().end() || marked->second != to)
        meant.emplace_back(letter.key, std::move(to));
    }
    return true;
  });
  if (!end) {
    return std::unexpected(end.error());
  }
  if (status.request.dry_run) {
    return {};
  }
  Result<void> written;
  for (std::size_t i = 0; i < meant.size() && written; ++i)
    written = file.append_redrive(meant[i].first, meant[i].second);
  if (written) {
    written = file.sync();
  }
  return written ? written : std::unexpected(not_all_written(file, written.error()));
}

/// `error`, and what of the marks stands in the file all the same.
Error StoredQueues::not_all_written(LetterFile& file, const Error& error) const {
  std::string stands = "it is not known how many of its letters are marked";
  (void)file.sync();  // what is written stays, if it can; if it cannot, it counts as far as it does
  if (const Result<LetterFile> again = LetterFile::open(storage_, file.path())) {
    stands = fmt::format("{} of the {} in '{}' {} marked to go when the engine starts",
                         again->marked().size(), count_text(again->count(), "letter"), file.path(),
                         again->marked().size() == 1 ? "is" : "are");
  }
  return {error.code,
          fmt::format("{}; {}, and no letter is lost: make room and repeat the command, which goes "
                      "on with the rest; --cancel takes all marks away",
                      error.message, stands)};
}

Result<RedriveStatus> StoredQueues::redrive(const std::string& queue,
                                            const RedriveRequest& request) {
  Result<const QueueDescription*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (!keeps_letters(**found)) {
    return not_dead_letters(queue);
  }
  if (request.messages_per_second != 0) {
    return fail(Errc::usage,
                "a rate needs a running engine: what is redriven now goes when it starts");
  }
  if (!request.to.empty()) {
    if (Result<void> fine = check_target(queue, request.to); !fine) {
      return std::unexpected(fine.error());
    }
  }
  RedriveStatus status{.request = request,
                       .state = request.dry_run ? RedriveState::completed : RedriveState::marked,
                       .started_ms = now_ms_,
                       .ended_ms = now_ms_};
  Result<std::optional<LetterFile>> file = open(**found, !request.dry_run);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (*file) {
    status.letters = (*file)->count();
    if (Result<void> marked = mark(**file, status); !marked) {
      return std::unexpected(marked.error());
    }
  }
  return status;
}

Result<RedriveStatus> StoredQueues::redrive_status(const std::string& queue) {
  Result<const QueueDescription*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  Result<std::optional<LetterFile>> file = open(**found);
  if (!file) {
    return std::unexpected(file.error());
  }
  RedriveStatus status{.state = RedriveState::marked};
  if (!*file || (*file)->marked().empty()) {
    return fail(
        Errc::missing_input,
        fmt::format("queue '{}': no letters are marked to be redriven at the next start", queue));
  }
  status.letters = (*file)->count();
  for (const auto& [letter, to] : (*file)->marked()) {
    ++status.marked;
    ++status.marked_for[to];
  }
  return status;
}

Result<RedriveStatus> StoredQueues::cancel_redrive(const std::string& queue) {
  Result<RedriveStatus> status = redrive_status(queue);
  if (!status) {
    return status;
  }
  Result<std::optional<LetterFile>> file = open(**find(queue), true);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (Result<void> unmarked = (*file)->unmark_all(); !unmarked) {
    return std::unexpected(not_all_written(**file, unmarked.error()));
  }
  status->state = RedriveState::cancelled;
  return status;
}

Result<std::uint64_t> StoredQueues::purge(const std::string& queue) {
  Result<const QueueDescription*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  Result<std::optional<LetterFile>> file = open(**found);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (!*file) {
    return 0;
  }
  Result<std::uint64_t> cleared = (*file)->clear();
  note_faults(**file);
  return cleared;
}

}  // namespace sluice::core
