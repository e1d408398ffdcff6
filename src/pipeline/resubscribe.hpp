// A running pipeline's subscriptions and filter policies, changed to those of another
// configuration.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "config/description.hpp"
#include "pipeline/graph.hpp"

namespace sluice::core {

/// Puts the subscriptions and filter policies of `changed` into force in `graph`, which runs
/// `pipeline`: from the next chunk of each publisher on, which never waits for it. Queues that
/// subscribe become branches of their topics in `pipeline`, under `mutex`; one that unsubscribes
/// stays there, gets nothing more and holds nobody up.
/// All or nothing: where something else has changed, nothing is done, and its JSON pointer is
/// returned. [control]
std::optional<std::string> resubscribe(Graph& graph, PipelineDescription& pipeline,
                                       std::mutex& mutex, const PipelineDescription& changed);

}  // namespace sluice::core
