// FIFO lanes: of each group one batch is in hand at a time, in the group's order, each message once;
// who finds a group closed and parks hears of it when it opens. A message is named by its group and its
// number there: "a1" comes before "a2".
#include <array>

#include "explore/verify.hpp"
#include "queue/ready.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using core::Atomic;
using core::Outcome;
using core::Settled;
using test::Hand;
using test::Line;
using Texts = std::vector<std::string>;

constexpr auto kSeqCst = std::memory_order_seq_cst;
constexpr std::int64_t kTimeout = 1000;

/// A FIFO queue and its receivers, who each time compare what they get with the order of the groups.
struct Groups {
  explicit Groups(Trial& used_trial, std::vector<std::uint32_t> batch_sizes = {10, 10})
      : trial(used_trial),
        queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout, .fifo = true})),
        publisher(line.publisher({&queue})),
        in_hand(batch_sizes.size()) {
    const auto count = static_cast<std::uint32_t>(batch_sizes.size());
    for (const std::uint32_t batch_size : batch_sizes) {
      hands.push_back(&line.hand(queue, batch_size, count));
    }
    queue.set_service(&ready, 0);
    publisher.wire_ready();
    (void)line.open();
  }
  void publish(const std::string& text) {
    publisher.append({.body = test::bytes_of(text), .external = nullptr, .parts = {.group_id = std::string_view(text).substr(0, 1)}, .cookie = ++published},
                     core::Admission::overdraw);
    publisher.flush(true);
  }
  /// Receives; true: something came.
  bool receive(std::size_t who) {
    const Texts& texts = in_hand[who] = hands[who]->receive();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      Lane& lane = lane_of(texts[i]);
      if (begins(texts, i)) {
        trial.expect(lane.holders.fetch_add(1, kSeqCst) == 0, "one batch of a group is in hand at a time");
      }
      trial.expect(lane.received.fetch_add(1, kSeqCst) + '1' == static_cast<std::uint32_t>(texts[i][1]),
                   "each message comes after all that stand before it in its group");
    }
    return !texts.empty();
  }
  void settle(std::size_t who) {
    let_go(who, 0);
    ended += hands[who]->settle().ok;
  }
  /// The first message of the batch comes back at once, and so does all of its group behind it.
  void fail(std::size_t who) {
    std::vector<core::Failure> failures;
    for (std::uint32_t i = 0; i < in_hand[who].size() && in_hand[who][i][0] == in_hand[who][0][0]; ++i) {
      failures.push_back({i, {Outcome::Status::retry, 0, "stage", "not yet", ""}});
    }
    let_go(who, static_cast<std::uint32_t>(failures.size()));
    ended += hands[who]->settle(failures).ok;
  }
  /// The lease of one message ends; its receiver comes back later.
  void expire(std::size_t who) {
    let_go(who, 1);
    line.clock.advance_ms(kTimeout);
    line.timers.advance();
  }
  void receive_and_settle(std::size_t who) {
    if (receive(who)) {
      settle(who);
    }
  }
  /// As a service's worker does (Service::run): looks, and parks where there is nothing, until something came.
  void wait_and_receive(std::size_t who) {
    for (ready.set(0); !receive(who); ready.set(0)) {
      const std::uint32_t seen = epoch.load(kSeqCst);
      ready.clear(0);
      if (!queue.has_news()) {
        futex_wait(epoch, seen);
      }
    }
  }
  void expect_each_once() {
    while (receive(0)) {
      settle(0);
    }
    expect_all_ended();
  }
  void expect_all_ended() {
    publisher.close();
    for (Hand* hand : hands) {
      hand->consumer.idle();
    }
    trial.expect(ended == published, "each message is settled once");
    trial.expect(line.settled.count() == published && line.settled.messages() == published, "each cookie is settled once");
    trial.expect(queue.counters().deleted == published && queue.counters().visible == 0, "nothing is left");
    trial.expect(test::conservation_gap(queue.counters()) == 0, "no message is lost or invented");
    trial.expect(queue.credits().messages() == queue.options().capacity, "all credit is back");
  }

  Trial& trial;
  core::ReadySet ready{1, [this](std::uint32_t) {
    epoch.fetch_add(1, kSeqCst);
    futex_wake(epoch, 1);
  }};
  Atomic<std::uint32_t> epoch{0};
  Line line;
  core::Queue& queue;
  core::Publisher& publisher;
  std::vector<Hand*> hands;
  std::vector<Texts> in_hand;
  std::uint64_t published = 0, ended = 0;

 private:
  /// Changed by steps, so that each order in which receivers could come to it is seen; a queue that keeps its
  /// promise leaves them only one.
  struct Lane {
    Atomic<std::uint32_t> holders{0}, received{0};
  };
  static bool begins(const Texts& texts, std::size_t i) { return i == 0 || texts[i - 1][0] != texts[i][0]; }
  Lane& lane_of(const std::string& text) { return lanes_[static_cast<std::size_t>(text[0] - 'a')]; }
  /// Before the queue hears of it. `back`: so many of the first group are not done with.
  void let_go(std::size_t who, std::uint32_t back) {
    const Texts texts = std::exchange(in_hand[who], {});
    if (back != 0) {
      lane_of(texts.front()).received.fetch_sub(back, kSeqCst);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (begins(texts, i)) {
        lane_of(texts[i]).holders.fetch_sub(1, kSeqCst);
      }
    }
  }
  std::array<Lane, 2> lanes_;
};

void two_receivers(Trial& trial) {
  Groups groups(trial, {1, 10});
  groups.publish("a1");
  groups.publish("a2");
  trial.threads({[&] { groups.receive_and_settle(0); }, [&] { groups.receive_and_settle(1); }});
  groups.expect_each_once();
}

TEST(Lanes, give_the_messages_of_a_group_to_one_of_two_receivers_at_a_time) { verify(two_receivers); }

TEST(Lanes, of_two_groups_give_one_to_each_of_two_receivers) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 1});
    groups.publish("a1");
    groups.publish("b1");
    trial.threads({[&] { groups.receive_and_settle(0); }, [&] { groups.receive_and_settle(1); }});
    groups.expect_each_once();
  });
}

TEST(Lanes, give_what_failed_before_what_stands_behind_it) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 10});
    groups.publish("a1");
    groups.publish("a2");
    trial.threads({[&] {
                     if (groups.receive(0)) {
                       groups.fail(0);
                     }
                   },
                   [&] { groups.receive_and_settle(1); }});
    groups.expect_each_once();
  });
}

TEST(Lanes, take_in_what_is_published_while_its_group_is_received_and_settled) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 10});
    groups.publish("a1");
    trial.threads({[&] { groups.publish("a2"); }, [&] { groups.receive_and_settle(0); }});
    groups.expect_each_once();
  });
}

TEST(Lanes, give_what_is_published_to_one_of_two_receivers_in_its_order) {
  verify([](Trial& trial) {
    Groups groups(trial, {10, 10});
    groups.publish("a1");
    groups.receive(0);
    trial.threads({[&] { groups.publish("a2"); }, [&] { groups.settle(0); }, [&] { groups.receive_and_settle(1); }});
    groups.expect_each_once();
  });
}

TEST(Lanes, route_what_is_published_for_one_of_two_receivers_who_come_at_the_same_time) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 10});
    groups.publish("a1");
    trial.threads({[&] { groups.publish("a2"); }, [&] { groups.receive_and_settle(0); }, [&] { groups.receive_and_settle(1); }});
    groups.expect_each_once();
  });
}

TEST(Lanes, give_each_of_two_receivers_one_batch_after_the_other) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 1});
    groups.publish("a1");
    groups.publish("a2");
    groups.publish("b1");
    groups.receive(0);
    trial.threads({[&] {
                     groups.settle(0);
                     groups.receive_and_settle(0);
                   },
                   [&] { groups.receive_and_settle(1); }});
    groups.expect_each_once();
  });
}

enum class Ending { settled, failed, expired };

/// The receiver that parks is the second; the first has the group in hand.
Scenario opened_for_a_sleeper(Ending ending) {
  return [ending](Trial& trial) {
    Groups groups(trial, {1, 1});
    groups.publish("a1");
    groups.publish("a2");
    groups.receive(0);
    trial.threads({[&] {
                     switch (ending) {
                       case Ending::settled: groups.settle(0); break;
                       case Ending::failed: groups.fail(0); break;
                       case Ending::expired: groups.expire(0); break;
                     }
                   },
                   [&] {
                     groups.wait_and_receive(1);
                     trial.expect(groups.in_hand[1] == Texts{ending == Ending::settled ? "a2" : "a1"}, "it hears of the group as it opens");
                     groups.settle(1);
                   }});
    groups.hands[0]->settle();
    groups.expect_each_once();
  };
}

TEST(Lanes, that_open_wake_who_found_them_closed) {
  for (const Ending ending : {Ending::settled, Ending::failed, Ending::expired}) {
    verify(opened_for_a_sleeper(ending));
  }
}

TEST(Lanes, that_are_filled_wake_who_found_them_empty) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 1});
    groups.publish("a1");
    groups.receive(0);
    trial.threads({[&] { groups.publish("b1"); },
                   [&] {
                     groups.wait_and_receive(1);
                     trial.expect(groups.in_hand[1] == Texts{"b1"}, "the other group is open");
                     groups.settle(1);
                   }});
    groups.settle(0);
    groups.expect_each_once();
  });
}

/// A lease of the group's first message is due: its holder settles, or it expires and another has it again.
TEST(Lanes, open_once_for_a_lease_that_expires_as_it_is_settled) {
  verify([](Trial& trial) {
    Groups groups(trial, {1, 10});
    groups.publish("a1");
    groups.publish("a2");
    (void)groups.hands[0]->receive();
    groups.line.clock.advance_ms(kTimeout);
    Settled first;
    Texts others;
    trial.threads({[&] { first = groups.hands[0]->settle(); },
                   [&] { groups.line.timers.advance(); },
                   [&] { others = groups.hands[1]->receive(); }});
    trial.expect(first.ok + first.stale == 1, "a lease has one end");
    trial.expect(others.empty() || others == (first.ok == 1 ? Texts{"a2"} : Texts{"a1", "a2"}), "what stands before it was settled, or comes first");
    groups.ended = first.ok + groups.hands[1]->settle().ok + groups.hands[1]->drain();
    groups.expect_all_ended();
  });
}

TEST(LanesMutation, of_waking_nobody_is_found) {
  expect_found(opened_for_a_sleeper(Ending::settled), {.weaken = Weaken::wake});
}

}  // namespace
}  // namespace sluice::explore
