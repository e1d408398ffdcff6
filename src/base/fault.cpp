#include "base/fault.hpp"

#ifdef SLUICE_FAULT_POINTS
#include <csignal>
#include <cstdlib>
#include <mutex>

namespace sluice::core {
namespace {

std::mutex handler_mutex;

/// Without a handler: SLUICE_DIE_AT=name kills the process there, as a power cut of the program would.
std::function<bool(std::string_view)>& handler() {
  static std::function<bool(std::string_view)> current = [](std::string_view name) {
    static const char* die_at = std::getenv("SLUICE_DIE_AT");
    if (die_at != nullptr && name == die_at) {
      std::raise(SIGKILL);
    }
    return false;
  };
  return current;
}

}  // namespace

void set_fault_handler(std::function<bool(std::string_view)> next) {
  std::lock_guard lock(handler_mutex);
  handler() = std::move(next);
}

bool fault_point(std::string_view name) {
  std::lock_guard lock(handler_mutex);
  return handler()(name);
}

}  // namespace sluice::core
#endif
