// A dead-letter queue beside its sequential model: which letters stand in its file and why, what a redrive makes of
// them, how often each message was received. The models of whole queues have one each; messages are known by their
// bodies. After each step everything is compared.
#pragma once

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.hpp"
#include "message/message_json.hpp"
#include "support/line.hpp"

namespace sluice::test {

class LettersModel {
 public:
  struct Letter {
    std::string stage, reason, detail;
    std::uint32_t receives = 0;
    std::uint32_t redrives = 0;
  };
  using Letters = std::map<std::string, Letter>;

  /// Letters of `queue`, which go to `dead`.
  LettersModel(Line& line, core::Queue& queue, core::Queue& dead)
      : line_(line), queue_(queue), dead_(dead), hand_(line.hand(dead, kBatch)) {}
  ~LettersModel() { hand_.settle(); }  // where an assertion has failed
  LettersModel(const LettersModel&) = delete;
  LettersModel& operator=(const LettersModel&) = delete;

  static core::QueueOptions options() { return {.name = "dead", .visibility_timeout_ms = core::kInvisibleMaxMs}; }

  /// Of a message of the queue: receives so far.
  std::uint32_t receives(const std::string& body) const { return receives_.at(body); }
  std::uint32_t receives_so_far(const std::string& body) const { return receives_.contains(body) ? receives_.at(body) : 0; }
  /// The queue handed out a batch: each message has the id that it always had, and was received as often as it says.
  void handed_out(const Hand& hand) {
    for_each_in(hand, [this](const std::string& body, const core::Uuid& id, std::uint32_t receive_count) {
      RC_ASSERT(ids_.try_emplace(body, id).first->second == id);
      RC_ASSERT(receive_count == receives_[body]);
      ++receives_[body];
    });
  }
  /// A message is on its way to the letters.
  void dies(const std::string& body, const std::string& stage, const std::string& reason, const std::string& detail = {}) {
    dying_[body] = {stage, reason, detail, receives_.at(body), redrives_[body]};
  }
  std::size_t dying() const { return dying_.size(); }

  /// What the next engine may expect of a file after a crash.
  struct Remains {
    Letters stored;   // must be there
    Letters perhaps;  // were on their way into it or out of it
    std::map<std::string, core::Uuid> ids;
  };
  Remains remains() const {
    Remains all{letters_, dying_, ids_};
    all.stored.insert(on_way_.begin(), on_way_.end());
    all.perhaps.insert(removed_.begin(), removed_.end());
    return all;
  }
  /// The engine was opened over it.
  void found(const Remains& remains) {
    ids_ = remains.ids;
    for (const core::MessageText& text : new_letters()) {
      const auto stored = remains.stored.find(text.body), perhaps = remains.perhaps.find(text.body);
      const bool is_new = stored == remains.stored.end() || (perhaps != remains.perhaps.end() && is(text, perhaps->second));
      RC_ASSERT(!is_new || perhaps != remains.perhaps.end());
      RC_ASSERT(is(text, (is_new ? perhaps : stored)->second));
      RC_ASSERT(letters_.insert(*(is_new ? perhaps : stored)).second);
      order_.push_back(text.body);
    }
    for (const auto& [body, letter] : remains.stored) {
      RC_ASSERT(letters_.contains(body));
    }
    found_ = letters_.size();
    check();
  }

  /// A message is at another end than that. True: an origin waited for it; a letter that was redriven has none.
  bool ends(const std::string& body) {
    if (!on_way_.contains(body)) {
      return true;
    }
    removed_.insert(on_way_.extract(body));
    return false;
  }

  struct Stored {
    std::string body;
    bool had_origin;
  };
  /// Writes what waits.
  std::vector<Stored> store() {
    line_.letters.write_waiting();
    removed_.clear();
    if (dying_.empty()) {
      return {};  // check() would see another in the counters
    }
    std::vector<Stored> stored;
    for (const core::MessageText& text : new_letters()) {
      const auto known = dying_.find(text.body);
      RC_ASSERT(known != dying_.end());
      RC_ASSERT(is(text, known->second));
      const bool came_back = on_way_.erase(text.body) != 0;
      came_back_ += came_back && !was_dry_ ? 1 : 0;
      stored.push_back({text.body, !came_back});
      order_.push_back(text.body);
      letters_.insert(dying_.extract(known));
    }
    RC_ASSERT(dying_.empty());
    buried_ += stored.size();
    return stored;
  }

  /// Redrives, to the end, letters of a reason that holds `part`. Those that went to the queue, in order.
  std::vector<std::string> redrive(const std::string& part, bool dry_run) {
    core::RedriveStatus expected;
    expected.letters = letters_.size() + on_way_.size();
    for (const auto& [body, letter] : on_way_) {
      ++(!concerns(letter, part) ? expected.filtered : expected.in_use);
    }
    std::vector<std::string> moved;
    for (const std::string& body : order_) {
      if (!concerns(letters_.at(body), part)) {
        ++expected.filtered;
      } else if (in_hand_.contains(body)) {
        ++expected.in_use;
      } else {
        ++expected.moved;
        moved.push_back(body);
      }
    }
    expect_redrive({.reason = part, .dry_run = dry_run}, expected);
    came_back_ = 0;
    was_dry_ = dry_run;
    if (dry_run) {
      return {};
    }
    for (const std::string& body : moved) {
      redrives_[body] = letters_.at(body).redrives + 1;
      on_way_.insert(letters_.extract(body));
      receives_[body] = 0;
    }
    std::erase_if(order_, [this](const std::string& body) { return !letters_.contains(body); });
    redriven_ += moved.size();
    return moved;
  }

  /// Somebody takes letters in hand, and deletes them later.
  void receive() {
    if (!in_hand_.empty()) {
      return;
    }
    const std::size_t count = hand_.receive().size();
    RC_ASSERT(count == std::min<std::size_t>(kBatch, letters_.size()));
    for_each_in(hand_, [this](const std::string& body, const core::Uuid& id, std::uint32_t receive_count) {
      RC_ASSERT(letters_.contains(body));
      RC_ASSERT(in_hand_.insert(body).second);
      RC_ASSERT(id == ids_.at(body));
      RC_ASSERT(receive_count == letters_.at(body).receives);
    });
  }
  void remove() {
    RC_ASSERT(hand_.settle().ok == in_hand_.size());
    deleted_ += in_hand_.size();
    for (const std::string& body : in_hand_) {
      removed_.insert(letters_.extract(body));
      std::erase(order_, body);
    }
    in_hand_.clear();
  }
  void remove_all() {
    for (remove(); !letters_.empty(); remove()) {
      receive();
    }
    store();
    hand_.consumer.idle();
    check();
    RC_ASSERT(dead_.credits().messages() == dead_.options().capacity);
  }

  std::uint64_t redriven() const { return redriven_; }
  std::uint64_t buried() const { return buried_; }
  /// Letters on their way back that are not at their end.
  bool all_home() const { return on_way_.empty(); }

  void check() const {
    const core::QueueCounters n = dead_.counters();
    RC_ASSERT(n.moved_in == found_ + buried_);
    RC_ASSERT(n.visible == letters_.size() - in_hand_.size());
    RC_ASSERT(n.in_flight == in_hand_.size());
    RC_ASSERT(n.deleted == deleted_ + redriven_);
    RC_ASSERT(conservation_gap(n) == 0);
    RC_ASSERT(line_.letters.stored() == letters_.size() + on_way_.size() + removed_.size());
    if (const auto status = line_.letters.redrives().status(dead_)) {
      RC_ASSERT(status->came_back == came_back_);
    }
  }

 private:
  static constexpr std::uint32_t kBatch = 3;

  template <class Each>
  static void for_each_in(const Hand& hand, Each&& each) {
    for (const core::Lease& lease : hand.consumer.leases()) {
      const core::Chunk& chunk = *lease.taken.chunk;
      for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1) {
        const std::uint32_t bit = core::lowest_bit(left);
        each(text_of(chunk.body(bit)), chunk.id(bit), chunk.kind == core::Chunk::Kind::evacuated ? chunk.lineage[bit].receives() : 0);
      }
    }
  }
  static bool concerns(const Letter& letter, const std::string& part) {
    return letter.reason.find(part) != std::string::npos || letter.detail.find(part) != std::string::npos;
  }
  /// Those that were appended to the file since the last call.
  std::vector<core::MessageText> new_letters() {
    const std::string file = line_.file(dead_);
    std::vector<core::MessageText> letters;
    for (std::size_t end; (end = file.find('\n', read_)) != std::string::npos; read_ = end + 1) {
      const auto json = core::parse_json(std::string_view(file).substr(read_, end - read_));
      RC_ASSERT(json.has_value());
      if (json->find("dead_letter") != nullptr) {
        letters.push_back(std::move(*core::message_from_json(*json)));
      }
    }
    return letters;
  }
  bool is(const core::MessageText& text, const Letter& letter) const {
    const core::DeadLetterNote& note = *text.dead_letter;
    return text.id == ids_.at(text.body) && note.source_queue == queue_.name() && note.queue == dead_.name() &&
           std::tie(note.stage, note.reason, note.detail) == std::tie(letter.stage, letter.reason, letter.detail) &&
           text.receive_count == letter.receives && note.redrive_count == letter.redrives;
  }
  void expect_redrive(const core::RedriveRequest& request, const core::RedriveStatus& expected) {
    RC_ASSERT(line_.letters.redrive(dead_, request).has_value());
    while (line_.letters.redrive_some() >= 0) {
    }
    const core::RedriveStatus status = *line_.letters.redrives().status(dead_);
    RC_ASSERT(status.state == core::RedriveState::completed);
    RC_ASSERT(status.letters == expected.letters);
    RC_ASSERT(status.moved == expected.moved);
    RC_ASSERT(status.filtered == expected.filtered);
    RC_ASSERT(status.in_use == expected.in_use);
    RC_ASSERT(status.parts + status.without_queue + status.without_room == 0u);
    for (const auto& [name, count] : status.moved_to) {
      RC_ASSERT(name == queue_.name());
      RC_ASSERT(count == expected.moved);
    }
  }

  Line& line_;
  core::Queue &queue_, &dead_;
  Hand& hand_;
  std::map<std::string, std::uint32_t> receives_, redrives_;
  std::map<std::string, core::Uuid> ids_;
  Letters dying_, letters_;         // on their way to the file; stored, and not redriven
  Letters on_way_;                  // redriven, and not at their end: stored as well
  std::vector<std::string> order_;  // of letters_, in the file
  std::set<std::string> in_hand_;
  Letters removed_;                 // which is not written yet
  std::uint64_t found_ = 0, buried_ = 0, deleted_ = 0, redriven_ = 0;
  std::uint64_t came_back_ = 0;     // since the last redrive began
  bool was_dry_ = false;            // that moved nothing
  std::size_t read_ = 0;            // of the file
};

}  // namespace sluice::test
