// A line without threads or plugins: publishers, queues, consumers, timers and dead letters on a
// clock and a storage that the test holds. What happens, happens when the test says so.
#pragma once

#include <sluice/plugin.h>

#include <bit>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "message/message_view.hpp"
#include "queue/consumer.hpp"
#include "queue/dead_letters.hpp"
#include "queue/timers.hpp"
#include "support/test_storage.hpp"
#include "topic/publisher.hpp"

namespace sluice::test {

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Remembers what was settled.
class Settlements final : public core::SettleListener {
 public:
  struct Settlement {
    std::uint64_t cookie;
    bool rejected;
    std::uint32_t messages;
    friend bool operator==(const Settlement&, const Settlement&) = default;
  };
  void settled(std::uint64_t cookie, bool rejected, std::uint32_t messages) override {
    std::lock_guard lock(mutex_);
    all_.push_back({cookie, rejected, messages});
  }
  std::vector<Settlement> all() const {
    std::lock_guard lock(mutex_);
    return all_;
  }
  std::size_t count() const { return all().size(); }
  std::uint64_t messages() const {
    std::uint64_t sum = 0;
    for (const Settlement& each : all()) {
      sum += each.messages;
    }
    return sum;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Settlement> all_;
};

/// One consumer and its memory.
struct Hand {
  Hand(core::Queue& queue, core::Timers& timers, core::DeadLetters& letters, std::uint32_t batch_size, std::uint32_t consumers,
       std::int64_t ack_deadline_ms = core::kInvisibleMaxMs)
      : Hand(queue, timers, letters,
             {.service = "svc", .batch_size = batch_size, .consumers = consumers, .ack_deadline_ms = ack_deadline_ms}) {}
  Hand(core::Queue& queue, core::Timers& timers, core::DeadLetters& letters, core::ConsumerOptions options)
      : timers_(timers),
        consumer(queue, timers, letters, pool, std::move(options)) {}

  /// Bodies of the batch that receive() brought, in order.
  std::vector<std::string> receive() {
    std::vector<std::string> bodies;
    consumer.receive(timers_.now_tick());
    for (const core::Lease& lease : consumer.leases()) {
      for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1) {
        bodies.push_back(text_of(lease.taken.chunk->body(static_cast<std::uint32_t>(std::countr_zero(left)))));
      }
    }
    return bodies;
  }
  core::Settled settle(std::vector<core::Failure> failures = {}) {
    core::Releases releases;
    return consumer.end(failures, releases);
  }
  /// Receives and settles as ok until nothing comes. The number of messages.
  std::size_t drain() {
    std::size_t sum = 0;
    while (std::size_t count = receive().size()) {
      sum += count;
      settle();
    }
    consumer.idle();
    return sum;
  }
  /// Settles message 0 of the batch with `status`, the rest as ok.
  core::Settled fail_first(core::Outcome::Status status, std::int64_t retry_after_ms = -1, std::string reason = "broken") {
    return settle({{0, {status, retry_after_ms, "stage", std::move(reason), "detail"}}});
  }

 private:
  core::Timers& timers_;
  core::ChunkPool pool;

 public:
  core::Consumer consumer;
};

class Line {
 public:
  explicit Line(TestStorage used_storage = TestStorage())
      : storage(std::move(used_storage)),
        timers(clock),
        letters(storage, "dead", timers, [this](const core::Error& error) { errors.push_back(error.message); }) {}
  ~Line() {
    hands_.clear();
    for (std::unique_ptr<core::Publisher>& publisher : publishers_) {
      publisher->close();
    }
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  core::Queue& queue(core::QueueOptions options, core::Queue* dead_letter_queue = nullptr) {
    queues_.emplace_back(std::move(options));
    if (dead_letter_queue != nullptr) {
      queues_.back().set_dead_letter_queue(dead_letter_queue);
      dead_.push_back(dead_letter_queue);
    }
    return queues_.back();
  }
  core::Publisher& publisher(std::vector<core::Queue*> queues, core::PublisherOptions options = {}) {
    options.queues = std::move(queues);
    if (options.kind == core::Chunk::Kind::source) {
      options.listener = &settled;
    }
    publishers_.push_back(std::make_unique<core::Publisher>(std::move(options), timers, letters));
    return *publishers_.back();
  }
  /// Everything is wired: credits are dealt, dead letters read back.
  core::Result<void> open() {
    for (core::Queue& queue : queues_) {
      queue.open();
      letters.add_target(queue);
    }
    for (std::size_t i = 0; i < dead_.size(); ++i) {
      if (std::find(dead_.begin(), dead_.begin() + static_cast<std::ptrdiff_t>(i), dead_[i]) != dead_.begin() + static_cast<std::ptrdiff_t>(i)) {
        continue;
      }
      if (core::Result<void> opened = letters.open(*dead_[i]); !opened) {
        return opened;
      }
    }
    return {};
  }
  Hand& hand(core::Queue& queue, std::uint32_t batch_size = 10, std::uint32_t consumers = 1,
             std::int64_t ack_deadline_ms = core::kInvisibleMaxMs) {
    hands_.push_back(std::make_unique<Hand>(queue, timers, letters, batch_size, consumers, ack_deadline_ms));
    return *hands_.back();
  }
  /// Emits and flushes each text; cookies count from `first_cookie`.
  void publish(core::Publisher& publisher, const std::vector<std::string>& texts, std::uint64_t first_cookie = 1) {
    for (const std::string& text : texts) {
      publisher.append({.body = bytes_of(text), .cookie = first_cookie++}, core::Admission::overdraw);
      publisher.flush(true);
    }
  }
  void advance(std::int64_t ms) {
    clock.advance_ms(ms);
    timers.advance();
  }
  /// The power fails, at rest or while letters are written, of which so many bytes make it to the disk.
  void cut_power(bool is_writing, std::uint64_t torn_bytes) {
    if (is_writing) {
      storage.fail_sync(1);
      letters.write_waiting();
    }
    storage.cut_power(torn_bytes);
  }
  /// The engine ends in order, once nothing is in hand and all letters are written.
  void end_run() {
    for (std::unique_ptr<core::Publisher>& publisher : publishers_) {
      publisher->close();
    }
    for (core::Queue& queue : queues_) {
      queue.leave_rest_behind();
    }
    timers.leave_rest_behind();
  }
  /// Stored letters of a queue, as JSON lines.
  std::string file(const core::Queue& queue) const { return storage.content("dead/" + queue.name() + ".jsonl"); }

  core::FakeClock clock;
  TestStorage storage;
  std::vector<std::string> errors;
  Settlements settled;
  core::Timers timers;
  core::DeadLetters letters;

 private:
  std::deque<core::Queue> queues_;
  std::vector<core::Queue*> dead_;
  std::vector<std::unique_ptr<core::Publisher>> publishers_;
  std::vector<std::unique_ptr<Hand>> hands_;
};

/// DESIGN §7.1, at rest.
inline std::int64_t conservation_gap(const core::QueueCounters& n) {
  return static_cast<std::int64_t>(n.sent + n.moved_in) -
         static_cast<std::int64_t>(n.visible + n.in_flight + n.delayed + n.deleted + n.moved_to_dead_letter + n.expired + n.dropped + n.purged);
}

}  // namespace sluice::test
