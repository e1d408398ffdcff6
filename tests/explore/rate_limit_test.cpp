// A service's max_rate, as two of its workers meet: what one takes and gives back is not lost to the other, who would
// wait for the ticker with a message and an allowance there.
#include "explore/verify.hpp"
#include "support/line.hpp"

namespace sluice::explore {
namespace {

using test::Hand;
using test::Line;

void one_looks_in_vain(Trial& trial) {
  Line line;
  core::Queue& queue = line.queue({.name = "q"});
  core::Publisher& publisher = line.publisher({&queue});
  (void)line.open();
  core::RateLimit rate(1000, 1, line.clock.steady_ns());  // one, and the next in a second
  const auto hand = [&] {
    return std::make_unique<Hand>(queue, line.timers, line.letters,
                                  core::ConsumerOptions{.service = "svc", .batch_size = 1, .consumers = 2, .rate = &rate});
  };
  const auto first = hand(), second = hand();
  std::size_t received = 0;
  trial.threads({[&] { received += first->receive().size(); },
                 [&] {
                   line.publish(publisher, {"a"});
                   received += second->receive().size();
                 }});
  trial.expect(received == 1 || queue.has_news(), "the message is received, or somebody looks for it");
  first->settle();
  second->settle();
  while (second->drain() == 0 && queue.counters().visible != 0) {
    line.advance(1000);
  }
  first->consumer.idle();
}

TEST(RateLimit, that_is_given_back_is_not_waited_for) { verify(one_looks_in_vain); }

}  // namespace
}  // namespace sluice::explore
