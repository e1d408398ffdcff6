#include "queue/dead_letters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/fault.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/units.hpp"
#include "message/message_view.hpp"
#include "message/reject.hpp"

namespace sluice::core {
namespace {

/// Of each dead-letter queue: a flood of rejections is counted, not printed.
constexpr std::uint32_t kLogLinesPerSecond = 10;
/// Of a letter's detail, in its log line.
constexpr std::size_t kDetailShownMax = 300;

/// "because: detail"
std::string why(const DeadLetter& letter) {
  return fmt::format("{}{}{}", letter.reason, letter.detail.empty() ? "" : ": ",
                     std::string_view(letter.detail).substr(0, kDetailShownMax));
}

std::int64_t units_of(const DeadLetter& letter) {
  return static_cast<std::int64_t>(letter.copy.chunk->charge_of_mask(letter.copy.mask));
}

std::string_view kind_of(const DeadLetter& letter) { return letter.is_part ? "part" : "message"; }

void tell_left_out(const Queue& queue, std::uint64_t left_out, std::string_view what) {
  if (left_out != 0) {
    log_warning(queue.name(), "{} left out of this log", count_text(left_out, what));
  }
}

std::unexpected<Error> being_redriven(const Queue& queue) {
  return fail(Errc::unavailable, fmt::format("a redrive of '{}' is under way: cancel it first", queue.name()));
}

constexpr std::string_view kMoreLetters = "more dead letter", kMoreDropped = "more dropped message";

}  // namespace

DeadLetters::DeadLetters(Storage& storage, std::string folder, const Timers& timers,
                         std::function<void(const Error&)> failed)
    : storage_(storage),
      folder_(std::move(folder)),
      timers_(timers),
      failed_(std::move(failed)),
      redrives_([this](std::string_view name) { return find_target(name); }, timers, pool_),
      log_limit_(kLogLinesPerSecond),
      drop_log_limit_(kLogLinesPerSecond) {
  part_credits_.init(kPartsMax, kPartBytesMax, 0);
}

DeadLetters::~DeadLetters() = default;

Result<void> DeadLetters::open(Queue& queue) {
  if (Result<void> made = storage_.make_folders(folder_); !made) {
    return made;
  }
  Result<LetterFile> file = LetterFile::open(storage_, fmt::format("{}/{}.jsonl", folder_, queue.name()));
  if (!file) {
    return std::unexpected(file.error());
  }
  if (Result<void> prepared = file->prepare(); !prepared) {
    return prepared;
  }
  if (file->foreign() != 0) {
    const LetterFile::Fault& first = file->faults().front();
    log_warning("", "'{}': {} no dead letter can be read from, the first is line {} ({}): it stays in the file and is not "
                    "delivered; correct or delete it while the engine is stopped",
                file->path(), count_text(file->foreign(), "line"), first.line, first.why);
  }
  queue.set_letters(this);
  stored_.fetch_add(file->count(), std::memory_order_relaxed);
  LetterBox& box = boxes_.try_emplace(&queue, queue, std::move(*file), pool_).first->second;
  if (!box.file().marked().empty()) {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    redrives_.begin_marked(box);
    return {};  // what stays is loaded at its end
  }
  return box.load();
}

Queue* DeadLetters::find_target(std::string_view name) const {
  auto found = targets_.find(name);
  return found != targets_.end() ? found->second : nullptr;
}

Result<void> DeadLetters::redrive(Queue& from, RedriveRequest request) {
  auto box = boxes_.find(&from);
  if (box == boxes_.end()) {
    return fail(Errc::usage, fmt::format("queue '{}' is no dead-letter queue: only dead letters can be redriven", from.name()));
  }
  if (!request.to.empty()) {
    Queue* target = find_target(request.to);
    if (target == nullptr) {
      return fail(Errc::usage, fmt::format("there is no queue '{}'", request.to));
    }
    if (target == &from || (boxes_.contains(target) && !target->has_service())) {
      return no_target(request.to);
    }
  }
  waiting_.fetch_add(1, std::memory_order_acq_rel);
  Result<void> begun = redrives_.begin(box->second, std::move(request));
  if (!begun) {
    waiting_.fetch_sub(1, std::memory_order_acq_rel);
    return begun;
  }
  ring();
  return {};
}

bool DeadLetters::cancel_redrive(const Queue& from) {
  const bool cancelled = redrives_.cancel(from);
  ring();
  return cancelled;
}

void DeadLetters::cancel_redrives() {
  redrives_.cancel_all();
  ring();
}

std::int64_t DeadLetters::redrive_some() {
  const Redrives::Stepped stepped = redrives_.step();
  waiting_.fetch_sub(stepped.ended, std::memory_order_acq_rel);
  return stepped.next_ns;
}

bool DeadLetters::quiet(bool may_wait) const {
  const std::uint64_t waiting = waiting_.load(std::memory_order_acquire);
  return waiting == 0 || (may_wait && waiting == redrives_.waiting_for_room().size());
}

Result<std::uint64_t> DeadLetters::purge(Queue& queue) {
  if (redrives_.is_under_way(queue)) {
    return being_redriven(queue);
  }
  Job job{.kind = Job::Kind::purge, .queue = &queue, .answer = std::make_unique<std::promise<Result<std::uint64_t>>>()};
  std::future<Result<std::uint64_t>> purged = job.answer->get_future();
  submit(std::move(job));
  return purged.get();
}

Peeked DeadLetters::peek(Queue& queue, std::uint32_t count_max) {
  Job job{.kind = Job::Kind::peek, .queue = &queue, .peek = std::make_unique<Peek>()};
  job.peek->count_max = count_max;
  std::future<Peeked> letters = job.peek->letters.get_future();
  submit(std::move(job));
  return letters.get();
}

Result<void> DeadLetters::wait_until_written() {
  if (boxes_.empty()) {
    return {};  // no message is a letter
  }
  Job job{.kind = Job::Kind::wait, .answer = std::make_unique<std::promise<Result<std::uint64_t>>>()};
  std::future<Result<std::uint64_t>> written = job.answer->get_future();
  submit(std::move(job));
  const Result<std::uint64_t> none = written.get();
  return none ? Result<void>() : std::unexpected(none.error());
}

void DeadLetters::ring() {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(epoch_, 1);
}

void DeadLetters::submit(Job job) {
  waiting_.fetch_add(1, std::memory_order_acq_rel);
  job.number = submitted_.fetch_add(1, std::memory_order_relaxed);
  require_memory(jobs_.enqueue(std::move(job)));
  ring();
}

void DeadLetters::submit(DeadLetter letter) noexcept {
  if (letter.to() == nullptr) {
    drop(letter);
    return;
  }
  if (letter.is_part) {
    part_credits_.take(1, units_of(letter));
  }
  submit(Job{.kind = Job::Kind::letter, .letter = std::make_unique<DeadLetter>(std::move(letter))});
}

void DeadLetters::submit_overdue(Queue& from, const std::string& service, Taken overdue) noexcept {
  for (std::uint64_t left = overdue.mask; left != 0; left &= left - 1) {
    const Lineage& lineage = overdue.chunk->lineage[lowest_bit(left)];
    const LastError error = lineage.last_error != nullptr ? *lineage.last_error : LastError{};
    submit(DeadLetter{&from, false, {overdue.chunk, left & -left}, service, error.stage,
                      fmt::format("received {} times, max_receive_count is {}", lineage.receive_count, from.options().max_receive_count),
                      error.detail.empty() ? error.reason : fmt::format("{}: {}", error.reason, error.detail), timers_.now_ms(),
                      lineage.stored_in});
  }
}

void DeadLetters::submit_removal(const LetterPlace& place, const Uuid& id) noexcept {
  submit(Job{.kind = Job::Kind::removal, .queue = place.queue, .place = &place, .id = id});
}

void DeadLetters::submit_load(Queue& queue) noexcept { submit(Job{.kind = Job::Kind::load, .queue = &queue}); }

void DeadLetters::run() {
  for (;;) {
    std::uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
    bool stopping = stopping_.load(std::memory_order_seq_cst);
    bool wrote = write_waiting();
    std::int64_t wait_ns = redrive_some();
    if (wrote || wait_ns == 0) {
      continue;
    }
    if (stopping && wait_ns < 0) {
      for (const auto& [name, queue] : targets_) {
        tell_left_out(*queue, log_limit_.finish(name), kMoreLetters);
        tell_left_out(*queue, drop_log_limit_.finish(name), kMoreDropped);
      }
      return;
    }
    futex_wait(epoch_, epoch, wait_ns);
  }
}

void DeadLetters::stop() {
  cancel_redrives();
  stopping_.store(true, std::memory_order_seq_cst);
  ring();
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
  // The queue keeps no order between threads. What was submitted before the last of these began is here: a group's
  // letters come one after the other.
  std::ranges::sort(jobs, {}, &Job::number);
  std::uint64_t parts = 0;
  std::int64_t part_units = 0;
  for (const Job& each : jobs) {
    const bool is_part = each.kind == Job::Kind::letter && each.letter->is_part;
    parts += is_part ? 1 : 0;
    part_units += is_part ? units_of(*each.letter) : 0;
  }
  Result<void> written = broken_ ? fail(Errc::io, "an earlier write failed") : write(jobs);
  if (!written) {
    for (Job& left : jobs) {
      if (left.answer != nullptr) {
        left.answer->set_value(std::unexpected(written.error()));
      }
      if (left.peek != nullptr) {
        left.peek->letters.set_value({});
      }
    }
    if (!broken_) {
      broken_ = true;  // what was not synced is not acknowledged: its sources bring it again
      failed_(written.error());
    }
  }
  waiting_.fetch_sub(jobs.size(), std::memory_order_acq_rel);
  if (parts != 0 && part_credits_.give_back(parts, part_units)) {
    part_credits_.ring();
  }
  return true;
}

/// Of one that goes on to the next dead-letter queue, also where it did so before and was redriven from there.
std::string DeadLetters::letter_of(const DeadLetter& letter) {
  if (letter.stood_in == nullptr) {
    return {};
  }
  const std::string& source = *letter.stood_in->source;
  if (letter.stood_in->queue == letter.from) {
    return source;
  }
  return std::string(letter.stood_in->queue == letter.to() ? sluice::core::letter_of(source, letter.from->name()) : std::string_view());
}

std::string DeadLetters::line_of(const DeadLetter& letter) {
  ChunkViews views;
  auto index = lowest_bit(letter.copy.mask);
  views.show(*letter.copy.chunk, letter.copy.mask);
  const Lineage& lineage = letter.copy.chunk->lineage[index];
  sluice_message message = *views.pointers()[index];
  message.receive_count = lineage.receives();
  DeadLetterNote note{letter.to()->name(), letter.service, letter.stage, letter.reason, letter.detail,
                      lineage.first_received_ms != 0 ? lineage.first_received_ms : letter.last_ms, letter.last_ms,
                      letter.is_part ? std::string() : letter.from->name(), letter.is_part, lineage.redrive_count,
                      letter_of(letter)};
  return message_to_json(message, &note);
}

Result<void> DeadLetters::append_removal(const LetterPlace& place, const Uuid& id) {
  LetterBox& box = boxes_.at(place.queue);
  const LetterKey key{id, place.source};
  box.forget(key);
  if (!box.file().holds(key)) {
    return {};
  }
  stored_.fetch_sub(1, std::memory_order_relaxed);
  return box.file().append_removal(key);
}

/// The first half of a job: its line. A letter that stands in the file is not added again, unless it was redriven from
/// there and failed again: then its new line takes the place of the old one.
Result<void> DeadLetters::append(Job& job, std::vector<LetterBox*>& touched) {
  if (job.kind != Job::Kind::letter && job.kind != Job::Kind::removal) {
    return {};
  }
  LetterBox& box = boxes_.at(job.kind == Job::Kind::letter ? job.letter->to() : job.queue);
  if (std::ranges::find(touched, &box) == touched.end()) {
    touched.push_back(&box);
  }
  if (job.kind == Job::Kind::removal) {
    return append_removal(*job.place, job.id);
  }
  const DeadLetter& letter = *job.letter;
  job.place = &box.place(letter.is_part ? std::string() : letter_source(letter.from->name(), letter_of(letter)));
  job.id = letter.copy.chunk->id(lowest_bit(letter.copy.mask));
  const LetterKey key{job.id, job.place->source};
  job.replaces = box.file().holds(key);
  job.is_new = !job.replaces || letter.stood_in == job.place;
  return job.is_new ? box.file().append_letter(key, line_of(letter)) : tell_if_other(job, box.file());
}

/// A letter of this id stands there. Most likely it is this message's, which comes again after a crash. Where the body is
/// another, a producer may have given one id to two messages: one letter is kept of an id, so that is told.
Result<void> DeadLetters::tell_if_other(const Job& job, LetterFile& file) {
  const Taken& message = job.letter->copy;
  const std::span<const std::uint8_t> body = message.chunk->body(lowest_bit(message.mask));
  const Result<bool> is_same = file.has_body({job.id, job.place->source}, {reinterpret_cast<const char*>(body.data()), body.size()});
  if (!is_same) {
    return std::unexpected(is_same.error());
  }
  const Queue& to = *job.letter->to();
  if (!*is_same && log_limit_.judge(to.name(), timers_.clock().steady_ns()).pass) {
    log_warning(to.name(), "{} is dead-lettered again with another body: the letter that is stored is kept, and this one is not; "
                           "where these are two messages, their producer must give them two ids",
                to_text(job.id));
  }
  return {};
}

Result<void> DeadLetters::sync(const std::vector<LetterBox*>& boxes) {
  for (LetterBox* box : boxes) {
    if (Result<void> synced = box->file().sync(); !synced) {
      return synced;
    }
  }
  return {};
}

Result<void> DeadLetters::store(std::vector<Job>& jobs, std::vector<LetterBox*>& touched) {
  for (Job& job : jobs) {
    if (Result<void> appended = append(job, touched); !appended) {
      return appended;
    }
  }
  if (SLUICE_FAULT("dead_letters.before_sync")) {
    return fail(Errc::io, "injected fault before the sync");
  }
  return sync(touched);
}

Result<void> DeadLetters::write(std::vector<Job>& jobs) {
  std::vector<LetterBox*> touched;
  if (Result<void> stored = store(jobs, touched); !stored) {
    // Their messages come again: there they are not to be found as letters, too.
    std::ranges::for_each(touched, [](LetterBox* box) { box->file().take_back(); });
    return stored;
  }
  (void)SLUICE_FAULT("dead_letters.after_sync");
  if (Result<void> moved = move_on(jobs); !moved) {
    return moved;
  }
  // All letters first: until then the file has some that are neither in memory nor counted.
  for (Job& job : jobs) {
    if (job.kind == Job::Kind::letter) {
      complete(job);
    }
  }
  for (Job& job : jobs) {
    if (Result<void> finished = finish(job); !finished) {
      return finished;
    }
  }
  if (Result<void> loaded = load_what_fits(); !loaded) {
    return loaded;
  }
  return compact_what_is_garbage();
}

/// What is not written.
Result<void> DeadLetters::finish(Job& job) {
  switch (job.kind) {
    case Job::Kind::load: return boxes_.at(job.queue).load();
    case Job::Kind::purge: return purge_box(job);
    case Job::Kind::peek: peek_box(job); return {};
    case Job::Kind::wait: std::exchange(job.answer, nullptr)->set_value(0); return {};
    default: return {};
  }
}

/// What can be read is shown; a file that cannot be read is told of by who must read it.
void DeadLetters::peek_box(Job& job) {
  Peeked letters;
  (void)boxes_.at(job.queue).file().peek(job.peek->count_max, letters);
  job.peek->letters.set_value(std::move(letters));
  job.peek = nullptr;
}

/// Letters that wait in memory are the file's alone first: so the answer tells of what is durable, and a file that
/// nobody holds a letter of is cut off, which takes no room. What is in hand or hidden ends when it comes back.
Result<void> DeadLetters::purge_box(Job& job) {
  if (redrives_.is_under_way(*job.queue)) {  // since it was asked for
    std::exchange(job.answer, nullptr)->set_value(being_redriven(*job.queue));
    return {};
  }
  LetterBox& box = boxes_.at(job.queue);
  box.recall();
  const std::uint64_t others = job.queue->purge();
  Result<std::uint64_t> letters = box.purge_file();
  if (!letters) {
    return std::unexpected(letters.error());
  }
  stored_.fetch_sub(*letters, std::memory_order_relaxed);
  if (Result<void> synced = box.file().sync(); !synced) {
    return synced;
  }
  std::exchange(job.answer, nullptr)->set_value(others + *letters);
  return box.resume();
}

/// Letters that stood in another place leave it now that they are stored in theirs.
Result<void> DeadLetters::move_on(const std::vector<Job>& jobs) {
  std::vector<LetterBox*> touched;
  for (const Job& job : jobs) {
    if (job.kind != Job::Kind::letter || job.letter->stood_in == nullptr || job.letter->stood_in == job.place) {
      continue;
    }
    LetterBox& box = boxes_.at(job.letter->stood_in->queue);
    if (std::ranges::find(touched, &box) == touched.end()) {
      touched.push_back(&box);
    }
    if (Result<void> appended = append_removal(*job.letter->stood_in, job.id); !appended) {
      return appended;
    }
  }
  return sync(touched);
}

/// Consumers ask for what is in the file only when they run dry; a letter that was left there after
/// the last of them looked is loaded here.
Result<void> DeadLetters::load_what_fits() {
  for (auto& [queue, box] : boxes_) {
    // seq_cst pairs with Consumer::idle: it gave credit back first and looks at `unloaded` then.
    if (queue->unloaded.load(std::memory_order_seq_cst) != 0 && box.queue().credits().available()) {
      if (Result<void> loaded = box.load(); !loaded) {
        return loaded;
      }
    }
  }
  return {};
}

/// A redrive knows places in its file, so that is left alone until it has ended. One that is asked for meanwhile begins
/// on this thread.
Result<void> DeadLetters::compact_what_is_garbage() {
  for (auto& [queue, box] : boxes_) {
    if (!box.file().is_mostly_garbage()) {
      continue;
    }
    const bool is_read = redrives_.is_under_way(*queue);
    if (Result<void> compacted = is_read ? Result<void>() : box.compact(); !compacted) {
      return compacted;
    }
  }
  return {};
}

/// It is at its end, in its queue and for its origin.
void DeadLetters::drop(const DeadLetter& letter) {
  tell_dropped(letter);
  Queue& queue = *letter.from;
  if (!letter.is_part) {
    queue.drop_in_flight(letter.copy);
    return;
  }
  // It comes and goes: nobody received it, and it took no credit.
  reject(*letter.copy.chunk, letter.copy.mask);
  queue.let_go(*letter.copy.chunk, letter.copy.mask);
  queue.moved_in.fetch_add(1, std::memory_order_release);
  queue.withdrawn.fetch_add(1, std::memory_order_relaxed);
  queue.dropped.fetch_add(1, std::memory_order_release);
  release_chunk(letter.copy.chunk, 1);
}

/// A line for whoever looks on: what was given up, why, and where it lies.
void DeadLetters::tell_stored(const DeadLetter& letter, const Uuid& id) {
  const Queue& to = *letter.to();
  LogLimit::Verdict verdict = log_limit_.judge(to.name(), timers_.clock().steady_ns());
  tell_left_out(to, verdict.left_out, kMoreLetters);
  if (verdict.pass) {
    log_warning(letter.is_part ? to.name() : letter.from->name(), "{} {} is dead-lettered: {}; it lies in '{}'", kind_of(letter),
                to_text(id), why(letter), boxes_.at(&to).file().path());
  }
}

void DeadLetters::tell_dropped(const DeadLetter& letter) {
  const Queue& queue = *letter.from;
  LogLimit::Verdict verdict = drop_log_limit_.judge(queue.name(), timers_.clock().steady_ns());
  tell_left_out(queue, verdict.left_out, kMoreDropped);
  if (verdict.pass) {
    log_warning(queue.name(), "{} {} is dropped: {}; the queue's redrive_policy is null, so no dead-letter queue keeps it",
                kind_of(letter), to_text(letter.copy.chunk->id(lowest_bit(letter.copy.mask))), why(letter));
  }
}

/// The letter is on the device: it leaves its queue, its origin hears of its end, and it goes into its box.
void DeadLetters::complete(Job& job) {
  DeadLetter& letter = *job.letter;
  Chunk* chunk = letter.copy.chunk;
  auto index = lowest_bit(letter.copy.mask);
  Lineage& lineage = chunk->lineage[index];
  Origin* origin = lineage.origin;
  std::uint32_t message = lineage.message;
  std::uint32_t units = chunk->charge_of(index);
  lineage.origin = nullptr;
  delete lineage.last_error;
  lineage.last_error = nullptr;
  lineage.stored_in = job.place;
  if (letter.stood_in != nullptr && letter.stood_in->queue == letter.to()) {
    note_back(*letter.stood_in, job.id);
  }
  stored_.fetch_add(job.replaces ? 0 : 1, std::memory_order_relaxed);
  if (job.is_new) {
    tell_stored(letter, job.id);
    boxes_.at(letter.to()).add(letter.copy, letter.last_ms);
  } else {
    release_chunk(chunk, 1);
  }
  if (!letter.is_part) {
    letter.from->moved_to_dead_letter.fetch_add(1, std::memory_order_release);
    letter.from->give_credit(1, units);
    letter.from->make_room();
  }
  if (origin != nullptr) {
    origin->reject(message);
    origin->drop_copy(message);
  }
}

/// A letter that was redriven has failed again.
void DeadLetters::note_back(const LetterPlace& place, const Uuid& id) {
  boxes_.at(place.queue).note_back({id, place.source});
  redrives_.note_back(*place.queue);
}

}  // namespace sluice::core
