#include "queue/credits.hpp"

#include <algorithm>
#include <cassert>

#include "message/chunk.hpp"

namespace sluice::core {
namespace {

std::int64_t units_in(std::int64_t bytes) {
  return std::max<std::int64_t>(1, bytes / kCreditUnit);
}

}  // namespace

void Credits::init(std::int64_t messages, std::int64_t bytes, std::uint32_t publishers) {
  assert(messages > 0 && messages <= kMessagesMax);
  assert(bytes > 0 && bytes <= kBytesMax);
  deal(messages, bytes, publishers);
  packed_.store(pack(messages, units_in(bytes)), std::memory_order_relaxed);
}

void Credits::deal(std::int64_t messages, std::int64_t bytes, std::uint32_t publishers) {
  std::int64_t parts = std::max<std::int64_t>(16, std::int64_t{4} * publishers);
  share_messages_.store(messages / parts, std::memory_order_relaxed);
  share_units_.store(units_in(bytes) / parts, std::memory_order_relaxed);
}

bool Credits::refill(Reservation& reservation) {
  std::int64_t packed = packed_.load(std::memory_order_seq_cst);  // a waiter's look after announce_wait()
  for (;;) {
    std::int64_t messages = messages_of(packed) + reservation.messages;
    std::int64_t units = units_of(packed) + reservation.units;
    if (messages <= 0 || units <= 0) {
      return false;
    }
    // Of a small queue a share is nothing: who kept one message would keep it from others for as long as it sends none.
    const std::int64_t share_messages = share_messages_.load(std::memory_order_relaxed);
    const std::int64_t share_units = share_units_.load(std::memory_order_relaxed);
    const bool shares = share_messages != 0 && share_units != 0;
    const Reservation wanted = shares ? Reservation{std::min(share_messages, messages), std::min(share_units, units)} : Reservation{};
    if (wanted.messages == reservation.messages && wanted.units == reservation.units) {
      return true;
    }
    if (packed_.compare_exchange_weak(packed, pack(messages - wanted.messages, units - wanted.units),
                                      std::memory_order_acq_rel, std::memory_order_relaxed)) {
      reservation = wanted;
      return true;
    }
  }
}

}  // namespace sluice::core
