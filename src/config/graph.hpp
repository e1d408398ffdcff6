// A pipeline as a picture.
#pragma once

#include <string>

#include "config/description.hpp"

namespace sluice::core {

/// DOT for graphviz: sources -> topics -> queues -> services -> buckets, tables and what they publish to;
/// ways to dead-letter queues are dashed.
std::string graph_text(const PipelineDescription& pipeline);

}  // namespace sluice::core
