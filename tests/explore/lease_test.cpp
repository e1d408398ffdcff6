// A lease and all who may end it: its worker settles, extends or fails it, the timer expires it, a
// second worker receives what expired. Each message comes to its end exactly once.
#include "explore/verify.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using core::Chunk;
using core::Outcome;
using core::Settled;
using test::Hand;
using test::Line;

constexpr std::int64_t kTimeout = 1000;

/// A queue with messages, of which a worker has a batch in hand whose timeout has just ended.
struct DueLease {
  explicit DueLease(std::vector<std::string> texts, std::uint32_t batch_size = 10,
                    std::int64_t ack_deadline_ms = core::kInvisibleMaxMs, bool has_dead_letters = false)
      : queue(line.queue({.name = "q", .visibility_timeout_ms = kTimeout}, has_dead_letters ? &line.queue({.name = "dead"}) : nullptr)),
        publisher(line.publisher({&queue})),
        first(line.hand(queue, batch_size, 2, ack_deadline_ms)),
        second(line.hand(queue, 10, 2)),
        emitted(texts.size()) {
    (void)line.open();
    line.publish(publisher, texts);
    first.receive();
    chunk = first.consumer.leases().front().taken.chunk;
    line.clock.advance_ms(kTimeout);
  }
  void count(Settled settled) {
    ok += settled.ok;
    stale += settled.stale;
  }
  void expire() { line.timers.advance(); }
  /// What is left is received and settled; then the law must hold.
  void expect_each_ended_once(Trial& trial) {
    line.advance(20 * kTimeout);  // what waits is due
    while (second.receive().size() != 0) {
      count(second.settle());
    }
    second.consumer.idle();
    first.consumer.idle();
    publisher.close();
    const core::QueueCounters counters = queue.counters();
    trial.expect(ok + counters.purged + counters.dropped + counters.moved_to_dead_letter == emitted, "each message comes to one end");
    trial.expect(line.settled.count() == emitted && line.settled.messages() == emitted, "each cookie is settled once");
    trial.expect(queue.counters().received == ok + stale + retried, "each receive is answered once");
    trial.expect(test::conservation_gap(queue.counters()) == 0, "no message is lost or invented");
    trial.expect(chunk->pending.load(std::memory_order_relaxed) == 0, "pins and messages of the chunk are counted down");
    trial.expect(queue.credits().messages() == queue.options().capacity, "all credit is back");
  }

  Line line;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand &first, &second;
  Chunk* chunk = nullptr;
  std::uint64_t emitted, ok = 0, stale = 0, retried = 0;
};

void settle_against_expiry(Trial& trial) {
  DueLease due({"a"});
  trial.threads({[&] { due.count(due.first.settle()); }, [&] { due.expire(); }});
  due.expect_each_ended_once(trial);
}

void extend_and_settle_against_expiry(Trial& trial) {
  DueLease due({"a"});
  bool extended = false;
  Settled settled;
  trial.threads({[&] {
                   extended = due.first.consumer.extend();
                   settled = due.first.settle();
                 },
                 [&] { due.expire(); }});
  trial.expect(extended == (settled.ok == 1), "a lease that could be extended is not expired, another is");
  due.count(settled);
  due.expect_each_ended_once(trial);
}

TEST(Lease, has_one_winner_of_settling_and_expiry) { verify(settle_against_expiry); }

TEST(Lease, has_one_winner_of_extending_settling_and_expiry) { verify(extend_and_settle_against_expiry); }

TEST(Lease, that_fails_as_it_expires_comes_back_once) {
  for (const std::int64_t retry_after_ms : {0, -1, 50}) {
    verify([retry_after_ms](Trial& trial) {
      DueLease due({"a"});
      trial.threads({[&] {
                       Settled settled = due.first.fail_first(Outcome::Status::retry, retry_after_ms);
                       due.count(settled);
                       due.retried += settled.retried;
                     },
                     [&] { due.expire(); }});
      due.expect_each_ended_once(trial);
    });
  }
}

TEST(Lease, that_expired_is_another_workers_while_the_first_still_holds_on) {
  verify([](Trial& trial) {
    DueLease due({"a"});
    trial.threads({[&] { due.count(due.first.settle()); },
                   [&] { due.expire(); },
                   [&] {
                     if (due.second.receive().size() != 0) {
                       due.count(due.second.settle());
                     }
                   }});
    due.expect_each_ended_once(trial);
  });
}

TEST(Lease, that_expires_as_its_queue_is_purged_brings_nothing_back) {
  verify([](Trial& trial) {
    DueLease due({"a"});
    trial.threads({[&] { due.count(due.first.settle()); }, [&] { due.expire(); }, [&] { due.queue.purge(); }});
    due.expect_each_ended_once(trial);
  });
}

TEST(Lease, that_passes_its_ack_deadline_as_it_is_extended_and_settled_is_dropped_or_settled) {
  verify([](Trial& trial) {
    DueLease due({"a"}, 10, kTimeout / 2);
    bool extended = false;
    Settled settled;
    trial.threads({[&] {
                     extended = due.first.consumer.extend();
                     settled = due.first.settle();
                   },
                   [&] { due.expire(); }});
    trial.expect(settled.stale == due.queue.counters().dropped, "what its worker could not settle was given up, once");
    trial.expect(extended || settled.stale == 1, "an extension that is refused is of a lease that ended");
    due.count(settled);
    due.expect_each_ended_once(trial);
  });
}

/// Past its ack deadline. `writes`: the letters' writer is at work meanwhile.
void dead_lettered_as_it_is_settled(Trial& trial, bool writes) {
  DueLease due({"a"}, 10, kTimeout / 2, true);
  core::Queue& dead = *due.queue.dead_letter_queue();
  bool extended = false;
  Settled settled;
  std::vector<std::function<void()>> threads{[&] {
                                               extended = due.first.consumer.extend();
                                               settled = due.first.settle();
                                             },
                                             [&] { due.expire(); }};
  if (writes) {
    threads.emplace_back([&] { due.line.letters.write_waiting(); });
  }
  trial.threads(threads);
  due.line.letters.write_waiting();
  trial.expect(settled.stale == due.queue.counters().moved_to_dead_letter, "what its worker could not settle is a dead letter");
  trial.expect(settled.stale == due.queue.counters().ack_deadline_exceeded, "and is counted");
  trial.expect(settled.stale == due.line.letters.stored() && settled.stale == dead.counters().visible, "which is stored once");
  trial.expect(extended || settled.stale == 1, "an extension that is refused is of a lease that ended");
  trial.expect(due.line.timers.expired_leases() == due.line.timers.ended_late(), "nothing that it could still emit is waited for");
  due.count(settled);
  due.expect_each_ended_once(trial);
  Hand& undertaker = due.line.hand(dead);
  trial.expect(undertaker.drain() == settled.stale && test::conservation_gap(dead.counters()) == 0, "and can be received");
  due.line.letters.write_waiting();
}

TEST(Lease, that_passes_its_ack_deadline_as_it_is_extended_and_settled_is_dead_lettered_or_settled) {
  verify([](Trial& trial) { dead_lettered_as_it_is_settled(trial, false); });
}

TEST(Lease, that_passes_its_ack_deadline_is_stored_while_its_worker_comes_back) {
  verify([](Trial& trial) { dead_lettered_as_it_is_settled(trial, true); });
}

TEST(Lease, that_is_given_up_settles_no_cookie_while_an_emission_names_its_origin) {
  verify([](Trial& trial) {
    DueLease due({"a"}, 10, 2 * kTimeout);
    due.expire();  // it comes back, and another is done with it
    (void)due.second.receive();
    due.count(due.second.settle());
    due.line.clock.advance_ms(kTimeout + 1);
    trial.threads({[&] {
                     if (due.first.consumer.begin_emission()) {
                       core::Origin* origin = due.chunk->origin;
                       origin->add_copy(0);
                       trial.expect(due.line.settled.count() == 0, "what is named is not settled");
                       origin->drop_copy(0);
                       due.first.consumer.end_emission();
                     }
                     due.count(due.first.settle());
                   },
                   [&] { due.expire(); }});
    due.expect_each_ended_once(trial);
  });
}

TEST(Lease, of_several_messages_expires_whole_or_not_at_all) {
  verify([](Trial& trial) {
    DueLease due({"a", "b"});
    Settled settled;
    trial.threads({[&] { settled = due.first.settle(); }, [&] { due.expire(); }});
    trial.expect(settled.ok == 0 || settled.stale == 0, "one lease has one end");
    due.count(settled);
    due.expect_each_ended_once(trial);
  });
}

/// One batch after the other in the same slot, and a look at the first as it has just ended.
void opened_anew(Trial& trial, std::int64_t ack_deadline_ms) {
  DueLease due({"a", "b"}, 1, ack_deadline_ms);
  Settled anew;
  std::size_t received = 0;
  trial.threads({[&] {
                   due.count(due.first.settle());
                   received = due.first.receive().size();
                   anew = due.first.settle();
                 },
                 [&] { due.expire(); }});
  trial.expect(received == 1 && anew.ok == 1 && anew.stale == 0, "the second lease had its whole time before it");
  due.count(anew);
  due.expect_each_ended_once(trial);
}

TEST(Lease, that_is_opened_anew_in_its_slot_is_not_ended_by_the_look_at_the_one_before) {
  verify([](Trial& trial) { opened_anew(trial, core::kInvisibleMaxMs); });
}

TEST(Lease, that_is_opened_anew_in_its_slot_is_not_given_up_for_the_one_before) {
  verify([](Trial& trial) { opened_anew(trial, kTimeout / 2); });
}

TEST(Lease, of_a_message_that_came_back_holds_its_origin_until_its_last_holder_ends) {
  verify([](Trial& trial) {
    DueLease due({"a"});
    due.expire();
    due.count(due.first.settle());
    due.second.receive();  // the copy
    due.line.clock.advance_ms(kTimeout);
    trial.threads({[&] { due.count(due.second.settle()); }, [&] { due.expire(); },
                   [&] {
                     if (due.first.receive().size() != 0) {
                       due.count(due.first.settle());
                     }
                   }});
    due.expect_each_ended_once(trial);
  });
}

TEST(LeaseSlot, is_won_by_exactly_one_of_two_looks_at_it) {
  verify([](Trial& trial) {
    core::LeaseSlot slot;
    const std::uint64_t opened = slot.open(nullptr, 1, 5, 0);
    int winners = 0;
    bool extended = false, closed = false;
    trial.threads({[&] {
                     std::uint64_t word = opened;
                     extended = slot.extend(&word, 9);
                     closed = slot.close(word) == core::LeaseSlot::End::settled;
                     winners += closed ? 1 : 0;
                   },
                   [&] {
                     std::uint64_t word = slot.word.load(std::memory_order_acquire);
                     if (word != 0 && slot.word.compare_exchange_strong(word, word | core::LeaseSlot::kExpired,
                                                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
                       ++winners;
                     }
                   }});
    trial.expect(winners == 1, "one winner");
    trial.expect(slot.word.load(std::memory_order_relaxed) == 0, "the slot is free again");
    trial.expect(!closed || extended, "an expired lease is neither extended nor closed");
  });
}

TEST(LeaseMutation, of_ending_by_a_look_and_a_store_is_found) {
  expect_found(settle_against_expiry, {.weaken = Weaken::compare_exchange});
  expect_found(extend_and_settle_against_expiry, {.weaken = Weaken::compare_exchange});
}

TEST(LeaseMutation, of_a_dead_letter_by_a_look_and_a_store_is_found) {
  expect_found([](Trial& trial) { dead_lettered_as_it_is_settled(trial, false); }, {.weaken = Weaken::compare_exchange});
}

TEST(LeaseMutation, of_counting_by_a_load_and_a_store_is_found) { expect_found(settle_against_expiry, {.weaken = Weaken::fetch}); }

}  // namespace
}  // namespace sluice::explore
