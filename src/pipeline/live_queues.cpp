#include "pipeline/live_queues.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "message/message_json.hpp"
#include "message/message_view.hpp"

namespace sluice::core {
namespace {

/// What is certainly too long is not made.
void show(const sluice_message& message, Peeked& peeked) {
  std::string json = Peeked::shows_whole(message.body_size) ? message_to_json(message) : std::string();
  const std::size_t bytes = json.size();
  if (bytes == 0 || !Peeked::shows_whole(bytes)) {
    json = message_without_body(message);
  }
  peeked.add(std::move(json), bytes);
}

}  // namespace

Result<Queue*> LiveQueues::find(const std::string& name) const {
  std::vector<std::string_view> known;
  for (const std::unique_ptr<Queue>& queue : graph_.queues) {
    if (queue->name() == name) {
      return queue.get();
    }
    known.push_back(queue->name());
  }
  return no_queue(name, known);
}

QueueFacts LiveQueues::facts(const Queue& queue) const {
  QueueFacts facts;
  static_cast<QueueCounters&>(facts) = queue.counters();
  facts.name = queue.name();
  const std::int64_t oldest_ms = queue.oldest_ms();
  facts.age_of_oldest_s =
      oldest_ms == AgeWindow::kNone
          ? 0
          : std::max<std::int64_t>(0, graph_.timers.now_ms() - oldest_ms) / 1000;
  facts.redriven = queue.redriven.load(std::memory_order_relaxed);
  facts.over_limit = queue.over_limit.load(std::memory_order_relaxed);
  facts.capacity = queue.options().capacity;
  facts.has_service = queue.has_service();
  facts.fifo = queue.options().fifo;
  facts.keeps_letters = graph_.dead_letters->keeps_letters_of(queue);
  if (queue.dead_letter_queue() != nullptr) {
    facts.dead_letter_queue = queue.dead_letter_queue()->name();
  }
  return facts;
}

Result<std::vector<QueueFacts>> LiveQueues::list() {
  std::vector<QueueFacts> all;
  for (const std::unique_ptr<Queue>& queue : graph_.queues) {
    all.push_back(facts(*queue));
  }
  return all;
}

Result<Peeked> LiveQueues::peek(const std::string& queue, std::uint32_t count_max) {
  Result<Queue*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (graph_.dead_letters->keeps_letters_of(**found)) {
    return graph_.dead_letters->peek(**found, count_max);
  }
  Peeked peeked;
  ChunkViews views;
  (*found)->peek(count_max, graph_.timers.now_ms(), [&](const Chunk& chunk, std::uint64_t mask) {
    views.show(chunk, mask);
    for (std::uint64_t left = mask; left != 0 && !peeked.more; left &= left - 1) {
      sluice_message message = *views.pointers()[lowest_bit(left)];
      --message.receive_count;  // this one is none
      show(message, peeked);
    }
  });
  return peeked;
}

Result<RedriveStatus> LiveQueues::redrive(const std::string& queue, const RedriveRequest& request) {
  Result<Queue*> from = find(queue);
  if (!from) {
    return std::unexpected(from.error());
  }
  if (!request.to.empty()) {
    if (Result<Queue*> to = find(request.to); !to) {
      return std::unexpected(to.error());
    }
  }
  if (Result<void> begun = graph_.dead_letters->redrive(**from, request); !begun) {
    return std::unexpected(begun.error());
  }
  return redrive_status(queue);
}

Result<RedriveStatus> LiveQueues::redrive_status(const std::string& queue) {
  Result<Queue*> from = find(queue);
  if (!from) {
    return std::unexpected(from.error());
  }
  std::optional<RedriveStatus> status = graph_.dead_letters->redrives().status(**from);
  if (!status) {
    return fail(Errc::missing_input,
                fmt::format("queue '{}': no redrive was begun since the engine started", queue));
  }
  return *status;
}

Result<RedriveStatus> LiveQueues::cancel_redrive(const std::string& queue) {
  Result<Queue*> from = find(queue);
  if (!from) {
    return std::unexpected(from.error());
  }
  if (!graph_.dead_letters->cancel_redrive(**from)) {
    return fail(Errc::missing_input, fmt::format("queue '{}': no redrive is under way", queue));
  }
  return redrive_status(queue);
}

Result<std::uint64_t> LiveQueues::purge(const std::string& queue) {
  Result<Queue*> found = find(queue);
  if (!found) {
    return std::unexpected(found.error());
  }
  const Result<std::uint64_t> purged = graph_.dead_letters->keeps_letters_of(**found)
                                           ? graph_.dead_letters->purge(**found)
                                           : Result<std::uint64_t>((*found)->purge());
  if (!purged) {
    return purged;
  }
  const std::uint64_t hidden = graph_.timers.end_purged(**found).get();
  // Some of these may be letters, also in a queue that they were redriven to.
  if (Result<void> written = graph_.dead_letters->wait_until_written(); !written) {
    return std::unexpected(written.error());
  }
  return *purged + hidden;
}

}  // namespace sluice::core
