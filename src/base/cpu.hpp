// The cores that this process may use, and placing threads on them.
#pragma once

#include <vector>

namespace sluice::core {

/// Core numbers of the affinity mask, cut to the cgroup's quota (v2, rounded up); at least one.
std::vector<int> allowed_cores();

/// Binds the calling thread to `core`. False if the kernel refuses.
bool pin_this_thread(int core);

/// Names the calling thread (15 characters at most), as debuggers and `top -H` show it.
void name_this_thread(const char* name);

}  // namespace sluice::core
