// Keeps the log lines of one component (or queue) from drowning all others: at most so many in a
// second, the rest is counted.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::core {

/// [thread-safe]
class LogLimit {
 public:
  explicit LogLimit(std::uint32_t lines_per_second) : lines_per_second_(lines_per_second) {}

  struct Verdict {
    bool pass;
    std::uint64_t
        left_out;  ///< lines suppressed in the second that has just ended; to be told first
  };
  /// A second begins with a component's first line after the former one ended.
  Verdict judge(std::string_view component, std::int64_t now_ns);

  /// Forgets the component; how many of its lines were left out and not told of yet.
  std::uint64_t finish(std::string_view component);

 private:
  struct Second {
    std::int64_t began_ns;
    std::uint32_t passed;
    std::uint64_t left_out;
  };
  const std::uint32_t lines_per_second_;
  std::mutex mutex_;
  std::map<std::string, Second, std::less<>>
      seconds_;  // guarded by mutex_; one per living component
};

}  // namespace sluice::core
