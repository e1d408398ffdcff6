// How often the process asked for memory of its heap: malloc and its kin, and what operator new takes from them.
#pragma once

#include <cstdint>

namespace sluice::test {

/// Successful allocations so far, of all threads, sizes that are reallocated included. Only in a test that is linked with
/// allocations.cpp.
std::uint64_t allocations();

}  // namespace sluice::test
