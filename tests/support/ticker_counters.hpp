// The ticker's own counters, for tests that bring them to the end of their bits.
#pragma once

#include "queue/timers.hpp"
#include "support/private_member.hpp"

namespace sluice::test {

struct TimersPosted {
  friend core::Atomic<std::uint64_t> core::Timers::* member(TimersPosted);
};
template struct PrivateMember<TimersPosted, &core::Timers::posted_>;
struct TimersReceived {
  friend std::uint64_t core::Timers::* member(TimersReceived);
};
template struct PrivateMember<TimersReceived, &core::Timers::received_>;
struct TimersEpoch {
  friend core::Atomic<std::uint32_t> core::Timers::* member(TimersEpoch);
};
template struct PrivateMember<TimersEpoch, &core::Timers::epoch_>;

}  // namespace sluice::test
