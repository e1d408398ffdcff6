// bench/queue: one queue by itself, without threads, plugins or a pipeline around it.
//
//   queue/pass/bK/<who>    a message is written (256 bytes), sent, received and read (four words), K at a time, by one
//                          thread, so without any line's way between cores. Ours: publisher, log, credits, lease,
//                          settle, acknowledgement. Peers: what a user would write by hand, pooled messages and no
//                          acknowledgement; bulk calls where there are any.
//   queue/fifo/gN/sluice   the pass of 64 through a FIFO queue, its messages in N groups in turn, without
//                          deduplication; and by content, in one group.
//   queue/lease/sluice     a lease is opened, watched and settled; items are leases.
//   queue/sweep/N/sluice   N lease slots are looked at as their entries in the timers' wheel come due, by a ticker that
//                          sleeps from each to the next: 10 000 over a second, a million over 12 hours. Every tenth has a
//                          lease that was extended; none expires. Items are looks.
//   queue/expire/bN/sluice a lease of N messages expires: copied out, visible again; items are messages.
//   queue/redelivery/sluice   every message fails once (visibility 0) and is received again.
//   queue/waiting/sluice   10 million messages wait. Counters: bytes_each (of memory, as the system counts it), and
//                          million messages a second sent and received, with them and with a queue that is empty in
//                          between, whose messages are in the core's cache.
//   queue/counters/bK/sluice   what publisher, consumer and worker count for K messages, by itself; items are messages.
//   queue/stragglers/sluice   a million messages a second, of which one in a thousand fails and comes back after 10 s,
//                          for 10 s of the timers' time. Counter: held_bytes at the end.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "queue/consumer.hpp"
#include "service/worker.hpp"
#include "topic/publisher.hpp"
#include "main.hpp"
#include "peers.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kBody = PooledMessage::kBody;
constexpr std::uint32_t kBatch = 64;

void write_body(std::uint8_t* body, std::uint64_t number) { std::memset(body, static_cast<int>(number), kBody); }

std::uint64_t read_body(const std::uint8_t* body) {
  std::uint64_t sum = 0;
  for (int line = 0; line < 4; ++line) {
    std::uint64_t word;
    std::memcpy(&word, body + 64 * line, sizeof word);
    sum += word;
  }
  return sum;
}

class Settled final : public SettleListener {
 public:
  void settled(std::uint64_t, bool, std::uint32_t messages) override { count += messages; }
  std::uint64_t count = 0;
};

/// A queue between a publisher and a consumer.
class Line {
 public:
  Line(std::uint32_t batch, QueueOptions options)
      : timers(clock),
        letters(file_storage(), "", timers, [](const Error&) {}),
        queue(std::move(options)),
        publisher({.queues = {&queue}, .listener = &settled}, timers, letters),
        consumer(queue, timers, letters, pool, {.service = "bench", .batch_size = batch, .consumers = 1}) {
    queue.open();
  }
  ~Line() {
    consumer.idle();
    publisher.close();
  }

  void send(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Publisher::Outcome outcome;
      write_body(publisher.reserve(kBody, Admission::overdraw, &outcome), ++sent);
      publisher.commit_plain(kBody, 0);
    }
    publisher.flush(true);
  }
  std::uint32_t receive() { return consumer.receive(timers.now_tick()); }
  void read() const {
    std::uint64_t sum = 0;
    for (const Lease& lease : consumer.leases()) {
      for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1) {
        sum += read_body(lease.taken.chunk->body(lowest_bit(left)).data());
      }
    }
    benchmark::DoNotOptimize(sum);
  }
  void settle() { consumer.end({}, releases); }
  /// All of the batch fails.
  void fail(std::uint32_t count, std::int64_t retry_after_ms) {
    failures.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      failures.push_back({i, {Outcome::Status::retry, retry_after_ms, {}, {}, {}}});
    }
    consumer.end(failures, releases);
  }
  void drain() {
    while (receive() != 0) {
      read();
      settle();
    }
    releases.flush();
  }
  void advance(std::int64_t ms) {
    clock.advance_ms(ms);
    timers.advance();
  }

  FakeClock clock;
  Timers timers;
  DeadLetters letters;
  Settled settled;
  Queue queue;
  ChunkPool pool;
  Publisher publisher;
  Releases releases;
  Consumer consumer;
  std::vector<Failure> failures;
  std::uint64_t sent = 0;
};

QueueOptions large() {
  return {.name = "q", .capacity = Credits::kMessagesMax, .capacity_bytes = Credits::kBytesMax, .in_flight_max = 67'000'000};
}

void pass_sluice(benchmark::State& state, std::uint32_t batch) {
  Line line(batch, {.name = "q"});
  for (auto _ : state) {
    line.send(batch);
    line.receive();
    line.read();
    line.settle();
  }
  line.drain();
  if (line.settled.count != line.sent) {
    state.SkipWithError("not every message was acknowledged");
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

void pass_fifo(benchmark::State& state, std::uint32_t groups, bool deduplicates) {
  Line line(kBatch, {.name = "q", .fifo = true, .content_based_deduplication = deduplicates, .deduplication_capacity = 1'000'000});
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < groups; ++i) {
    names.push_back(fmt::format("group-{}", i));
  }
  std::array<std::uint8_t, kBody> body{};
  std::uint64_t passes = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      std::memcpy(body.data(), &++line.sent, sizeof line.sent);
      line.publisher.append({.body = body, .parts = {.group_id = names[line.sent % groups]}}, Admission::overdraw);
    }
    line.publisher.flush(true);
    line.receive();
    line.read();
    line.settle();
    if (deduplicates && ++passes % 1000 == 0) {
      line.clock.advance_ms(Deduplication::kWindowMs / 10);
    }
  }
  line.drain();
  if (line.settled.count != line.sent) {
    state.SkipWithError("not every message was acknowledged");
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

/// `Peer` has send(PooledMessage**, count) and receive(PooledMessage**, count_max).
template <class Peer>
void pass_peer(benchmark::State& state, std::uint32_t batch) {
  const auto pool = std::make_unique<PooledMessage[]>(kPooled);
  Peer peer;
  std::array<PooledMessage*, kBatch> messages;
  std::uint64_t sent = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      messages[i] = &pool[sent % kPooled];
      write_body(messages[i]->body, ++sent);
    }
    peer.send(messages.data(), batch);
    const std::size_t count = peer.receive(messages.data(), batch);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      sum += read_body(messages[i]->body);
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

void lease(benchmark::State& state) {
  Line line(kBatch, {.name = "q"});
  LeaseHolder holder{.queue = &line.queue, .visibility_timeout_ms = 30'000};
  LeaseSlot slot;
  slot.holder = &holder;
  for (auto _ : state) {
    const std::int64_t deadline = line.timers.now_tick() + holder.visibility_timeout_ms;
    const std::uint64_t word = slot.open(nullptr, 1, deadline, 0);
    line.timers.watch(slot, deadline);
    benchmark::DoNotOptimize(slot.close(word));
  }
  line.timers.advance();
  state.SetItemsProcessed(state.iterations());
}

void sweep(benchmark::State& state, std::uint32_t count, std::int64_t timeout_ms) {
  Line line(kBatch, {.name = "q"});
  LeaseHolder holder{.queue = &line.queue, .visibility_timeout_ms = timeout_ms, .ack_deadline_ms = kInvisibleMaxMs};
  std::vector<LeaseSlot> slots(count);
  Random random(1);
  for (LeaseSlot& slot : slots) {
    slot.holder = &holder;
    const auto deadline = static_cast<std::int64_t>(1 + random.next() % static_cast<std::uint64_t>(timeout_ms));
    slot.open(nullptr, 1, deadline, 0);
    line.timers.watch(slot, deadline);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i % 10 != 0) {
      slots[i].close(slots[i].word.load());
    }
  }
  std::int64_t next = line.timers.advance();
  for (auto _ : state) {
    state.PauseTiming();
    for (std::uint32_t i = 0; i < count; i += 10) {
      std::uint64_t word = slots[i].word.load();
      slots[i].extend(&word, LeaseSlot::deadline_of(word) + timeout_ms);
    }
    state.ResumeTiming();
    for (const std::int64_t end = line.timers.now_tick() + timeout_ms; line.timers.now_tick() < end;) {
      line.clock.advance_ms(std::min(next, end) - line.timers.now_tick());
      next = line.timers.advance();
    }
  }
  if (line.timers.expirations() != 0) {
    state.SkipWithError("a lease expired");
  }
  state.SetItemsProcessed(state.iterations() * count);
}

void expire(benchmark::State& state, std::uint32_t batch) {
  Line line(batch, {.name = "q", .visibility_timeout_ms = 100});
  line.send(batch);
  for (auto _ : state) {
    line.receive();
    line.advance(100);
    line.settle();
  }
  line.drain();
  state.SetItemsProcessed(state.iterations() * batch);
}

void redelivery(benchmark::State& state) {
  Line line(kBatch, {.name = "q"});
  for (auto _ : state) {
    line.send(kBatch);
    line.fail(line.receive(), 0);
    line.drain();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

/// As Publisher::flush, Consumer::receive and end, and Worker::count do for a batch.
void counters(benchmark::State& state, std::uint32_t batch) {
  struct alignas(kCacheLine) {
    Atomic<std::uint64_t> published{0}, matched{0};
  } sent;
  ConsumerCounters consumer;
  WorkerCounters worker;
  std::uint64_t ok = batch, none = 0;
  std::int64_t now_ms = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ok);
    benchmark::DoNotOptimize(none);
    add_alone(sent.published, ok);
    add_alone(sent.matched, ok);
    if (++now_ms < consumer.oldest_ms.load(std::memory_order_relaxed)) {
      consumer.oldest_ms.store(now_ms, std::memory_order_relaxed);
    }
    add_alone(consumer.taken, ok);
    add_alone(consumer.deleted, ok);
    consumer.oldest_ms.store(AgeWindow::kNone, std::memory_order_relaxed);
    add_alone(worker.processed, ok);
    for (Atomic<std::uint64_t>* counter : {&worker.retried, &worker.rejected, &worker.stale, &worker.ignored}) {
      add_alone(*counter, none);
    }
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

/// Resident memory of the process.
std::int64_t memory_bytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

void waiting(benchmark::State& state) {
  constexpr std::int64_t kMessages = 10'000'000;
  double bytes = 0;
  std::array<std::int64_t, 2> empty{}, full{};
  for (auto _ : state) {
    Line line(kBatch, large());
    Clock& clock = system_clock();
    const auto passes = [&](int count) {  // {sending, receiving}, of a queue that is empty in between
      std::array<std::int64_t, 2> ns{};
      for (int i = 0; i < count; ++i) {
        const std::int64_t begin = clock.steady_ns();
        line.send(kBatch);
        const std::int64_t middle = clock.steady_ns();
        line.receive();
        line.read();
        line.settle();
        ns[0] += middle - begin;
        ns[1] += clock.steady_ns() - middle;
      }
      return ns;
    };
    empty = passes(kMessages / kBatch);
    const std::int64_t before = memory_bytes();
    for (std::int64_t i = 0; i < kMessages; i += kBatch) {
      line.send(kBatch);
    }
    bytes = static_cast<double>(memory_bytes() - before) / kMessages;
    full = passes(kMessages / kBatch);
    line.drain();
  }
  const auto rate = [](std::int64_t ns) { return static_cast<double>(kMessages) * 1e3 / static_cast<double>(ns); };
  state.counters["bytes_each"] = bytes;
  state.counters["send_M"] = rate(full[0]);
  state.counters["send_empty_M"] = rate(empty[0]);
  state.counters["receive_M"] = rate(full[1]);
  state.counters["receive_empty_M"] = rate(empty[1]);
  state.SetItemsProcessed(state.iterations() * kMessages);
}

void stragglers(benchmark::State& state) {
  std::int64_t held = 0;
  for (auto _ : state) {
    Line line(kBatch, large());
    for (int i = 0; i < 1000; ++i) {  // until the publisher goes round in its slabs
      line.send(kBatch);
      line.drain();
    }
    const auto before = static_cast<std::int64_t>(mallinfo2().uordblks + mallinfo2().hblkhd);
    for (std::int64_t ms = 0; ms < 10'000; ++ms) {
      line.advance(1);
      for (std::uint32_t left = 1000; left != 0;) {
        const std::uint32_t count = std::min(left, kBatch);
        line.send(count);
        line.receive();
        if (left == 1000) {
          line.fail(1, 10'000);
        } else {
          line.settle();
        }
        left -= count;
      }
    }
    line.releases.flush();
    held = static_cast<std::int64_t>(mallinfo2().uordblks + mallinfo2().hblkhd) - before;
    line.advance(10'000);
    line.drain();
  }
  state.counters["held_bytes"] = static_cast<double>(held);
  state.SetItemsProcessed(state.iterations() * 10'000'000);
}

void add(const std::string& name, void (*run)(benchmark::State&, std::uint32_t), std::uint32_t batch) {
  benchmark::RegisterBenchmark(name.c_str(), run, batch)->UseRealTime();
}

void add_all() {
  for (const std::uint32_t batch : {1u, 5u, 64u}) {
    const std::string prefix = fmt::format("queue/pass/b{}/", batch);
    add(prefix + "sluice", pass_sluice, batch);
    add(prefix + "moodycamel", pass_peer<Moodycamel>, batch);
    add(prefix + "tbb-bounded", pass_peer<TbbBounded>, batch);
    add(prefix + "tbb-flow-graph", pass_peer<TbbFlowGraph>, batch);
    add(prefix + "boost-lockfree", pass_peer<BoostLockfree>, batch);
    add(prefix + "mutex-deque", pass_peer<MutexDeque>, batch);
  }
  for (const std::uint32_t groups : {1u, 1000u}) {
    benchmark::RegisterBenchmark(fmt::format("queue/fifo/g{}/sluice", groups).c_str(), pass_fifo, groups, false)->UseRealTime();
  }
  benchmark::RegisterBenchmark("queue/fifo/content/sluice", pass_fifo, 1u, true)->UseRealTime();
  benchmark::RegisterBenchmark("queue/lease/sluice", lease)->UseRealTime();
  benchmark::RegisterBenchmark("queue/sweep/10000/sluice", sweep, 10'000u, std::int64_t{1000})->UseRealTime();
  benchmark::RegisterBenchmark("queue/sweep/1000000/sluice", sweep, 1'000'000u, std::int64_t{12 * 3'600'000})->UseRealTime();
  for (const std::uint32_t batch : {1u, kBatch}) {
    benchmark::RegisterBenchmark(fmt::format("queue/expire/b{}/sluice", batch).c_str(), expire, batch)->UseRealTime();
  }
  benchmark::RegisterBenchmark("queue/redelivery/sluice", redelivery)->UseRealTime();
  for (const std::uint32_t batch : {1u, kBatch}) {
    benchmark::RegisterBenchmark(fmt::format("queue/counters/b{}/sluice", batch).c_str(), counters, batch)->UseRealTime();
  }
  benchmark::RegisterBenchmark("queue/waiting/sluice", waiting)->UseRealTime()->Iterations(1)->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("queue/stragglers/sluice", stragglers)
      ->UseRealTime()
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace sluice::core

int main(int count, char** arguments) {
  // What expires is told of: no more than a line a second, but the clock of these cases leaps.
  sluice::core::configure_log(sluice::core::LogLevel::error, sluice::core::LogFormat::text);
  return run_benches(count, arguments, sluice::core::add_all);
}
