// Stands in for malloc and its kin, which libraries and operator new then come to as well. Sanitizers bring an allocator
// of their own, and a hook that it calls for each allocation.
#include "support/allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace sluice::test {
namespace {

// Constant initialised: it is there before the first allocation.
constinit std::atomic<std::uint64_t> count{0};

void* counted(void* memory) {
  if (memory != nullptr) {
    count.fetch_add(1, std::memory_order_relaxed);
  }
  return memory;
}

}  // namespace

std::uint64_t allocations() { return count.load(std::memory_order_relaxed); }

}  // namespace sluice::test

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

// sanitizer/allocator_interface.h, which g++ does not bring
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace sluice::test {
namespace {

void count_one(const volatile void* memory, std::size_t) { counted(const_cast<void*>(memory)); }
void count_nothing(const volatile void*) {}

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(count_one, count_nothing);

}  // namespace
}  // namespace sluice::test

#else

// The allocator of glibc itself, whose free() stays.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept { return sluice::test::counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept { return sluice::test::counted(__libc_calloc(count, size)); }
void* realloc(void* memory, std::size_t size) noexcept { return sluice::test::counted(__libc_realloc(memory, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return sluice::test::counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  *memory = sluice::test::counted(__libc_memalign(alignment, size));
  return *memory != nullptr ? 0 : ENOMEM;
}
}

#endif
