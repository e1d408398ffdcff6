// Acknowledgement: a source is told once, and not before the last of all branches and copies is at its
// end; a chunk ends once, whoever counts it down last.
#include "base/return_stack.hpp"
#include "explore/verify.hpp"
#include "service/work_thread.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using core::Admission;
using core::Chunk;
using core::Origin;
using core::Outcome;
using test::Hand;
using test::Line;

/// A topic of several queues. Looks at each settlement whether all branches had their end.
class Topic final : core::SettleListener {
 public:
  Topic(Trial& trial, std::uint32_t branches)
      : trial_(trial), ended_(branches) {
    std::vector<core::Queue*> queues;
    for (std::uint32_t i = 0; i < branches; ++i) {
      queues.push_back(&line.queue({.name = "q" + std::to_string(i)}));
    }
    core::PublisherOptions options;
    options.queues = queues;
    options.listener = this;
    publisher_ = std::make_unique<core::Publisher>(std::move(options), line.timers, line.letters);
    for (core::Queue* queue : queues) {
      hands.push_back(&line.hand(*queue, 10, 1));
    }
    (void)line.open();
  }
  void publish(std::uint64_t cookie, bool flushes = true) {
    publisher_->append({.body = test::bytes_of(std::to_string(cookie)), .external = nullptr, .parts = {}, .cookie = cookie},
                       Admission::overdraw);
    if (flushes) {
      publisher_->flush(true);
    }
  }
  void flush() { publisher_->flush(true); }
  /// Receives and settles what is there; the first message as told.
  void work(std::uint32_t branch, Outcome::Status status = Outcome::Status::ok) {
    const std::vector<std::string> bodies = hands[branch]->receive();
    if (bodies.empty()) {
      return;
    }
    for (const std::string& body : bodies) {
      const bool comes_again = &body == &bodies.front() && status == Outcome::Status::retry;
      ended_[branch] += comes_again ? 0 : std::uint64_t{1} << 8 * std::stoull(body);
    }
    status == Outcome::Status::ok ? hands[branch]->settle() : hands[branch]->fail_first(status, 0);
  }
  void expect_all_settled(std::uint64_t cookies) {
    publisher_->close();
    for (std::uint32_t branch = 0; branch < hands.size(); ++branch) {
      for (int i = 0; i < 4; ++i) {
        work(branch);
      }
      hands[branch]->consumer.idle();
    }
    for (std::uint64_t cookie = 1; cookie <= cookies; ++cookie) {
      trial_.expect((settled_ >> 8 * cookie & 0xff) == 1, "each cookie is settled once");
    }
  }

  Line line;
  std::vector<Hand*> hands;

 private:
  void settled(std::uint64_t cookie, bool, std::uint32_t) override {
    for (const std::uint64_t ended : ended_) {
      trial_.expect((ended >> 8 * cookie & 0xff) == 1, "no branch is still to come when the source is told");
    }
    settled_ += std::uint64_t{1} << 8 * cookie;
  }

  Trial& trial_;
  std::vector<std::uint64_t> ended_;  ///< by branch: a byte for each cookie
  std::uint64_t settled_ = 0;
  std::unique_ptr<core::Publisher> publisher_;
};

void two_branches(Trial& trial) {
  Topic topic(trial, 2);
  trial.threads({[&] { topic.publish(1); }, [&] { topic.work(0); }, [&] { topic.work(1); }});
  topic.expect_all_settled(1);
}

TEST(Acknowledgement, waits_for_every_branch_however_early_the_last_one_ends) { verify(two_branches); }

TEST(Acknowledgement, of_an_open_chunk_lets_it_be_held_again_or_ends_it) {
  verify([](Trial& trial) {
    Topic topic(trial, 1);
    trial.threads({[&] { topic.publish(1); topic.publish(2); }, [&] { topic.work(0); topic.work(0); }});
    topic.expect_all_settled(2);
  });
}

TEST(Acknowledgement, of_an_open_chunk_of_two_branches_lets_it_be_held_again_or_ends_it) {
  verify([](Trial& trial) {
    Topic topic(trial, 2);
    topic.publish(1);
    trial.threads({[&] { topic.publish(2); }, [&] { topic.work(0); }, [&] { topic.work(1); }});
    topic.expect_all_settled(2);
  });
}

TEST(Acknowledgement, of_a_retried_message_waits_for_its_copy) {
  verify([](Trial& trial) {
    Topic topic(trial, 2);
    trial.threads({[&] { topic.publish(1, false); topic.publish(2); },
                   [&] { topic.work(0, Outcome::Status::retry); },
                   [&] { topic.work(1, Outcome::Status::retry); }});
    topic.expect_all_settled(2);
  });
}

/// Counts what an origin settles.
struct Settled final : core::SettleListener {
  void settled(std::uint64_t, bool was_rejected, std::uint32_t count) override {
    ++times;
    messages += count;
    rejected |= was_rejected;
  }
  int times = 0;
  std::uint32_t messages = 0;
  bool rejected = false;
};

void chunk_and_copies(Trial& trial) {
  Settled settled;
  core::OriginPool pool(&settled);
  Origin* origin = pool.take();
  origin->append(1, true);
  origin->append(1, false);
  origin->add_copy(0);
  origin->add_copy(1);
  trial.threads({[&] { origin->chunk_done(); },
                 [&] { origin->reject(0); origin->drop_copy(0); },
                 [&] {
                   origin->add_copy(1);
                   origin->drop_copy(1);
                   origin->drop_copy(1);
                 }});
  trial.expect(settled.times == 1 && settled.messages == 2, "a cookie is settled once, with all its messages");
  trial.expect(settled.rejected, "and knows of the rejection");
  trial.expect(pool.take() == origin, "the node is home");
}

TEST(Origin, settles_a_cookie_once_whoever_ends_last) { verify(chunk_and_copies); }

TEST(Origin, makes_its_counters_once_for_first_copies_at_the_same_time) {
  verify([](Trial& trial) {
    Settled settled;
    core::OriginPool pool(&settled);
    Origin* origin = pool.take();
    core::ChunkPool chunks;
    Chunk* chunk = chunks.take(0, Chunk::Kind::source);
    chunk->origin = origin;
    origin->append(1, true);
    origin->append(2, true);
    chunk->pending.store(2, std::memory_order_relaxed);
    std::vector<std::function<void()>> bodies;
    for (std::uint32_t message : {0u, 1u}) {
      bodies.push_back([=] {
        origin->add_copy(message);
        core::release_chunk(chunk, 1);
        origin->drop_copy(message);
      });
    }
    trial.threads(bodies);
    trial.expect(settled.times == 2 && settled.messages == 2, "each cookie is settled once");
    trial.expect(chunks.take(0, Chunk::Kind::source) == chunk, "the slab is home");
  });
}

TEST(SharedCookie, is_settled_by_the_last_of_its_parts) {
  verify([](Trial& trial) {
    Settled settled;
    auto* shared = new core::SharedCookie{7, &settled, 3, 0, false};
    trial.threads({[=] { shared->drop(0, false); }, [=] { shared->drop(2, true); }, [=] { shared->drop(3, false); }});
    trial.expect(settled.times == 1 && settled.messages == 5 && settled.rejected, "settled once, with all it was told");
  });
}

void slab_release(Trial& trial) {
  Settled settled;
  core::OriginPool origins(&settled);
  core::ChunkPool pool;
  Chunk* chunk = pool.take(0, Chunk::Kind::source);
  chunk->origin = origins.take();
  chunk->origin->append(1, true);
  // Two messages, and the hold of their publisher; a lease of one expires as its worker comes back.
  chunk->pending.fetch_add(2, std::memory_order_relaxed);
  trial.threads({[&] { core::release_chunk(chunk, Chunk::kOpen); },
                 [&] { core::release_chunk(chunk, 1 - Chunk::kPin); },
                 [&] {
                   core::release_chunk(chunk, Chunk::kPin);
                   core::release_chunk(chunk, 1);
                 }});
  trial.expect(settled.times == 1, "its origin hears of the end once");
  trial.expect(pool.take(0, Chunk::Kind::source) == chunk, "and the slab is home");
  trial.expect(pool.take(0, Chunk::Kind::source) != chunk, "once");
}

TEST(Chunk, ends_once_whatever_the_order_of_pin_hold_and_messages) { verify(slab_release); }

TEST(ReturnStack, loses_nothing_that_comes_home_while_it_is_emptied) {
  struct Item {
    Item* next = nullptr;
  };
  verify([](Trial& trial) {
    core::ReturnStack<Item> stack;
    Item items[4];
    std::size_t taken = 0;
    auto take_all = [&] {
      for (Item* item = stack.take_all(); item != nullptr; item = item->next) {
        ++taken;
      }
    };
    trial.threads({[&] { stack.push(&items[0]); stack.push(&items[1]); },
                   [&] { stack.push(&items[2]); stack.push(&items[3]); },
                   [&] { take_all(); take_all(); }});
    take_all();
    trial.expect(taken == 4, "each comes home once");
  });
}

/// A thread settles a message before its stage's call and one after it; the ticker looks at it all the while.
void looked_at_in_a_stage(Trial& trial) {
  Line line;
  core::Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  (void)line.open();
  for (std::uint64_t cookie : {1, 2}) {
    publisher.append({.body = test::bytes_of("a"), .external = nullptr, .parts = {}, .cookie = cookie}, Admission::overdraw);
  }
  publisher.close();
  core::Subscription* turn = nullptr;
  std::int64_t freed = 0;
  Chunk* chunk = queue.take(64, &turn, &freed).chunk;
  core::WorkThread thread;
  trial.threads({[&] {
                   thread.releases.add(chunk, 1);
                   thread.enter_stages();
                   thread.leave_stages();
                   thread.releases.add(chunk, 1);
                   thread.releases.flush();
                 },
                 [&] {
                   (void)thread.flush_if_stuck();
                   (void)thread.flush_if_stuck();
                 }});
  trial.expect(line.settled.count() == 2, "both messages end");
  trial.expect(!Chunk::is_in_use(chunk->pending.load(std::memory_order_relaxed)), "each is let go of once");
}

TEST(WorkThread, that_is_flushed_while_it_is_in_a_stage_lets_go_of_each_message_once) { verify(looked_at_in_a_stage); }

TEST(WorkThreadMutation, of_its_fences_is_found) { expect_found(looked_at_in_a_stage, {.store_buffer = 2, .weaken = Weaken::fence}); }

TEST(AcknowledgementMutation, of_counting_by_a_load_and_a_store_is_found) {
  expect_found(two_branches, {.weaken = Weaken::fetch});
  expect_found(chunk_and_copies, {.weaken = Weaken::fetch});
  expect_found(slab_release, {.weaken = Weaken::fetch});
}

}  // namespace
}  // namespace sluice::explore
