#include "base/atomic.hpp"

namespace sluice::core {

void full_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace sluice::core
