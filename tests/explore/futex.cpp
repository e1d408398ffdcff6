// base/futex.hpp by the explorer: a sleeper wakes when it is woken, never by time. Looking and
// falling asleep are one step, as in the kernel.
#include "base/futex.hpp"

namespace sluice::core {

void futex_wait(const Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t) {
  if (!explore::in_thread()) {
    return;
  }
  explore::step(explore::Access::update, word.word(), "futex_wait");
  if (word.now() == expected) {
    explore::sleep_on(word.word());
  }
}

void futex_wake(const Atomic<std::uint32_t>& word, int count) {
  if (!explore::in_thread()) {
    return;
  }
  explore::step(explore::Access::update, word.word(), "futex_wake");
  explore::wake_threads(word.word(), count);
}

}  // namespace sluice::core
