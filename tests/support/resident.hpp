// What of memory is resident: what the system counts, not what an allocator thinks. And what the allocator thinks.
#pragma once

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // sanitizer/allocator_interface.h, which g++ does not bring
#endif

namespace sluice::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kResidentCounts = false;  // sanitizers keep back what was freed, and notes of their own
#else
constexpr bool kResidentCounts = true;
#endif

/// Of the process.
inline std::int64_t resident_bytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// Bytes in use on the heap; what sanitizers keep back for their own ends is not counted. ThreadSanitizer tells nothing.
inline std::size_t heap_bytes() {
#if defined(__SANITIZE_ADDRESS__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

/// What is held of memory, as far as it can be told: by the process or, with sanitizers, on the heap.
inline std::int64_t held_bytes() { return kResidentCounts ? resident_bytes() : static_cast<std::int64_t>(heap_bytes()); }

/// Of `bytes` bytes from `begin` on, which is a page's.
inline std::int64_t resident_bytes(void* begin, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages(bytes / page);
  if (mincore(begin, bytes, pages.data()) != 0) {
    return -1;  // not mapped
  }
  return std::ranges::count_if(pages, [](unsigned char each) { return (each & 1) != 0; }) * static_cast<std::int64_t>(page);
}

}  // namespace sluice::test
