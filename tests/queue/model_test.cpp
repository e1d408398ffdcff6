// The whole queue API against a small sequential model: send, delay, receive, settle in every way,
// extend up to the ack deadline and beyond, purge, let time pass until leases, delays and messages
// expire, store dead letters, delete and redrive them, stop the engine or cut its power and start it anew over what is
// stored. After each step the counters are those of the model; after a crash each letter that was stored is there, and
// what was settled has come to its end; after a stop all that has come to its end was settled.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "letters_model.hpp"
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
constexpr std::int64_t kAckDeadline = 250;
const std::string kStage = "resize";

struct Model {
  struct Batch {
    std::vector<std::string> messages;
    std::int64_t deadline = 0, gives_up = 0;
    bool expired = false, given_up = false;
    int purges = 0;  // when it was received
  };
  struct Waiting {
    std::string message;
    bool is_delayed;
    int purges;
  };
  explicit Model(LettersModel& used_letters) : letters(used_letters) {}

  LettersModel& letters;
  std::map<std::string, std::int64_t> sent_at;
  std::map<std::string, std::string> last_error;
  std::set<std::string> visible;                 // may be handed out
  std::multimap<std::int64_t, Waiting> waiting;  // until when
  Batch hands[2];
  std::int64_t now = 0;
  int purges = 0;
  std::uint64_t sent = 0, deleted = 0, moved_in = 0, received = 0, expired = 0, purged = 0, ack_deadline_exceeded = 0;
  std::set<std::string> ended;  // of those that were sent

  void show(const std::string& message, std::uint32_t receives, int purges_seen) {
    if (purges_seen != purges) {
      end(message);
      ++purged;
      return;
    }
    if (receives < kReceivesMax) {
      visible.insert(message);
      return;
    }
    const std::string& error = last_error.at(message);
    letters.dies(message, error == "busy" ? "stage" : kStage, fmt::format("received {0} times, max_receive_count is {0}", kReceivesMax), error);
  }
  void come_back(const std::string& message, int purges_seen) { show(message, letters.receives(message), purges_seen); }
  void end(const std::string& message) {
    if (letters.ends(message)) {
      ended.insert(message);
    }
  }
  void end_all(std::set<std::string>& messages, std::uint64_t& counter) {
    counter += messages.size();
    std::ranges::for_each(std::exchange(messages, {}), [this](const std::string& message) { end(message); });
  }
  /// Nothing is hidden for longer than it is kept, nor once it is purged.
  void hide(const std::string& message, std::int64_t until, bool is_delayed, int purges_seen) {
    if (purges_seen != purges) {
      end(message);
      ++purged;
      return;
    }
    waiting.emplace(std::min(until, std::max(sent_at.at(message) + kRetention, now) + 1), Waiting{message, is_delayed, purges_seen});
  }
  bool is_old(const std::string& message) const { return sent_at.at(message) + kRetention < now; }
  void purge() {
    ++purges;
    end_all(visible, purged);
    for (const auto& [until, each] : std::exchange(waiting, {})) {
      end(each.message);
      ++purged;
    }
  }
  void sweep() {
    std::set<std::string> old;
    std::ranges::copy_if(visible, std::inserter(old, old.end()), [this](const std::string& message) { return is_old(message); });
    std::erase_if(visible, [&](const std::string& message) { return old.contains(message); });
    end_all(old, expired);
  }
  void pass(std::int64_t ms) {
    now += ms;
    while (!waiting.empty() && waiting.begin()->first <= now) {
      const Waiting& each = waiting.begin()->second;
      if (each.is_delayed) {
        show(each.message, 0, each.purges);
      } else if (each.purges == purges && is_old(each.message)) {
        end(each.message);
        ++expired;
      } else {
        come_back(each.message, each.purges);
      }
      waiting.erase(waiting.begin());
    }
    for (Batch& batch : hands) {
      if (!batch.expired && !batch.messages.empty() && batch.deadline <= now) {
        expire(batch);
      }
      batch.given_up = batch.expired && batch.gives_up <= now;
    }
  }
  /// Its messages come back, but at the ack deadline: then they are dead letters.
  void expire(Batch& batch) {
    batch.expired = true;
    const bool is_rejected = batch.deadline == batch.gives_up;
    for (const std::string& message : batch.messages) {
      last_error[message] = "visibility timeout expired";
      if (is_rejected) {
        letters.dies(message, kStage, fmt::format("stage '{}' did not settle it within the ack_deadline of {}ms", kStage, kAckDeadline));
      } else {
        come_back(message, batch.purges);
      }
    }
    ack_deadline_exceeded += is_rejected ? batch.messages.size() : 0;
  }
  std::uint64_t delayed() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(waiting, [](const auto& each) { return each.second.is_delayed; }));
  }
  /// Origins wait for a worker that may still emit something of messages that it may not settle any more.
  bool is_held_up() const {
    return std::ranges::any_of(hands, [](const Batch& batch) { return batch.expired && !batch.given_up; });
  }
  bool all_ended() const { return ended.size() == sent && letters.all_home(); }
  std::uint64_t in_flight() const {
    std::uint64_t sum = waiting.size() - delayed() + letters.dying();
    for (const Batch& batch : hands) {
      sum += batch.expired ? 0 : batch.messages.size();
    }
    return sum;
  }
};

/// What an engine leaves to the next one.
struct Remains {
  TestStorage storage;
  LettersModel::Remains letters;
  std::uint64_t names = 0;      // given so far
  std::uint64_t unsettled = 0;  // their source brings them again
};

struct Play {
  explicit Play(const Remains& remains = {})
      : line(remains.storage),
        first_name(remains.names),
        dead(line.queue(LettersModel::options())),
        queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout, .max_receive_count = kReceivesMax, .retention_ms = kRetention}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 3, 2, kAckDeadline), &line.hand(queue, 10, 2, kAckDeadline)},
        letters(line, queue, dead),
        model(letters) {
    RC_ASSERT(line.open().has_value());
    letters.found(remains.letters);
    send(remains.unsettled, 0);
  }

  ~Play() {  // where an assertion has failed
    hands[0]->settle();
    hands[1]->settle();
  }

  std::string name_of(std::uint64_t number) const { return std::to_string(first_name + number); }

  void send(std::uint64_t count, std::int64_t delay_ms) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string name = name_of(model.sent++);
      publisher.append({.body = bytes_of(name), .delay_ms = delay_ms, .cookie = model.sent}, core::Admission::wait);
      model.sent_at[name] = model.now;
      if (delay_ms == 0) {
        model.show(name, 0, model.purges);
      } else {
        model.hide(name, model.now + delay_ms, true, model.purges);
      }
    }
    publisher.flush(true);
  }
  void purge() {
    queue.purge();
    line.timers.end_purged(queue);
    line.timers.advance();
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
    sweep();  // what a receive meets of the old depends on the order
    std::size_t size_max = who == 0 ? 3 : 10;
    std::vector<std::string> got = hands[who]->receive();
    RC_ASSERT(got.size() == std::min(size_max, model.visible.size()));
    letters.handed_out(*hands[who]);
    hands[who]->consumer.set_stage(kStage.c_str());
    for (const std::string& message : got) {
      RC_ASSERT(model.visible.erase(message) == 1u);
    }
    model.received += got.size();
    batch = {got, model.now + kTimeout, model.now + kAckDeadline + 1, false, false, model.purges};
  }

  void settle(int who, const std::vector<int>& choices) {
    Model::Batch& batch = model.hands[who];
    std::vector<core::Failure> failures;
    core::Settled expected;
    for (std::uint32_t i = 0; i < batch.messages.size(); ++i) {
      int choice = choices.empty() ? 0 : choices[i % choices.size()];
      if (choice > 0) {
        auto status = choice == 1 ? Outcome::Status::reject : Outcome::Status::retry;
        failures.push_back({i, {status, choice == 2 ? -1 : (choice - 3) * 40, "stage", choice == 1 ? "damaged" : "busy", ""}});
      }
      if (batch.expired) {
        ++expected.stale;
        continue;
      }
      const std::string& message = batch.messages[i];
      switch (choice) {
        case 0: model.end(message); ++model.deleted; ++expected.ok; break;
        case 1: letters.dies(message, "stage", "damaged"); ++expected.rejected; break;
        case 3: model.last_error[message] = "busy"; model.come_back(message, batch.purges); ++expected.retried; break;
        default:
          model.last_error[message] = "busy";
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
    batch.deadline = batch.expired ? batch.deadline : std::min(model.now + kTimeout, batch.gives_up);
  }
  void pass(std::int64_t ms) {
    line.advance(ms);
    model.pass(ms);
  }
  /// The worker's stage reports progress, so many times.
  void report_progress(int who, int times) {
    for (; times > 0; --times) {
      pass(80);
      extend(who);
      check();
    }
  }

  void store() {
    for (const LettersModel::Stored& each : letters.store()) {
      if (each.had_origin) {
        model.ended.insert(each.body);
      }
    }
  }
  /// The power fails, at rest or while letters are written, of which so many bytes make it to the disk.
  Remains crash(bool is_writing, std::uint64_t torn_bytes) {
    line.cut_power(is_writing, torn_bytes);
    return remains();
  }
  /// What is in hand is finished, and nothing that has ended comes again.
  Remains stop() {
    settle(0, {});
    settle(1, {});
    store();
    check();
    line.end_run();
    RC_ASSERT(line.settled.count() == model.ended.size());
    return remains();
  }
  Remains remains() const {
    const std::vector<Settlements::Settlement> settled = line.settled.all();
    for (const Settlements::Settlement& each : settled) {
      RC_ASSERT(model.ended.contains(name_of(each.cookie - 1)));
    }
    return {line.storage, letters.remains(), first_name + model.sent, model.sent - settled.size()};
  }
  void redrive(const std::string& reason, bool dry_run) {
    store();
    for (const std::string& message : letters.redrive(reason, dry_run)) {
      ++model.moved_in;
      model.sent_at[message] = model.now;
      model.show(message, 0, model.purges);
    }
  }

  void check() {
    core::QueueCounters n = queue.counters();
    RC_ASSERT(n.sent == model.sent);
    RC_ASSERT(n.received == model.received);
    RC_ASSERT(n.deleted == model.deleted);
    RC_ASSERT(n.moved_in == model.moved_in);
    RC_ASSERT(n.visible == model.visible.size());
    RC_ASSERT(n.delayed == model.delayed());
    RC_ASSERT(n.expired == model.expired);
    RC_ASSERT(n.purged == model.purged);
    RC_ASSERT(n.in_flight == model.in_flight());
    RC_ASSERT(n.moved_to_dead_letter == letters.buried());
    RC_ASSERT(n.ack_deadline_exceeded == model.ack_deadline_exceeded);
    RC_ASSERT(conservation_gap(n) == 0);
    letters.check();
    // Messages of one chunk are counted down together: never early, at the latest when all are done.
    RC_ASSERT(line.settled.messages() <= model.ended.size());
    RC_ASSERT(line.settled.messages() == model.sent || model.ended.size() < model.sent || model.is_held_up());
    RC_ASSERT((line.timers.ended_late() == line.timers.expired_leases()) == !model.is_held_up());
    for (int who : {0, 1}) {
      RC_ASSERT(model.hands[who].messages.empty() || hands[who]->consumer.is_given_up() == model.hands[who].given_up);
    }
  }

  Line line;
  const std::uint64_t first_name;
  core::Queue& dead;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand* hands[2];
  LettersModel letters;
  Model model;
};

/// Parts of the reasons that letters have here.
const std::vector<std::string> kReasons = {"", "damaged", "ack_deadline", "busy", "timeout expired"};

TEST(QueueModel, every_sequence_of_calls_leaves_the_queue_as_the_model_says) {
  using Step = std::tuple<int, int, std::vector<int>>;
  LogLines quiet;  // each dead letter is a line
  bool fine = rc::check("queue against model", [] {
    auto steps = *rc::gen::container<std::vector<Step>>(
        rc::gen::tuple(rc::gen::inRange(0, 23), rc::gen::inRange(0, 140),
                       rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6))));
    auto play = std::make_unique<Play>();
    for (const auto& [what, amount, choices] : steps) {
      int who = amount % 2;
      switch (what) {
        case 0: case 1: play->send(static_cast<std::uint64_t>(amount) % 20, 0); break;
        case 12: play->send(static_cast<std::uint64_t>(amount) % 7, amount); break;
        case 13: play->sweep(); break;
        case 14:
          if (amount < 20) {
            play->purge();
          }
          break;
        case 15: play->pass(amount * 5); break;
        case 16: play->letters.receive(); break;
        case 17: play->letters.remove(); break;
        case 18: case 19: play->redrive(kReasons[static_cast<std::size_t>(amount) % kReasons.size()], amount % 4 == 3); break;
        case 20: case 21: play->report_progress(who, amount % 5); break;
        case 2: case 3: case 4: play->receive(who); break;
        case 5: case 6: case 7: play->settle(who, choices); break;
        case 8: play->extend(who); break;
        case 9: play->store(); break;
        case 22: {
          const Remains remains =
              amount % 3 == 0 ? play->stop() : play->crash(amount % 3 == 1, static_cast<std::uint64_t>(amount) * 20);
          play.reset();
          play = std::make_unique<Play>(remains);
          break;
        }
        default: play->pass(amount);
      }
      play->check();
    }
    for (int round = 0; round < 50 && (!play->model.all_ended() || play->model.is_held_up()); ++round) {
      for (int who : {0, 1}) {
        play->settle(who, {});
        play->receive(who);
        play->settle(who, {});
      }
      play->pass(50);
      play->sweep();
      play->store();
    }
    play->check();
    RC_ASSERT(play->line.settled.count() == play->model.sent);
    play->letters.remove_all();
    play->publisher.close();
    play->hands[0]->consumer.idle();
    play->hands[1]->consumer.idle();
    RC_ASSERT(play->queue.credits().messages() == 100'000);
    RC_ASSERT(play->queue.credits().units() == (std::int64_t{256} << 20) / core::kCreditUnit);
  });
  EXPECT_TRUE(fine);
}

}  // namespace
}  // namespace sluice::test
