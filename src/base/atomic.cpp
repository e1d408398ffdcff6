#include "base/atomic.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sluice::core {
namespace {

long membarrier(int command) { return ::syscall(SYS_membarrier, command, 0, 0); }

}  // namespace

void full_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

const bool has_heavy_fence = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;

void heavy_fence() {
  full_fence();
  if (has_heavy_fence) {
    (void)membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);  // once registered it does not fail (membarrier(2))
  }
}

}  // namespace sluice::core
