// What can be asked of a pipeline's queues while it runs, through its admin address, or of what a
// stopped one has stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "queue/peeked.hpp"
#include "queue/redrive.hpp"

namespace sluice::core {

struct QueueFacts : QueueCounters {
  std::string name;
  std::int64_t age_of_oldest_s = 0;  ///< 0: it is empty
  std::uint64_t redriven = 0;        ///< of those that count as deleted
  std::uint64_t over_limit = 0;      ///< receives that got nothing since too much was in flight
  std::int64_t capacity = 0;
  bool has_service = false;
  bool fifo = false;
  bool keeps_letters = false;     ///< it is a dead-letter queue
  std::string dead_letter_queue;  ///< empty: it has none
};

/// A queue that is not there: missing_input. What cannot be done now: unavailable. What cannot be
/// done at all: usage. [any]
class QueueControl {
 public:
  virtual ~QueueControl() = default;

  virtual Result<std::vector<QueueFacts>> list() = 0;
  /// The oldest visible messages, at most `count_max`. It spends no receive.
  virtual Result<Peeked> peek(const std::string& queue, std::uint32_t count_max) = 0;
  /// Begins to redrive.
  virtual Result<RedriveStatus> redrive(const std::string& queue,
                                        const RedriveRequest& request) = 0;
  /// The last one that was begun.
  virtual Result<RedriveStatus> redrive_status(const std::string& queue) = 0;
  virtual Result<RedriveStatus> cancel_redrive(const std::string& queue) = 0;
  /// Removes what is visible, delayed or hidden after a failure, and what is in hand when it is put
  /// back. How many are gone now, for good. Errors also: io.
  virtual Result<std::uint64_t> purge(const std::string& queue) = 0;
  /// What stands in the way of a whole answer to what was asked for so far: what cannot be read,
  /// where, why, and what to do. bad_data: what cannot be a letter; io: the rest.
  virtual std::vector<Error> unreadable() const { return {}; }
};

/// missing_input: there is no queue `name`; the nearest one is named.
std::unexpected<Error> no_queue(std::string_view name, const std::vector<std::string_view>& known);

/// usage: only dead letters can be redriven.
std::unexpected<Error> not_dead_letters(std::string_view queue);

}  // namespace sluice::core
