// A fiber: a stack of its own that runs until it hands back. One OS thread.
#pragma once

#include <functional>

namespace sluice::explore {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// What the next resume() begins. What ran here before is abandoned as it stands: nothing on its stack is destroyed.
  void start(std::function<void()> body);
  /// Runs it until it hands back, or ends.
  void resume();
  /// Within the fiber: returns from resume().
  void hand_back();
  bool ended() const { return ended_; }

 private:
  static void enter(Fiber* self);

  void* stack_;
  void* own_ = nullptr;     ///< stack pointer while it waits
  void* caller_ = nullptr;  ///< of who resumed it
  std::function<void()> body_;
  bool ended_ = true;
};

}  // namespace sluice::explore
