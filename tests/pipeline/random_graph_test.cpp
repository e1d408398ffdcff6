// Random graphs of up to 20 stages (reliability catalogue C3): fan-out, fan-in, filters and splits (some into
// thousands, some into nothing), with stages that fail, outstay their leases, or reject messages or parts of them,
// on both kinds of threads. Each message arrives at each sink as often as there are ways, each letter is stored as
// often as there are ways to where it is rejected, no more and no less, and each source hears of that.
#include <algorithm>
#include <map>
#include <thread>

#include "base/random.hpp"
#include "engine_fixture.hpp"
#include "message/message_json.hpp"
#include "support/ledger.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Random;

struct Node {
  std::vector<std::uint32_t> targets;  ///< nodes with higher numbers; empty: a sink
  std::uint32_t copies = 1;
  std::uint32_t drops_one_in = 0;      ///< 0: passes all
  std::uint32_t rejects_one_in = 0;    ///< 0: none
  std::uint32_t bad_part_one_in = 0;   ///< a message with a part that is rejected alone; 0: none
  bool splits = false;                 ///< a few messages into thousands, others into nothing
  bool expires = false;                ///< its leases are short, and some are outstayed

  bool passes(const Stamp& stamp) const { return drops_one_in == 0 || (stamp.sequence + stamp.producer) % drops_one_in != 0; }
  bool rejects(const Stamp& stamp) const {
    return rejects_one_in != 0 && !is_wide(stamp) && (stamp.sequence + stamp.producer) % rejects_one_in == 1;
  }
  bool has_bad_part(const Stamp& stamp) const {
    return bad_part_one_in != 0 && !is_wide(stamp) && (stamp.sequence + 2 * stamp.producer) % bad_part_one_in == 2;
  }
  std::uint32_t copies_of(const Stamp& stamp) const {
    if (!passes(stamp)) {
      return 0;
    }
    return !splits ? copies : is_wide(stamp) ? kWide : stamp.sequence % 3 == 0 ? 0 : 1;
  }
  static bool is_wide(const Stamp& stamp) { return stamp.sequence == kSplitWide; }
  static constexpr std::uint32_t kWide = 10'000;
  static constexpr std::uint64_t kSplitWide = 100;  ///< the message that is split into so many
};

/// A sink's, a producer's and a message's number.
using Arrival = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;
/// The number of the node that rejected it, whether it is a part, and the message's producer and number.
using Letter = std::tuple<std::uint32_t, bool, std::uint32_t, std::uint64_t>;
/// A producer's and a message's number, and the worst that became of it.
using Status = std::tuple<std::uint32_t, std::uint64_t, std::int32_t>;

/// What is to become of all messages.
struct Expected {
  std::map<Arrival, std::uint64_t> arrivals;
  std::map<Letter, std::uint64_t> letters;
  std::map<Status, std::uint64_t> settled;
};

struct Graph {
  static constexpr std::uint32_t kNodesMax = 20;
  static constexpr std::uint64_t kWaysMax = 32;      ///< to a node, from all sources together
  static constexpr std::uint64_t kWideWaysMax = 16;  ///< to one that splits into thousands

  explicit Graph(Random& random) {
    const auto count = static_cast<std::uint32_t>(3 + random.next() % (kNodesMax - 2));
    nodes.resize(count);
    ways_.resize(count);
    sources.resize(1 + random.next() % 3);
    for (std::vector<std::uint32_t>& targets : sources) {
      targets = some(random, 0, count);
      lead(1, targets);
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i + 1 < count && random.next() % 3 != 0) {
        nodes[i].targets = some(random, i + 1, count);
        nodes[i].copies = random.next() % 4 == 0 ? 3 : 1;
        lead(ways_[i] * nodes[i].copies, nodes[i].targets);
      }
      nodes[i].drops_one_in = random.next() % 3 == 0 ? 2 + static_cast<std::uint32_t>(random.next() % 4) : 0;
      nodes[i].rejects_one_in = random.next() % 3 == 0 ? 20 + static_cast<std::uint32_t>(random.next() % 30) : 0;
      nodes[i].bad_part_one_in = random.next() % 3 == 0 ? 10 + static_cast<std::uint32_t>(random.next() % 30) : 0;
      nodes[i].expires = random.next() % 4 == 0;
    }
    // The last one that is no sink: two of them on one way would be a hundred million.
    for (std::uint32_t i = count; i-- > 0;) {
      if (!nodes[i].targets.empty()) {
        nodes[i].splits = random.next() % 4 != 0 && ways_[i] <= kWideWaysMax;
        break;
      }
    }
  }
  /// So many messages go to each of `targets`; not to those that get too many by it.
  void lead(std::uint64_t ways, std::vector<std::uint32_t>& targets) {
    std::erase_if(targets, [&](std::uint32_t target) { return ways_[target] + ways > kWaysMax; });
    for (const std::uint32_t target : targets) {
      ways_[target] += ways;
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
  /// How often a message is to arrive at each sink and at each place among the dead letters, and what its source is told.
  void expect(const Stamp& stamp, Expected& expected) const {
    std::vector<std::uint64_t> reached(nodes.size());
    bool rejected = false;
    for (const std::uint32_t target : sources[stamp.producer]) {
      ++reached[target];
    }
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      const bool is_rejected = nodes[i].rejects(stamp);
      if (reached[i] != 0 && (is_rejected || nodes[i].has_bad_part(stamp))) {
        expected.letters[{i, !is_rejected, stamp.producer, stamp.sequence}] = reached[i];
        rejected = true;
      }
      const std::uint64_t passed = is_rejected ? 0 : reached[i] * nodes[i].copies_of(stamp);
      for (const std::uint32_t target : nodes[i].targets) {
        reached[target] += passed;
      }
      if (nodes[i].targets.empty() && passed != 0) {
        expected.arrivals[{i, stamp.producer, stamp.sequence}] = passed;
      }
    }
    expected.settled[{stamp.producer, stamp.sequence, rejected ? SLUICE_REJECT : SLUICE_OK}] = 1;
  }

  std::vector<std::vector<std::uint32_t>> sources;
  std::vector<Node> nodes;

 private:
  std::vector<std::uint64_t> ways_;  ///< to each node, where nothing is left out
};

/// What arrived; from any thread.
class Arrivals {
 public:
  void add(std::uint32_t sink, const Stamp& stamp) {
    std::lock_guard lock(mutex_);
    ++all_[{sink, stamp.producer, stamp.sequence}];
  }
  void settled(std::uint32_t producer, std::uint64_t sequence, std::int32_t worst) {
    std::lock_guard lock(mutex_);
    ++settled_[{producer, sequence, worst}];
  }
  const std::map<Arrival, std::uint64_t>& all() const { return all_; }
  const std::map<Status, std::uint64_t>& settled() const { return settled_; }
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
  std::map<Status, std::uint64_t> settled_;
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
      if (node.rejects(*stamp)) {
        host().settle(out, i, SLUICE_REJECT, -1, str("bad message"), {});
        continue;
      }
      if (node.has_bad_part(*stamp)) {
        const std::string body = body_of(message);
        const sluice_emission part = emission(i, body);
        EXPECT_EQ(host().reject_part(out, &part, str("bad part"), {}), SLUICE_OK);
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

/// Adds what a node's dead-letter queue has stored.
void read_letters(std::uint32_t node, const std::string& file, std::map<Letter, std::uint64_t>& letters) {
  std::istringstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const auto json = core::parse_json(line);
    ASSERT_TRUE(json) << line;
    const auto letter = core::message_from_json(*json);
    ASSERT_TRUE(letter && letter->dead_letter) << line;
    const auto stamp = read_stamp({reinterpret_cast<const std::uint8_t*>(letter->body.data()), letter->body.size()});
    ASSERT_TRUE(stamp) << line;
    ++letters[{node, letter->dead_letter->is_part, stamp->producer, stamp->sequence}];
  }
}

/// What all graphs together have seen.
struct Seen {
  std::uint64_t outstayed = 0, split_wide = 0, nodes_max = 0, rejected = 0, rejected_parts = 0;
};

void play(std::uint64_t seed, Seen& seen) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const Graph graph(random);
  Plan plan;
  Arrivals arrivals;
  Expected expected;
  LogLines quiet;  // dead letters are lines
  std::vector<std::unique_ptr<Script>> scripts;
  std::vector<std::uint32_t> queues;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    queues.push_back(plan.queue_with_dead("q" + std::to_string(i), graph.nodes[i].expires ? 1000 : 10, graph.nodes[i].expires ? 100 : 30'000));
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
    }, [producer, &arrivals](std::uint64_t cookie, int32_t worst) { arrivals.settled(producer, cookie, worst); }));
    plan.source(*scripts.back(), topic_of(graph.sources[producer]));
  }
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    const bool blocks = random.next() % 4 == 0;
    const int flags = (blocks ? SLUICE_BLOCKS : 0) | (graph.nodes[i].splits ? SLUICE_SPLITS : 0);
    scripts.push_back(stage_of(graph.nodes[i], i, arrivals, static_cast<std::uint32_t>(flags)));
    core::ServiceDescription& service = plan.service("s" + std::to_string(i), queues[i], {scripts.back().get()});
    service.scaling.desired_capacity = 1 + static_cast<std::uint32_t>(random.next() % 2);
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
    EXPECT_TRUE(arrivals.all() == expected.arrivals) << "nothing lost, invented or doubled";
  } else {  // a lease ended while a starved machine did the work, which is then done twice
    EXPECT_TRUE(arrivals.hold_at_least(expected.arrivals)) << "nothing lost or invented";
  }
  std::map<Letter, std::uint64_t> letters;
  std::uint64_t letters_expected = 0;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    read_letters(i, plan.dead_letters("q" + std::to_string(i) + "-dead"), letters);
  }
  EXPECT_TRUE(letters == expected.letters) << "work that is done twice stores its letters once: they have the same ids";
  for (const auto& [letter, count] : expected.letters) {
    letters_expected += count;
    (std::get<1>(letter) ? seen.rejected_parts : seen.rejected) += count;
  }
  seen.nodes_max = std::max<std::uint64_t>(seen.nodes_max, graph.nodes.size());
  seen.outstayed += arrivals.outstayed;
  for (const auto& [arrival, count] : expected.arrivals) {
    seen.split_wide += count >= Node::kWide ? 1 : 0;
  }
  EXPECT_EQ(arrivals.damaged.load(), 0u);
  EXPECT_TRUE(arrivals.settled() == expected.settled) << "each once, as rejected where something of it was";
  EXPECT_EQ(summary.exit, 0);
  EXPECT_EQ(summary.dead_letters, letters_expected);
  EXPECT_GT(arrivals.retries.load(), 0u) << "the run was worth something";
  expect_conservation(summary);
}

TEST(RandomGraph, brings_each_message_to_each_sink_and_each_letter_to_its_queue_as_often_as_there_are_ways) {
  Seen seen;
  for (std::uint64_t seed = 1; seed <= scaled(40) && !testing::Test::HasFailure(); ++seed) {
    play(seed, seen);
  }
  EXPECT_GT(seen.outstayed, 0u) << "the run was worth something";
  EXPECT_GT(seen.split_wide, 0u);
  EXPECT_GT(seen.rejected, 0u);
  EXPECT_GT(seen.rejected_parts, 0u);
  EXPECT_GE(seen.nodes_max, 15u);
}

}  // namespace
}  // namespace sluice::test
