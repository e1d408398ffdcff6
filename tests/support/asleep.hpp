// Whether this process sleeps: nothing will happen in it but by the caller, or by a timer.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sluice::test {

/// No thread but the caller's runs or is about to.
inline bool all_others_sleep() {
  const std::string own = std::to_string(gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string stat;
    std::getline(std::ifstream(task.path() / "stat"), stat);
    const std::size_t state = stat.rfind(") ") + 2;  // the name before it may hold anything
    if (task.path().filename() != own && !stat.empty() && stat.at(state) != 'S') {
      return false;
    }
  }
  return true;
}

}  // namespace sluice::test
