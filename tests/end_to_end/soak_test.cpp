// The whole pipeline, killed, stopped and starved again and again, before a judge (reliability catalogue D1, F7 and
// F10; I1 to I6, I9 and I10): fan-out, a filter, a FIFO queue, a service that publishes, a queue that is
// soon full, poison, rejected parts, failures at random and leases that expire. Longer with
// SLUICE_TEST_SCALE.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

#include "end_to_end/pipeline.hpp"
#include "support/base64.hpp"
#include "support/ledger.hpp"

namespace sluice::test {
namespace {

constexpr std::uint32_t kProducers = 2;
/// The end of a lease is told by the wall clock as it was when the engine started.
constexpr std::int64_t kWallError = 20;

/// What a producer asks the stages to do with a message; the rest is good.
std::string fate_of(std::uint64_t sequence) {
  return sequence % 50 == 7    ? "retry"
         : sequence % 50 == 19 ? "reject"
         : sequence % 50 == 33 ? "part"
                               : "none";
}
bool is_even(std::uint64_t sequence) {
  return sequence % 2 == 0;
}

/// A way through the pipeline: what is to come out of its sink, and what of its dead letters.
struct Way {
  std::string name;
  std::uint64_t (*deliveries)(std::uint64_t sequence), (*letters)(std::uint64_t sequence);
  bool expires = false;  ///< its leases are outstayed; elsewhere nothing comes twice in a run
  bool ordered = false;
};

bool passes(std::uint64_t sequence) {
  const std::string fate = fate_of(sequence);
  return fate == "none" || fate == "part";
}
const Way kWays[] = {
    {"all", [](std::uint64_t n) -> std::uint64_t { return passes(n); },
     [](std::uint64_t n) -> std::uint64_t { return fate_of(n) != "none"; }, true},
    {"even", [](std::uint64_t n) -> std::uint64_t { return is_even(n) && passes(n); },
     [](std::uint64_t n) -> std::uint64_t { return is_even(n) && fate_of(n) != "none"; }},
    {"ordered", [](std::uint64_t n) -> std::uint64_t { return passes(n); },
     [](std::uint64_t n) -> std::uint64_t { return passes(n) ? fate_of(n) == "part" : fate_of(n) == "reject"; },
     false, true},
    {"split", [](std::uint64_t) -> std::uint64_t { return 0; },  // it publishes to the next one
     [](std::uint64_t n) -> std::uint64_t { return fate_of(n) != "none"; }},
    {"copies", [](std::uint64_t n) -> std::uint64_t { return passes(n) ? 3 : 0; },
     [](std::uint64_t n) -> std::uint64_t { return fate_of(n) == "part" ? 3 : 0; }, true},
};

using Key = std::pair<std::uint32_t, std::uint64_t>;  // producer, sequence

struct Delivery {
  Key key;
  std::string id;
  int run = 0, attempt = 0;
  std::int64_t received_ms = 0, until_ms = 0;
};

/// What came out of a way, beside what was to come.
struct Figures {
  std::uint64_t lost = 0, invented = 0, repeated = 0;
};

class CrashSoak : public Pipeline {
 protected:
  CrashSoak() : each_(static_cast<std::uint64_t>(scaled(3000, 600))) {
    for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
      std::ofstream file(folder() / ("in-" + std::to_string(producer) + ".jsonl"));
      for (std::uint64_t i = 0; i < each_; ++i) {
        file << Json{{"body_base64", support::to_base64(stamped_body(producer, i, i * 37 % 200))},
                     {"group_id", group_of({producer, i})},
                     {"attributes", {{"fate", fate_of(i)}, {"parity", is_even(i) ? "even" : "odd"}}}}
                    .dump()
             << "\n";
      }
    }
  }
  static std::string group_of(const Key& key) {
    return std::to_string(key.first) + "-" + std::to_string(key.second % 10);
  }

  /// The first run and each third one after it is stopped in order, and no lease of it is outstayed.
  static bool is_orderly(int run) { return run % 3 == 1; }

  Command pipeline(int run) const {
    return own(R"({"name":"soak","state":"@/state",
      "sources":{"in-0":{"type":"lines","path":"@/in-0.jsonl","publish_to":"events"},
                 "in-1":{"type":"lines","path":"@/in-1.jsonl","publish_to":"events"}},
      "topics":{"events":{}},
      "queues":{
        "all":{"subscriptions":[{"topic":"events"}],"visibility_timeout":"300ms"},
        "even":{"subscriptions":[{"topic":"events","filter_policy":{"parity":["even"]}}],"capacity":100},
        "ordered":{"subscriptions":[{"topic":"events","filter_policy":{"fate":[{"anything-but":["retry"]}]}}],
          "fifo":true,"content_based_deduplication":true,
          "redrive_policy":{"max_receive_count":1000,"dead_letter_queue":"ordered-dead"}},
        "ordered-dead":{"fifo":true},
        "split":{"subscriptions":[{"topic":"events"}]},
        "copies":{"visibility_timeout":"300ms"}},
      "services":{)" +
                   service("all", run, R"("retries_one_in":20)", 300) + "," +
                   service("even", run, R"("retries_one_in":5)") + "," +
                   service("ordered", run, R"("retries_one_in":20,"ordered":true)") + "," +
                   service("split", run, R"("retries_one_in":20,"copies":3)") + "," +
                   service("copies", run, R"("retries_one_in":0)", 1000) + "}}",
               {"--until-idle", "--log-level", "error"});
  }
  static std::string service(const std::string& name, int run, const std::string& options, int outstays_one_in = 0) {
    const std::string sink = name == "split"
                                 ? std::string(R"(],"publish_to":"copies")")
                                 : R"(,{"type":"lines","path":"@/)" + name + R"(.jsonl","fsync":"never"}])";
    return "\"" + name + R"(":{"queue":")" + name +
           R"(","batch_size":10,"scaling":{"desired_capacity":3,"max_capacity":3},"stages":[{"type":"unreliable","run":)" +
           std::to_string(run) + R"(,"outstays_one_in":)" + std::to_string(is_orderly(run) ? 0 : outstays_one_in) + "," +
           options + "}" + sink + "}";
  }

  /// Which message it is; the test fails if it is none of ours, or damaged.
  Key key_of(const Json& line) const {
    const std::string body =  // as text, where it happens to be some
        line.contains("body") ? line["body"].get<std::string>()
                              : support::from_base64(line.value("body_base64", "")).value_or("");
    const std::optional<Stamp> stamp =
        read_stamp({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()});
    if (!stamp || stamp->producer >= kProducers || stamp->sequence >= each_) {
      ADD_FAILURE() << "invented or damaged: " << line;
      return {};
    }
    return {stamp->producer, stamp->sequence};
  }
  std::vector<Delivery> deliveries(const std::string& way) const {
    std::vector<Delivery> found;
    for (const std::string& text : lines(way + ".jsonl")) {
      const Json line = Json::parse(text);
      const auto number = [&line](const char* name) {
        return std::stoll(line["attributes"][name]["value"].get<std::string>());
      };
      found.push_back({key_of(line), line["id"], static_cast<int>(number("run")),
                       static_cast<int>(number("attempt")), number("received"), number("until")});
    }
    return found;
  }
  /// Lines of a producer's file before which its checkpoint calls all acknowledged.
  std::uint64_t acknowledged(std::uint32_t producer) const {
    const auto file = folder() / ("state/components/in-" + std::to_string(producer)) / "checkpoint";
    return std::filesystem::exists(file) ? Json::parse(read_file(file))["line"].get<std::uint64_t>() - 1
                                         : 0;
  }
  std::size_t delivered_lines() const {
    std::size_t sum = 0;
    for (const Way& way : kWays) {
      const std::string text = read_file(folder() / (way.name + ".jsonl"));
      sum += static_cast<std::size_t>(std::ranges::count(text, '\n'));
    }
    return sum;
  }

  Figures figures_of(const Way& way) const;
  void print_figures(int times, const char* what) const;
  void expect_nothing_lost_or_invented() const;
  void expect_each_dead_letter_once() const;
  void expect_repeats_only_where_they_must_be() const;
  void expect_no_repeats_after_an_orderly_end() const;
  void expect_order() const;
  std::uint64_t letters_expected() const;
  void expect_all_was_done(const Ended& last_run) const;

  const std::uint64_t each_;
  /// Runs that ended in order, and in which no lease expired.
  std::set<int> orderly_;
  /// Of each run: what was acknowledged when it ended, by producer.
  std::map<int, std::vector<std::uint64_t>> acknowledged_;
};

Figures CrashSoak::figures_of(const Way& way) const {
  Figures figures;
  std::map<Key, std::set<std::string>> ids;
  for (const Delivery& delivery : deliveries(way.name))
    figures.repeated += ids[delivery.key].insert(delivery.id).second ? 0 : 1;
  for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
    for (std::uint64_t i = 0; i < each_; ++i) {
      const std::uint64_t found = ids[{producer, i}].size(), expected = way.deliveries(i);
      figures.lost += expected - std::min(found, expected);
      figures.invented += found - std::min(found, expected);
    }
  }
  return figures;
}

/// One line, which scripts/soak.sh shows.
void CrashSoak::print_figures(int times, const char* what) const {
  Figures sum;
  for (const Way& way : kWays) {
    const Figures figures = figures_of(way);
    sum.lost += figures.lost;
    sum.invented += figures.invented;
    sum.repeated += figures.repeated;
  }
  std::printf("figures: %llu messages, %d %s: %llu lost, %llu invented, %llu repeated\n",
              static_cast<unsigned long long>(kProducers * each_), times, what,
              static_cast<unsigned long long>(sum.lost), static_cast<unsigned long long>(sum.invented),
              static_cast<unsigned long long>(sum.repeated));
}

void CrashSoak::expect_nothing_lost_or_invented() const {
  for (const Way& way : kWays) {
    const Figures figures = figures_of(way);
    EXPECT_EQ(figures.lost, 0U) << way.name;
    EXPECT_EQ(figures.invented, 0U) << way.name << ": an id is made of what it comes from";
  }
}

void CrashSoak::expect_each_dead_letter_once() const {
  for (const Way& way : kWays) {
    std::map<Key, std::uint64_t> letters;
    std::set<std::string> ids;
    for (const Json& letter : dead_letters(way.name + "-dead")) {
      ++letters[key_of(letter)];
      EXPECT_TRUE(ids.insert(letter["id"]).second) << "twice: " << letter;
      // The last receive of one that asks to be retried may be in a batch that outstays its lease for another's sake.
      const auto& note = letter["dead_letter"];
      const auto detail = note["detail"].get<std::string>();
      EXPECT_TRUE(note["reason"] == "poison" || note["reason"] == "bad part" || detail.starts_with("poison") ||
                  (letter["attributes"]["fate"]["value"] == "retry" && detail == "visibility timeout expired"))
          << letter;
    }
    for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
      for (std::uint64_t i = 0; i < each_; ++i) {
        const Key key{producer, i};
        EXPECT_EQ(letters[key], way.letters(i)) << way.name << " " << producer << ":" << i;
      }
    }
  }
}

void CrashSoak::expect_repeats_only_where_they_must_be() const {
  for (const Way& way : kWays) {
    std::map<std::string, Delivery> last;
    for (const Delivery& now : deliveries(way.name)) {
      const auto [found, is_first] = last.try_emplace(now.id, now);
      const Delivery before = std::exchange(found->second, now);
      if (is_first)
        continue;
      if (before.run == now.run) {
        EXPECT_TRUE(way.expires && std::max(now.received_ms, before.received_ms) + kWallError >=
                                       std::min(now.until_ms, before.until_ms))
            << way.name << ": " << now.id << " came twice in run " << now.run
            << ", and no lease had expired: received at " << before.received_ms << " until "
            << before.until_ms << ", and at " << now.received_ms << " until " << now.until_ms;
      } else {
        const auto [producer, sequence] = now.key;
        EXPECT_GE(sequence, acknowledged_.at(now.run - 1)[producer])
            << way.name << ": " << now.id << " was acknowledged before run " << now.run;
      }
    }
  }
}

/// A message of which nothing becomes a dead letter has ended once it came out everywhere.
void CrashSoak::expect_no_repeats_after_an_orderly_end() const {
  std::map<std::pair<int, Key>, std::set<std::string>> came_out;  // in a run: ids
  std::map<Key, int> last_run;
  for (const Way& way : kWays) {
    for (const Delivery& delivery : deliveries(way.name)) {
      came_out[{delivery.run, delivery.key}].insert(way.name + delivery.id);
      int& last = last_run[delivery.key];
      last = std::max(last, delivery.run);
    }
  }
  for (const auto& [run_and_key, ids] : came_out) {
    const auto& [run, key] = run_and_key;
    std::uint64_t deliveries = 0, letters = 0;
    for (const Way& way : kWays) {
      deliveries += way.deliveries(key.second);
      letters += way.letters(key.second);
    }
    if (orderly_.contains(run) && letters == 0 && ids.size() == deliveries) {
      EXPECT_EQ(last_run.at(key), run) << key.first << ":" << key.second << " had ended with run " << run;
    }
  }
}

void CrashSoak::expect_order() const {
  for (const Way& way : kWays) {
    std::map<std::pair<int, std::string>, std::uint64_t> next;
    for (const Delivery& now : deliveries(way.name)) {
      if (!way.ordered)
        continue;
      std::uint64_t& least = next[{now.run, group_of(now.key)}];
      EXPECT_GE(now.key.second, least) << "run " << now.run << ", group " << group_of(now.key);
      least = now.key.second + 1;
    }
  }
}

std::uint64_t CrashSoak::letters_expected() const {
  std::uint64_t sum = 0;
  for (const Way& way : kWays) {
    for (std::uint64_t i = 0; i < each_; ++i)
      sum += kProducers * way.letters(i);
  }
  return sum;
}

void CrashSoak::expect_all_was_done(const Ended& last_run) const {
  EXPECT_EQ(last_run.exit, 0) << last_run.err;
  const Json summary = summary_of(last_run);
  expect_conservation(summary);
  EXPECT_EQ(summary["dead_letters"], letters_expected());
  expect_nothing_lost_or_invented();
  expect_each_dead_letter_once();
  expect_repeats_only_where_they_must_be();
  expect_order();
}

TEST_F(CrashSoak, loses_nothing_invents_nothing_and_repeats_only_what_was_not_acknowledged) {
  std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()));
  std::uint64_t expected_lines = 0;
  for (const Way& way : kWays) {
    for (std::uint64_t i = 0; i < each_; ++i)
      expected_lines += kProducers * way.deliveries(i);
  }
  const int kills = scaled(20, 6);
  const std::size_t step = expected_lines / static_cast<std::size_t>(kills);
  int run = 1, killed = 0;
  acknowledged_[0] = std::vector<std::uint64_t>(kProducers);
  for (; run <= kills; ++run) {
    Command command = pipeline(run);
    const auto kind = is_orderly(run) ? 4 : random() % 4;
    if (kind == 0)
      command.environment["SLUICE_DIE_AT"] =
          random() % 2 == 0 ? "dead_letters.before_sync" : "dead_letters.after_sync";
    Process process(command);
    if (kind <= 1) {
      process.ends_within(std::chrono::milliseconds(kind == 0 ? 1000 : random() % 500));
    } else {
      const std::size_t until = delivered_lines() + 1 + random() % (2 * step);
      while (!process.ends_within(std::chrono::milliseconds(1)) && delivered_lines() < until) {
      }
    }
    process.send(is_orderly(run) ? SIGTERM : SIGKILL);
    const Ended stopped = process.wait();
    killed += stopped.exit == 128 + SIGKILL ? 1 : 0;
    if (is_orderly(run) && (stopped.exit == 75 || stopped.exit == 0) &&
        std::ranges::all_of(summary_of(stopped)["services"], [](const Json& service) { return service["stale"] == 0; }))
      orderly_.insert(run);
    acknowledged_[run] = {acknowledged(0), acknowledged(1)};
  }
  const std::size_t before_the_last = delivered_lines();

  const Ended ended = ::sluice::test::run(pipeline(run));

  print_figures(killed, "kills");
  expect_all_was_done(ended);
  EXPECT_FALSE(orderly_.empty());
  expect_no_repeats_after_an_orderly_end();
  EXPECT_GT(before_the_last, step) << "the kills came too early to be worth something";
  EXPECT_EQ(summary_of(::sluice::test::run(pipeline(run + 1)))["sources"]["in-0"]["events"], 0);
}

/// Reliability catalogue F7: others want all cores, and it is stopped for longer than its leases last.
TEST_F(CrashSoak, on_a_starved_machine_that_stops_it_loses_nothing_and_repeats_only_what_expired) {
  acknowledged_[0] = std::vector<std::uint64_t>(kProducers);
  std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()));
  Command command = pipeline(1);  // a run in which stages outstay no lease
  command.words.insert(command.words.begin(), {"-n", "7", command.program});  // a fifth of what the others get
  command.program = "/usr/bin/nice";
  std::vector<std::jthread> others;
  for (unsigned core = 0; core < std::thread::hardware_concurrency(); ++core) {
    others.emplace_back([](const std::stop_token& ends) {
      while (!ends.stop_requested()) {
      }
    });
  }
  Process process(command);
  bool goes_on = true;
  int stops = 0;
  for (; stops < scaled(20, 3) && goes_on; ++stops) {
    const std::size_t until = delivered_lines() + 1 + random() % 100;
    while (goes_on && delivered_lines() < until)
      goes_on = !process.ends_within(std::chrono::milliseconds(1));
    process.send(SIGSTOP);
    goes_on = goes_on && !process.ends_within(std::chrono::milliseconds(700));
    process.send(SIGCONT);
  }
  others.clear();
  EXPECT_GE(stops, 3) << "it was soon done: the stops are worth little";

  const Ended ended = process.wait();

  print_figures(stops, "stops");
  expect_all_was_done(ended);
}

}  // namespace
}  // namespace sluice::test
