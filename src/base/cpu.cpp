#include "base/cpu.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

namespace sluice::core {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Cores that the folder's cpu.max ("50000 100000", "max 100000") grants.
double quota_in(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kNoLimit;
}

/// "/a/b" of the line "0::/a/b"; empty: the root.
std::string_view group_in(std::string_view membership) {
  constexpr std::string_view kVersion2 = "0::";
  while (!membership.empty()) {
    const std::string_view line = membership.substr(0, membership.find('\n'));
    if (line.starts_with(kVersion2)) {
      const std::string_view group = line.substr(kVersion2.size());
      // Outside of the process's cgroup namespace, which is "/../.." then, nothing can be read.
      return group.starts_with('/') && !(std::string(group) + "/").contains("/../") ? group : std::string_view();
    }
    membership.remove_prefix(std::min(membership.size(), line.size() + 1));
  }
  return {};
}

std::string own_membership() {
  std::ifstream file("/proc/self/cgroup");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int cgroup_quota_cores(const std::string& root, std::string_view membership) {
  double cores = quota_in(root);
  for (std::string_view group = group_in(membership); !group.empty(); group = group.substr(0, group.rfind('/'))) {
    cores = std::min(cores, quota_in(root + std::string(group)));
  }
  return cores < CPU_SETSIZE ? std::max(1, static_cast<int>(cores + 0.999)) : 0;
}

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
  int quota = cgroup_quota_cores("/sys/fs/cgroup", own_membership());
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
