// Topics with filter policies: who gets what, what it costs in credit, and policies that change.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <numeric>
#include <thread>

#include "filter/policies.hpp"
#include "filter/random_policies.hpp"
#include "filter/reference_matcher.hpp"
#include "support/line.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

using core::Fanout;
using core::FilterUse;
using core::Publisher;
using core::Queue;
using core::TopicFilter;
using core::Admission;
using Texts = std::vector<std::string>;
using Policies = std::vector<std::optional<core::FilterPolicy>>;

constexpr std::int64_t kUnits = (std::int64_t{256} << 20) / core::kCreditUnit;

std::shared_ptr<const TopicFilter> filter_of(Policies policies) {
  auto filter = TopicFilter::compile(std::move(policies));
  EXPECT_TRUE(filter.has_value());
  return *filter;
}

/// A message's attributes, as the ABI has them.
struct Attributes {
  explicit Attributes(const core::MessageText& message) {
    for (const auto& each : message.attributes) {
      all.push_back({sizeof(sluice_attribute),
                     each.type,
                     {each.name.data(), each.name.size()},
                     {each.value.data(), each.value.size()}});
    }
    std::ranges::sort(all, {}, [](const sluice_attribute& a) {
      return std::string_view(a.name.data, a.name.size);
    });
    for (const sluice_attribute& attribute : all) {
      pointers.push_back(&attribute);
    }
  }
  core::MessageParts parts() const {
    return {.attribute_count = static_cast<std::uint32_t>(all.size()),
            .attributes = pointers.data()};
  }

  std::vector<sluice_attribute> all;
  std::vector<const sluice_attribute*> pointers;
};

/// A topic with a queue for each policy.
struct Topic {
  explicit Topic(const Policies& policies, core::QueueOptions options = {},
                 core::PublisherOptions publishing = {}) {
    for (std::size_t i = 0; i < policies.size(); ++i) {
      options.name = "q" + std::to_string(i);
      queues.push_back(&line.queue(options));
    }
    publisher = &line.publisher(queues, std::move(publishing));
    FilterUse use{filter_of(policies), std::vector<std::uint32_t>(queues.size())};
    std::iota(use.subscriptions.begin(), use.subscriptions.end(), 0U);
    publisher->change_filter(std::move(use));
    publisher->wire_ready();
    EXPECT_TRUE(line.open());
    for (Queue* queue : queues) {
      hands.push_back(&line.hand(*queue, 64));
    }
  }
  void emit(const core::MessageText& message) {
    const Attributes attributes(message);
    publisher->append(
        {.body = bytes_of(message.body), .parts = attributes.parts(), .cookie = cookie++},
        Admission::overdraw);
  }
  void emit_event(const std::string& event) {
    emit({.body = event, .attributes = {{"event", event, SLUICE_STRING}}});
  }
  /// All that a queue has now.
  Texts take(std::size_t queue) {
    Texts all;
    for (Texts batch = hands[queue]->receive(); !batch.empty(); batch = hands[queue]->receive()) {
      all.insert(all.end(), batch.begin(), batch.end());
      hands[queue]->settle();
    }
    hands[queue]->consumer.idle();
    return all;
  }

  Line line;
  std::vector<Queue*> queues;
  Publisher* publisher = nullptr;
  std::vector<Hand*> hands;
  std::uint64_t cookie = 1;
};

core::FilterPolicy event(const std::string& values) {
  return policy_of(R"({"event":[)" + values + "]}", kAttributes);
}

TEST(FilteredTopic, each_queue_gets_what_its_policy_takes_and_one_without_a_policy_everything) {
  Topic topic({event(R"("signup","login")"), event(R"("signup")"), std::nullopt});
  for (const char* each : {"signup", "other", "login", "Signup"}) {
    topic.emit_event(each);
  }
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(0), (Texts{"signup", "login"}));
  EXPECT_EQ(topic.take(1), (Texts{"signup"}));
  EXPECT_EQ(topic.take(2), (Texts{"signup", "other", "login", "Signup"}));
  EXPECT_EQ(topic.line.settled.count(), 4u);
  EXPECT_EQ(topic.queues[1]->counters().sent, 1u);
}

TEST(FilteredTopic, what_nobody_takes_is_settled_at_once) {
  Topic topic({event(R"("signup")")});
  topic.emit_event("other");
  EXPECT_EQ(topic.line.settled.count(), 0u);
  topic.publisher->flush(true);
  EXPECT_EQ(topic.line.settled.all(), (std::vector<Settlements::Settlement>{{1, false, 1}}));
  EXPECT_FALSE(topic.queues[0]->has_news() && !topic.take(0).empty());
}

TEST(FilteredTopic, both_scopes_stand_side_by_side) {
  Topic topic({policy_of(R"({"event":["signup"]})", kBody), event(R"("signup")")});
  topic.emit({.body = R"({"event":"signup"})"});
  topic.emit({.body = "no JSON", .attributes = {{"event", "signup", SLUICE_STRING}}});
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(0), (Texts{R"({"event":"signup"})"}));
  EXPECT_EQ(topic.take(1), (Texts{"no JSON"}));
}

TEST(FilteredTopic, counts_say_what_was_filtered_and_why) {
  Topic topic({policy_of(R"({"n":[{"numeric":[">",1]}]})", kAttributes),
               policy_of(R"({"n":[2]})", kBody), std::nullopt});
  topic.emit({.body = R"({"n":2})", .attributes = {{"n", "2", SLUICE_NUMBER}}});
  topic.emit({.body = "no JSON", .attributes = {{"n", "two", SLUICE_NUMBER}}});
  topic.emit({.body = "{}", .attributes = {{"other", "[", SLUICE_STRING_ARRAY}}});
  topic.publisher->flush(true);
  const auto counts = [&](std::uint32_t branch) {
    const core::BranchCounts found = topic.publisher->counts(*topic.queues[branch]);
    return std::vector<std::uint64_t>{found.matched, found.filtered, found.invalid_attributes,
                                      found.invalid_body};
  };
  EXPECT_EQ(counts(0), (std::vector<std::uint64_t>{1, 2, 1, 0}));
  EXPECT_EQ(counts(1), (std::vector<std::uint64_t>{1, 2, 0, 1}));
  EXPECT_EQ(counts(2), (std::vector<std::uint64_t>{3, 0, 0, 0}));
  for (std::size_t i = 0; i < 3; ++i) {
    topic.take(i);
  }
}

TEST(FilteredTopic, a_damaged_value_is_counted_where_a_policy_names_it) {
  Topic topic({policy_of(R"({"a":["x"]})", kBody), policy_of(R"({"b":[{"exists":true}]})", kBody)});
  topic.emit({.body = R"({"a":"x","b":01})"});
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(0).size(), 1u);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[0]).invalid_body, 0u);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[1]).invalid_body, 1u);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[1]).filtered, 1u);
}

TEST(FilteredTopic, one_message_of_a_chunk_is_charged_the_slab_that_it_keeps) {
  Topic topic({event(R"("rare")"), std::nullopt});
  for (int i = 0; i < 9; ++i) {
    topic.emit_event(i == 5 ? "rare" : "common");
  }
  topic.publisher->close();
  EXPECT_EQ((kUnits - topic.queues[0]->credits().units()) * core::kCreditUnit,
            core::ChunkPool::kSlabBytes[0]);
  EXPECT_EQ(topic.queues[0]->credits().messages(), 100'000 - 1);
  topic.take(1);
  EXPECT_EQ(topic.take(0), Texts{"rare"});
  EXPECT_EQ(topic.queues[0]->credits().units(), kUnits);
  EXPECT_EQ(topic.queues[1]->credits().units(), kUnits);
}

TEST(FilteredTopic, a_queue_without_credit_holds_nobody_up_that_has_nothing_for_it) {
  core::PublisherOptions options;
  options.wait.keep_on = [] {
    ADD_FAILURE() << "it waits";
    return false;
  };
  Topic topic({event(R"("rare")"), std::nullopt}, {.capacity = 1}, std::move(options));
  topic.emit_event("rare");
  topic.publisher->close();
  topic.take(1);
  topic.emit_event("common");
  topic.publisher->close();
  EXPECT_EQ(topic.take(1), Texts{"common"});
  EXPECT_EQ(topic.take(0), Texts{"rare"});
}

TEST(FilteredTopic, a_queue_without_credit_gets_its_part_later_and_no_more) {
  Topic* self = nullptr;
  int looks = 0;
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  options.wait.keep_on = [&] {
    if (++looks == 1) {
      EXPECT_EQ(self->take(0), Texts{"rare"});
    }
    return true;
  };
  Topic topic({event(R"("rare")"), std::nullopt}, {.capacity = 1}, std::move(options));
  self = &topic;
  topic.emit_event("rare");
  topic.publisher->close();
  topic.take(1);
  for (const char* each : {"a", "rare", "b"}) {
    topic.publisher->append(
        {.body = bytes_of(each),
         .parts = Attributes({.attributes = {{"event", each, SLUICE_STRING}}}).parts(),
         .cookie = 9},
        Admission::wait);
  }
  topic.publisher->close();
  EXPECT_EQ(topic.take(0), Texts{"rare"});
  EXPECT_EQ(topic.take(1), (Texts{"a", "rare", "b"}));
  EXPECT_EQ(topic.queues[0]->credits().messages(), 1);
  EXPECT_EQ(topic.queues[0]->credits().units(), kUnits);
}

TEST(ChangedFilter, decides_from_the_next_publish_on_whole) {
  Topic topic({event(R"("a")"), event(R"("b")")});
  topic.emit_event("a");
  topic.publisher->flush(true);
  topic.publisher->change_filter({filter_of({event(R"("b")"), event(R"("a")")}), {0, 1}});
  topic.emit_event("a");
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(0), Texts{"a"});
  EXPECT_EQ(topic.take(1), Texts{"a"});
}

TEST(ChangedFilter, leaves_out_who_unsubscribed_and_gives_all_to_who_has_no_policy_now) {
  Topic topic({std::nullopt, event(R"("b")")});
  topic.emit_event("a");
  topic.publisher->flush(true);
  topic.publisher->change_filter({filter_of({std::nullopt}), {Fanout::kUnsubscribed, 0}});
  topic.emit_event("b");
  topic.emit_event("c");
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(0), Texts{"a"});
  EXPECT_EQ(topic.take(1), (Texts{"b", "c"}));
  EXPECT_EQ(topic.line.settled.count(), 3u);
  EXPECT_EQ(topic.queues[0]->counters().sent, 1u);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[0]).filtered, 0u) << "no policy kept them away";
}

TEST(ChangedFilter, comes_to_a_topic_that_had_none) {
  Line line;
  Queue& queue = line.queue({.name = "q"});
  Publisher& publisher = line.publisher({&queue});
  Hand& hand = line.hand(queue, 64);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a", "b"});
  publisher.change_filter({filter_of({event(R"("x")")}), {0}});
  line.publish(publisher, {"c"});
  EXPECT_EQ(hand.drain(), 2u);
  EXPECT_EQ(queue.counters().sent, 2u);
  EXPECT_EQ(publisher.counts(queue).matched, 2u);
  EXPECT_EQ(publisher.counts(queue).filtered, 1u);
}

/// Each of two policies takes what the other does not, and they change places: a message that met
/// half of the old and half of the new ones would reach both queues or none.
TEST(ChangedFilter, under_traffic_every_message_meets_one_filter_whole) {
  Topic topic({event(R"("a")"), event(R"("b")")});
  const std::uint64_t total = scaled(200'000);
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> received{0};
  std::thread changer([&] {
    for (bool turned = false; !over.load(std::memory_order_relaxed); turned = !turned) {
      const char* const first = turned ? R"("b")" : R"("a")";
      topic.publisher->change_filter(
          {filter_of({event(first), event(turned ? R"("a")" : R"("b")")}), {0, 1}});
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> readers;
  for (std::size_t queue = 0; queue < 2; ++queue) {
    readers.emplace_back([&, queue] {
      while (received.load(std::memory_order_relaxed) < total) {
        received.fetch_add(topic.take(queue).size(), std::memory_order_relaxed);
        std::this_thread::yield();
      }
    });
  }
  for (std::uint64_t i = 0; i < total; ++i) {
    topic.emit_event(i % 3 == 0 ? "a" : "b");
    if (i % 7 == 0 || i + 1 == total) {
      topic.publisher->flush(true);
    }
  }
  for (std::thread& reader : readers) {
    reader.join();
  }
  over.store(true, std::memory_order_relaxed);
  changer.join();
  topic.publisher->close();
  EXPECT_EQ(received.load(), total);
  EXPECT_EQ(topic.line.settled.count(), total);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[0]).matched +
                topic.publisher->counts(*topic.queues[1]).matched,
            total);
}

TEST(AddedSubscription, gets_what_is_published_from_then_on) {
  Topic topic({std::nullopt});
  Queue& late = topic.line.queue({.name = "late"});
  Hand& hand = topic.line.hand(late, 64);
  late.open();
  topic.emit_event("a");
  topic.publisher->flush(true);
  topic.publisher->change_filter({filter_of({std::nullopt, event(R"("b")")}), {0, 1}, {&late}});
  for (const char* each : {"b", "c", "b"}) {
    topic.emit_event(each);
  }
  topic.publisher->close();
  EXPECT_EQ(topic.take(0), (Texts{"a", "b", "c", "b"}));
  EXPECT_EQ(hand.drain(), 2u);
  EXPECT_EQ(topic.line.settled.count(), 4u);
  EXPECT_EQ(topic.publisher->published(), 4u);
  EXPECT_EQ(topic.queues[0]->counters().sent, 4u);
  EXPECT_EQ(late.counters().sent, 2u);
  EXPECT_EQ(topic.publisher->counts(late).matched, 2u);
  EXPECT_EQ(topic.publisher->counts(late).filtered, 1u);
  EXPECT_EQ(late.credits().units(), kUnits);
}

TEST(AddedSubscription, of_a_topic_without_filters_leaves_it_without) {
  Line line;
  Queue& first = line.queue({.name = "first"});
  Queue& late = line.queue({.name = "late"});
  Publisher& publisher = line.publisher({&first});
  Hand& first_hand = line.hand(first, 64);
  Hand& late_hand = line.hand(late, 64);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a", "b"});
  publisher.change_filter({nullptr, {0, 1}, {&late}});
  line.publish(publisher, {"c"});
  EXPECT_FALSE(publisher.filters());
  EXPECT_EQ(first_hand.drain(), 3u);
  EXPECT_EQ(late_hand.drain(), 1u);
  EXPECT_EQ(first.counters().sent, 3u);
  EXPECT_EQ(late.counters().sent, 1u);
}

TEST(AddedSubscription, that_was_replaced_before_it_came_into_force_gets_nothing) {
  Topic topic({std::nullopt});
  Queue& late = topic.line.queue({.name = "late"});
  Hand& hand = topic.line.hand(late, 64);
  late.open();
  topic.publisher->change_filter({filter_of({std::nullopt, std::nullopt}), {0, 1}, {&late}});
  topic.publisher->change_filter({filter_of({std::nullopt}), {0, Fanout::kUnsubscribed}});
  topic.emit_event("a");
  topic.publisher->close();
  EXPECT_EQ(topic.take(0), Texts{"a"});
  EXPECT_EQ(hand.drain(), 0u);
  EXPECT_EQ(late.counters().sent, 0u);
}

TEST(AddedSubscription, leaves_the_order_at_those_that_were_there) {
  Line line;
  Queue& first = line.queue({.name = "first"});
  Queue& late = line.queue({.name = "late"});
  Publisher& publisher = line.publisher({&first});
  Hand& hand = line.hand(first, 1);
  ASSERT_TRUE(line.open());
  line.publish(publisher, {"a", "b", "c"});
  publisher.change_filter({nullptr, {0, 1}, {&late}});
  publisher.change_filter({filter_of(Policies(1)), {0, Fanout::kUnsubscribed}});
  line.publish(publisher, {"d"});
  publisher.change_filter({filter_of(Policies(2)), {0, 1}});
  line.publish(publisher, {"e"});
  for (const char* each : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(hand.receive(), Texts{each});
    hand.settle();
  }
}

/// The logs that were there and the one that follows are read to their end, though what was there ends with messages for
/// others.
TEST(AddedSubscription, leaves_a_purge_whole) {
  Topic topic({event(R"("b")")});
  Queue& late = topic.line.queue({.name = "late"});
  Hand& hand = topic.line.hand(late, 64);
  late.open();
  topic.emit_event("b");
  for (std::uint32_t i = 0; i < core::kChunkMessages; ++i) {
    topic.emit_event("a");
  }
  topic.publisher->flush(true);
  topic.publisher->change_filter({filter_of({event(R"("b")"), std::nullopt}), {0, 1}, {&late}});
  topic.emit_event("b");
  topic.publisher->close();
  EXPECT_EQ(topic.queues[0]->purge(), 2u);
  EXPECT_EQ(topic.queues[0]->counters().visible, 0u);
  EXPECT_EQ(hand.drain(), 1u);
}

TEST(RemovedSubscription, is_not_waited_for_any_more) {
  Topic* self = nullptr;
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  options.wait.keep_on = [&] {  // called while it waits for the full queue
    self->publisher->change_filter({filter_of(Policies(1)), {Fanout::kUnsubscribed, 0}});
    return true;
  };
  Topic topic({std::nullopt, std::nullopt}, {.capacity = 1}, std::move(options));
  self = &topic;
  topic.emit_event("a");
  topic.publisher->close();
  topic.take(1);
  topic.publisher->append({.body = bytes_of("b"), .cookie = 2}, Admission::wait);
  topic.publisher->flush(true);
  EXPECT_EQ(topic.take(1), Texts{"b"});
  topic.publisher->append({.body = bytes_of("c"), .cookie = 3}, Admission::refuse);
  topic.publisher->close();
  EXPECT_EQ(topic.take(1), Texts{"c"});
  EXPECT_EQ(topic.take(0), Texts{"a"});
  EXPECT_EQ(topic.line.settled.count(), 3u);
  EXPECT_EQ(topic.queues[0]->counters().sent, 1u);
  EXPECT_EQ(conservation_gap(topic.queues[0]->counters()), 0);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[0]).matched, 1u);
  EXPECT_EQ(topic.publisher->counts(*topic.queues[0]).filtered, 0u);
}

TEST(RemovedSubscription, is_not_asked_for_credit) {
  Topic topic({std::nullopt, std::nullopt}, {.capacity = 1});
  topic.emit_event("a");
  topic.publisher->close();
  topic.take(1);
  EXPECT_FALSE(topic.publisher->has_credit());
  EXPECT_FALSE(topic.publisher->queues_have_credit());
  topic.publisher->change_filter({filter_of(Policies(1)), {Fanout::kUnsubscribed, 0}});
  EXPECT_TRUE(topic.publisher->has_credit());
  EXPECT_TRUE(topic.publisher->queues_have_credit());
  EXPECT_EQ(topic.publisher->append({.body = bytes_of("b"), .cookie = 2}, Admission::refuse),
            Publisher::Outcome::ok);
  topic.publisher->close();
  EXPECT_EQ(topic.take(1), Texts{"b"});
  EXPECT_EQ(topic.take(0), Texts{"a"});
}

TEST(AddedSubscription, without_credit_refuses_a_publisher_that_may_not_wait) {
  Topic topic({std::nullopt});
  Queue& late = topic.line.queue({.name = "late", .capacity = 1});
  Publisher& other = topic.line.publisher({&late});
  Hand& hand = topic.line.hand(late, 64);
  late.open();
  topic.line.publish(other, {"full"});
  topic.publisher->change_filter({nullptr, {0, 1}, {&late}});
  EXPECT_EQ(topic.publisher->append({.body = bytes_of("a"), .cookie = 1}, Admission::refuse),
            Publisher::Outcome::would_block);
  other.close();
  EXPECT_EQ(hand.drain(), 1u);
}

/// Queues are added one after another while messages run and are read: those that were there get
/// every message in order, an added one all from its first on, and each message is settled.
TEST(AddedSubscription, under_traffic_loses_nothing_and_has_no_gap) {
  constexpr std::size_t kQueues = 6;
  Line line;
  std::vector<Queue*> queues;
  std::vector<Hand*> hands;
  for (std::size_t i = 0; i < kQueues; ++i) {
    queues.push_back(&line.queue({.name = "q" + std::to_string(i), .capacity = 2000}));
  }
  core::PublisherOptions options;
  options.wait.step_ms = 1;
  Publisher& publisher = line.publisher({queues[0]}, std::move(options));
  ASSERT_TRUE(line.open());
  for (Queue* queue : queues) {
    hands.push_back(&line.hand(*queue, 64));
  }
  const std::uint64_t total = scaled(300'000);
  std::atomic<std::uint64_t> emitted{0};
  std::atomic<bool> over{false};
  std::vector<std::vector<std::uint64_t>> found(kQueues);
  std::vector<std::thread> readers;
  for (std::size_t i = 0; i < kQueues; ++i) {
    readers.emplace_back([&, i] {
      for (bool last = false; !last;) {
        last = over.load(std::memory_order_acquire);
        for (Texts batch = hands[i]->receive(); !batch.empty(); batch = hands[i]->receive()) {
          std::ranges::transform(batch, std::back_inserter(found[i]),
                                 [](const std::string& text) { return std::stoull(text); });
          hands[i]->settle();
        }
        hands[i]->consumer.idle();
        std::this_thread::yield();
      }
    });
  }
  std::thread changer([&] {
    for (std::size_t added = 1; added < kQueues; ++added) {
      while (emitted.load(std::memory_order_relaxed) < added * total / kQueues) {
        std::this_thread::yield();
      }
      FilterUse use{added % 2 == 0 ? nullptr : filter_of(Policies(added + 1)),
                    std::vector<std::uint32_t>(added + 1),
                    {queues[added]}};
      std::iota(use.subscriptions.begin(), use.subscriptions.end(), 0U);
      publisher.change_filter(std::move(use));
    }
  });
  for (std::uint64_t i = 0; i < total; ++i) {
    const std::string text = std::to_string(i);
    publisher.append({.body = bytes_of(text), .cookie = i + 1}, Admission::wait);
    emitted.store(i + 1, std::memory_order_relaxed);
    if (i % 7 == 0) {
      publisher.flush(true);
    }
  }
  changer.join();
  publisher.close();
  over.store(true, std::memory_order_release);
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(line.settled.count(), total);
  EXPECT_EQ(publisher.published(), total);
  for (std::size_t i = 0; i < kQueues; ++i) {
    EXPECT_EQ(queues[i]->counters().sent, found[i].size());
    EXPECT_EQ(queues[i]->credits().messages(), 2000);
    const std::uint64_t first = total - found[i].size();
    for (std::size_t n = 0; n < found[i].size(); ++n) {
      ASSERT_EQ(found[i][n], first + n) << "queue " << i;
    }
  }
  EXPECT_EQ(found[0].size(), total);
}

core::MessageText arbitrary_message() {
  core::MessageText message{.body = *arbitrary_body()};
  for (const char* name : {"k", "m", "p"}) {
    if (*rc::gen::arbitrary<bool>()) {
      const auto type = static_cast<std::uint32_t>(*rc::gen::inRange(1, 5));
      message.attributes.push_back({name, *arbitrary_attribute(type), type});
    }
  }
  return message;
}

/// Whatever is published, flushed and taken in between: each queue gets what the definition says,
/// in order, all is settled, and all credit comes back.
RC_GTEST_PROP(FilteredTopic, is_its_definition, ()) {
  Policies policies;
  for (int count = *rc::gen::inRange(1, 6); count > 0; --count) {
    const bool nested = *rc::gen::arbitrary<bool>();
    policies.emplace_back();
    if (*rc::gen::inRange(0, 5) != 0) {
      policies.back() = policy_of(*arbitrary_policy(nested), nested ? kBody : kAttributes);
    }
  }
  Topic topic(policies);
  std::vector<Texts> expected(policies.size()), found(policies.size());
  const int messages = *rc::gen::inRange(1, 150);
  for (int i = 0; i < messages; ++i) {
    const core::MessageText message = arbitrary_message();
    for (std::size_t queue = 0; queue < policies.size(); ++queue) {
      if (!policies[queue] || reference_matches(*policies[queue], message)) {
        expected[queue].push_back(message.body);
      }
    }
    topic.emit(message);
    if (*rc::gen::inRange(0, 10) == 0) {
      topic.publisher->flush(true);
      const auto queue = *rc::gen::inRange<std::size_t>(0, policies.size());
      std::ranges::copy(topic.take(queue), std::back_inserter(found[queue]));
    }
  }
  topic.publisher->close();
  for (std::size_t queue = 0; queue < policies.size(); ++queue) {
    std::ranges::copy(topic.take(queue), std::back_inserter(found[queue]));
    RC_ASSERT(found[queue] == expected[queue]);
    RC_ASSERT(topic.queues[queue]->counters().sent == expected[queue].size());
    RC_ASSERT(topic.queues[queue]->credits().units() == kUnits);
    RC_ASSERT(topic.queues[queue]->credits().messages() == 100'000);
  }
  RC_ASSERT(topic.line.settled.count() == static_cast<std::size_t>(messages));
}

}  // namespace
}  // namespace sluice::test
