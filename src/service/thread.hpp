// Threads of the engine. Only src/service starts any.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace sluice::core {

/// Runs `body` on a named thread; joins when destroyed. `core` >= 0 binds it.
class Thread {
 public:
  Thread() = default;
  /// Throws std::system_error where the system gives no thread (a limit of processes or of memory).
  Thread(std::string name, std::function<void()> body, int core = -1);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = default;
  ~Thread() { join(); }

  void join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  /// Leaves the thread to itself: the process is about to end without it.
  void abandon() {
    if (thread_.joinable()) {
      thread_.detach();
    }
  }

 private:
  std::thread thread_;
};

}  // namespace sluice::core
