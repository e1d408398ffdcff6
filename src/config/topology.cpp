#include "config/topology.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

#include "message/chunk.hpp"
#include "queue/dead_letters.hpp"
#include "queue/deduplication.hpp"
#include "queue/lanes.hpp"
#include "queue/log.hpp"
#include "queue/timers.hpp"

namespace sluice::core {
namespace {

/// What a source's publisher goes round in, and the rest of a block that it has begun, in every size class.
constexpr std::int64_t kSlabsMax =
    std::int64_t{ChunkPool::kClasses} * (ChunkPool::kRotation + std::int64_t{SlabBlocks::kBlockBytes});

/// A message in hand keeps the slab that it lies in, whose other messages may have ended.
constexpr std::int64_t kSlabMax = ChunkPool::kSlabBytes[ChunkPool::kClasses - 1];

/// Emissions of one message by a stage that does not split (plugin.h: emit).
constexpr std::int64_t kEmissionsMax = 64;

/// find_cycles() reports no more.
constexpr std::size_t kCyclesMax = 100;

/// a * b * c, the largest number where that is more.
std::int64_t product(std::int64_t a, std::int64_t b, std::int64_t c) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result) || __builtin_mul_overflow(result, c, &result))
    return INT64_MAX;
  return result;
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

}  // namespace

std::vector<std::uint32_t> queues_of(const PipelineDescription& pipeline, const Target& target) {
  if (target.kind == Target::Kind::queue)
    return {target.index};
  return pipeline.topics[target.index].queues;
}

namespace {

/// One with any of the flags.
bool has_stage(const ServiceDescription& service, std::uint32_t flags) {
  return std::ranges::any_of(service.stages, [flags](const std::unique_ptr<sluice_config>& stage) {
    return (stage->component->descriptor->flags & flags) != 0;
  });
}

}  // namespace

bool runs_on_pool(const ServiceDescription& service) {
  if (service.batch_window_ms != 0 || (service.publish_to && service.batch_size > kChunkMessages))
    return false;
  return !has_stage(service, SLUICE_BLOCKS | SLUICE_SPLITS);
}

namespace {

/// Of the target's queues those that count for `edges`.
std::vector<std::uint32_t> ends_of(const PipelineDescription& pipeline, const Target& target, Edges edges) {
  std::vector<std::uint32_t> queues = queues_of(pipeline, target);
  std::erase_if(queues, [&](std::uint32_t queue) {
    return edges == Edges::blocking && pipeline.queues[queue].when_full != WhenFull::block;
  });
  return queues;
}

/// Of a publisher into `target`.
std::int64_t log_bytes(const PipelineDescription& pipeline, const Target& target) {
  return Log::bytes_max(static_cast<std::uint32_t>(queues_of(pipeline, target).size()));
}

}  // namespace

std::vector<std::vector<std::uint32_t>> next_queues(const PipelineDescription& pipeline, Edges edges) {
  std::vector<std::vector<std::uint32_t>> next(pipeline.queues.size());
  for (const ServiceDescription& service : pipeline.services) {
    if (!service.publish_to)
      continue;
    for (const std::uint32_t queue : ends_of(pipeline, *service.publish_to, edges))
      next[service.queue].push_back(queue);
  }
  return next;
}

std::vector<std::uint32_t> reached_queues(const std::vector<std::vector<std::uint32_t>>& next,
                                          std::vector<std::uint32_t> from) {
  std::vector<std::uint32_t> reached;
  std::vector<bool> seen(next.size());
  std::vector<std::uint32_t> open = std::move(from);
  while (!open.empty()) {
    const std::uint32_t queue = open.back();
    open.pop_back();
    if (seen[queue])
      continue;
    seen[queue] = true;
    reached.push_back(queue);
    open.insert(open.end(), next[queue].begin(), next[queue].end());
  }
  std::sort(reached.begin(), reached.end());
  return reached;
}

std::vector<std::uint32_t> stalling_queues(const PipelineDescription& pipeline,
                                           const SourceDescription& source) {
  return reached_queues(next_queues(pipeline, Edges::blocking),
                        ends_of(pipeline, source.publish_to, Edges::blocking));
}

std::vector<std::vector<std::uint32_t>> find_cycles(
    const std::vector<std::vector<std::uint32_t>>& edges) {
  // Depth first with a stack of our own: the depth is the configuration's to choose. An edge to a
  // node that stands on the path closes a cycle.
  enum class State : std::uint8_t { fresh, on_path, done };
  struct Step {
    std::uint32_t node;
    std::size_t next_edge;
  };
  std::vector<std::vector<std::uint32_t>> cycles;
  std::vector<State> states(edges.size(), State::fresh);
  for (std::uint32_t start = 0; start < edges.size(); ++start) {
    if (states[start] != State::fresh)
      continue;
    std::vector<Step> path{{start, 0}};
    states[start] = State::on_path;
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next_edge == edges[step.node].size()) {
        states[step.node] = State::done;
        path.pop_back();
        continue;
      }
      const std::uint32_t to = edges[step.node][step.next_edge++];
      if (states[to] == State::fresh) {
        states[to] = State::on_path;
        path.push_back({to, 0});
      } else if (states[to] == State::on_path && cycles.size() < kCyclesMax) {
        std::vector<std::uint32_t>& cycle = cycles.emplace_back();
        auto first =
            std::find_if(path.begin(), path.end(), [&](const Step& s) { return s.node == to; });
        for (; first != path.end(); ++first)
          cycle.push_back(first->node);
      }
    }
  }
  return cycles;
}

MemoryBound memory_bound(const PipelineDescription& pipeline) {
  MemoryBound bound;
  for (const QueueDescription& queue : pipeline.queues) {
    bound.queues += queue.capacity_bytes;
    const std::int64_t messages = std::min(queue.capacity, queue.capacity_bytes / kCreditUnit);  // each takes a unit at least
    bound.timers += Timers::bytes_max(messages);
    if (queue.when_full == WhenFull::dead_letter)  // letters that are not stored yet
      bound.queues += std::max(queue.capacity_bytes / 4, static_cast<std::int64_t>(kChunkBytesMax));
    if (queue.fifo)
      bound.fifo += Deduplication::bytes_max(queue.deduplication_capacity) + Lanes::bytes_max(messages);
  }
  bound.admin = pipeline.admin ? kAdminBytesMax : 0;
  for (const TopicDescription& topic : pipeline.topics)
    bound.filters += topic.filter != nullptr ? static_cast<std::int64_t>(topic.filter->bytes()) : 0;
  bound.producers = static_cast<std::int64_t>(pipeline.sources.size()) *
                    (static_cast<std::int64_t>(kChunkBytesMax) + kSlabsMax);
  std::set<std::uint32_t> published_to;
  for (const SourceDescription& source : pipeline.sources) {
    bound.logs += log_bytes(pipeline, source.publish_to);
    std::ranges::copy(queues_of(pipeline, source.publish_to), std::inserter(published_to, published_to.end()));
  }
  for (const AlarmDescription& alarm : pipeline.alarms) {
    for (const std::vector<AlarmAction>& actions : alarm.actions) {
      for (const AlarmAction& action : actions) {
        if (action.starts())
          continue;
        bound.producers += static_cast<std::int64_t>(kChunkBytesMax) + kSlabsMax;
        bound.logs += log_bytes(pipeline, *action.publish_to);
      }
    }
  }
  for (const ServiceDescription& service : pipeline.services) {
    const auto workers = static_cast<std::int64_t>(service.scaling.most_workers());
    if (service.publish_to) {
      bound.producers += workers * static_cast<std::int64_t>(kChunkBytesMax);
      bound.logs += workers * log_bytes(pipeline, *service.publish_to);
      std::ranges::copy(queues_of(pipeline, *service.publish_to), std::inserter(published_to, published_to.end()));
    }
    if (runs_on_pool(service)) {
      bound.emissions = sum(bound.emissions, product(workers * kEmissionsMax, service.batch_size,
                                                     service.max_body_bytes));
    }
    bound.parts = DeadLetters::kPartBytesMax;
    const std::int64_t in_hand = std::max(service.max_body_bytes, kSlabMax);
    bound.workers = sum(bound.workers, product(workers, service.batch_size, in_hand));
  }
  for (const std::uint32_t index : published_to) {  // what is read from a file has no source that waits for it
    const QueueDescription& queue = pipeline.queues[index];
    bound.origins += std::min(queue.capacity, queue.capacity_bytes / ChunkPool::kSlabBytes[0]) * Origin::bytes_max();
  }
  return bound;
}

std::int64_t MemoryBound::total() const {
  std::int64_t all = 0;
  for (const std::int64_t part : {queues, timers, fifo, origins, logs, producers, workers, emissions, parts, filters, admin})
    all = sum(all, part);
  return all;
}

}  // namespace sluice::core
