// Stands in for src/service/thread.hpp in the explored build: the engine's threads are fibers.
#pragma once

#include <functional>
#include <string>

#include "explore/explorer.hpp"

namespace sluice::core {

class Thread {
 public:
  Thread() = default;
  Thread(const std::string&, std::function<void()> body, int = -1) { explore::add_thread(std::move(body)); }
  void join() {}  // who leaves has nothing left to do but its end
  void abandon() {}
};

}  // namespace sluice::core
