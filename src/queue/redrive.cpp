#include "queue/redrive.hpp"

#include "base/log.hpp"
#include "base/units.hpp"
#include "queue/letter_parts.hpp"

namespace sluice::core {
namespace {

/// Letters are written between two steps.
constexpr std::uint64_t kStepLetters = 4096;
/// How soon a full queue, or the rate, is looked at again.
constexpr std::int64_t kLookAgainNs = 5'000'000;

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

std::uint64_t Pace::allowed(std::int64_t now_ns) {
  if (per_second_ == 0) {
    return ~std::uint64_t{0};
  }
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  auto due = [&] { return static_cast<std::uint64_t>(now_ns - since_ns_) * per_second_ / kSecondNs + 1; };
  std::uint64_t burst = per_second_ / 10 + 1;
  if (due() > used_ + burst) {
    since_ns_ = now_ns - kSecondNs / 10;
    used_ = 0;
  }
  return due() > used_ ? due() - used_ : 0;
}

Redrive::Redrive(LetterBox& box, RedriveRequest request, bool marked, FindQueue find, Clock& clock, ChunkPool& pool)
    : box_(box),
      marked_(marked),
      find_(std::move(find)),
      clock_(clock),
      pool_(pool),
      pace_(request.dry_run ? 0 : request.messages_per_second, clock.steady_ns()) {
  status_.request = std::move(request);
  status_.started_ms = clock.wall_ms();
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

void Redrive::cancel() {
  cancelled_.store(true, std::memory_order_release);
  change([](RedriveStatus& status) {
    status.state = status.state == RedriveState::running ? RedriveState::cancelling : status.state;
  });
}

void Redrive::note_back() {
  change([](RedriveStatus& status) { ++status.came_back; });
}

void Redrive::begin() {
  begun_ = true;
  end_ = box_.file().end();
  change([this](RedriveStatus& status) { status.letters = box_.file().count(); });
  if (!status_.request.dry_run) {
    box_.recall();
  }
}

void Redrive::end(RedriveState state, std::string failure) {
  evacuators_.clear();
  if (begun_ && !status_.request.dry_run) {
    if (Result<void> loaded = box_.resume(); !loaded) {
      state = RedriveState::failed;
      failure = loaded.error().message;
    }
  }
  change([&](RedriveStatus& status) {
    status.state = state;
    status.ended_ms = clock_.wall_ms();
    status.failure = std::move(failure);
  });
  log_info(box_.queue().name(), "redrive {}: {} moved", state == RedriveState::completed ? "completed" : state == RedriveState::cancelled ? "cancelled" : "failed",
           count_text(status_.moved, "letter"));
  active_.store(false, std::memory_order_release);
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
    request.to = box_.file().marked().at(letter.id);
  }
  std::string name;
  if (auto stays = why_it_stays(letter.message, request, &name)) {
    return stays;
  }
  if (!request.dry_run && box_.is_in_use(letter.id)) {
    return &RedriveStatus::in_use;
  }
  *target = find_(name);
  return *target == nullptr || *target == &box_.queue() ? &RedriveStatus::without_queue : nullptr;
}

/// Counts a letter that stays, or moves it.
Redrive::Verdict Redrive::judge(const LetterLine& letter) {
  if (marked_ && !box_.file().marked().contains(letter.id)) {
    return Verdict::done;
  }
  Queue* target = nullptr;
  if (auto stays = find_target(letter, &target)) {
    change([stays](RedriveStatus& status) { ++(status.*stays); });
    return Verdict::done;
  }
  if (!status_.request.dry_run && move(letter, *target) == Verdict::later) {
    return Verdict::later;
  }
  change([target](RedriveStatus& status) {
    ++status.moved;
    ++status.moved_to[target->name()];
  });
  return Verdict::done;
}

/// In its new queue a letter is a new message with its old id; it leaves the file when it is at its end there.
Redrive::Verdict Redrive::move(const LetterLine& letter, Queue& target) {
  if (!target.credits().available() || pace_.allowed(clock_.steady_ns()) == 0) {
    return Verdict::later;
  }
  const LetterParts parts(letter.message);
  Lineage lineage{};
  lineage.stored_in = &box_.queue();
  auto evacuator = evacuators_.try_emplace(&target, pool_).first;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(letter.message.body.data());
  Evacuator::Copy copy =
      evacuator->second.store({bytes, letter.message.body.size()}, parts.parts, clock_.wall_ms(), lineage);
  if (copy.chunk == nullptr) {
    return Verdict::later;
  }
  box_.note_redriven(letter.id);
  pace_.use(1);
  target.credits().take(1, copy.chunk->charge_of(copy.index));
  target.moved_in.fetch_add(1, std::memory_order_release);
  target.put_back({copy.chunk, std::uint64_t{1} << copy.index}, false);
  return Verdict::done;
}

}  // namespace sluice::core
