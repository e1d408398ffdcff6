#include "queue/lanes.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace sluice::core {
namespace {

using State = LaneMessage::State;

constexpr std::size_t kBucketsMin = 64;
/// In a table that is nearly empty no place is found taken, so none is lost by its going: without that it is made anew
/// after some thousand chunks, at the same size.
constexpr std::size_t kRecordsMin = 2048;

/// The last of those hidden ones that stand before everything visible; nullptr: the first is visible, or there is none.
LaneMessage* last_hidden_ahead(const Lane& lane) {
  LaneMessage* last = nullptr;
  for (LaneMessage* message = lane.waiting.first; message != nullptr && message->state == State::hidden; message = message->next) {
    last = message;
  }
  return last;
}

}  // namespace

Lanes::Lanes(AgeWindow& ages)
    : ages_(ages),
      buckets_(kBucketsMin) {
  records_.reserve(kRecordsMin);
}

std::int64_t Lanes::bytes_max(std::int64_t messages) {
  const auto buckets = std::bit_ceil(static_cast<std::uint64_t>(messages));
  const auto places = std::bit_ceil(std::max<std::uint64_t>(static_cast<std::uint64_t>(messages), kRecordsMin) * 8 / 7 + 1);  // seven of eight are used
  constexpr std::size_t kPlace = sizeof(std::pair<Chunk*, LaneChunk*>) + 2;
  // While a table grows, the one of half the size is still there.
  return messages * static_cast<std::int64_t>(sizeof(LaneMessage) + sizeof(Lane) + sizeof(LaneChunk)) +
         static_cast<std::int64_t>((buckets * sizeof(Lane*) + places * kPlace) * 3 / 2);
}

void Lanes::push_back(Lane::List& list, LaneMessage* message) {
  message->next = nullptr;
  (list.first == nullptr ? list.first : list.last->next) = message;
  list.last = message;
}

/// The chunk's record; a new one is the youngest.
LaneChunk* Lanes::record_of(Chunk* chunk) {
  if (last_entered_ != nullptr && last_entered_->chunk == chunk) {
    return last_entered_;
  }
  LaneChunk*& record = records_[chunk];
  if (record == nullptr) {
    record = record_memory_.take();
    *record = LaneChunk{.chunk = chunk};
    make_youngest(*record);
  }
  return last_entered_ = record;
}

void Lanes::make_youngest(LaneChunk& record) {
  record.next = nullptr;
  record.previous = youngest_;
  (youngest_ == nullptr ? oldest_ : youngest_->next) = &record;
  youngest_ = &record;
}

void Lanes::unlink(LaneChunk& record) {
  (record.previous == nullptr ? oldest_ : record.previous->next) = record.next;
  (record.next == nullptr ? youngest_ : record.next->previous) = record.previous;
}

/// Makes it a message of `now`, waiting or hidden.
void Lanes::enter(LaneMessage& message, Taken now, State state) {
  LaneChunk& record = *record_of(now.chunk);
  message.chunk = now.chunk;
  message.bit = lowest_bit(now.mask);
  message.charge = now.chunk->charge_of(message.bit);
  message.state = state;
  message.record = &record;
  message.previous_here = record.last_still;
  message.next_here = nullptr;
  (record.last_still == nullptr ? record.first_still : record.last_still->next_here) = &message;
  record.last_still = &message;
  record.slab = now.chunk->slab_bytes / kCreditUnit;
  record.charge += message.charge;
  ++record.messages;
  reckon(record);
}

/// It is waiting or hidden no more.
void Lanes::move_on(LaneMessage& message) {
  LaneChunk& record = *message.record;
  (message.previous_here == nullptr ? record.first_still : message.previous_here->next_here) = message.next_here;
  (message.next_here == nullptr ? record.last_still : message.next_here->previous_here) = message.previous_here;
  if (record.first_still == nullptr) {
    reckon(record);
  }
}

/// It is no message of its chunk any more, after move_on().
void Lanes::leave(LaneMessage& message) {
  LaneChunk& record = *message.record;
  message.record = nullptr;
  record.charge -= message.charge;
  if (--record.messages == 0) {
    last_entered_ = last_entered_ == &record ? nullptr : last_entered_;
    records_.erase(record.chunk);
    unlink(record);
    record_memory_.give_back(&record);
  } else if (record.first_still != nullptr) {
    reckon(record);
  }
}

/// A copy's charge is its original's, and may be more than it takes.
void Lanes::reckon(LaneChunk& record) {
  const std::uint32_t idle = record.first_still != nullptr && record.charge < record.slab ? record.slab - record.charge : 0;
  idle_ += std::int64_t{idle} - record.idle;
  record.idle = idle;
}

/// What is dense goes behind the others, so that the next call does not look at it first.
void Lanes::compact(std::int64_t idle_wanted, const std::function<Taken(const LaneMessage&)>& copy,
                    std::vector<Taken>& left) {
  for (std::size_t looks = records_.size(); looks != 0 && idle_ > idle_wanted; --looks) {
    LaneChunk& record = *oldest_;
    unlink(record);
    make_youngest(record);
    const bool is_sparse = record.idle * 2 > record.slab;
    LaneMessage* next = nullptr;
    for (LaneMessage* message = is_sparse ? record.first_still : nullptr; message != nullptr; message = next) {
      next = message->next_here;
      const Taken now = copy(*message);
      if (now.mask == 0) {
        return;
      }
      left.push_back({message->chunk, message->mask()});
      move_on(*message);
      leave(*message);
      enter(*message, now, message->state);
    }
  }
}

/// The lane leads to it no more. It is recycled once show() came, where that is still to come.
void Lanes::unlist(LaneMessage* message) {
  message->state = State::gone;
  if (message->is_listed) {
    message->is_listed = false;
    ages_.leave(message->age);
  }
  if (!message->will_be_shown) {
    message_memory_.give_back(message);
  }
}

Lane& Lanes::lane_of(const TextKey& group) {
  for (Lane* lane = *bucket_of(group); lane != nullptr; lane = lane->next_in_bucket) {
    if (lane->group == group) {
      return *lane;
    }
  }
  if (++size_ > buckets_.size()) {
    grow();
  }
  Lane* lane = lane_memory_.take();
  Lane** bucket = bucket_of(group);
  *lane = Lane{.group = group, .next_in_bucket = *bucket};
  *bucket = lane;
  return *lane;
}

void Lanes::grow() {
  const std::vector<Lane*> old = std::move(buckets_);
  buckets_.assign(old.size() * 2, nullptr);
  for (Lane* lane : old) {
    while (lane != nullptr) {
      Lane* next = lane->next_in_bucket;
      Lane** bucket = bucket_of(lane->group);
      lane->next_in_bucket = *bucket;
      *bucket = lane;
      lane = next;
    }
  }
}

void Lanes::recycle(Lane& lane) {
  Lane** at = bucket_of(lane.group);
  while (*at != &lane) {
    at = &(*at)->next_in_bucket;
  }
  *at = lane.next_in_bucket;
  lane_memory_.give_back(&lane);
  --size_;
}

void Lanes::open(Lane& lane) {
  lane.is_open = true;
  lane.next_open = nullptr;
  lane.previous_open = last_open_;
  (last_open_ == nullptr ? first_open_ : last_open_->next_open) = &lane;
  last_open_ = &lane;
  open_messages_ += lane.waiting_count;
}

void Lanes::close(Lane& lane) {
  lane.is_open = false;
  (lane.previous_open == nullptr ? first_open_ : lane.previous_open->next_open) = lane.next_open;
  (lane.next_open == nullptr ? last_open_ : lane.next_open->previous_open) = lane.previous_open;
  open_messages_ -= lane.waiting_count;
}

/// After a change: opens it, closes it, or recycles it, as its messages say.
void Lanes::review(Lane& lane) {
  while (lane.hand.first == nullptr && lane.waiting.first != nullptr && lane.waiting.first->state == State::waiting &&
         lane.waiting.first->ends) {
    LaneMessage& message = *lane.waiting.first;
    ended_.push_back({message.chunk, message.mask()});
    drop_waiting(lane, nullptr, message);
  }
  const bool opens = lane.hand.first == nullptr && lane.waiting.first != nullptr &&
                     lane.waiting.first->state == State::waiting;
  if (lane.is_open != opens) {
    opens ? open(lane) : close(lane);
  }
  if (lane.hand.first == nullptr && lane.waiting.first == nullptr) {
    recycle(lane);
  }
}

void Lanes::look(const std::function<bool(const LaneMessage&)>& each) const {
  for (const Lane* lane = first_open_; lane != nullptr; lane = lane->next_open) {
    if (!look(*lane, each)) {
      return;
    }
  }
  for (const Lane* bucket : buckets_) {
    for (const Lane* lane = bucket; lane != nullptr; lane = lane->next_in_bucket) {
      if (!lane->is_open && !look(*lane, each)) {
        return;
      }
    }
  }
}

bool Lanes::look(const Lane& lane, const std::function<bool(const LaneMessage&)>& each) {
  for (const LaneMessage* message = lane.waiting.first; message != nullptr; message = message->next) {
    if (message->state == State::waiting && !each(*message)) {
      return false;
    }
  }
  return true;
}

void Lanes::append(const TextKey& group, Chunk* chunk, std::uint32_t bit) {
  Lane& lane = lane_of(group);
  LaneMessage* message = message_memory_.take();
  *message = LaneMessage{.lane = &lane, .is_listed = true, .will_be_shown = false, .ends = false, .age = ages_.come(chunk->old_since_ms(bit))};
  enter(*message, {chunk, std::uint64_t{1} << bit}, State::waiting);
  push_back(lane.waiting, message);
  ++lane.waiting_count;
  ++waiting_;
  if (lane.is_open) {
    ++open_messages_;
  } else {
    review(lane);
  }
}

LaneMessage* Lanes::pop_waiting(Lane& lane) {
  LaneMessage* message = lane.waiting.first;
  lane.waiting.first = message->next;
  --lane.waiting_count;
  --waiting_;
  return message;
}

void Lanes::take(std::uint32_t count_max, std::vector<LaneMessage*>& taken) {
  while (count_max != 0 && first_open_ != nullptr) {
    Lane& lane = *first_open_;
    close(lane);
    while (count_max != 0 && lane.waiting.first != nullptr && lane.waiting.first->state == State::waiting && !lane.waiting.first->ends) {
      LaneMessage* message = pop_waiting(lane);
      message->state = State::in_hand;
      move_on(*message);
      push_back(lane.hand, message);
      ++lane.in_hand;
      --count_max;
      taken.push_back(message);
    }
  }
}

void Lanes::end(LaneMessage& message) {
  assert(message.state == State::in_hand);
  message.state = State::gone;
  leave(message);
  settled(*message.lane);
}

void Lanes::put_back(LaneMessage& message, Taken now, bool hidden, bool ends) {
  assert(message.state == State::in_hand);
  leave(message);
  enter(message, now, hidden ? State::hidden : State::waiting);
  message.will_be_shown = hidden;
  message.ends = ends;
  settled(*message.lane);
}

/// A message less is in hand. After the last, what was put back stands before what waits.
void Lanes::settled(Lane& lane) {
  if (--lane.in_hand != 0) {
    return;
  }
  Lane::List back;
  for (LaneMessage* message = lane.hand.first; message != nullptr;) {
    LaneMessage* next = message->next;
    if (message->state == State::gone) {
      unlist(message);
    } else {
      push_back(back, message);
      ++lane.waiting_count;
      ++waiting_;
    }
    message = next;
  }
  lane.hand = {};
  if (back.first != nullptr) {
    back.last->next = lane.waiting.first;
    back.last = lane.waiting.first == nullptr ? back.last : lane.waiting.last;
    lane.waiting = back;
  }
  review(lane);
}

bool Lanes::show(LaneMessage& message) {
  message.will_be_shown = false;
  if (message.state == State::gone) {
    if (!message.is_listed) {
      unlist(&message);
    }
    return false;
  }
  message.state = State::waiting;
  review(*message.lane);
  return true;
}

/// It stands among those of its batch that are still in hand, or near the front of what waits.
void Lanes::end_hidden(LaneMessage& message) {
  assert(message.state == State::hidden);
  Lane& lane = *message.lane;
  message.will_be_shown = false;
  for (const LaneMessage* in_hand = lane.hand.first; in_hand != nullptr; in_hand = in_hand->next) {
    if (in_hand == &message) {
      move_on(message);
      leave(message);
      message.state = State::gone;  // settled() finds it
      return;
    }
  }
  LaneMessage* before = nullptr;
  for (LaneMessage* at = lane.waiting.first; at != &message; at = at->next) {
    before = at;
  }
  drop_waiting(lane, before, message);
  review(lane);
}

/// `before`: it stands behind that; nullptr: it is the first. To be reviewed.
void Lanes::drop_waiting(Lane& lane, LaneMessage* before, LaneMessage& message) {
  (before == nullptr ? lane.waiting.first : before->next) = message.next;
  lane.waiting.last = lane.waiting.last == &message ? before : lane.waiting.last;
  --lane.waiting_count;
  --waiting_;
  open_messages_ -= lane.is_open ? 1 : 0;
  move_on(message);
  leave(message);
  unlist(&message);
}

template <class Visit>
void Lanes::for_each_lane(Visit&& visit) {
  for (Lane* lane : buckets_) {
    while (lane != nullptr) {
      Lane* next = lane->next_in_bucket;  // the visit may recycle it
      visit(*lane);
      lane = next;
    }
  }
}

/// Goes on where it found one last: a deep lane is not looked for at each call.
Lane* Lanes::closed_lane_with_visible() {
  for (std::size_t i = 0; waiting_ != 0 && i < buckets_.size(); ++i) {
    for (Lane* lane = buckets_[next_bucket_ % buckets_.size()]; lane != nullptr; lane = lane->next_in_bucket) {
      const LaneMessage* hidden = last_hidden_ahead(*lane);
      if ((hidden != nullptr ? hidden->next : lane->waiting.first) != nullptr) {
        return lane;
      }
    }
    ++next_bucket_;
  }
  return nullptr;
}

Taken Lanes::take_away(std::uint32_t count_max, bool closed_too) {
  Lane* lane = first_open_;
  if (lane == nullptr && closed_too) {
    lane = closed_lane_with_visible();
  }
  return lane != nullptr ? take_away_from(*lane, count_max) : Taken{};
}

Taken Lanes::take_away_from(Lane& lane, std::uint32_t count_max) {
  if (lane.is_open) {
    close(lane);  // goes behind the others
  }
  LaneMessage* const hidden = last_hidden_ahead(lane);
  LaneMessage*& first = hidden != nullptr ? hidden->next : lane.waiting.first;
  Taken taken{first->chunk, 0};
  for (; count_max != 0; --count_max) {
    LaneMessage* message = first;
    if (message == nullptr || message->state != State::waiting || message->chunk != taken.chunk || message->mask() <= taken.mask) {
      break;
    }
    taken.mask |= message->mask();
    first = message->next;
    --lane.waiting_count;
    --waiting_;
    move_on(*message);
    leave(*message);
    unlist(message);
  }
  lane.waiting.last = first == nullptr ? hidden : lane.waiting.last;
  review(lane);
  return taken;
}

void Lanes::take_older(std::int64_t horizon_ms, std::vector<Taken>& old) {
  for_each_lane([&](Lane& lane) {
    const auto is_old = [horizon_ms](const LaneMessage* message) {
      return message != nullptr && message->state == State::waiting && message->chunk->kept_since_ms(message->bit) < horizon_ms;
    };
    if (!is_old(lane.waiting.first)) {
      return;
    }
    while (is_old(lane.waiting.first)) {
      LaneMessage& message = *lane.waiting.first;
      old.push_back({message.chunk, message.mask()});
      drop_waiting(lane, nullptr, message);
    }
    review(lane);
  });
}

void Lanes::take_if(const std::function<bool(const LaneMessage&)>& picks, std::vector<Taken>& taken) {
  for_each_lane([&](Lane& lane) {
    LaneMessage *before = nullptr, *next = nullptr;
    for (LaneMessage* message = lane.waiting.first; message != nullptr; message = next) {
      next = message->next;
      if (message->state == State::waiting && picks(*message)) {
        taken.push_back({message->chunk, message->mask()});
        drop_waiting(lane, before, *message);
      } else {
        before = message;
      }
    }
    review(lane);
  });
}

void Lanes::clear_list(Lane::List& list, std::vector<Taken>& visible, std::vector<Taken>& hidden) {
  for (LaneMessage* message = list.first; message != nullptr; message = message->next) {
    if (message->state == State::waiting) {
      visible.push_back({message->chunk, message->mask()});
    } else if (message->state == State::hidden) {
      hidden.push_back({message->chunk, message->mask()});
    }
    if (message->state == State::waiting || message->state == State::hidden) {
      move_on(*message);
      leave(*message);
      message->state = State::gone;
    }
  }
}

void Lanes::clear(std::vector<Taken>& visible, std::vector<Taken>& hidden) {
  for_each_lane([&](Lane& lane) {
    clear_list(lane.hand, visible, hidden);
    clear_list(lane.waiting, visible, hidden);
    if (lane.is_open) {
      close(lane);
    }
    while (lane.waiting.first != nullptr) {
      unlist(pop_waiting(lane));
    }
    review(lane);
  });
}

}  // namespace sluice::core
