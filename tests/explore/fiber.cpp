#include "explore/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

// System V ABI, AMD64: what a called function must keep is pushed, the stack pointers are exchanged.
// (swapcontext would ask the kernel for the signal mask each time.)
asm(R"(
.text
.globl sluice_switch_stack
.type sluice_switch_stack, @function
sluice_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.globl sluice_enter_fiber
.type sluice_enter_fiber, @function
sluice_enter_fiber:
  movq %rbx, %rdi
  callq *%r12
  ud2
)");
extern "C" void sluice_switch_stack(void** from, void* to);
extern "C" void sluice_enter_fiber();

namespace sluice::explore {
namespace {

constexpr std::size_t kStackBytes = 256 << 10;

}  // namespace

Fiber::Fiber()
    : stack_(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  if (stack_ == MAP_FAILED) {
    std::abort();
  }
}

Fiber::~Fiber() { munmap(stack_, kStackBytes); }

void Fiber::enter(Fiber* self) {
  self->body_();
  self->ended_ = true;
  self->hand_back();
}

void Fiber::start(std::function<void()> body) {
  body_ = std::move(body);
  ended_ = false;
  // As sluice_switch_stack leaves a stack: r15 r14 r13 r12 rbx rbp, the return address; aligned for the call.
  auto* top = reinterpret_cast<std::uint64_t*>(static_cast<std::uint8_t*>(stack_) + kStackBytes);
  *--top = 0;
  *--top = 0;
  *--top = reinterpret_cast<std::uint64_t>(&sluice_enter_fiber);
  *--top = 0;                                           // rbp
  *--top = reinterpret_cast<std::uint64_t>(this);       // rbx
  *--top = reinterpret_cast<std::uint64_t>(&Fiber::enter);  // r12
  *--top = 0;
  *--top = 0;
  *--top = 0;
  own_ = top;
}

void Fiber::resume() { sluice_switch_stack(&caller_, own_); }

void Fiber::hand_back() { sluice_switch_stack(&own_, caller_); }

}  // namespace sluice::explore
