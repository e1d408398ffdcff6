// Credits: taking, giving back, waiting for them. No credit is lost, none is invented, and who waits is
// woken. (Explored, a publisher looks once before it parks.)
#include "explore/verify.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using core::Admission;
using core::Credits;
using core::Reservation;
using test::Hand;
using test::Line;

constexpr std::int64_t kBytes = 1000 * core::kCreditUnit;

/// As a publisher does (Fanout::wait_for_credit).
void take_one(Credits& credits, Reservation& held) {
  while (!credits.admit(held)) {
    const std::uint32_t epoch = credits.announce_wait();
    if (!credits.admit(held)) {
      credits.park(epoch, -1);
    }
    credits.withdraw();
  }
  credits.charge(held, 1, 1);
}

void give(Credits& credits, std::int64_t messages, std::int64_t units) {
  if (credits.give_back(messages, units)) {
    credits.ring();
  }
}

/// A share is one message.
constexpr std::int64_t kMessages = 16;

void one_waits(Trial& trial) {
  Credits credits;
  credits.init(kMessages, kBytes, 1);
  credits.take(kMessages, 1);
  Reservation held;
  trial.threads({[&] { take_one(credits, held); }, [&] { give(credits, 1, 1); }});
  give(credits, held.messages + 1, held.units + 1);
  trial.expect(credits.messages() == 1 && credits.units() == 1000, "all credit is back");
}

void two_wait(Trial& trial, std::int64_t capacity) {
  Credits credits;
  credits.init(capacity, kBytes, 2);
  credits.take(capacity, 1);
  Reservation held[2];
  std::vector<std::function<void()>> bodies;
  for (Reservation& each : held) {
    bodies.push_back([&credits, &each] {
      take_one(credits, each);
      give(credits, each.messages + 1, each.units + 1);
      each = {};
    });
  }
  bodies.push_back([&] { give(credits, 1, 1); });
  trial.threads(bodies);
  trial.expect(credits.messages() == 1 && credits.units() == 1000, "all credit is back");
}

TEST(Credits, wake_a_publisher_that_waits) { verify(one_waits); }

TEST(Credits, that_one_publisher_gives_back_wake_the_next) {
  verify([](Trial& trial) { two_wait(trial, kMessages); });
}

TEST(Credits, of_a_small_queue_that_one_publisher_gives_back_wake_the_next) {
  verify([](Trial& trial) { two_wait(trial, 1); });
}

TEST(Credits, are_charged_and_given_back_by_three_at_once_without_loss) {
  verify([](Trial& trial) {
    Credits credits;
    credits.init(64, kBytes, 2);
    Reservation held[2];
    std::vector<std::function<void()>> bodies;
    for (Reservation& each : held) {
      bodies.push_back([&credits, &each] {
        if (credits.admit(each)) {
          credits.charge(each, 5, 40);
          credits.give_back(5, 40);
        }
      });
    }
    bodies.push_back([&] {
      credits.take(60, 7);
      credits.give_back(60, 7);
    });
    trial.threads(bodies);
    for (Reservation& each : held) {
      credits.give_back(each.messages, each.units);
    }
    trial.expect(credits.messages() == 64 && credits.units() == 1000, "all credit is back");
  });
}

/// A publisher whose queue takes one message more than it has; a consumer makes room.
struct FullQueue {
  explicit FullQueue(std::uint32_t branches) {
    std::vector<core::Queue*> queues;
    for (std::uint32_t i = 0; i < branches; ++i) {
      queues.push_back(&line.queue({.name = i == 0 ? "full" : "wide", .capacity = i == 0 ? 1 : 1000}));
    }
    publisher = &line.publisher(queues);
    for (core::Queue* queue : queues) {
      hands.push_back(&line.hand(*queue, 10, 1));
    }
    (void)line.open();
    publish("a");
  }
  void publish(const char* text) {
    publisher->append({.body = test::bytes_of(text), .external = nullptr, .parts = {}, .cookie = ++sent}, Admission::wait);
    publisher->flush(true);
  }
  void receive(std::size_t hand) {
    received += hands[hand]->receive().size();
    hands[hand]->settle();
    hands[hand]->consumer.idle();
  }
  void expect_all_through(Trial& trial) {
    publisher->close();
    for (Hand* hand : hands) {
      received += hand->drain();
    }
    trial.expect(received == sent * hands.size(), "each queue got each message");
    trial.expect(line.settled.count() == sent, "each cookie is settled once");
    for (Hand* hand : hands) {
      core::Queue& queue = hand->consumer.queue();
      trial.expect(queue.credits().messages() == queue.options().capacity, "all credit is back");
    }
  }

  Line line;
  core::Publisher* publisher = nullptr;
  std::vector<Hand*> hands;
  std::uint64_t sent = 0, received = 0;
};

void waiting_publisher(Trial& trial) {
  FullQueue full(1);
  trial.threads({[&] { full.publish("b"); }, [&] { full.receive(0); }});
  full.expect_all_through(trial);
}

TEST(FullQueue, wakes_its_publisher_when_a_consumer_gives_credit_back) { verify(waiting_publisher); }

TEST(FullQueue, gets_its_part_late_and_its_sibling_at_once) {
  verify([](Trial& trial) {
    FullQueue full(2);
    full.receive(1);
    trial.threads({[&] { full.publish("b"); }, [&] { full.receive(0); }, [&] { full.received += full.hands[1]->receive().size(); }});
    full.hands[1]->settle();
    full.expect_all_through(trial);
  });
}

TEST(FullQueue, that_is_purged_wakes_its_publisher) {
  verify([](Trial& trial) {
    FullQueue full(1);
    trial.threads({[&] { full.publish("b"); }, [&] { full.hands[0]->consumer.queue().purge(); }});
    const core::QueueCounters counters = full.hands[0]->consumer.queue().counters();
    full.received += counters.purged;
    full.expect_all_through(trial);
  });
}

TEST(FullQueue, that_is_unsubscribed_lets_its_publisher_go) {
  verify([](Trial& trial) {
    FullQueue full(1);
    trial.threads({[&] { full.publish("b"); },
                   [&] { full.publisher->change_filter({.filter = nullptr, .subscriptions = {core::Fanout::kUnsubscribed}, .added = {}}); }});
    full.hands[0]->drain();
    trial.expect(full.line.settled.count() == 2, "nobody waits for what it does not get");
  });
}

TEST(CreditsMutation, of_announcing_by_a_load_and_a_store_is_found) {
  expect_found(one_waits, {.store_buffer = 2, .weaken = Weaken::fetch});
  expect_found(waiting_publisher, {.store_buffer = 2, .weaken = Weaken::fetch});
}

TEST(CreditsMutation, of_taking_by_a_look_and_a_store_is_found) { expect_found([](Trial& each) { two_wait(each, kMessages); }, {.weaken = Weaken::compare_exchange}); }

TEST(CreditsMutation, of_ringing_nobody_is_found) { expect_found(one_waits, {.weaken = Weaken::wake}); }

}  // namespace
}  // namespace sluice::explore
