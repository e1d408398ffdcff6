#include "pipeline/notifier.hpp"

#include "base/log.hpp"

namespace sluice::core {

Notifier::Notifier(std::string target, std::vector<Queue*> queues, Timers& timers, DeadLetters& dead_letters)
    : target_(std::move(target)),
      publisher_({.queues = std::move(queues), .kind = Chunk::Kind::source, .listener = this, .wait = {.keep_on = [] { return false; }}},
                 timers, dead_letters) {}

void Notifier::send(const std::string& alarm, Notification notification) {
  ++sent_;
  if (send_kept() && publish(notification)) {
    return;
  }
  if (kept_.empty()) {
    log_warning(alarm, "its notification waits until {} has room", target_);
  }
  if (kept_.size() == kKeptMax) {
    log_warning(alarm, "{} has had no room for {} notifications: the oldest is lost", target_, kKeptMax);
    kept_.pop_front();
  }
  kept_.push_back(std::move(notification));
}

bool Notifier::send_kept() {
  while (!kept_.empty() && publish(kept_.front())) {
    kept_.pop_front();
  }
  return kept_.empty();
}

bool Notifier::publish(const Notification& notification) {
  std::vector<sluice_attribute> attributes;
  for (const auto& [name, value] : notification.attributes) {
    attributes.push_back({sizeof(sluice_attribute), SLUICE_STRING, {name.data(), name.size()}, {value.data(), value.size()}});
  }
  std::vector<const sluice_attribute*> pointers;
  for (const sluice_attribute& attribute : attributes) {
    pointers.push_back(&attribute);
  }
  Publisher::Item item;
  item.body = {reinterpret_cast<const std::uint8_t*>(notification.body.data()), notification.body.size()};
  if (item.body.size() > kInlineBodyMax && (item.external = ExternalBody::copy_of(item.body)) == nullptr) {
    return false;  // no memory: it is tried again
  }
  item.parts.attribute_count = static_cast<std::uint32_t>(pointers.size());
  item.parts.attributes = pointers.data();
  item.cookie = ++cookie_;
  const bool is_in = publisher_.append(item, Admission::refuse) == Publisher::Outcome::ok;
  publisher_.flush(true);
  return is_in;
}

void Notifier::settled(std::uint64_t, bool, std::uint32_t messages) { settled_.fetch_add(messages, std::memory_order_release); }

}  // namespace sluice::core
