// What was logged while it lives, without time: "warning resize-16: text".
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace sluice::test {

class LogLines {
 public:
  LogLines() {
    core::set_log_sink([this](std::string_view line) {
      std::lock_guard lock(mutex_);
      lines_.emplace_back(line.substr(line.find(' ') + 1));
    });
  }
  ~LogLines() { core::set_log_sink({}); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  std::vector<std::string> all() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  /// Those that hold `part`.
  std::vector<std::string> with(std::string_view part) const {
    std::vector<std::string> found;
    for (const std::string& line : all()) {
      if (line.find(part) != std::string::npos) {
        found.push_back(line);
      }
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace sluice::test
