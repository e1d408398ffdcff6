// The whole API of a FIFO queue against a sequential model: send with groups and ids, receive, settle in
// every way, extend up to the ack deadline and beyond, purge, sweep, let time pass until leases, delays,
// windows and messages end, delete and redrive dead letters, stop the engine or cut its power and start it anew over
// what is stored. After each step the counters are those of the model; each receive gives what the groups' states allow;
// after a crash each letter that was stored is there, and what was settled has come to its end; after a stop all that has
// come to its end was settled.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "letters_model.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using core::Outcome;

constexpr std::uint32_t kReceivesMax = 3;
constexpr std::int64_t kTimeout = 1000;
constexpr std::int64_t kRetention = 400'000;
constexpr std::int64_t kAckDeadline = 2500;
const std::string kStage = "resize";
constexpr std::int64_t kWindow = core::Deduplication::kWindowMs;

struct Message {
  enum class State { visible, hidden, in_hand };
  std::string name;  // begins with its group
  std::string id;
  std::int64_t sent = 0;
  State state = State::visible;
  std::int64_t shown_at = 0;  // hidden
  char group() const { return name[0]; }
};

struct Model {
  struct Batch {
    std::vector<std::string> names;
    std::int64_t deadline = 0, gives_up = 0;
    bool is_expired = false, is_given_up = false;
    int purges = 0;
  };
  explicit Model(LettersModel& used_letters) : letters(used_letters) {}

  LettersModel& letters;
  std::deque<Message> unrouted;
  std::multimap<std::int64_t, Message> delayed;  // equal keys keep their order
  std::map<char, std::deque<Message>> groups;
  std::map<std::string, std::int64_t> accepted;
  std::map<std::string, std::string> last_error;
  Batch hands[2];
  std::int64_t now = 0;
  int purges = 0;
  std::uint64_t sent = 0, deleted = 0, deduplicated = 0, moved_in = 0, received = 0, expired = 0, purged = 0, ack_deadline_exceeded = 0;
  std::set<std::string> ended;  // of those that were sent

  void end(const std::string& name, std::uint64_t& counter) {
    ++counter;
    if (letters.ends(name)) {
      ended.insert(name);
    }
  }
  /// Ends what `picks` says so of; how many is `counter`'s.
  template <class Messages, class Picks>
  void end_if(Messages& messages, std::uint64_t& counter, Picks picks) {
    std::erase_if(messages, [&](const Message& message) {
      const bool ends = picks(message);
      if (ends) {
        end(message.name, counter);
      }
      return ends;
    });
  }
  bool is_old(const Message& message) const { return message.sent + kRetention < now; }
  void route() {
    for (; !unrouted.empty(); unrouted.pop_front()) {
      Message& message = unrouted.front();
      if (!message.id.empty()) {
        const auto known = accepted.find(message.id);
        if (known != accepted.end() && message.sent < known->second + kWindow) {
          end(message.name, deduplicated);
          continue;
        }
        accepted[message.id] = message.sent;
      }
      groups[message.group()].push_back(message);
    }
  }
  void sweep() {
    end_if(unrouted, expired, [this](const Message& message) { return is_old(message); });
    for (auto& [name, group] : groups) {
      auto first = std::ranges::find_if(group, [](const Message& message) { return message.state != Message::State::in_hand; });
      while (first != group.end() && first->state == Message::State::visible && is_old(*first)) {
        end(first->name, expired);
        first = group.erase(first);
      }
    }
  }
  void purge() {
    ++purges;
    accepted.clear();
    end_if(unrouted, purged, [](const Message&) { return true; });
    for (const auto& [tick, message] : std::exchange(delayed, {})) {
      end(message.name, purged);
    }
    for (auto& [name, group] : groups) {
      end_if(group, purged, [](const Message& message) { return message.state != Message::State::in_hand; });
    }
  }
  Message* find(const std::string& name) {
    for (Message& message : groups[name[0]]) {
      if (message.name == name) {
        return &message;
      }
    }
    return nullptr;
  }
  void erase(const std::string& name) {
    std::erase_if(groups[name[0]], [&](const Message& message) { return message.name == name; });
  }
  /// A message in hand comes back; hidden for a time if that is above 0, but for no longer than it is kept.
  void put_back(const std::string& name, int purges_seen, std::int64_t hidden_until) {
    if (purges_seen != purges) {
      erase(name);
      end(name, purged);
      return;
    }
    Message& message = *find(name);
    if (hidden_until > now) {
      message.state = Message::State::hidden;
      message.shown_at = std::min(hidden_until, std::max(message.sent + kRetention, now) + 1);
    } else {
      message.state = Message::State::visible;
    }
  }
  /// What was received too often becomes a dead letter once it stands first in its group, of which nothing is in hand.
  void give_fronts_up() {
    for (auto& [name, group] : groups) {
      if (std::ranges::any_of(group, [](const Message& message) { return message.state == Message::State::in_hand; })) {
        continue;
      }
      while (!group.empty() && group.front().state == Message::State::visible && is_overdue(group.front())) {
        give_up(group.front().name);
        group.pop_front();
      }
    }
  }
  bool is_overdue(const Message& message) const { return letters.receives_so_far(message.name) >= kReceivesMax; }
  void give_up(const std::string& name) {
    const std::string& error = last_error.at(name);
    letters.dies(name, error == "busy" ? "stage" : kStage, fmt::format("received {0} times, max_receive_count is {0}", kReceivesMax), error);
  }
  void pass(std::int64_t ms) {
    now += ms;
    for (Batch& batch : hands) {
      if (!batch.is_expired && !batch.names.empty() && batch.deadline <= now) {
        expire(batch);
      }
      batch.is_given_up = batch.is_expired && batch.gives_up <= now;
    }
    for (auto& [name, group] : groups) {
      std::erase_if(group, [this](Message& message) {
        if (message.state != Message::State::hidden || message.shown_at > now) {
          return false;
        }
        message.state = Message::State::visible;
        if (is_old(message)) {
          end(message.name, expired);
        }
        return is_old(message);
      });
    }
    while (!delayed.empty() && delayed.begin()->first <= now) {
      unrouted.push_back(delayed.begin()->second);
      delayed.erase(delayed.begin());
    }
    give_fronts_up();
  }
  /// Its messages come back, but at the ack deadline: then they are dead letters.
  void expire(Batch& batch) {
    batch.is_expired = true;
    const bool is_rejected = batch.deadline == batch.gives_up;
    for (const std::string& name : batch.names) {
      if (is_rejected) {
        letters.dies(name, kStage, fmt::format("stage '{}' did not settle it within the ack_deadline of {}ms", kStage, kAckDeadline));
        erase(name);
      } else {
        last_error[name] = "visibility timeout expired";
        put_back(name, batch.purges, 0);
      }
    }
    ack_deadline_exceeded += is_rejected ? batch.names.size() : 0;
  }
  /// What of a group may be received; empty: it is closed.
  std::vector<std::string> open_part(char name) {
    std::vector<std::string> part;
    for (const Message& message : groups[name]) {
      if (message.state == Message::State::in_hand) {
        return {};
      }
    }
    for (const Message& message : groups[name]) {
      if (message.state != Message::State::visible || is_overdue(message)) {
        break;
      }
      part.push_back(message.name);
    }
    return part;
  }
  std::uint64_t count(Message::State state) const {
    std::uint64_t sum = 0;
    for (const auto& [name, group] : groups) {
      sum += static_cast<std::uint64_t>(std::ranges::count(group, state, &Message::state));
    }
    return sum;
  }
  bool all_ended() const { return ended.size() == sent && letters.all_home(); }
  /// Origins wait for a worker that may still emit something of messages that it may not settle any more.
  bool is_held_up() const {
    return std::ranges::any_of(hands, [](const Batch& batch) { return batch.is_expired && !batch.is_given_up; });
  }
};

/// What an engine leaves to the next one.
struct Remains {
  TestStorage storage;
  LettersModel::Remains letters;
  std::uint64_t names = 0;         // given so far
  std::vector<Message> unsettled;  // their source brings them again
};

struct Play {
  Play(std::int64_t delay_ms, std::int64_t capacity_bytes, const Remains& remains = {})
      : line(remains.storage),
        delay(delay_ms),
        first_name(remains.names),
        dead(line.queue(LettersModel::options())),
        queue(line.queue({.name = "q", .capacity_bytes = capacity_bytes, .visibility_timeout_ms = kTimeout, .max_receive_count = kReceivesMax, .delay_ms = delay_ms, .retention_ms = kRetention, .fifo = true}, &dead)),
        publisher(line.publisher({&queue})),
        hands{&line.hand(queue, 3, 2, kAckDeadline), &line.hand(queue, 10, 2, kAckDeadline)},
        letters(line, queue, dead),
        model(letters) {
    RC_ASSERT(line.open().has_value());
    letters.found(remains.letters);
    for (const Message& message : remains.unsettled) {
      append(message.group(), message.id);
    }
    publisher.flush(true);
  }
  ~Play() {  // where an assertion has failed
    hands[0]->settle();
    hands[1]->settle();
  }

  void send(int count, const std::vector<int>& choices) {
    for (int i = 0; i < count; ++i) {
      const int choice = choices.empty() ? 0 : choices[static_cast<std::size_t>(i) % choices.size()];
      append(static_cast<char>('a' + (choice + i) % 4), choice % 3 == 0 ? "" : "id" + std::to_string((choice * 7 + i) % 9));
    }
    publisher.flush(true);
  }
  void append(char group, const std::string& id) {
    Message message;
    message.name = group + std::to_string(first_name + sent.size());
    message.id = id;
    message.sent = model.now;
    sent.push_back(message);
    ++model.sent;
    publisher.append({.body = bytes_of(message.name),
                      .parts = {.group_id = std::string_view(message.name).substr(0, 1), .deduplication_id = message.id},
                      .cookie = sent.size()},
                     core::Admission::overdraw);
    if (delay != 0) {
      model.delayed.emplace(model.now + delay, message);
    } else {
      model.unrouted.push_back(message);
    }
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
    model.give_fronts_up();
  }
  void pass(std::int64_t ms) {
    line.advance(ms);
    model.pass(ms);
  }

  /// As many of one group as possible, in order, then of the next.
  void receive(int who) {
    Model::Batch& batch = model.hands[who];
    if (!batch.names.empty()) {
      return;
    }
    sweep();  // so that a receive meets nothing old
    model.route();
    const std::size_t size_max = who == 0 ? 3 : 10;
    const std::vector<std::string> got = hands[who]->receive();
    std::size_t available = 0;
    for (const auto& [name, group] : model.groups) {
      available += model.open_part(name).size();
    }
    RC_ASSERT(got.size() == std::min(size_max, available));
    for (std::size_t at = 0; at < got.size();) {
      const std::vector<std::string> part = model.open_part(got[at][0]);
      const std::size_t expected = std::min(part.size(), got.size() - at);
      RC_ASSERT(expected > 0u);
      RC_ASSERT(std::vector(got.begin() + static_cast<std::ptrdiff_t>(at), got.begin() + static_cast<std::ptrdiff_t>(at + expected)) ==
                std::vector(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(expected)));
      for (std::size_t end = at + expected; at < end; ++at) {
        model.find(got[at])->state = Message::State::in_hand;
      }
    }
    letters.handed_out(*hands[who]);
    hands[who]->consumer.set_stage(kStage.c_str());
    model.received += got.size();
    batch = {got, model.now + kTimeout, model.now + kAckDeadline + 1, false, false, model.purges};
  }

  void settle(int who, const std::vector<int>& choices) {
    Model::Batch& batch = model.hands[who];
    std::vector<core::Failure> failures;
    core::Settled expected;
    for (std::uint32_t i = 0; i < batch.names.size(); ++i) {
      const int choice = choices.empty() ? 0 : choices[i % choices.size()];
      if (choice > 0) {
        auto status = choice == 1 ? Outcome::Status::reject : Outcome::Status::retry;
        failures.push_back({i, {status, choice == 2 ? -1 : (choice - 3) * 400, "stage", choice == 1 ? "damaged" : "busy", ""}});
      }
      if (batch.is_expired) {
        ++expected.stale;
        continue;
      }
      const std::string& name = batch.names[i];
      switch (choice) {
        case 0: model.erase(name); model.end(name, model.deleted); ++expected.ok; break;
        case 1: model.erase(name); letters.dies(name, "stage", "damaged"); ++expected.rejected; break;
        default:
          model.last_error[name] = "busy";
          model.put_back(name, batch.purges, choice == 2 ? batch.deadline : choice == 3 ? 0 : model.now + (choice - 3) * 400);
          ++expected.retried;
      }
    }
    model.give_fronts_up();
    const core::Settled settled = hands[who]->settle(failures);
    RC_ASSERT(settled.ok == expected.ok);
    RC_ASSERT(settled.retried == expected.retried);
    RC_ASSERT(settled.rejected == expected.rejected);
    RC_ASSERT(settled.stale == expected.stale);
    batch = {};
  }

  void extend(int who) {
    Model::Batch& batch = model.hands[who];
    const bool extended = hands[who]->consumer.extend();
    RC_ASSERT(extended == (batch.names.empty() || !batch.is_expired));
    batch.deadline = batch.is_expired ? batch.deadline : std::min(model.now + kTimeout, batch.gives_up);
  }
  /// The worker's stage reports progress, so many times.
  void report_progress(int who, int times) {
    for (; times > 0; --times) {
      pass(800);
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
    std::set<std::uint64_t> settled;
    for (const Settlements::Settlement& each : line.settled.all()) {
      RC_ASSERT(model.ended.contains(sent[each.cookie - 1].name));
      settled.insert(each.cookie);
    }
    Remains remains{line.storage, letters.remains(), first_name + sent.size(), {}};
    for (std::uint64_t cookie = 1; cookie <= sent.size(); ++cookie) {
      if (!settled.contains(cookie)) {
        remains.unsettled.push_back(sent[cookie - 1]);
      }
    }
    return remains;
  }
  /// What was redriven stands behind what its group has in the lanes, and before what is published and not routed.
  /// Not where what was sent before could come to stand behind a letter, which is younger then: it ends once it is
  /// reached (FifoRetention.ends_what_is_old_behind_a_redriven_letter_once_it_is_reached).
  void redrive(const std::string& reason, bool dry_run) {
    if (!model.unrouted.empty() || !model.delayed.empty()) {
      return;
    }
    store();
    for (const std::string& name : letters.redrive(reason, dry_run)) {
      ++model.moved_in;
      model.groups[name[0]].push_back({.name = name, .id = "", .sent = model.now});
    }
  }

  void check() {
    const core::QueueCounters n = queue.counters();
    RC_ASSERT(n.sent == model.sent);
    RC_ASSERT(n.moved_in == model.moved_in);
    RC_ASSERT(n.received == model.received);
    RC_ASSERT(n.deduplicated == model.deduplicated);
    RC_ASSERT(n.deleted == model.deleted + model.deduplicated);
    RC_ASSERT(n.visible == model.count(Message::State::visible) + model.unrouted.size());
    RC_ASSERT(n.delayed == model.delayed.size());
    RC_ASSERT(n.expired == model.expired);
    RC_ASSERT(n.purged == model.purged);
    RC_ASSERT(n.in_flight == model.count(Message::State::in_hand) + model.count(Message::State::hidden) + letters.dying());
    RC_ASSERT(queue.invisible.load() == model.count(Message::State::hidden));
    RC_ASSERT(n.moved_to_dead_letter == letters.buried());
    RC_ASSERT(n.ack_deadline_exceeded == model.ack_deadline_exceeded);
    RC_ASSERT(conservation_gap(n) == 0);
    letters.check();
    RC_ASSERT(line.settled.messages() <= model.ended.size());
    RC_ASSERT(line.settled.messages() == model.sent || model.ended.size() < model.sent || model.is_held_up());
    RC_ASSERT((line.timers.ended_late() == line.timers.expired_leases()) == !model.is_held_up());
  }

  Line line;
  const std::int64_t delay;
  const std::uint64_t first_name;
  core::Queue& dead;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand* hands[2];
  LettersModel letters;
  Model model;
  std::vector<Message> sent;
};

/// Parts of the reasons that letters have here.
const std::vector<std::string> kReasons = {"", "damaged", "ack_deadline"};

TEST(LanesModel, every_sequence_of_calls_leaves_a_fifo_queue_as_the_model_says) {
  using Step = std::tuple<int, int, std::vector<int>>;
  LogLines quiet;  // each dead letter is a line
  const bool fine = rc::check("FIFO queue against model", [] {
    const auto steps = *rc::gen::container<std::vector<Step>>(
        rc::gen::tuple(rc::gen::inRange(0, 24), rc::gen::inRange(0, 140), rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6))));
    // With little room, what waits is copied out of its chunks again and again.
    const std::int64_t capacity_bytes = *rc::gen::element(std::int64_t{256} << 20, std::int64_t{64} << 10);
    const std::int64_t delay = *rc::gen::element(0, 0, 700);
    auto play = std::make_unique<Play>(delay, capacity_bytes);
    for (const auto& [what, amount, choices] : steps) {
      const int who = amount % 2;
      switch (what) {
        case 0: case 1: case 2: play->send(amount % 12, choices); break;
        case 3: case 4: case 5: play->receive(who); break;
        case 6: case 7: case 8: play->settle(who, choices); break;
        case 9: play->extend(who); break;
        case 10: play->store(); break;
        case 23: {
          const Remains remains =
              amount % 3 == 0 ? play->stop() : play->crash(amount % 3 == 1, static_cast<std::uint64_t>(amount) * 20);
          play.reset();
          play = std::make_unique<Play>(delay, capacity_bytes, remains);
          break;
        }
        case 11: play->sweep(); break;
        case 12:
          if (amount < 30) {
            play->purge();
          }
          break;
        case 13: play->pass(amount * 1000); break;
        case 14: play->pass(amount * 50); break;
        case 15: play->letters.receive(); break;
        case 16: play->letters.remove(); break;
        case 17: case 18: play->redrive(kReasons[static_cast<std::size_t>(amount) % kReasons.size()], amount % 4 == 3); break;
        case 19: case 20: play->report_progress(who, amount % 5); break;
        default: play->pass(amount);
      }
      play->check();
    }
    for (int round = 0; round < 100 && (!play->model.all_ended() || play->model.is_held_up()); ++round) {
      for (int who : {0, 1}) {
        play->settle(who, {});
        play->receive(who);
        play->settle(who, {});
      }
      play->pass(500);
      play->store();
    }
    play->check();
    RC_ASSERT(play->line.settled.count() == play->model.sent);
    play->letters.remove_all();
    play->publisher.close();
    play->hands[0]->consumer.idle();
    play->hands[1]->consumer.idle();
    RC_ASSERT(play->queue.credits().messages() == 100'000);
    RC_ASSERT(play->queue.credits().units() == capacity_bytes / core::kCreditUnit);
  });
  EXPECT_TRUE(fine);
}

}  // namespace
}  // namespace sluice::test
