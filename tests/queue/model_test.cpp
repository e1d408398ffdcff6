// The whole queue API against a small sequential model: send, receive, settle in every way, extend,
// let time pass, store dead letters. After each step the counters are those of the model.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Outcome;

constexpr std::uint32_t kReceivesMax = 3;
constexpr std::int64_t kTimeout = 100;

struct Model {
  struct Batch {
    std::vector<std::string> messages;
    std::int64_t deadline = 0;
    bool expired = false;
  };
  std::map<std::string, std::uint32_t> receives;
  std::set<std::string> visible;                    // may be handed out
  std::uint64_t overdue = 0;                        // visible, but the next receive moves it
  std::multimap<std::int64_t, std::string> waiting; // delayed until
  Batch hands[2];
  std::int64_t now = 0;
  std::uint64_t sent = 0, deleted = 0, moving = 0, moved = 0, received = 0;

  void show(const std::string& message) {
    if (receives[message] >= kReceivesMax) {
      ++overdue;
    } else {
      visible.insert(message);
    }
  }
  void pass(std::int64_t ms) {
    now += ms;
    while (!waiting.empty() && waiting.begin()->first <= now) {
      show(waiting.begin()->second);
      waiting.erase(waiting.begin());
    }
    for (Batch& batch : hands) {
      if (!batch.expired && !batch.messages.empty() && batch.deadline <= now) {
        batch.expired = true;
        for (const std::string& message : batch.messages) {
          show(message);
        }
      }
    }
  }
  std::uint64_t in_flight() const {
    std::uint64_t sum = waiting.size() + moving;
    for (const Batch& batch : hands) {
      sum += batch.expired ? 0 : batch.messages.size();
    }
    return sum;
  }
};

struct Play {
  Play()
      : dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout, .max_receive_count = kReceivesMax}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 3, 2), &line.hand(queue, 10, 2)} {
    RC_ASSERT(line.open().has_value());
  }

  void send(int count) {
    for (int i = 0; i < count; ++i) {
      std::string name = std::to_string(model.sent++);
      publisher.append({.body = bytes_of(name), .cookie = model.sent}, core::WhenFull::wait);
      model.receives[name] = 0;
      model.show(name);
    }
    publisher.flush(true);
  }

  void receive(int who) {
    Model::Batch& batch = model.hands[who];
    if (!batch.messages.empty()) {
      return;
    }
    std::size_t size_max = who == 0 ? 3 : 10;
    std::uint64_t moved_before = queue.overdue.load();
    std::vector<std::string> got = hands[who]->receive();
    std::uint64_t moved = queue.overdue.load() - moved_before;
    RC_ASSERT(got.size() == std::min(size_max, model.visible.size()));
    RC_ASSERT(moved <= model.overdue);
    RC_ASSERT(got.size() == size_max || moved == model.overdue);
    model.overdue -= moved;
    model.moving += moved;
    for (const std::string& message : got) {
      RC_ASSERT(model.visible.erase(message) == 1u);
      ++model.receives[message];
    }
    model.received += got.size();
    batch = {got, model.now + kTimeout, false};
  }

  void settle(int who, const std::vector<int>& choices) {
    Model::Batch& batch = model.hands[who];
    std::vector<core::Failure> failures;
    core::Settled expected;
    for (std::uint32_t i = 0; i < batch.messages.size(); ++i) {
      int choice = choices.empty() ? 0 : choices[i % choices.size()];
      if (choice > 0) {
        auto status = choice == 1 ? Outcome::Status::reject : Outcome::Status::retry;
        failures.push_back({i, {status, choice == 2 ? -1 : (choice - 3) * 40, "stage", "reason", ""}});
      }
      if (batch.expired) {
        ++expected.stale;
        continue;
      }
      const std::string& message = batch.messages[i];
      switch (choice) {
        case 0: ++model.deleted; ++expected.ok; break;
        case 1: ++model.moving; ++expected.rejected; break;
        case 3: model.show(message); ++expected.retried; break;
        default:
          model.waiting.emplace(choice == 2 ? batch.deadline : model.now + (choice - 3) * 40, message);
          ++expected.retried;
      }
    }
    core::Settled settled = hands[who]->settle(failures);
    RC_ASSERT(settled.ok == expected.ok);
    RC_ASSERT(settled.retried == expected.retried);
    RC_ASSERT(settled.rejected == expected.rejected);
    RC_ASSERT(settled.stale == expected.stale);
    batch = {};
  }

  void extend(int who) {
    Model::Batch& batch = model.hands[who];
    bool extended = hands[who]->consumer.extend();
    RC_ASSERT(extended == (batch.messages.empty() || !batch.expired));
    batch.deadline = model.now + kTimeout;
  }

  void store() {
    line.letters.write_waiting();
    model.moved += model.moving;
    model.moving = 0;
  }

  void check() {
    core::QueueCounters n = queue.counters();
    RC_ASSERT(n.sent == model.sent);
    RC_ASSERT(n.received == model.received);
    RC_ASSERT(n.deleted == model.deleted);
    RC_ASSERT(n.visible == model.visible.size() + model.overdue);
    RC_ASSERT(n.in_flight == model.in_flight());
    RC_ASSERT(n.moved_to_dead_letter == model.moved);
    RC_ASSERT(conservation_gap(n) == 0);
    RC_ASSERT(conservation_gap(dead.counters()) == 0);
    // Messages of one chunk are counted down together: never early, at the latest when all are done.
    RC_ASSERT(line.settled.messages() <= model.deleted + model.moved);
    RC_ASSERT(line.settled.messages() == model.sent || model.deleted + model.moved < model.sent);
  }

  Line line;
  core::Queue& dead;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand* hands[2];
  Model model;
};

TEST(QueueModel, every_sequence_of_calls_leaves_the_queue_as_the_model_says) {
  using Step = std::tuple<int, int, std::vector<int>>;
  LogLines quiet;  // each dead letter is a line
  bool fine = rc::check("queue against model", [] {
    auto steps = *rc::gen::container<std::vector<Step>>(
        rc::gen::tuple(rc::gen::inRange(0, 12), rc::gen::inRange(0, 140),
                       rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6))));
    Play play;
    for (const auto& [what, amount, choices] : steps) {
      int who = amount % 2;
      switch (what) {
        case 0: case 1: play.send(amount % 20); break;
        case 2: case 3: case 4: play.receive(who); break;
        case 5: case 6: case 7: play.settle(who, choices); break;
        case 8: play.extend(who); break;
        case 9: play.store(); break;
        default:
          play.line.advance(amount);
          play.model.pass(amount);
      }
      play.check();
    }
    for (int round = 0; round < 50 && play.model.deleted + play.model.moved < play.model.sent; ++round) {
      for (int who : {0, 1}) {
        play.settle(who, {});
        play.receive(who);
        play.settle(who, {});
      }
      play.line.advance(50);
      play.model.pass(50);
      play.store();
    }
    play.check();
    RC_ASSERT(play.line.settled.count() == play.model.sent);
    play.publisher.close();
    play.hands[0]->consumer.idle();
    play.hands[1]->consumer.idle();
    RC_ASSERT(play.queue.credits().messages() == 100'000);
    RC_ASSERT(play.queue.credits().units() == (std::int64_t{256} << 20) / core::kCreditUnit);
  });
  EXPECT_TRUE(fine);
}

}  // namespace
}  // namespace sluice::test
