// A service's max_rate: asked before the receive.
#include <gtest/gtest.h>

#include "queue/rate_limit.hpp"
#include "support/line.hpp"

namespace sluice::test {
namespace {

struct Limited {
  /// Consumers of a queue with as much to hand out as is sent.
  Limited(double per_second, std::uint32_t batch_size, core::QueueOptions options = {.name = "q"}, int consumers = 1)
      : queue(line.queue(std::move(options))),
        publisher(line.publisher({&queue})),
        rate(static_cast<std::uint64_t>(per_second * 1000), batch_size, line.clock.steady_ns()) {
    for (int i = 0; i < consumers; ++i) {
      hands.push_back(std::make_unique<Hand>(queue, line.timers, line.letters,
                                             core::ConsumerOptions{.service = "svc", .batch_size = batch_size,
                                                                   .consumers = static_cast<std::uint32_t>(consumers), .rate = &rate}));
    }
    queue.set_service(&ready, 0);
    publisher.wire_ready();
    EXPECT_TRUE(line.open());
  }
  ~Limited() {
    for (const std::unique_ptr<Hand>& hand : hands) {
      hand->settle();
    }
    while (queue.counters().visible != 0) {
      line.advance(60'000);
      hands[0]->receive();
      hands[0]->settle();
    }
    for (const std::unique_ptr<Hand>& hand : hands) {
      hand->consumer.idle();
    }
  }
  void send(int count) {
    for (int i = 0; i < count; ++i) {
      line.publish(publisher, {std::to_string(sent++)});
    }
  }
  /// Receives and settles what it may. How many.
  std::size_t receive(int who = 0) {
    const std::size_t count = hands[who]->receive().size();
    hands[who]->settle();
    return count;
  }

  Line line;
  std::uint32_t woken = 0;
  core::ReadySet ready{1, [this](std::uint32_t) { ++woken; }};
  core::Queue& queue;
  core::Publisher& publisher;
  core::RateLimit rate;
  std::vector<std::unique_ptr<Hand>> hands;
  int sent = 0;
};

TEST(RateLimit, hands_out_a_batch_at_once_and_then_one_at_a_time_as_each_is_due) {
  Limited service(10, 5);
  service.send(100);
  EXPECT_EQ(service.receive(), 5u);
  EXPECT_EQ(service.receive(), 0u);
  EXPECT_FALSE(service.queue.has_news()) << "nobody looks before the next is due";
  service.line.advance(99);
  EXPECT_FALSE(service.queue.has_news());
  EXPECT_EQ(service.receive(), 0u);
  service.line.advance(1);
  EXPECT_TRUE(service.queue.has_news());
  EXPECT_EQ(service.receive(), 1u);
  service.line.advance(300);
  EXPECT_EQ(service.receive(), 3u);
  service.line.advance(60'000);
  EXPECT_EQ(service.receive(), 5u) << "what was not used is kept up to a batch";
  EXPECT_EQ(service.queue.counters().received, 14u) << "no receive is counted for what had to wait";
}

TEST(RateLimit, of_one_every_two_seconds_hands_out_that) {
  Limited service(0.5, 1);
  service.send(3);
  EXPECT_EQ(service.receive(), 1u);
  EXPECT_EQ(service.receive(), 0u);
  service.line.advance(1999);
  EXPECT_EQ(service.receive(), 0u);
  service.line.advance(1);
  EXPECT_EQ(service.receive(), 1u);
}

TEST(RateLimit, is_one_for_all_workers_of_the_service) {
  Limited service(10, 4, {.name = "q"}, 2);
  service.send(20);
  EXPECT_EQ(service.receive(0), 4u);
  EXPECT_EQ(service.receive(1), 0u);
  service.line.advance(100);
  EXPECT_EQ(service.receive(1), 1u);
  EXPECT_EQ(service.receive(0), 0u);
}

TEST(RateLimit, wakes_a_worker_when_the_next_message_is_due) {
  Limited service(10, 1);
  service.send(2);
  service.receive();
  service.receive();
  service.ready.clear(0);
  const std::uint32_t before = service.woken;
  service.line.advance(99);
  EXPECT_EQ(service.woken, before);
  service.line.advance(1);
  EXPECT_EQ(service.woken, before + 1);
}

TEST(RateLimit, is_not_used_up_by_a_look_at_an_empty_queue) {
  Limited service(1, 5);
  EXPECT_EQ(service.receive(), 0u);
  service.send(5);
  EXPECT_EQ(service.receive(), 5u);
}

TEST(RateLimit, that_another_worker_gives_back_is_used_at_once) {
  Limited service(1, 2, {.name = "q"}, 2);
  EXPECT_EQ(service.rate.take(2, service.line.clock.steady_ns()), 2u) << "a worker that is about to look";
  service.send(2);
  EXPECT_EQ(service.receive(1), 0u);
  ASSERT_FALSE(service.queue.has_news());
  service.rate.give_back(2);
  EXPECT_EQ(service.receive(0), 2u);
  EXPECT_EQ(service.queue.counters().visible, 0u);
}

TEST(RateLimit, holds_for_groups_in_order) {
  Limited service(10, 3, {.name = "q", .fifo = true});
  for (const char* body : {"a", "b", "c", "d", "e"}) {
    service.publisher.append({.body = bytes_of(body), .parts = {.group_id = "g"}, .cookie = 1}, core::Admission::overdraw);
    service.publisher.flush(true);
  }
  EXPECT_EQ(service.hands[0]->receive(), (std::vector<std::string>{"a", "b", "c"}));
  service.hands[0]->settle();
  EXPECT_EQ(service.receive(), 0u);
  service.line.advance(100);
  EXPECT_EQ(service.hands[0]->receive(), std::vector<std::string>{"d"});
  service.hands[0]->settle();
}

TEST(RateLimit, above_a_thousand_a_second_is_kept_though_the_ticker_looks_once_a_millisecond) {
  Limited service(100'000, 10);
  service.send(2000);
  std::size_t received = 0;
  while (std::size_t count = service.receive()) {
    received += count;  // what it may have saved up: a tenth of a second
  }
  EXPECT_EQ(received, 2000u);
}

}  // namespace
}  // namespace sluice::test
