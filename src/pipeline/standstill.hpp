// Whether a run that is to end when it is idle stands still instead: what is left waits for workers that are started
// (Starter), none runs, and no alarm will start any; sources have no more to emit; or they, services and redrives wait for
// room in a queue that nobody makes.
//
// Idle is by the queues alone, so such a run would never be. It is not given up while an alarm may still act.
//
// Thread safety: control's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/description.hpp"
#include "pipeline/graph.hpp"

namespace sluice::core {

class Standstill {
 public:
  Standstill(const PipelineDescription& pipeline, const Graph& graph) : pipeline_(pipeline), graph_(graph) {}

  /// What is left in the queue waits for workers that are started, and nothing of it moves: none is in flight or delayed.
  bool waits_for_start(std::uint32_t queue) const;
  /// What is left in the queue waits for its service, which takes none, or waits with what it took: a queue that it publishes
  /// to is full and blocks.
  bool waits_for_room(std::uint32_t queue) const;
  /// `rests`: nothing is under way but in queues that waits_for_start() or waits_for_room(). True: so it was for a while, and
  /// nothing will move any more. Tells what it waits for in the log. Called again and again.
  bool is_final(bool rests);

 private:
  /// By queue: what changes when anything moves, and what an alarm sees.
  using Numbers = std::vector<std::uint64_t>;

  std::string waiting_text() const;

  const PipelineDescription& pipeline_;
  const Graph& graph_;
  Numbers numbers_;
  std::optional<std::int64_t> since_ns_;  ///< they are so
  std::string told_;  ///< the last that it waits for
};

}  // namespace sluice::core
