// What `run` says when it has started.
#pragma once

#include <string>

#include "config/description.hpp"

namespace sluice::core {

/// One sentence: what runs, where its state lies, what comes in, and how much of everything there
/// is. REQUIRES: as load_pipeline() made it; it is taken apart when the engine starts.
std::string start_text(const PipelineDescription& pipeline);

}  // namespace sluice::core
