// The whole queue API against a small sequential model: send, delay, receive, settle in every way,
// extend, purge, let time pass until leases, delays and messages expire, store dead letters. After
// each step the counters are those of the model.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <set>

#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Outcome;

/// How many plays each model of this program is put through, where RC_PARAMS does not say (reliability catalogue B1:
/// 100 000, at the soak's scale of 10).
[[maybe_unused]] const int plays_set = ::setenv("RC_PARAMS", ("max_success=" + std::to_string(scaled(10'000))).c_str(), 0);

constexpr std::uint32_t kReceivesMax = 3;
constexpr std::int64_t kTimeout = 100;
constexpr std::int64_t kRetention = 1500;

struct Model {
  struct Batch {
    std::vector<std::string> messages;
    std::int64_t deadline = 0;
    bool expired = false;
    int purges = 0;  // when it was received
  };
  struct Waiting {
    std::string message;
    bool is_delayed;
    int purges;
  };
  std::map<std::string, std::uint32_t> receives;
  std::map<std::string, std::int64_t> sent_at;
  std::set<std::string> visible;                 // may be handed out
  std::set<std::string> overdue;                 // visible, but the next receive moves it
  std::multimap<std::int64_t, Waiting> waiting;  // until when
  Batch hands[2];
  std::int64_t now = 0;
  std::uint64_t stale = 0;  // was purged while it was away, and came back: counts as visible until it is met
  int purges = 0;
  std::uint64_t sent = 0, deleted = 0, moving = 0, moved = 0, received = 0, expired = 0, purged = 0;

  void show(const std::string& message, int purges_seen) {
    if (purges_seen != purges) {
      ++stale;
    } else {
      (receives[message] >= kReceivesMax ? overdue : visible).insert(message);
    }
  }
  /// Nothing is hidden for longer than it is kept.
  void hide(const std::string& message, std::int64_t until, bool is_delayed, int purges_seen) {
    waiting.emplace(std::min(until, std::max(sent_at.at(message) + kRetention, now) + 1), Waiting{message, is_delayed, purges_seen});
  }
  bool is_old(const std::string& message) const { return sent_at.at(message) + kRetention < now; }
  void purge() {
    ++purges;
    purged += visible.size() + overdue.size() + stale;
    stale = 0;
    visible.clear();
    overdue.clear();
  }
  void sweep() {
    purged += stale;
    stale = 0;
    for (std::set<std::string>* set : {&visible, &overdue}) {
      expired += std::erase_if(*set, [this](const std::string& message) { return is_old(message); });
    }
  }
  void pass(std::int64_t ms) {
    now += ms;
    while (!waiting.empty() && waiting.begin()->first <= now) {
      show(waiting.begin()->second.message, waiting.begin()->second.purges);
      waiting.erase(waiting.begin());
    }
    for (Batch& batch : hands) {
      if (!batch.expired && !batch.messages.empty() && batch.deadline <= now) {
        batch.expired = true;
        for (const std::string& message : batch.messages) {
          show(message, batch.purges);
        }
      }
    }
  }
  std::uint64_t delayed() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(waiting, [](const auto& each) { return each.second.is_delayed; }));
  }
  /// A worker holds the chunk of messages that it may not settle any more.
  bool stale_in_hand() const { return hands[0].expired || hands[1].expired; }
  std::uint64_t ended() const { return deleted + moved + expired + purged; }
  std::uint64_t in_flight() const {
    std::uint64_t sum = waiting.size() - delayed() + moving;
    for (const Batch& batch : hands) {
      sum += batch.expired ? 0 : batch.messages.size();
    }
    return sum;
  }
};

struct Play {
  Play()
      : dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout, .max_receive_count = kReceivesMax, .retention_ms = kRetention}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 3, 2), &line.hand(queue, 10, 2)} {
    RC_ASSERT(line.open().has_value());
  }

  ~Play() {  // where an assertion has failed
    hands[0]->settle();
    hands[1]->settle();
  }

  void send(int count, std::int64_t delay_ms) {
    for (int i = 0; i < count; ++i) {
      std::string name = std::to_string(model.sent++);
      publisher.append({.body = bytes_of(name), .delay_ms = delay_ms, .cookie = model.sent}, core::Admission::wait);
      model.receives[name] = 0;
      model.sent_at[name] = model.now;
      if (delay_ms == 0) {
        model.show(name, model.purges);
      } else {
        model.hide(name, model.now + delay_ms, true, model.purges);
      }
    }
    publisher.flush(true);
  }
  void purge() {
    queue.purge();
    model.purge();
  }
  void sweep() {
    queue.sweep(line.timers.now_ms());
    model.sweep();
  }

  void receive(int who) {
    Model::Batch& batch = model.hands[who];
    if (!batch.messages.empty()) {
      return;
    }
    // What a receive meets of the old and the overdue depends on the order; a sweep first takes that out.
    sweep();
    std::size_t size_max = who == 0 ? 3 : 10;
    std::uint64_t moved_before = queue.overdue.load();
    std::vector<std::string> got = hands[who]->receive();
    std::uint64_t moved = queue.overdue.load() - moved_before;
    RC_ASSERT(got.size() == std::min(size_max, model.visible.size()));
    RC_ASSERT(moved <= model.overdue.size());
    RC_ASSERT(got.size() == size_max || moved == model.overdue.size());
    store();  // which of the overdue it met shows in the file
    for (const std::string& message : new_letters()) {
      model.overdue.erase(message);
    }
    model.moved += moved;
    for (const std::string& message : got) {
      RC_ASSERT(model.visible.erase(message) == 1u);
      ++model.receives[message];
    }
    model.received += got.size();
    batch = {got, model.now + kTimeout, false, model.purges};
  }

  /// Bodies of the letters that were stored since the last call.
  std::vector<std::string> new_letters() {
    constexpr std::string_view kBody = "\"body\":\"";
    const std::string file = line.file(dead);
    std::vector<std::string> bodies;
    for (std::size_t at = 0; (at = file.find(kBody, letters_read)) != std::string::npos;) {
      at += kBody.size();
      letters_read = file.find('"', at);
      bodies.push_back(file.substr(at, letters_read - at));
    }
    return bodies;
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
        case 3: model.show(message, batch.purges); ++expected.retried; break;
        default:
          model.hide(message, choice == 2 ? batch.deadline : model.now + (choice - 3) * 40, false, batch.purges);
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
    RC_ASSERT(n.visible == model.visible.size() + model.overdue.size() + model.stale);
    RC_ASSERT(n.delayed == model.delayed());
    RC_ASSERT(n.expired == model.expired);
    RC_ASSERT(n.purged == model.purged);
    RC_ASSERT(n.in_flight == model.in_flight());
    RC_ASSERT(n.moved_to_dead_letter == model.moved);
    RC_ASSERT(conservation_gap(n) == 0);
    RC_ASSERT(conservation_gap(dead.counters()) == 0);
    // Messages of one chunk are counted down together: never early, at the latest when all are done.
    RC_ASSERT(line.settled.messages() <= model.ended());
    RC_ASSERT(line.settled.messages() == model.sent || model.ended() < model.sent || model.stale_in_hand());
  }

  Line line;
  core::Queue& dead;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand* hands[2];
  Model model;
  std::size_t letters_read = 0;
};

TEST(QueueModel, every_sequence_of_calls_leaves_the_queue_as_the_model_says) {
  using Step = std::tuple<int, int, std::vector<int>>;
  LogLines quiet;  // each dead letter is a line
  bool fine = rc::check("queue against model", [] {
    auto steps = *rc::gen::container<std::vector<Step>>(
        rc::gen::tuple(rc::gen::inRange(0, 16), rc::gen::inRange(0, 140),
                       rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6))));
    Play play;
    for (const auto& [what, amount, choices] : steps) {
      int who = amount % 2;
      switch (what) {
        case 0: case 1: play.send(amount % 20, 0); break;
        case 12: play.send(amount % 7, amount); break;
        case 13: play.sweep(); break;
        case 14:
          if (amount < 20) {
            play.purge();
          }
          break;
        case 15:
          play.line.advance(amount * 5);
          play.model.pass(amount * 5);
          break;
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
    for (int round = 0; round < 50 && (play.model.ended() < play.model.sent || play.model.stale_in_hand()); ++round) {
      for (int who : {0, 1}) {
        play.settle(who, {});
        play.receive(who);
        play.settle(who, {});
      }
      play.line.advance(50);
      play.model.pass(50);
      play.sweep();
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
