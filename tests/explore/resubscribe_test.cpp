// A queue that stands still while its topic's subscriptions change: it has a log that is retired, and one that follows and
// comes round. What its publisher hands over of the new one comes behind what stands in the old one. (Explored, a log has
// room for 4 chunks.)
#include "explore/verify.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using test::Line;

void stands_still(Trial& trial, bool fifo) {
  constexpr std::uint64_t kMessages = 8 * core::kChunkMessages;
  Line line;
  core::Queue& queue = line.queue({.name = "q", .fifo = fifo});
  core::Queue& late = line.queue({.name = "late"});
  core::Publisher& publisher = line.publisher({&queue});
  test::Hand& hand = line.hand(queue, core::kChunkMessages);  // a standard queue keeps the order of chunks
  (void)line.open();
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    if (i == 2 * core::kChunkMessages) {
      publisher.change_filter({nullptr, {0, 1}, {&late}});
      publisher.flush(true);
    }
    const std::string text = std::to_string(i);
    publisher.append({.body = test::bytes_of(text), .parts = {.group_id = "g", .deduplication_id = text}, .cookie = i},
                     core::Admission::overdraw);
  }
  publisher.close();
  std::uint64_t next = 0;
  for (std::vector<std::string> batch = hand.receive(); !batch.empty(); batch = hand.receive()) {
    for (const std::string& text : batch) {
      trial.expect(text == std::to_string(next++), "what was published first comes first");
    }
    hand.settle();
  }
  hand.consumer.idle();
  trial.expect(next == kMessages, "nothing is lost");
}

TEST(Resubscription, of_a_queue_that_stands_still_keeps_its_order) {
  verify([](Trial& trial) { stands_still(trial, false); });
  verify([](Trial& trial) { stands_still(trial, true); });
}

}  // namespace
}  // namespace sluice::explore
