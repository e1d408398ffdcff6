// An acknowledgement that never comes: a stage keeps a batch, with or without extending it, until the ack deadline
// (reliability catalogue C6).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>

#include "support/line.hpp"
#include "support/log_lines.hpp"

namespace sluice::test {
namespace {

using Texts = std::vector<std::string>;
using core::QueueCounters;

constexpr std::int64_t kTimeout = 1000, kDeadline = 2500;
const std::string kStage = "import";

/// One worker has message "a" in hand; another looks on.
struct Swallowed {
  explicit Swallowed(core::QueueOptions options = {}, std::int64_t deadline_ms = kDeadline, bool has_dead_letters = true)
      : queue(line.queue(with_defaults(std::move(options)), has_dead_letters ? &line.queue({.name = "q-dead"}) : nullptr)),
        publisher(line.publisher({&queue})),
        holder(line.hand(queue, 10, 2, deadline_ms)),
        other(line.hand(queue, 10, 2, deadline_ms)) {
    EXPECT_TRUE(line.open());
  }
  void receive() {
    line.publish(publisher, {"a"});
    ASSERT_EQ(holder.receive(), Texts{"a"});
    holder.consumer.set_stage(kStage.c_str());
  }
  /// The stage reports progress every 900 ms, until that is refused or `until_ms` have gone by.
  void report_progress(std::int64_t until_ms) {
    for (std::int64_t ms = 0; ms + 900 <= until_ms; ms += 900) {
      line.advance(900);
      if (!holder.consumer.extend()) {
        return;
      }
    }
    line.advance(until_ms % 900);
  }
  std::string letters() {
    line.letters.write_waiting();
    return line.file(*queue.dead_letter_queue());
  }
  void expect_nothing_lost_and_nothing_held() {
    EXPECT_EQ(line.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}})) << "its source hears of it, though the stage still holds on";
    EXPECT_EQ(line.timers.ended_late(), line.timers.expired_leases());
    EXPECT_EQ(holder.settle().stale, 1u) << "a result that comes after all has no effect";
    EXPECT_EQ(other.receive(), Texts{}) << "it does not come again";
    holder.consumer.idle();
    other.consumer.idle();
    EXPECT_EQ(line.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}})) << "its source hears of a rejection";
    EXPECT_EQ(conservation_gap(queue.counters()), 0);
    EXPECT_EQ(queue.counters().in_flight, 0u);
    EXPECT_EQ(queue.counters().ack_deadline_exceeded, 1u);
  }
  void expect_all_credit_back() {
    publisher.close();
    EXPECT_EQ(queue.credits().messages(), queue.options().capacity);
  }

  static core::QueueOptions with_defaults(core::QueueOptions options) {
    options.name = "q";
    options.visibility_timeout_ms = std::min(options.visibility_timeout_ms, kTimeout);
    options.max_receive_count = 3;
    return options;
  }

  Line line;
  core::Queue& queue;
  core::Publisher& publisher;
  Hand &holder, &other;
};

TEST(AckDeadline, rejects_what_a_stage_keeps_by_progress_and_names_the_stage) {
  Swallowed swallowed;
  swallowed.receive();
  swallowed.report_progress(kDeadline);
  EXPECT_EQ(swallowed.letters(), "") << "in time until then";
  EXPECT_EQ(swallowed.line.settled.count(), 0u);
  swallowed.line.advance(1);
  const std::string letters = swallowed.letters();
  EXPECT_NE(letters.find("stage 'import' did not settle it within the ack_deadline of 2500ms"), std::string::npos) << letters;
  EXPECT_NE(letters.find("\"stage\":\"import\""), std::string::npos) << letters;
  EXPECT_NE(letters.find("\"receive_count\":1"), std::string::npos) << letters;
  const std::int64_t now_ms = swallowed.line.clock.wall_ms();
  EXPECT_NE(letters.find(fmt::format("\"first\":{},\"last\":{}", now_ms - kDeadline - 1, now_ms)), std::string::npos)
      << letters << ": from its receive to its end";
  EXPECT_FALSE(swallowed.holder.consumer.extend()) << "the stage hears that its lease has ended";
  EXPECT_EQ(swallowed.queue.counters().moved_to_dead_letter, 1u);
  swallowed.expect_nothing_lost_and_nothing_held();
  swallowed.expect_all_credit_back();
}

TEST(AckDeadline, below_the_visibility_timeout_rejects_at_the_first_receive) {
  Swallowed swallowed({}, kTimeout / 2);
  swallowed.receive();
  swallowed.line.advance(kTimeout / 2 + 1);
  EXPECT_NE(swallowed.letters().find("ack_deadline of 500ms"), std::string::npos);
  swallowed.expect_nothing_lost_and_nothing_held();
}

TEST(AckDeadline, below_the_visibility_timeout_holds_for_a_later_batch_too) {
  Swallowed swallowed({}, kTimeout / 2);
  swallowed.receive();
  EXPECT_EQ(swallowed.holder.settle().ok, 1u);
  swallowed.line.advance(kTimeout / 2 + 1);  // nothing is in hand when the ticker looks
  swallowed.line.publish(swallowed.publisher, {"b"}, 2);
  ASSERT_EQ(swallowed.holder.receive(), Texts{"b"});
  swallowed.line.advance(kTimeout / 2 + 1);
  EXPECT_NE(swallowed.letters().find("ack_deadline of 500ms"), std::string::npos);
  EXPECT_EQ(swallowed.holder.settle().stale, 1u);
}

TEST(AckDeadline, as_long_as_the_visibility_timeout_lets_that_end_first) {
  Swallowed swallowed({}, kTimeout);
  swallowed.receive();
  swallowed.line.advance(kTimeout);
  EXPECT_EQ(swallowed.other.receive(), Texts{"a"}) << "redelivered";
  EXPECT_EQ(swallowed.holder.settle().stale, 1u);
  EXPECT_EQ(swallowed.other.settle().ok, 1u);
  EXPECT_EQ(swallowed.letters(), "");
  EXPECT_EQ(swallowed.queue.counters().ack_deadline_exceeded, 0u);
}

TEST(AckDeadline, counts_for_each_receive_anew) {
  Swallowed swallowed;
  swallowed.receive();
  swallowed.report_progress(kDeadline - 100);
  swallowed.holder.fail_first(core::Outcome::Status::retry, 0);
  ASSERT_EQ(swallowed.other.receive(), Texts{"a"});
  swallowed.line.advance(kTimeout - 1);
  EXPECT_TRUE(swallowed.other.consumer.extend());
  EXPECT_EQ(swallowed.other.settle().ok, 1u);
  EXPECT_EQ(swallowed.letters(), "");
}

TEST(AckDeadline, of_a_settled_batch_means_nothing_to_the_next) {
  Swallowed swallowed;
  swallowed.receive();
  swallowed.line.advance(kTimeout - 1);
  EXPECT_EQ(swallowed.holder.settle().ok, 1u);
  swallowed.line.publish(swallowed.publisher, {"b"}, 2);
  ASSERT_EQ(swallowed.holder.receive(), Texts{"b"});
  swallowed.report_progress(kDeadline - 1);
  EXPECT_EQ(swallowed.holder.settle().ok, 1u);
  EXPECT_EQ(swallowed.letters(), "");
}

TEST(AckDeadline, without_a_dead_letter_queue_drops_and_tells_the_source) {
  Swallowed swallowed({}, kDeadline, false);
  LogLines log;
  swallowed.receive();
  swallowed.report_progress(kDeadline + 1);
  EXPECT_EQ(swallowed.queue.counters().dropped, 1u);
  EXPECT_EQ(log.with(" is dropped: stage 'import' did not settle it within the ack_deadline of ").size(), 1u);
  EXPECT_EQ(log.with("; the queue's redrive_policy is null, so no dead-letter queue keeps it").size(), 1u);
  swallowed.expect_nothing_lost_and_nothing_held();
  swallowed.expect_all_credit_back();
}

TEST(AckDeadline, frees_the_neighbours_in_its_chunk_and_leaves_it_readable) {
  Swallowed swallowed;
  swallowed.receive();
  const core::Lease& lease = swallowed.holder.consumer.leases().front();
  for (std::uint64_t cookie = 2; cookie <= 40; ++cookie) {
    swallowed.line.publish(swallowed.publisher, {"b"}, cookie);
  }
  ASSERT_EQ(swallowed.queue.counters().visible, 39u);
  EXPECT_EQ(swallowed.other.drain(), 39u);
  swallowed.report_progress(kDeadline);
  EXPECT_LT(swallowed.line.settled.messages(), 40u) << "those of its chunk wait with it";
  swallowed.line.advance(1);
  swallowed.letters();
  EXPECT_EQ(swallowed.line.settled.messages(), 40u);
  for (std::uint64_t cookie = 41; cookie <= 5000; ++cookie) {  // slabs go round
    swallowed.line.publish(swallowed.publisher, {"c"}, cookie);
    swallowed.other.drain();
  }
  EXPECT_EQ(text_of(lease.taken.chunk->body(static_cast<std::uint32_t>(std::countr_zero(lease.taken.mask)))), "a");
  EXPECT_EQ(swallowed.holder.settle().stale, 1u);
  EXPECT_EQ(swallowed.line.settled.messages(), 5000u) << "each once";
}

TEST(AckDeadline, gives_up_what_expired_before_it_too) {
  Swallowed swallowed;
  swallowed.receive();
  swallowed.line.advance(kTimeout);
  ASSERT_EQ(swallowed.other.receive(), Texts{"a"}) << "redelivered";
  EXPECT_EQ(swallowed.other.settle().ok, 1u);
  EXPECT_EQ(swallowed.line.settled.count(), 0u) << "the first holder may still emit something of it";
  swallowed.line.advance(kDeadline - kTimeout);
  EXPECT_EQ(swallowed.line.settled.count(), 0u);
  swallowed.line.advance(1);
  EXPECT_EQ(swallowed.line.settled.all(), (std::vector<Settlements::Settlement>{{1, false, 1}}));
  EXPECT_EQ(swallowed.holder.settle().stale, 1u);
  EXPECT_EQ(swallowed.queue.counters().ack_deadline_exceeded, 0u) << "it is nobody's dead letter";
}

TEST(AckDeadline, of_a_message_that_came_back_lets_go_of_its_origin) {
  Swallowed swallowed;
  swallowed.receive();
  swallowed.holder.fail_first(core::Outcome::Status::retry, 0);
  ASSERT_EQ(swallowed.holder.receive(), Texts{"a"}) << "the copy";
  swallowed.report_progress(kDeadline + 1);
  swallowed.letters();
  swallowed.expect_nothing_lost_and_nothing_held();
}

TEST(AckDeadline, refuses_emissions_from_then_on_and_waits_for_the_one_that_is_under_way) {
  Swallowed swallowed;
  swallowed.receive();
  core::Consumer& consumer = swallowed.holder.consumer;
  EXPECT_TRUE(consumer.begin_emission());
  swallowed.report_progress(kDeadline + 1);
  swallowed.letters();
  EXPECT_EQ(swallowed.line.settled.count(), 0u) << "an emission names the origin";
  EXPECT_TRUE(consumer.is_given_up());
  consumer.end_emission();
  EXPECT_FALSE(consumer.begin_emission());
  swallowed.line.advance(100);  // Timers: how soon it looks again
  swallowed.expect_nothing_lost_and_nothing_held();
  swallowed.line.publish(swallowed.publisher, {"b"}, 2);
  ASSERT_EQ(swallowed.holder.receive(), Texts{"b"});
  EXPECT_TRUE(consumer.begin_emission()) << "the next batch is another";
  consumer.end_emission();
  EXPECT_EQ(swallowed.holder.settle().ok, 1u);
}

TEST(AckDeadline, of_a_group_opens_it_for_what_stands_behind) {
  Swallowed swallowed({.fifo = true});
  for (std::uint64_t cookie = 1; cookie <= 2; ++cookie) {
    swallowed.publisher.append({.body = bytes_of(cookie == 1 ? "a" : "b"), .parts = {.group_id = "g"}, .cookie = cookie},
                               core::Admission::overdraw);
    swallowed.publisher.flush(true);
  }
  ASSERT_EQ(swallowed.holder.consumer.queue().counters().visible, 2u);
  core::Consumer& holder = swallowed.holder.consumer;
  holder.receive(swallowed.line.timers.now_tick());
  EXPECT_EQ(swallowed.other.receive(), Texts{}) << "one batch of a group in hand";
  swallowed.report_progress(kDeadline + 1);
  const std::string letters = swallowed.letters();
  EXPECT_NE(letters.find("ack_deadline"), std::string::npos);
  EXPECT_EQ(swallowed.holder.settle().stale, 2u);
  swallowed.publisher.append({.body = bytes_of("c"), .parts = {.group_id = "g"}, .cookie = 3}, core::Admission::overdraw);
  swallowed.publisher.flush(true);
  EXPECT_EQ(swallowed.other.receive(), Texts{"c"}) << "its group is open again";
  EXPECT_EQ(swallowed.other.settle().ok, 1u);
  EXPECT_EQ(swallowed.queue.counters().moved_to_dead_letter, 2u);
  EXPECT_EQ(conservation_gap(swallowed.queue.counters()), 0);
}

}  // namespace
}  // namespace sluice::test
