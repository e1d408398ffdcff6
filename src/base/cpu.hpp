// The cores that this process may use, and placing threads on them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::core {

/// Core numbers of the affinity mask, cut to the cgroup's quota (v2, rounded up); at least one.
std::vector<int> allowed_cores();

/// Cores that cgroups grant, rounded up: the least quota of the process's group and all above it. 0: there is none. `root`:
/// the folder of the root group; `membership`: the text of /proc/self/cgroup.
int cgroup_quota_cores(const std::string& root, std::string_view membership);

/// Binds the calling thread to `core`. False if the kernel refuses.
bool pin_this_thread(int core);

/// Names the calling thread (15 characters at most), as debuggers and `top -H` show it.
void name_this_thread(const char* name);

}  // namespace sluice::core
