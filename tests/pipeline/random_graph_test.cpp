// Random graphs of fan-out, fan-in, filters and splits (some into thousands, some into nothing), with
// stages that fail or outstay their leases at random, on both kinds of threads: each message arrives at
// each sink as often as there are ways, no more and no less.
#include <algorithm>
#include <map>
#include <thread>

#include "base/random.hpp"
#include "engine_fixture.hpp"
#include "support/ledger.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Random;

struct Node {
  std::vector<std::uint32_t> targets;  ///< nodes with higher numbers; empty: a sink
  std::uint32_t copies = 1;
  std::uint32_t drops_one_in = 0;      ///< 0: passes all
  bool splits = false;                 ///< a few messages into thousands, others into nothing
  bool expires = false;                ///< its leases are short, and some are outstayed

  bool passes(const Stamp& stamp) const { return drops_one_in == 0 || (stamp.sequence + stamp.producer) % drops_one_in != 0; }
  std::uint32_t copies_of(const Stamp& stamp) const {
    if (!passes(stamp)) {
      return 0;
    }
    return !splits ? copies : stamp.sequence == kSplitWide ? kWide : stamp.sequence % 3 == 0 ? 0 : 1;
  }
  static constexpr std::uint32_t kWide = 10'000;
  static constexpr std::uint64_t kSplitWide = 100;  ///< the message that is split into so many
};

/// A sink's, a producer's and a message's number.
using Arrival = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;

struct Graph {
  explicit Graph(Random& random) {
    const auto count = static_cast<std::uint32_t>(3 + random.next() % 10);
    nodes.resize(count);
    sources.resize(1 + random.next() % 3);
    for (std::vector<std::uint32_t>& targets : sources) {
      targets = some(random, 0, count);
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i + 1 < count && random.next() % 3 != 0) {
        nodes[i].targets = some(random, i + 1, count);
        nodes[i].copies = random.next() % 4 == 0 ? 3 : 1;
      }
      nodes[i].drops_one_in = random.next() % 3 == 0 ? 2 + static_cast<std::uint32_t>(random.next() % 4) : 0;
      nodes[i].expires = random.next() % 4 == 0;
    }
    // The last one that is no sink: two of them on one way would be a hundred million.
    const auto last = std::ranges::find_if(nodes.rbegin(), nodes.rend(), [](const Node& node) { return !node.targets.empty(); });
    if (last != nodes.rend()) {
      last->splits = random.next() % 2 == 0;
    }
  }
  static std::vector<std::uint32_t> some(Random& random, std::uint32_t begin, std::uint32_t end) {
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t i = begin; i < end; ++i) {
      if (random.next() % (end - begin) < 2) {
        chosen.push_back(i);
      }
    }
    return chosen.empty() ? std::vector<std::uint32_t>{end - 1} : chosen;
  }
  /// How often each message is to arrive at each sink.
  void expect(const Stamp& stamp, std::map<Arrival, std::uint64_t>& arrivals) const {
    std::vector<std::uint64_t> reached(nodes.size());
    for (const std::uint32_t target : sources[stamp.producer]) {
      ++reached[target];
    }
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      const std::uint64_t passed = reached[i] * nodes[i].copies_of(stamp);
      for (const std::uint32_t target : nodes[i].targets) {
        reached[target] += passed;
      }
      if (nodes[i].targets.empty() && passed != 0) {
        arrivals[{i, stamp.producer, stamp.sequence}] = passed;
      }
    }
  }

  std::vector<std::vector<std::uint32_t>> sources;
  std::vector<Node> nodes;
};

/// What arrived; from any thread.
class Arrivals {
 public:
  void add(std::uint32_t sink, const Stamp& stamp) {
    std::lock_guard lock(mutex_);
    ++all_[{sink, stamp.producer, stamp.sequence}];
  }
  const std::map<Arrival, std::uint64_t>& all() const { return all_; }
  bool hold_at_least(const std::map<Arrival, std::uint64_t>& expected) const {
    return std::ranges::equal(all_, expected, [](const auto& found, const auto& least) {
      return found.first == least.first && found.second >= least.second;
    });
  }
  std::atomic<std::uint64_t> damaged{0}, retries{0};
  std::atomic<std::uint64_t> outstayed{0};  ///< messages whose lease ran out before anything was done for them

 private:
  std::mutex mutex_;
  std::map<Arrival, std::uint64_t> all_;
};

/// Some of the first receives are held until the lease is over. True: it is, and nothing was done yet.
bool outstays(const sluice_batch& batch, sluice_out* out) {
  const std::optional<Stamp> stamp = read_stamp({batch.messages[0]->body, batch.messages[0]->body_size});
  if (!stamp || batch.messages[0]->receive_count != 1 || stamp->sequence % 40 != 9) {
    return false;
  }
  while (host().now_ms() <= batch.lease_until_ms + 10) {
    std::this_thread::yield();
  }
  return host().progress(out, 0, 0, 0) == SLUICE_STALE;
}

std::unique_ptr<Script> stage_of(const Node& node, std::uint32_t number, Arrivals& arrivals, std::uint32_t flags) {
  return Script::stage("node", flags, [&node, number, &arrivals](const sluice_batch& batch, sluice_out* out) {
    if (node.expires && outstays(batch, out)) {
      arrivals.outstayed += batch.count;
      return int32_t{SLUICE_OK};
    }
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const sluice_message& message = *batch.messages[i];
      const std::optional<Stamp> stamp = read_stamp({message.body, message.body_size});
      if (!stamp) {
        ++arrivals.damaged;
        continue;
      }
      if (message.receive_count < 3 && (stamp->sequence * 7 + number + message.receive_count) % 11 == 0) {
        ++arrivals.retries;
        host().settle(out, i, SLUICE_RETRY, stamp->sequence % 3, str("again"), {});
        continue;
      }
      for (std::uint32_t copy = 0; copy < node.copies_of(*stamp); ++copy) {
        if (node.targets.empty()) {
          arrivals.add(number, *stamp);
        } else if (int32_t status = emit(out, i, body_of(message)); status != SLUICE_OK) {
          return status;
        }
      }
    }
    return int32_t{SLUICE_OK};
  });
}

/// What all graphs together have seen.
struct Seen {
  std::uint64_t outstayed = 0, split_wide = 0;
};

void play(std::uint64_t seed, Seen& seen) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const Graph graph(random);
  Plan plan;
  Arrivals arrivals;
  std::map<Arrival, std::uint64_t> expected;
  std::atomic<std::uint64_t> acknowledged{0};
  std::vector<std::unique_ptr<Script>> scripts;
  std::vector<std::uint32_t> queues;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    queues.push_back(plan.queue_with_dead("q" + std::to_string(i), 10, graph.nodes[i].expires ? 100 : 30'000));
    plan.pipeline().queues[queues[i]].capacity = random.next() % 3 == 0 ? 20 : 100'000;
  }
  auto topic_of = [&](const std::vector<std::uint32_t>& nodes) {
    std::vector<std::uint32_t> reached;
    for (const std::uint32_t node : nodes) {
      reached.push_back(queues[node]);
    }
    return plan.topic(reached);
  };
  constexpr std::uint64_t kMessages = 150;
  for (std::uint32_t producer = 0; producer < graph.sources.size(); ++producer) {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      graph.expect({.producer = producer, .sequence = i}, expected);
    }
    scripts.push_back(Script::source("stamped", 0, [producer](sluice_out* out) {
      for (std::uint64_t i = 0; i < kMessages; ++i) {
        if (int32_t status = emit(out, 0, stamped_body(producer, i, i * 37 % 200), i); status != SLUICE_OK) {
          return status;
        }
        if (i % 9 == 0) {
          host().flush(out);
        }
      }
      return int32_t{SLUICE_END};
    }, [&acknowledged](std::uint64_t, int32_t) { ++acknowledged; }));
    plan.source(*scripts.back(), topic_of(graph.sources[producer]));
  }
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    const bool blocks = random.next() % 4 == 0;
    const int flags = (blocks ? SLUICE_BLOCKS : 0) | (graph.nodes[i].splits ? SLUICE_SPLITS : 0);
    scripts.push_back(stage_of(graph.nodes[i], i, arrivals, static_cast<std::uint32_t>(flags)));
    core::ServiceDescription& service = plan.service("s" + std::to_string(i), queues[i], {scripts.back().get()});
    service.desired_capacity = 1 + static_cast<std::uint32_t>(random.next() % 2);
    service.batch_size = random.next() % 2 == 0 ? 64 : 5;
    if (!graph.nodes[i].targets.empty()) {
      service.publish_to = topic_of(graph.nodes[i].targets);
    }
  }
  const core::Summary summary = plan.run(2);
  std::uint64_t stale = 0;
  for (const core::ServiceNumbers& service : summary.services) {
    stale += service.stale;
  }
  if (stale == arrivals.outstayed) {
    EXPECT_TRUE(arrivals.all() == expected) << "nothing lost, invented or doubled";
  } else {  // a lease ended while a starved machine did the work, which is then done twice
    EXPECT_TRUE(arrivals.hold_at_least(expected)) << "nothing lost or invented";
  }
  seen.outstayed += arrivals.outstayed;
  for (const auto& [arrival, count] : expected) {
    seen.split_wide += count >= Node::kWide ? 1 : 0;
  }
  EXPECT_EQ(arrivals.damaged.load(), 0u);
  EXPECT_EQ(acknowledged.load(), kMessages * graph.sources.size());
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(summary.dead_letters, 0u);
  EXPECT_GT(arrivals.retries.load(), 0u) << "the run was worth something";
  expect_conservation(summary);
}

TEST(RandomGraph, brings_each_message_to_each_sink_as_often_as_there_are_ways) {
  Seen seen;
  for (std::uint64_t seed = 1; seed <= scaled(40) && !testing::Test::HasFailure(); ++seed) {
    play(seed, seen);
  }
  EXPECT_GT(seen.outstayed, 0u) << "the run was worth something";
  EXPECT_GT(seen.split_wide, 0u);
}

}  // namespace
}  // namespace sluice::test
