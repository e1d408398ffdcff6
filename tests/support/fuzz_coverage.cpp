// What libFuzzer needs to see of code that g++ compiled. g++ calls __sanitizer_cov_trace_pc in
// every basic block (-fsanitize-coverage=trace-pc), which libFuzzer no longer takes; it does take
// counters from a section of this name, so each block counts in one of them. Comparisons go to
// libFuzzer's own functions. (clang 14, Debian's, cannot compile libstdc++ 12's std::expected.)
// This file is compiled without instrumentation.
#include <cstddef>
#include <cstdint>

namespace {
constexpr std::size_t kCounters = 1 << 16;
[[gnu::section("__libfuzzer_extra_counters")]] std::uint8_t counters[kCounters];
}  // namespace

extern "C" void __sanitizer_cov_trace_pc() {
  const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  std::uint8_t& counter = counters[(place ^ place >> 16) % kCounters];
  counter += counter != UINT8_MAX ? 1 : 0;
}

// libFuzzer has no use for comparisons of floating point numbers.
extern "C" void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" void __sanitizer_cov_trace_cmpd(double, double) {}
