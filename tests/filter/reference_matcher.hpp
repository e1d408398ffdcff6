// Filter policies matched by their definition, slowly and plainly: what every faster matcher is
// held against.
#pragma once

#include "filter/policy.hpp"
#include "message/message_json.hpp"

namespace sluice::test {

/// Whether `policy` lets `message` through.
bool reference_matches(const core::FilterPolicy& policy, const core::MessageText& message);

}  // namespace sluice::test
