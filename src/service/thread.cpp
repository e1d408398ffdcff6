#include "service/thread.hpp"

#include <csignal>

#include "base/cpu.hpp"

namespace sluice::core {

Thread::Thread(std::string name, std::function<void()> body, int core) {
  // Signals are the main thread's: what it blocks here, the new thread inherits.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([name = std::move(name), body = std::move(body), core] {
    name_this_thread(name.c_str());
    if (core >= 0) {
      pin_this_thread(core);
    }
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace sluice::core
