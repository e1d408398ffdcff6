#include "service/thread.hpp"

#include <csignal>

#include "base/cpu.hpp"

namespace sluice::core {
namespace {

/// While it lives, the calling thread gets no signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

Thread::Thread(std::string name, std::function<void()> body, int core) {
  const SignalsBlocked inherited;  // signals are the main thread's
  thread_ = std::thread([name = std::move(name), body = std::move(body), core] {
    name_this_thread(name.c_str());
    if (core >= 0) {
      pin_this_thread(core);
    }
    body();
  });
}

}  // namespace sluice::core
