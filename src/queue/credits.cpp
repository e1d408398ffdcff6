#include "queue/credits.hpp"

#include <algorithm>
#include <cassert>

#include "message/chunk.hpp"

namespace sluice::core {

void Credits::init(std::int64_t messages, std::int64_t bytes, std::uint32_t publishers) {
  assert(messages > 0 && messages <= kMessagesMax);
  assert(bytes > 0 && bytes <= kBytesMax);
  std::int64_t units = std::max<std::int64_t>(1, bytes / kCreditUnit);
  std::int64_t parts = std::max<std::int64_t>(16, std::int64_t{4} * publishers);
  share_messages_ = messages / parts;
  share_units_ = units / parts;
  packed_.store(pack(messages, units), std::memory_order_relaxed);
}

bool Credits::refill(Reservation& reservation) {
  std::int64_t packed = packed_.load(std::memory_order_relaxed);
  for (;;) {
    std::int64_t messages = messages_of(packed) + reservation.messages;
    std::int64_t units = units_of(packed) + reservation.units;
    if (messages <= 0 || units <= 0) {
      return false;
    }
    Reservation wanted{std::clamp<std::int64_t>(share_messages_, 1, messages),
                       std::clamp<std::int64_t>(share_units_, 1, units)};
    if (packed_.compare_exchange_weak(packed, pack(messages - wanted.messages, units - wanted.units),
                                      std::memory_order_acq_rel, std::memory_order_relaxed)) {
      reservation = wanted;
      return true;
    }
  }
}

}  // namespace sluice::core
