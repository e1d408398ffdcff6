#include "queue/redrives.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::core {

Result<void> Redrives::begin(LetterBox& box, RedriveRequest request) {
  std::lock_guard lock(mutex_);
  if (is_active(box.queue())) {
    return fail(Errc::unavailable, fmt::format("a redrive of '{}' is under way: only one at a time; wait for it, or cancel it",
                                               box.queue().name()));
  }
  put(box, std::move(request), false);
  return {};
}

void Redrives::begin_marked(LetterBox& box) {
  std::lock_guard lock(mutex_);
  put(box, {}, true);
}

void Redrives::put(LetterBox& box, RedriveRequest request, bool marked) {
  last_[&box.queue()] = std::make_shared<Redrive>(box, std::move(request), marked, find_, timers_, pool_);
}

bool Redrives::cancel(const Queue& from) {
  std::lock_guard lock(mutex_);
  if (!is_active(from)) {
    return false;
  }
  last_.at(&from)->cancel(true);
  return true;
}

void Redrives::cancel_all() {
  std::lock_guard lock(mutex_);
  for (auto& [queue, redrive] : last_) {
    redrive->cancel(false);
  }
}

Redrives::Stepped Redrives::step() {
  std::vector<std::shared_ptr<Redrive>> active;
  {
    std::lock_guard lock(mutex_);
    for (auto& [queue, redrive] : last_) {
      if (redrive->is_active()) {
        active.push_back(redrive);
      }
    }
  }
  Stepped stepped{-1, 0};
  for (const std::shared_ptr<Redrive>& redrive : active) {
    const std::int64_t wait_ns = redrive->step();
    if (redrive->is_active()) {
      stepped.next_ns = stepped.next_ns < 0 ? wait_ns : std::min(stepped.next_ns, wait_ns);
    } else {
      ++stepped.ended;
    }
  }
  return stepped;
}

void Redrives::note_back(const Queue& from) {
  std::lock_guard lock(mutex_);
  if (auto last = last_.find(&from); last != last_.end() && !last->second->status().request.dry_run) {
    last->second->note_back();
  }
}

std::optional<RedriveStatus> Redrives::status(const Queue& from) const {
  std::lock_guard lock(mutex_);
  auto found = last_.find(&from);
  return found != last_.end() ? std::optional(found->second->status()) : std::nullopt;
}

bool Redrives::is_under_way(const Queue& from) const {
  std::lock_guard lock(mutex_);
  return is_active(from);
}

bool Redrives::is_active(const Queue& from) const {
  auto last = last_.find(&from);
  return last != last_.end() && last->second->is_active();
}

std::vector<std::string> Redrives::waiting_for_room() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [queue, redrive] : last_) {
    if (redrive->is_active() && redrive->waits_for_room()) {
      names.push_back(queue->name());
    }
  }
  return names;
}

}  // namespace sluice::core
