// Where there is no memory for a message that stands nowhere else: nothing that promises not to lose can go on.
#pragma once

#include <exception>

namespace sluice::core {

/// Ends the process if it was not there; what was not acknowledged comes again.
inline void require_memory(bool was_there) {
  if (!was_there) {
    std::terminate();
  }
}

}  // namespace sluice::core
