#include "queue/redrive.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/units.hpp"
#include "queue/letter_parts.hpp"

namespace sluice::core {
namespace {

/// Letters are written between two steps.
constexpr std::uint64_t kStepLetters = 4096;
/// How soon a full queue, or the rate, is looked at again: each look reads the next letter anew.
constexpr std::int64_t kLookAgainNs = 20'000'000;

/// What was not used for a tenth of a second is gone.
std::optional<TokenBucket> pace_of(const RedriveRequest& request, std::int64_t now_ns) {
  if (request.dry_run || request.messages_per_second == 0) {
    return std::nullopt;
  }
  const std::uint64_t per_second = request.messages_per_second;
  return TokenBucket(per_second * 1000, std::min(per_second / 10 + 1, TokenBucket::kCapacityMax), 1, now_ns);
}

bool concerns(const DeadLetterNote& note, std::string_view reason) {
  return note.reason.find(reason) != std::string::npos || note.detail.find(reason) != std::string::npos;
}

}  // namespace

std::string_view name_of(RedriveState state) {
  switch (state) {
    case RedriveState::running: return "RUNNING";
    case RedriveState::completed: return "COMPLETED";
    case RedriveState::cancelling: return "CANCELLING";
    case RedriveState::cancelled: return "CANCELLED";
    case RedriveState::marked: return "MARKED";
    default: return "FAILED";
  }
}

std::uint64_t RedriveStatus::* why_it_stays(const MessageText& letter, const RedriveRequest& request, std::string* to) {
  static const DeadLetterNote kNoNote;
  const DeadLetterNote& note = letter.dead_letter ? *letter.dead_letter : kNoNote;
  if (!concerns(note, request.reason)) {
    return &RedriveStatus::filtered;
  }
  if (note.is_part) {
    return &RedriveStatus::parts;
  }
  *to = request.to.empty() ? note.source_queue : request.to;
  return to->empty() ? &RedriveStatus::without_queue : nullptr;
}

std::unexpected<Error> no_target(std::string_view queue) {
  return fail(Errc::usage, fmt::format("letters cannot be redriven to '{}': it keeps dead letters itself, and has no service", queue));
}

Redrive::Redrive(LetterBox& box, RedriveRequest request, bool marked, FindQueue find, const Timers& timers, ChunkPool& pool)
    : box_(box),
      marked_(marked),
      find_(std::move(find)),
      timers_(timers),
      pool_(pool),
      pace_(pace_of(request, timers.clock().steady_ns())) {
  status_.request = std::move(request);
  status_.started_ms = timers.clock().wall_ms();
}

template <class Change>
void Redrive::change(Change&& change) {
  std::lock_guard lock(mutex_);
  change(status_);
}

RedriveStatus Redrive::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void Redrive::cancel(bool takes_marks) {
  if (takes_marks) {
    takes_marks_.store(true, std::memory_order_release);
  }
  cancelled_.store(true, std::memory_order_release);
  change([](RedriveStatus& status) {
    status.state = status.state == RedriveState::running ? RedriveState::cancelling : status.state;
  });
}

bool Redrive::waits_for_room() const {
  const Queue* queue = waits_for_.load(std::memory_order_acquire);
  return queue != nullptr && queue->created() != queue->ended();
}

void Redrive::note_back() {
  change([](RedriveStatus& status) { ++status.came_back; });
}

void Redrive::begin() {
  begun_ = true;
  end_ = box_.file().end();
  change([this](RedriveStatus& status) { status.letters = box_.file().count(); });
  if (status_.request.dry_run) {
    waiting_ = box_.waiting(timers_.now_ms());
  } else {
    box_.recall();
  }
}

/// Letters are the queue's again; marks that a cancelled redrive leaves are taken away, if there is room for that.
Result<void> Redrive::let_go() {
  evacuators_.clear();
  const bool unmarks = marked_ && takes_marks_.load(std::memory_order_acquire);
  const Result<void> unmarked = unmarks ? box_.file().unmark_all() : Result<void>();
  // The box of marked letters was opened without loading any, for this redrive to begin with.
  Result<void> resumed = (begun_ || marked_) && !status_.request.dry_run ? box_.resume() : Result<void>();
  if (unmarked) {
    return resumed;
  }
  return fail(unmarked.error().code, fmt::format("{}; {} still marked, to go when the engine starts: make room, and cancel that "
                                                 "while no engine runs",
                                                 unmarked.error().message, count_text(box_.file().marked().size(), "letter")));
}

void Redrive::end(RedriveState state, std::string failure) {
  if (Result<void> done = let_go(); !done) {
    state = RedriveState::failed;
    failure = done.error().message;
  }
  RedriveStatus ended;
  change([&](RedriveStatus& status) {
    active_.store(false, std::memory_order_release);  // who sees that it has ended may ask for a purge or the next one
    status.state = state;
    status.ended_ms = timers_.clock().wall_ms();
    status.failure = std::move(failure);
    ended = status;
  });
  tell(ended);
}

void Redrive::tell(const RedriveStatus& status) const {
  std::string left;
  const auto count = [&](std::uint64_t number, std::string_view why) {
    left += number != 0 ? fmt::format("; {} {}", number, why) : std::string();
  };
  count(status.parts, "left, being parts");
  count(status.in_use, "left, being in use");
  count(status.without_queue, "left, for the queue to go to is not there");
  count(status.without_room, "left, for their queue is full and has no service");
  count(status.failure.empty() ? 0 : 1, "failure: " + status.failure);
  const std::string text = fmt::format("redrive {}: {} {}{}", name_of(status.state), count_text(status.moved, "letter"),
                                       status.request.dry_run ? "would be moved" : "moved", left);
  if (left.empty()) {
    log_info(box_.queue().name(), "{}", text);
  } else {
    log_warning(box_.queue().name(), "{}", text);
  }
}

std::int64_t Redrive::step() {
  if (cancelled_.load(std::memory_order_acquire)) {
    end(RedriveState::cancelled);
    return 0;
  }
  if (!begun_) {
    begin();
  }
  Result<bool> all = move_some();
  if (!all) {
    end(RedriveState::failed, all.error().message);
    return 0;
  }
  if (*all) {
    end(RedriveState::completed);
    return 0;
  }
  return looked_at_ == kStepLetters ? 0 : kLookAgainNs;
}

/// True: the file was read to its end.
Result<bool> Redrive::move_some() {
  looked_at_ = 0;
  Result<std::uint64_t> next = box_.file().for_each(offset_, [&](const LetterLine& letter) {
    if (letter.end > end_ || looked_at_ == kStepLetters || judge(letter) == Verdict::later) {
      return false;
    }
    ++looked_at_;
    return true;
  });
  if (!next) {
    return std::unexpected(next.error());
  }
  offset_ = *next;
  return offset_ >= end_;
}

/// Why the letter stays, or nullptr and where it goes.
std::uint64_t RedriveStatus::* Redrive::find_target(const LetterLine& letter, Queue** target) const {
  RedriveRequest request = status_.request;
  if (marked_) {
    request.to = box_.file().marked().at(letter.key);
  }
  std::string name;
  if (auto stays = why_it_stays(letter.message, request, &name)) {
    return stays;
  }
  if (box_.is_in_use(letter.key) && !waiting_.contains(letter.key)) {
    return &RedriveStatus::in_use;
  }
  *target = find_(name);
  return *target == nullptr || *target == &box_.queue() ? &RedriveStatus::without_queue : nullptr;
}

/// Counts a letter that stays, or moves it.
Redrive::Verdict Redrive::judge(const LetterLine& letter) {
  if (marked_ && !box_.file().marked().contains(letter.key)) {
    return Verdict::done;
  }
  Queue* target = nullptr;
  if (auto stays = find_target(letter, &target)) {
    change([stays](RedriveStatus& status) { ++(status.*stays); });
    return Verdict::done;
  }
  const Verdict verdict = status_.request.dry_run ? weigh(letter, *target) : move(letter, *target);
  if (verdict == Verdict::later) {
    return verdict;
  }
  if (verdict == Verdict::no_room) {
    change([](RedriveStatus& status) { ++status.without_room; });
    return Verdict::done;
  }
  change([target](RedriveStatus& status) {
    ++status.moved;
    ++status.moved_to[target->name()];
  });
  return Verdict::done;
}

/// In a dry run: whether there would be room, after the letters before. Where there is a service the letter would wait for it.
Redrive::Verdict Redrive::weigh(const LetterLine& letter, Queue& target) {
  if (target.has_service()) {
    return Verdict::done;
  }
  const Credits& credits = target.credits();
  Reservation& room = room_.try_emplace(&target, Reservation{credits.messages(), credits.units()}).first->second;
  if (room.messages <= 0 || room.units <= 0) {
    return Verdict::no_room;
  }
  const std::uint64_t bytes = letter.message.body.size() + Chunk::meta_bytes(LetterParts(letter.message).parts) + 64;
  --room.messages;
  room.units -= static_cast<std::int64_t>((bytes + kCreditUnit - 1) / kCreditUnit);
  return Verdict::done;
}

/// In its new queue a letter is a new message with its old id; it leaves the file when it is at its end there.
Redrive::Verdict Redrive::move(const LetterLine& letter, Queue& target) {
  const bool has_room = target.credits().available();
  waits_for_.store(has_room || !target.has_service() ? nullptr : &target, std::memory_order_release);
  if (!has_room) {
    return target.has_service() ? Verdict::later : Verdict::no_room;
  }
  if (pace_ && pace_->available(timers_.clock().steady_ns()) == 0) {
    return Verdict::later;
  }
  const LetterParts parts(letter.message);
  Lineage lineage{};
  lineage.stored_in = &box_.place(*letter.key.source);
  const std::uint64_t before = letter.message.dead_letter ? letter.message.dead_letter->redrive_count : 0;
  lineage.redrive_count = as_far_as_counted<std::uint8_t>(before + 1);
  auto evacuator = evacuators_.try_emplace(&target, pool_).first;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(letter.message.body.data());
  Evacuator::Copy copy =
      evacuator->second.store({bytes, letter.message.body.size()}, parts.parts, timers_.now_ms(), lineage);
  if (copy.chunk == nullptr) {
    return Verdict::later;
  }
  box_.note_redriven(letter.key);
  if (pace_) {
    pace_->take(1);
  }
  target.credits().take(1, copy.chunk->charge_of(copy.index));
  target.moved_in.fetch_add(1, std::memory_order_release);
  target.put_back({copy.chunk, std::uint64_t{1} << copy.index}, false);
  return Verdict::done;
}

}  // namespace sluice::core
