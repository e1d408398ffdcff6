// What follows from the graph of a pipeline: which queue can stall which source, cycles that would
// stand still, and the bound on memory (DESIGN §2.7, §7.6). Pure functions of the description.
#pragma once

#include <cstdint>
#include <vector>

#include "config/description.hpp"

namespace sluice::core {

/// Queues that a message sent to `target` is put into at once.
std::vector<std::uint32_t> queues_of(const PipelineDescription& pipeline, const Target& target);

/// Whether a service's workers share the CPU pool: nothing in it waits, and no batch is much (DESIGN §2.7).
bool runs_on_pool(const ServiceDescription& service);

/// Which ways count: all that messages go, or those to queues that make their publishers wait.
enum class Edges : std::uint8_t { all, blocking };

/// For each queue: those that its services publish to.
std::vector<std::vector<std::uint32_t>> next_queues(const PipelineDescription& pipeline, Edges edges);

/// `from` and every queue that a way leads to from there, by the edges `next`. Ascending.
std::vector<std::uint32_t> reached_queues(const std::vector<std::vector<std::uint32_t>>& next,
                                          std::vector<std::uint32_t> from);

/// Queues that make the source wait when they are full, directly or through the services between:
/// every blocking queue that its messages, or what becomes of them, can be published to. Ascending.
std::vector<std::uint32_t> stalling_queues(const PipelineDescription& pipeline,
                                           const SourceDescription& source);

/// Cycles of a graph (edges by node), each as its nodes in order; at least one of every strongly
/// connected part that has any.
std::vector<std::vector<std::uint32_t>> find_cycles(
    const std::vector<std::vector<std::uint32_t>>& edges);

/// Answers of the admin address that wait to be read, or are made.
constexpr std::int64_t kAdminBytesMax = std::int64_t{64} << 20;

/// The most memory that messages take, in bytes.
struct MemoryBound {
  std::int64_t queues = 0;     ///< sum of capacity_bytes, dead-letter queues included; a quarter more where letters wait
  std::int64_t timers = 0;     ///< of messages that are delayed, or hidden after a failure: where they wait for their time
  std::int64_t fifo = 0;       ///< of FIFO queues: deduplication ids, and a lane for each message that there is credit for
  std::int64_t origins = 0;    ///< acknowledgement: of each chunk, as if none held more than one of a queue's messages
  std::int64_t logs = 0;       ///< of each publisher, where a queue is as far behind as can be
  std::int64_t producers = 0;  ///< one chunk for each worker that publishes; also the slabs in rotation and begun blocks for each source
  std::int64_t workers = 0;    ///< one batch in each worker's hands: bodies of max_body_bytes, or a slab each where that is more
  /// What a batch becomes in a worker of the CPU pool: it never waits for credit, so it may overdraw
  /// by 64 bodies of max_body_bytes for each message, published or rejected.
  std::int64_t emissions = 0;
  std::int64_t parts = 0;      ///< that stages reject, and that are not stored yet
  std::int64_t filters = 0;    ///< filter policies, compiled; twice of it for a moment while they are changed
  std::int64_t admin = 0;      ///< answers that show messages
  std::int64_t total() const;
};
MemoryBound memory_bound(const PipelineDescription& pipeline);

}  // namespace sluice::core
