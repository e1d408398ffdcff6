#include "base/cpu.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace sluice::core {
namespace {

/// Cores that the cgroup's cpu.max grants, 0 if it sets none.
int cgroup_quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) {
    return 0;
  }
  double cores = std::strtod(quota.c_str(), nullptr) / period;
  return std::max(1, static_cast<int>(cores + 0.999));
}

}  // namespace

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) {
        cores.push_back(core);
      }
    }
  }
  int quota = cgroup_quota_cores();
  if (quota > 0 && static_cast<std::size_t>(quota) < cores.size()) {
    cores.resize(quota);
  }
  if (cores.empty()) {
    cores.push_back(0);
  }
  return cores;
}

bool pin_this_thread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

void name_this_thread(const char* name) {
  std::string short_name(name);
  short_name.resize(std::min<std::size_t>(short_name.size(), 15));
  pthread_setname_np(pthread_self(), short_name.c_str());
}

}  // namespace sluice::core
