// The end of a run, for programs and for people.
#pragma once

#include <string>

#include "pipeline/summary.hpp"

namespace sluice::core {

/// One JSON object without a newline, with the keys of DESIGN §5. Where a topic has
/// filter policies, "topics" tells what they let through.
std::string summary_json(const std::string& pipeline, const Summary& summary);

/// Tables and notes, ended by a newline.
std::string summary_text(const std::string& pipeline, const Summary& summary);

}  // namespace sluice::core
