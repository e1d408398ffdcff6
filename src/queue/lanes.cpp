#include "queue/lanes.hpp"

#include <bit>
#include <cassert>

namespace sluice::core {
namespace {

using State = LaneMessage::State;

constexpr std::size_t kBucketsMin = 64, kBlock = 128;

}  // namespace

Lanes::Lanes(AgeWindow& ages)
    : ages_(ages),
      buckets_(kBucketsMin) {}

std::int64_t Lanes::bytes_max(std::int64_t messages) {
  const auto buckets = std::bit_ceil(static_cast<std::uint64_t>(messages));
  // While the table of buckets grows, the one of half the size is still there.
  return messages * static_cast<std::int64_t>(sizeof(LaneMessage) + sizeof(Lane)) +
         static_cast<std::int64_t>(buckets * sizeof(Lane*) * 3 / 2);
}

void Lanes::push_back(Lane::List& list, LaneMessage* message) {
  message->next = nullptr;
  (list.first == nullptr ? list.first : list.last->next) = message;
  list.last = message;
}

LaneMessage* Lanes::make_message() {
  if (free_messages_ == nullptr) {
    LaneMessage* block = message_blocks_.emplace_back(new LaneMessage[kBlock]).get();
    for (std::size_t i = 0; i < kBlock; ++i) {
      block[i].next = free_messages_;
      free_messages_ = &block[i];
    }
  }
  LaneMessage* message = free_messages_;
  free_messages_ = message->next;
  return message;
}

/// The lane leads to it no more. It is recycled once show() came, where that is still to come.
void Lanes::unlist(LaneMessage* message) {
  message->is_listed = false;
  message->state = State::gone;
  ages_.leave(message->age);
  if (!message->will_be_shown) {
    message->next = free_messages_;
    free_messages_ = message;
  }
}

Lane& Lanes::lane_of(const TextKey& group) {
  for (Lane* lane = *bucket_of(group); lane != nullptr; lane = lane->next_in_bucket) {
    if (lane->group == group) {
      return *lane;
    }
  }
  if (free_lanes_ == nullptr) {
    Lane* block = lane_blocks_.emplace_back(new Lane[kBlock]).get();
    for (std::size_t i = 0; i < kBlock; ++i) {
      block[i].next_in_bucket = free_lanes_;
      free_lanes_ = &block[i];
    }
  }
  if (++size_ > buckets_.size()) {
    grow();
  }
  Lane* lane = free_lanes_;
  free_lanes_ = lane->next_in_bucket;
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
  lane.next_in_bucket = free_lanes_;
  free_lanes_ = &lane;
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

void Lanes::append(const TextKey& group, Chunk* chunk, std::uint32_t bit, std::int64_t since_ms) {
  Lane& lane = lane_of(group);
  LaneMessage* message = make_message();
  *message = {chunk, nullptr, &lane, bit, State::waiting, true, false, ages_.come(since_ms)};
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
    while (count_max != 0 && lane.waiting.first != nullptr && lane.waiting.first->state == State::waiting) {
      LaneMessage* message = pop_waiting(lane);
      message->state = State::in_hand;
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
  settled(*message.lane);
}

void Lanes::put_back(LaneMessage& message, Taken now, bool hidden) {
  assert(message.state == State::in_hand);
  message.chunk = now.chunk;
  message.bit = lowest_bit(now.mask);
  message.state = hidden ? State::hidden : State::waiting;
  message.will_be_shown = hidden;
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
      if (lane->waiting.first != nullptr && lane->waiting.first->state == State::waiting) {
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
  Taken taken{lane.waiting.first->chunk, 0};
  for (; count_max != 0; --count_max) {
    LaneMessage* first = lane.waiting.first;
    if (first == nullptr || first->state != State::waiting || first->chunk != taken.chunk || first->mask() <= taken.mask) {
      break;
    }
    taken.mask |= first->mask();
    unlist(pop_waiting(lane));
  }
  review(lane);
  return taken;
}

void Lanes::take_older(std::int64_t horizon_ms, std::vector<Taken>& old) {
  for_each_lane([&](Lane& lane) {
    const auto is_old = [horizon_ms](const LaneMessage* message) {
      return message != nullptr && message->state == State::waiting && message->chunk->sent_ms[message->bit] < horizon_ms;
    };
    if (!is_old(lane.waiting.first)) {
      return;
    }
    while (is_old(lane.waiting.first)) {
      LaneMessage* message = pop_waiting(lane);
      open_messages_ -= lane.is_open ? 1 : 0;
      old.push_back({message->chunk, message->mask()});
      unlist(message);
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
    message->state = message->state == State::in_hand ? State::in_hand : State::gone;
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
