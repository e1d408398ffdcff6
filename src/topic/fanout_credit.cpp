// Of the fan-out: queues without credit. Who is waited for, what is dropped or dead-lettered
// instead, and the parts of a chunk that follow late.
#include <fmt/format.h>

#include <algorithm>

#include "message/reject.hpp"
#include "topic/fanout.hpp"

namespace sluice::core {
namespace {

/// A quarter of what the queue may hold, or a chunk, is overdrawn by letters that are not stored
/// yet.
bool letters_wait(Queue& queue) {
  const std::int64_t messages =
      std::max<std::int64_t>(kChunkMessages, queue.options().capacity / 4);
  const std::int64_t bytes =
      std::max<std::int64_t>(kChunkBytesMax, queue.options().capacity_bytes / 4);
  return queue.credits().messages() <= -messages ||
         queue.credits().units() <= -(bytes / kCreditUnit);
}

/// Some microseconds: what a busy consumer needs to give credit back, and less than a wake-up costs
/// it.
constexpr int kLooksBeforeParking = kExplored ? 1 : 256;

}  // namespace

/// For want of credit of this branch its publisher may have to wait.
bool Fanout::blocks(std::size_t branch) const {
  Queue& queue = *queues_[branch];
  const bool blocking = queue.options().when_full == WhenFull::block ||
                        (queue.options().when_full == WhenFull::dead_letter && letters_wait(queue));
  return blocking && is_wanted(branch);
}

bool Fanout::queues_have_credit() const {
  for (std::size_t branch = 0; branch < queues_.size(); ++branch) {
    if (!queues_[branch]->credits().available() && blocks(branch)) {
      return false;
    }
  }
  return true;
}

bool Fanout::has_credit() const {
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    const Branch& branch = branches_[i];
    const bool reserved = branch.reservation.messages > 0 && branch.reservation.units > 0;
    if (!reserved && !branch.queue->credits().available() && blocks(i)) {
      return false;
    }
  }
  return true;
}

bool Fanout::admits() {
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    if (!branches_[i].queue->credits().admit(branches_[i].reservation) && blocks(i)) {
      return false;
    }
  }
  return true;
}

Fanout::Fate Fanout::admit(std::uint32_t index, Admission admission) {
  Branch& branch = branches_[index];
  Credits& credits = branch.queue->credits();
  if (credits.admit(branch.reservation)) {
    return Fate::published;
  }
  if (blocks(index) && admission != Admission::overdraw) {
    return Fate::withheld;
  }
  switch (branch.queue->options().when_full) {
    case WhenFull::block:
      return Fate::published;
    case WhenFull::dead_letter:
      return Fate::dead_lettered;
    case WhenFull::drop_new:
      return Fate::dropped;
    case WhenFull::drop_old:
      break;
  }
  if (!is_wanted(index)) {
    return Fate::dropped;  // nothing of it comes: the oldest may stay
  }
  while (branch.queue->drop_oldest(kChunkMessages, &branch.turn) != 0) {
    if (credits.admit(branch.reservation)) {
      return Fate::published;
    }
  }
  return Fate::dropped;
}

/// The chunk was begun when there was no room, and may stay open for long: what is published of it now may find some.
void Fanout::admit_again(std::uint32_t index, std::uint64_t mask) {
  Branch& branch = branches_[index];
  const bool is_refused = branch.fate == Fate::dropped || branch.fate == Fate::dead_lettered;
  if (published_ != 0 && mask != 0 && is_refused) {
    branch.fate = admit(index, Admission::overdraw);
    if (branch.fate == Fate::published) {
      branch.came_late = any_late_ = true;
      branch.matched = 0;
    }
  }
  if (branch.came_late) {
    branch.matched |= mask;  // what it pins
  }
}

void Fanout::give_reservations_back() {
  for (Branch& branch : branches_) {
    branch.queue->give_credit(branch.reservation.messages, branch.reservation.units);
    branch.reservation = {};
  }
}

void Fanout::announce_wait(bool waits) {
  for (Queue* queue : queues_) {
    if (waits) {
      queue->credits().announce_wait();
    } else {
      queue->credits().withdraw();
    }
  }
}

void Fanout::drop(Branch& branch, std::uint64_t mask) {
  reject(*chunk_, mask);
  branch.queue->withdrawn.fetch_add(bit_count(mask), std::memory_order_relaxed);
  branch.queue->dropped.fetch_add(bit_count(mask), std::memory_order_release);
}

/// Each is charged until it is stored, however little credit there is.
void Fanout::dead_letter(Branch& branch, std::uint64_t mask) {
  Queue& queue = *branch.queue;
  for (std::uint64_t left = mask; left != 0; left &= left - 1) {
    const Taken letter = copy(branch, lowest_bit(left), 0);
    queue.credits().take(1, letter.chunk->charge_of(lowest_bit(letter.mask)));
    queue.diverted.fetch_add(1, std::memory_order_release);
    aside_.dead_letters.submit(
        {&queue, false, letter, "", "", "the queue was full",
         fmt::format("capacity {}, capacity_bytes {}", queue.options().capacity,
                     queue.options().capacity_bytes),
         aside_.timers.now_ms(), nullptr});
  }
}

/// Further entries for the sealed chunk, for the branches that had no credit. Waits for credit.
void Fanout::publish_withheld() {
  while (any_withheld_) {
    bool waits = wait_.keep_on == nullptr || wait_.keep_on();
    Branch* short_of_credit = nullptr;
    late_.clear();
    for (std::uint32_t i = 0; i < branches_.size(); ++i) {
      Branch& branch = branches_[i];
      if (branch.fate != Fate::withheld) {
        continue;
      }
      if (branch.filtered && branch.matched == 0) {
        branch.fate = Fate::published;
        continue;
      }
      if (!is_wanted(i)) {
        forgo(i);
        continue;
      }
      if (waits && !branch.queue->credits().admit(branch.reservation)) {
        if (blocks(i)) {
          short_of_credit = &branch;
        } else {
          dead_letter_late(branch);  // some letters were stored: there is room for more of them
        }
        continue;
      }
      branch.fate = Fate::published;
      late_.push_back(i);
    }
    if (!late_.empty()) {
      publish_late();
    }
    any_withheld_ = short_of_credit != nullptr;
    if (any_withheld_) {
      wait_for_credit(*short_of_credit);
    }
  }
}

/// Of the sealed chunk.
std::uint64_t Fanout::part_of(const Branch& branch) const {
  return branch.filtered ? branch.matched : mask_between(0, chunk_->count);
}

/// The branch unsubscribed while its part of the chunk waited for credit: it does not get it.
void Fanout::forgo(std::uint32_t index) {
  Branch& branch = branches_[index];
  const std::uint32_t count = bit_count(part_of(branch));
  branch.fate = Fate::published;
  deliveries_ -= count;
  add_alone(counters_[index].forgone, count);
}

void Fanout::dead_letter_late(Branch& branch) {
  const std::uint64_t mask = part_of(branch);
  branch.fate = Fate::dead_lettered;
  deliveries_ -= bit_count(mask);
  dead_letter(branch, mask);
}

void Fanout::publish_late() {
  passes_segment_ |= log_.begin(chunk_, chunk_->begun_ms);
  for (std::uint32_t index = 0; index < branches_.size(); ++index) {
    log_.set_remainder(index, 0);
  }
  for (const std::uint32_t index : late_) {
    Branch& branch = branches_[index];
    const std::uint64_t mask = part_of(branch);
    const std::uint32_t remainder = remainder_of(branch);
    branch.queue->credits().charge(
        branch.reservation, bit_count(mask),
        static_cast<std::int64_t>(chunk_->charge_of_mask(mask)) + remainder);
    deliveries_ -= bit_count(mask);  // counted when it was withheld
    hand_over(index, mask);
    log_.set_remainder(index, remainder);
  }
  log_.publish(chunk_->count, true, true);
  notify(ready_bits_);
}

/// Both looks come after the announcement: credit that came before it, or the order to stop, rings
/// nobody.
void Fanout::wait_for_credit(Branch& branch) {
  Credits& credits = branch.queue->credits();
  for (int look = 0; look < kLooksBeforeParking; ++look) {
    if (credits.available()) {
      return;
    }
    pause_core();
  }
  std::uint32_t epoch = credits.announce_wait();
  bool stops = wait_.keep_on != nullptr && !wait_.keep_on();
  if (!stops && is_wanted(static_cast<std::size_t>(&branch - branches_.data())) &&
      !credits.admit(branch.reservation)) {
    if (wait_.parks) {
      wait_.parks();
    }
    credits.park(epoch, wait_.step_ms * 1'000'000);
    if (wait_.goes_on) {
      wait_.goes_on();
    }
  }
  credits.withdraw();
}

}  // namespace sluice::core
