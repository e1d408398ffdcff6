// An orderly end of a run: what is left is left behind, and the source hears of the rest (Queue::leave_rest_behind).
#include <gtest/gtest.h>

#include "message/evacuator.hpp"
#include "support/line.hpp"

namespace sluice::test {
namespace {

using core::Admission;
using core::Outcome;
using Settlement = Settlements::Settlement;

std::vector<Settlement> settled(const Line& line) {
  std::vector<Settlement> all = line.settled.all();
  std::ranges::sort(all, {}, &Settlement::cookie);
  return all;
}

TEST(EndOfRun, a_cookie_that_lies_in_several_chunks_waits_for_all_of_them) {
  Line line;
  core::Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 64);
  ASSERT_TRUE(line.open());
  const auto emit = [&](std::uint64_t cookie, int messages) {
    for (int i = 0; i < messages; ++i) {
      publisher.append({.body = bytes_of("x"), .cookie = cookie}, Admission::wait);
    }
  };
  emit(1, 100);  // 64 and 36
  emit(2, 28);
  emit(3, 10);
  emit(4, 60);  // 54 and 6
  publisher.flush(true);
  hand.receive();
  hand.settle();
  hand.receive();
  hand.settle({{10, {Outcome::Status::retry, 60'000, "stage", "not yet", ""}}});
  hand.receive();
  hand.settle();
  hand.consumer.idle();
  EXPECT_EQ(line.settled.messages(), 28u + 10u) << "cookie 1 waits for a message, and cookie 4 for its second chunk";

  line.end_run();

  EXPECT_EQ(settled(line), (std::vector<Settlement>{{2, false, 28}, {3, false, 10}}));
}

TEST(EndOfRun, a_message_waits_for_each_branch_that_has_not_read_it) {
  Line line;
  core::Queue &first = line.queue({.name = "first"}), &second = line.queue({.name = "second"});
  core::Publisher& publisher = line.publisher({&first, &second});
  Hand &one = line.hand(first, 64), &two = line.hand(second, 2);
  ASSERT_TRUE(line.open());
  const std::string large(100'000, 'x');  // outside the slab
  for (std::uint64_t cookie = 1; cookie <= 4; ++cookie) {
    ASSERT_EQ(publisher.append({.body = {}, .external = core::ExternalBody::copy_of(bytes_of(large)), .cookie = cookie}, Admission::wait),
              core::Publisher::Outcome::ok);
  }
  publisher.flush(true);
  one.drain();
  two.receive();
  two.settle();
  EXPECT_EQ(line.settled.count(), 0u) << "a source hears of a whole chunk";

  line.end_run();

  EXPECT_EQ(settled(line), (std::vector<Settlement>{{1, false, 1}, {2, false, 1}}));
}

TEST(EndOfRun, what_was_made_of_a_message_holds_that_one_alone) {
  Line line;
  core::Queue &queue = line.queue({.name = "q"}), &next = line.queue({.name = "next"});
  core::Publisher& publisher = line.publisher({&queue});
  core::Publisher& derived = line.publisher({&next}, {.kind = core::Chunk::Kind::derived});
  Hand &hand = line.hand(queue, 64), &last = line.hand(next, 3);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"1", "2", "3", "4"});
  hand.receive();
  for (const core::Lease& lease : hand.consumer.leases()) {
    for (std::uint64_t left = lease.taken.mask; left != 0; left &= left - 1) {
      core::Publisher::Item item{.body = bytes_of("made")};
      item.lineage = lease.taken.chunk->lineage_of(core::lowest_bit(left));
      item.lineage.origin->add_copy(item.lineage.message);
      derived.append(item, Admission::overdraw);
    }
  }
  derived.flush(true);
  hand.settle();
  last.receive();
  last.settle();

  line.end_run();

  EXPECT_EQ(settled(line), (std::vector<Settlement>{{1, false, 1}, {2, false, 1}, {3, false, 1}}));
}

/// The log that was there before, and the one that follows it.
TEST(EndOfRun, leaves_both_logs_of_a_changed_topic) {
  Line line;
  core::Queue &queue = line.queue({.name = "q"}), &late = line.queue({.name = "late"});
  core::Publisher& publisher = line.publisher({&queue});
  Hand &hand = line.hand(queue, 2), &late_hand = line.hand(late, 64);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"1", "2", "3"});
  publisher.change_filter({nullptr, {0, 1}, {&late}});
  line.publish(publisher, {"4", "5"}, 4);
  hand.receive();
  hand.settle();
  late_hand.drain();

  line.end_run();

  EXPECT_EQ(settled(line), (std::vector<Settlement>{{1, false, 1}, {2, false, 1}}));
}

}  // namespace
}  // namespace sluice::test
