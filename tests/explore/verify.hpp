// Explores a scenario for a test: without a store buffer, then with one, and says how much that was.
#pragma once

#include <gtest/gtest.h>

#include "explore/explorer.hpp"

namespace sluice::explore {

/// Fails the test where a schedule breaks a rule, and tells how that schedule is run again.
void verify(const Scenario& scenario, Options options = {.store_buffer = 2});

/// Fails the test unless the weakened product breaks a rule: the scenario is not blind.
void expect_found(const Scenario& scenario, const Options& options);

}  // namespace sluice::explore
