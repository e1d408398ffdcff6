// A worker and its chain of stages, one batch at a time, on the test's thread.
#include <gtest/gtest.h>

#include "plugin/handles.hpp"
#include "service/worker.hpp"
#include "support/line.hpp"
#include "support/log_lines.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

using core::host;
using core::Queue;
using Texts = std::vector<std::string>;

/// A queue, its dead letters, a worker over the given stages, and a queue that it publishes to.
struct Shop {
  explicit Shop(std::vector<Script*> stages, core::WorkerOptions options = {.may_wait = true}, std::uint32_t max_receive_count = 3)
      : dead(line.queue({.name = "dead"})),
        queue(line.queue({.name = "q", .visibility_timeout_ms = 1000, .max_receive_count = max_receive_count}, &dead)),
        next(line.queue({.name = "next"})),
        publisher(line.publisher({&queue})) {
    std::vector<core::Instance> instances;
    for (Script* stage : stages) {
      instances.push_back(stage->instance("svc"));
    }
    options.service = "svc";
    options.batch_size = options.batch_size == 0 ? 10 : options.batch_size;
    options.workers = 1;
    options.max_body_bytes = options.max_body_bytes == 0 ? 1000 : options.max_body_bytes;
    options.publish_to = {&next};
    options.has_target = true;
    options.stopping = &stopping;
    options.aborting = &aborting;
    worker = std::make_unique<core::Worker>(queue, line.timers, line.letters, options);
    worker->open(std::move(instances));
    hand = std::make_unique<Hand>(next, line.timers, line.letters, 64, 1);
    EXPECT_TRUE(line.open());
  }
  ~Shop() {
    hand.reset();
    worker->close();
    publisher.close();
  }
  void send(const Texts& texts) { line.publish(publisher, texts); }
  /// One batch. False: a stage failed fatally.
  bool work() {
    bool fine = worker->receive(line.timers.now_tick()) == 0 || worker->work(thread);
    thread.releases.flush();
    return fine;
  }
  std::uint64_t processed() const { return worker->counters().processed.load(); }

  core::Atomic<bool> stopping{false}, aborting{false};
  Line line;
  Queue& dead;
  Queue& queue;
  Queue& next;
  core::Publisher& publisher;
  core::WorkThread thread;
  std::unique_ptr<core::Worker> worker;
  std::unique_ptr<Hand> hand;
};

std::unique_ptr<Script> pass_on(std::uint32_t copies = 1) {
  return Script::stage("pass_on", 0, [copies](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      for (std::uint32_t copy = 0; copy < copies; ++copy) {
        EXPECT_EQ(emit(out, i, body_of(*batch.messages[i])), SLUICE_OK);
      }
    }
    return SLUICE_OK;
  });
}

TEST(Chain, what_the_last_stage_emits_is_published_and_holds_up_its_parents_cookie) {
  auto stage = pass_on(2);
  Shop shop({stage.get()});
  shop.send({"a", "b"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.processed(), 2u);
  EXPECT_EQ(shop.line.settled.count(), 0u);
  EXPECT_EQ(shop.hand->receive(), (Texts{"a", "a", "b", "b"}));
  shop.hand->settle();
  EXPECT_EQ(shop.line.settled.messages(), 2u);
}

TEST(Chain, the_worst_outcome_of_all_that_came_from_a_message_is_its_outcome) {
  auto first = pass_on(3);
  auto second = Script::stage("judge", 0, [](const sluice_batch& batch, sluice_out* out) {
    // Messages 0-2 came from "ok", 3-5 from "reject", 6-8 from "retry".
    EXPECT_EQ(batch.count, 9u);
    host().settle(out, 4, SLUICE_REJECT, -1, str("rotten"), {});
    host().settle(out, 6, SLUICE_REJECT, -1, str("rotten"), {});
    host().settle(out, 8, SLUICE_RETRY, 0, str("later"), {});
    host().settle(out, 7, SLUICE_OK, -1, {}, {});
    return SLUICE_OK;
  });
  Shop shop({first.get(), second.get()});
  shop.send({"ok", "reject", "retry"});
  shop.work();
  EXPECT_EQ(shop.worker->counters().processed.load(), 1u);
  EXPECT_EQ(shop.worker->counters().rejected.load(), 1u);
  EXPECT_EQ(shop.worker->counters().retried.load(), 1u);
  shop.line.letters.write_waiting();
  EXPECT_NE(shop.line.file(shop.dead).find("\"body\":\"reject\""), std::string::npos);
  EXPECT_NE(shop.line.file(shop.dead).find("\"stage\":\"judge\",\"reason\":\"rotten\""), std::string::npos);
  EXPECT_EQ(shop.queue.counters().visible, 1u);
}

TEST(Chain, what_a_queue_without_dead_letters_rejects_is_logged_as_dropped) {
  auto stage = Script::stage("judge", 0, [](const sluice_batch& batch, sluice_out* out) {
    host().settle(out, 0, SLUICE_REJECT, -1, str("rotten"), str("at byte 3"));
    host().settle(out, 1, SLUICE_RETRY, 0, str("later"), {});
    sluice_emission part = emission(1, "part");
    host().reject_part(out, &part, str("bad row"), {});
    EXPECT_EQ(batch.count, 2u);
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.queue.set_dead_letter_queue(nullptr);
  LogLines log;
  shop.send({"a", "b"});
  shop.work();
  EXPECT_EQ(log.with("warning q: message ").size(), 1u);
  EXPECT_EQ(log.with(" is dropped: rotten: at byte 3; the queue's redrive_policy is null").size(),
            1u);
  EXPECT_EQ(log.with(" is dropped: bad row; ").size(), 1u);
  EXPECT_EQ(shop.queue.counters().dropped, 2u);
}

TEST(Chain, what_a_stage_rejects_too_late_is_not_logged_as_dropped) {
  Shop* shop = nullptr;
  auto stage = Script::stage("late", 0, [&](const sluice_batch&, sluice_out* out) {
    shop->line.advance(1500);
    host().settle(out, 0, SLUICE_REJECT, -1, str("rotten"), {});
    return SLUICE_OK;
  });
  Shop made({stage.get()});
  shop = &made;
  made.queue.set_dead_letter_queue(nullptr);
  LogLines log;
  made.send({"a"});
  made.work();
  EXPECT_EQ(log.with(" is dropped").size(), 0u);
  EXPECT_EQ(made.queue.counters().dropped, 0u);
  EXPECT_EQ(made.queue.counters().visible, 1u) << "it comes again";
}

TEST(Chain, a_message_may_become_64_and_not_65) {
  std::vector<int32_t> answers;
  auto stage = Script::stage("many", 0, [&](const sluice_batch&, sluice_out* out) {
    for (int i = 0; i < 65; ++i) {
      answers.push_back(emit(out, 0, "x"));
    }
    return emit(out, 1, "other parent");
  });
  Shop shop({stage.get()});
  shop.send({"a", "b"});
  shop.work();
  EXPECT_EQ(std::ranges::count(answers, SLUICE_OK), 64);
  EXPECT_EQ(answers.back(), SLUICE_TOO_LARGE);
  EXPECT_EQ(shop.hand->drain(), 65u);
}

TEST(Chain, a_stage_that_splits_emits_without_bound) {
  auto stage = Script::stage("rows", SLUICE_SPLITS, [](const sluice_batch&, sluice_out* out) {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(emit(out, 0, std::to_string(i)), SLUICE_OK);
    }
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.send({"file"});
  shop.work();
  EXPECT_EQ(shop.hand->drain(), 1000u);
  EXPECT_EQ(shop.line.settled.count(), 1u);
}

TEST(Chain, emissions_have_the_ids_of_the_design) {
  auto first = pass_on(2);
  Record<std::string> ids;
  auto second = Script::stage("ids", 0, [&](const sluice_batch& batch, sluice_out*) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      ids.add(std::string(reinterpret_cast<const char*>(batch.messages[i]->id), 16));
    }
    return SLUICE_OK;
  });
  Shop shop({first.get(), second.get()});
  core::Uuid parent = *core::parse_uuid("bd1c57a0-f91e-5664-b24f-a90f58ed9739");
  shop.publisher.append({.body = bytes_of("x"), .parts = {.id = &parent}, .cookie = 1}, core::Admission::wait);
  shop.publisher.flush(true);
  shop.work();
  using namespace std::string_view_literals;
  ASSERT_EQ(ids.size(), 2u);
  for (std::string_view ordinal : {"0"sv, "1"sv}) {
    core::Uuid expected = core::uuid5(parent, std::string("svc\0" "0\0"sv) + std::string(ordinal));
    EXPECT_EQ(ids.all()[ordinal == "1"sv], std::string(reinterpret_cast<const char*>(expected.bytes.data()), 16));
  }
}

TEST(Chain, attributes_are_inherited_and_overridden_by_name) {
  auto first = Script::stage("dress", 0, [](const sluice_batch&, sluice_out* out) {
    sluice_attribute z{sizeof z, SLUICE_STRING, str("z"), str("new")}, b{sizeof b, SLUICE_NUMBER, str("b"), str("2")};
    const sluice_attribute* both[] = {&z, &b};
    sluice_emission made = emission(0, "x");
    made.attribute_count = 2;
    made.attributes = both;
    return host().emit(out, &made);
  });
  Texts seen;
  auto second = Script::stage("look", 0, [&](const sluice_batch& batch, sluice_out*) {
    const sluice_message& message = *batch.messages[0];
    for (std::uint32_t i = 0; i < message.attribute_count; ++i) {
      seen.push_back(text(message.attributes[i]->name) + "=" + text(message.attributes[i]->value));
    }
    return SLUICE_OK;
  });
  Shop shop({first.get(), second.get()});
  sluice_attribute a{sizeof a, SLUICE_STRING, str("a"), str("old")}, b{sizeof b, SLUICE_STRING, str("b"), str("old")};
  const sluice_attribute* both[] = {&a, &b};
  shop.publisher.append({.body = bytes_of("x"), .parts = {.attribute_count = 2, .attributes = both}, .cookie = 1}, core::Admission::wait);
  shop.publisher.flush(true);
  shop.work();
  EXPECT_EQ(seen, (Texts{"a=old", "b=2", "z=new"}));
}

TEST(Chain, misuse_is_answered_and_the_body_let_go) {
  static int released;
  released = 0;
  auto stage = Script::stage("wrong", 0, [](const sluice_batch&, sluice_out* out) {
    auto answer = [&](sluice_emission made) {
      made.release = [](void*) { ++released; };
      return host().emit(out, &made);
    };
    EXPECT_EQ(answer(emission(7, "no such parent")), SLUICE_INVALID);
    sluice_attribute twice{sizeof twice, SLUICE_STRING, str("a"), str("1")}, typeless{sizeof typeless, 9, str("b"), str("1")};
    const sluice_attribute* same[] = {&twice, &twice};
    const sluice_attribute* bad[] = {&typeless};
    sluice_emission made = emission(0, "x");
    made.attribute_count = 2;
    made.attributes = same;
    EXPECT_EQ(answer(made), SLUICE_INVALID);
    made.attribute_count = 1;
    made.attributes = bad;
    EXPECT_EQ(answer(made), SLUICE_INVALID);
    EXPECT_EQ(host().settle(out, 9, SLUICE_OK, -1, {}, {}), SLUICE_INVALID);
    EXPECT_EQ(host().settle(out, 0, SLUICE_FATAL, -1, {}, {}), SLUICE_INVALID);
    EXPECT_EQ(host().commit(out, 100, nullptr), SLUICE_INVALID);
    EXPECT_EQ(host().ignore(out, 5), SLUICE_INVALID);
    EXPECT_EQ(host().reject_part(out, &made, {}, {}), SLUICE_INVALID) << "no reason";
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.send({"a"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(released, 3);
  EXPECT_EQ(shop.hand->drain(), 0u);
}

TEST(Chain, a_sink_emits_nothing) {
  auto stage = Script::stage("sink", SLUICE_SINK, [](const sluice_batch&, sluice_out* out) {
    EXPECT_EQ(emit(out, 0, "x"), SLUICE_INVALID);
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(shop.processed(), 1u);
}

/// Attributes for one emission, by number.
struct ManyAttributes {
  ManyAttributes(std::size_t count, std::size_t name_bytes, std::size_t value_bytes, char first = 'n') : value(value_bytes, 'v') {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string number = std::to_string(100 + i);
      names.push_back(name_bytes < 4 ? std::string(name_bytes, first) : first + number + std::string(name_bytes - 4, 'n'));
    }
    for (const std::string& name : names) {
      all.push_back({sizeof(sluice_attribute), SLUICE_STRING, str(name), str(value)});
    }
    for (const sluice_attribute& each : all) {
      pointers.push_back(&each);
    }
  }
  std::string value;
  std::vector<std::string> names;
  std::vector<sluice_attribute> all;
  std::vector<const sluice_attribute*> pointers;
};

/// Metadata of 64 attributes with names of 8 bytes: how long their values are where all of it just fits.
std::size_t longest_value() {
  std::size_t bytes = 0;
  for (;; ++bytes) {
    ManyAttributes attributes(64, 8, bytes + 1);
    if (core::Chunk::meta_bytes({.attribute_count = 64, .attributes = attributes.pointers.data()}) > core::kMetaMax) {
      return bytes;
    }
  }
}

TEST(Chain, what_is_emitted_is_taken_up_to_each_limit_and_refused_whole_beyond_it) {
  struct Case {
    const char* what;
    std::size_t body_bytes, group_bytes, deduplication_bytes, attributes, name_bytes, value_bytes;
    int32_t status;
  };
  const std::size_t value_max = longest_value();
  const Case cases[] = {
      {"an empty body", 0, 0, 0, 0, 0, 0, SLUICE_OK},
      {"a body of one byte", 1, 0, 0, 0, 0, 0, SLUICE_OK},
      {"the longest body in a slab", core::kInlineBodyMax, 0, 0, 0, 0, 0, SLUICE_OK},
      {"one that is longer", core::kInlineBodyMax + 1, 0, 0, 0, 0, 0, SLUICE_OK},
      {"the longest group id", 1, 128, 0, 0, 0, 0, SLUICE_OK},
      {"a longer one", 1, 129, 0, 0, 0, 0, SLUICE_TOO_LARGE},
      {"the longest deduplication id", 1, 0, 128, 0, 0, 0, SLUICE_OK},
      {"a longer one", 1, 0, 129, 0, 0, 0, SLUICE_TOO_LARGE},
      {"a name of one byte", 1, 0, 0, 1, 1, 0, SLUICE_OK},
      {"no name", 1, 0, 0, 1, 0, 0, SLUICE_INVALID},
      {"the longest name", 1, 0, 0, 1, 256, 1, SLUICE_OK},
      {"a longer one", 1, 0, 0, 1, 257, 1, SLUICE_INVALID},
      {"as many attributes as may be", 1, 0, 0, 64, 8, 1, SLUICE_OK},
      {"one more", 1, 0, 0, 65, 8, 1, SLUICE_TOO_LARGE},
      {"as much metadata as may be", 1, 0, 0, 64, 8, value_max, SLUICE_OK},
      {"more", 1, 0, 0, 64, 8, value_max + 1, SLUICE_TOO_LARGE},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    const std::string body(each.body_bytes, 'b'), group(each.group_bytes, 'g'), deduplication(each.deduplication_bytes, 'd');
    const ManyAttributes attributes(each.attributes, each.name_bytes, each.value_bytes);
    auto stage = Script::stage("limits", 0, [&](const sluice_batch&, sluice_out* out) {
      sluice_emission made = emission(0, body);
      made.group_id = str(group);
      made.deduplication_id = str(deduplication);
      made.attribute_count = static_cast<std::uint32_t>(attributes.all.size());
      made.attributes = attributes.pointers.data();
      EXPECT_EQ(host().emit(out, &made), each.status);
      return SLUICE_OK;
    });
    Shop shop({stage.get()});
    shop.send({"a"});
    EXPECT_TRUE(shop.work());
    EXPECT_EQ(shop.processed(), 1u);
    EXPECT_EQ(shop.next.counters().sent, each.status == SLUICE_OK ? 1u : 0u);
    EXPECT_EQ(shop.hand->receive(), each.status == SLUICE_OK ? Texts{body} : Texts{});
    shop.hand->settle();
    EXPECT_EQ(shop.line.settled.count(), 1u) << "the refused one holds up nothing";
    EXPECT_EQ(conservation_gap(shop.next.counters()), 0);
  }
}

/// As a dead letter, U+FFFD would stand in their place: two names that are one, a group id that is too long.
TEST(Chain, attributes_and_group_ids_are_utf8_and_only_what_is_binary_any_bytes) {
  const std::string bad = "\xff", good = "\xc3\xbc";
  struct Case {
    const char* what;
    std::string name, value, group, deduplication;
    std::uint32_t type;
    int32_t status;
  };
  const Case cases[] = {
      {"a name", bad, "v", "g", "d", SLUICE_STRING, SLUICE_INVALID},
      {"a binary's name", bad, "v", "g", "d", SLUICE_BINARY, SLUICE_INVALID},
      {"a string", "n", bad, "g", "d", SLUICE_STRING, SLUICE_INVALID},
      {"a number", "n", bad, "g", "d", SLUICE_NUMBER, SLUICE_INVALID},
      {"a string array", "n", bad, "g", "d", SLUICE_STRING_ARRAY, SLUICE_INVALID},
      {"a binary", "n", bad, "g", "d", SLUICE_BINARY, SLUICE_OK},
      {"a group id", "n", "v", bad, "d", SLUICE_STRING, SLUICE_INVALID},
      {"a deduplication id", "n", "v", "g", bad, SLUICE_STRING, SLUICE_OK},
      {"none", good, good, good, good, SLUICE_STRING, SLUICE_OK},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    auto stage = Script::stage("words", 0, [&](const sluice_batch&, sluice_out* out) {
      const sluice_attribute attribute{sizeof attribute, each.type, str(each.name), str(each.value)};
      const sluice_attribute* pointer = &attribute;
      sluice_emission made = emission(0, "x");
      made.group_id = str(each.group);
      made.deduplication_id = str(each.deduplication);
      made.attribute_count = 1;
      made.attributes = &pointer;
      EXPECT_EQ(host().emit(out, &made), each.status);
      EXPECT_EQ(host().reject_part(out, &made, str("reason"), {}), each.status);
      return SLUICE_OK;
    });
    Shop shop({stage.get()});
    shop.send({"a"});
    EXPECT_TRUE(shop.work());
    EXPECT_EQ(shop.processed(), 1u) << "what is refused stops nothing";
    shop.line.letters.write_waiting();
    EXPECT_EQ(shop.hand->drain(), each.status == SLUICE_OK ? 1u : 0u);
    EXPECT_EQ(shop.line.letters.stored(), each.status == SLUICE_OK ? 1u : 0u);
    EXPECT_EQ(shop.line.settled.count(), 1u);
    EXPECT_EQ(core::LetterFile::open(shop.line.storage, "dead/dead.jsonl")->foreign(), 0u);
  }
}

/// A line that was made of it could not be read again.
TEST(Chain, attributes_that_are_too_many_with_those_of_the_parent_are_refused) {
  const ManyAttributes of_parent(64, 8, 1), same(1, 8, 2), other(1, 8, 1, 'o');
  auto stage = Script::stage("limits", 0, [&](const sluice_batch&, sluice_out* out) {
    sluice_emission made = emission(0, "x");
    made.attribute_count = 1;
    made.attributes = same.pointers.data();
    EXPECT_EQ(host().emit(out, &made), SLUICE_OK) << "it takes the place of one";
    made.attributes = other.pointers.data();
    EXPECT_EQ(host().emit(out, &made), SLUICE_TOO_LARGE);
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.publisher.append({.body = bytes_of("a"), .parts = {.attribute_count = 64, .attributes = of_parent.pointers.data()}, .cookie = 1},
                        core::Admission::wait);
  shop.publisher.flush(true);
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.next.counters().sent, 1u);
  shop.hand->drain();
}

/// A reader that counts how often it is closed.
struct CountedReader final : sluice_reader {
  CountedReader(std::size_t bytes, int& closed)
      : left(bytes),
        closed_count(closed) {}
  ~CountedReader() override { ++closed_count; }
  int32_t read_some(uint8_t* into, uint64_t capacity, uint64_t* got) override {
    *got = std::min<std::uint64_t>(left, capacity);
    std::memset(into, 'r', *got);
    left -= *got;
    return *got == 0 ? SLUICE_END : SLUICE_OK;
  }
  std::size_t left;
  int& closed_count;
};

std::unique_ptr<Script> streamer(std::size_t bytes, int& closed) {
  return Script::stage("streamer", SLUICE_STREAMS, [bytes, &closed](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      sluice_emission made = emission(i, {});
      made.reader = new CountedReader(bytes, closed);
      made.body_size = UINT64_MAX;
      EXPECT_EQ(host().emit(out, &made), SLUICE_OK);
    }
    return SLUICE_OK;
  });
}

TEST(Chain, a_reader_that_is_not_taken_stays_its_emitters) {
  int closed = 0;
  Shop* at = nullptr;
  auto stage = Script::stage("streamer", SLUICE_STREAMS, [&](const sluice_batch&, sluice_out* out) {
    at->next.credits().take(at->next.options().capacity, 0);
    sluice_emission made = emission(0, {});
    made.reader = new CountedReader(500, closed);
    made.body_size = UINT64_MAX;
    EXPECT_EQ(host().try_emit(out, &made), SLUICE_WOULD_BLOCK);
    EXPECT_EQ(closed, 0);
    host().close(made.reader);
    at->next.credits().give_back(at->next.options().capacity, 0);
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  at = &shop;
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(closed, 1);
}

TEST(Chain, a_streamed_body_is_materialised_for_a_stage_that_takes_none) {
  int closed = 0;
  auto first = streamer(500, closed);
  Texts seen;
  auto second = Script::stage("memory", 0, [&](const sluice_batch& batch, sluice_out*) {
    EXPECT_EQ(batch.messages[0]->reader, nullptr);
    EXPECT_EQ(closed, 1) << "nobody needs it any more";
    seen.push_back(body_of(*batch.messages[0]));
    return SLUICE_OK;
  });
  Shop shop({first.get(), second.get()});
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(seen, Texts{std::string(500, 'r')});
  EXPECT_EQ(closed, 1);
}

TEST(Chain, a_streamed_body_over_the_limit_rejects_its_message_alone) {
  int closed = 0;
  auto first = Script::stage("sizes", 0, [&](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      sluice_emission made = emission(i, {});
      made.reader = new CountedReader(i == 0 ? 1001 : 1000, closed);
      EXPECT_EQ(host().emit(out, &made), SLUICE_OK);
    }
    return SLUICE_OK;
  });
  auto second = pass_on();
  Shop shop({first.get(), second.get()});
  shop.send({"big", "fits"});
  shop.work();
  shop.line.letters.write_waiting();
  EXPECT_NE(shop.line.file(shop.dead).find("\"body\":\"big\""), std::string::npos);
  EXPECT_NE(shop.line.file(shop.dead).find("body too large"), std::string::npos);
  EXPECT_EQ(shop.hand->drain(), 1u);
  EXPECT_EQ(closed, 2);
}

TEST(Chain, a_reader_that_is_passed_on_is_closed_once) {
  int closed = 0;
  auto first = streamer(300, closed);
  auto second = Script::stage("through", SLUICE_STREAMS, [](const sluice_batch& batch, sluice_out* out) {
    sluice_emission made = emission(0, {});
    made.reader = batch.messages[0]->reader;
    return host().emit(out, &made);
  });
  auto third = Script::stage("through_to_queue", SLUICE_STREAMS, [](const sluice_batch& batch, sluice_out* out) {
    sluice_emission made = emission(0, {});
    made.reader = batch.messages[0]->reader;
    return host().emit(out, &made);
  });
  Shop shop({first.get(), second.get(), third.get()});
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(shop.hand->receive(), Texts{std::string(300, 'r')});
  shop.hand->settle();
}

TEST(Chain, a_rejected_part_is_stored_alone_and_its_parent_goes_on) {
  auto stage = Script::stage("rows", SLUICE_SPLITS, [](const sluice_batch&, sluice_out* out) {
    EXPECT_EQ(emit(out, 0, "good"), SLUICE_OK);
    sluice_emission row = emission(0, "bad row");
    return host().reject_part(out, &row, str("bad_number"), str("column 3"));
  });
  Shop shop({stage.get()});
  shop.send({"file"});
  shop.work();
  EXPECT_EQ(shop.processed(), 1u);
  EXPECT_EQ(shop.hand->drain(), 1u);
  EXPECT_EQ(shop.line.settled.count(), 0u) << "the part is not stored yet";
  shop.line.letters.write_waiting();
  EXPECT_EQ(shop.line.settled.all(), (std::vector<Settlements::Settlement>{{1, true, 1}}));
  EXPECT_NE(shop.line.file(shop.dead).find("bad_number"), std::string::npos);
  EXPECT_EQ(conservation_gap(shop.queue.counters()), 0);
  EXPECT_EQ(conservation_gap(shop.dead.counters()), 0);
}

TEST(Chain, a_stage_whose_thread_may_wait_waits_while_many_parts_that_it_rejected_are_not_stored) {
  Shop* at = nullptr;
  std::vector<int32_t> results;
  auto stage = Script::stage("rows", SLUICE_SPLITS, [&](const sluice_batch&, sluice_out* out) {
    for (std::int64_t i = 0; i <= core::DeadLetters::kPartsMax; ++i) {
      sluice_emission row = emission(0, "bad row");
      at->aborting = i == core::DeadLetters::kPartsMax;  // else it would wait for ever: nobody writes
      results.push_back(host().reject_part(out, &row, str("bad_number"), {}));
    }
    at->aborting = false;
    at->line.letters.write_waiting();
    sluice_emission row = emission(0, "bad row");
    results.push_back(host().reject_part(out, &row, str("bad_number"), {}));
    return SLUICE_OK;
  });
  LogLines quiet;
  Shop shop({stage.get()});
  at = &shop;
  shop.send({"file"});
  shop.work();
  ASSERT_EQ(results.size(), core::DeadLetters::kPartsMax + 2);
  EXPECT_EQ(results[core::DeadLetters::kPartsMax - 1], SLUICE_OK);
  EXPECT_EQ(results[core::DeadLetters::kPartsMax], SLUICE_CANCELLED);
  EXPECT_EQ(results.back(), SLUICE_OK) << "they were stored";
  shop.line.letters.write_waiting();
  EXPECT_EQ(shop.line.letters.stored(), core::DeadLetters::kPartsMax + 1);
}

/// Its thread is the pool's, which does not wait: it receives nothing more until they are stored.
TEST(Chain, a_worker_of_the_pool_receives_nothing_while_many_parts_that_it_rejected_are_not_stored) {
  auto stage = Script::stage("rows", 0, [&](const sluice_batch& batch, sluice_out* out) {
    for (std::uint32_t i = 0; i < batch.count * 64; ++i) {
      sluice_emission row = emission(i / 64, "bad row");
      EXPECT_EQ(host().reject_part(out, &row, str("bad_number"), {}), SLUICE_OK);
    }
    return SLUICE_OK;
  });
  LogLines quiet;
  Shop shop({stage.get()}, {.batch_size = 1, .may_wait = false});
  int woken = 0;
  core::ReadySet ready(1, [&woken](std::uint32_t) { ++woken; });
  shop.line.letters.part_credits().add_waiter(ready, 0);
  for (int i = 0; i < 100; ++i) {
    shop.send({"file"});
  }
  std::int64_t batches = 0;
  while (shop.worker->receive(shop.line.timers.now_tick()) != 0) {
    ASSERT_TRUE(shop.worker->work(shop.thread));
    ++batches;
  }
  shop.thread.releases.flush();
  EXPECT_EQ(batches, core::DeadLetters::kPartsMax / 64);
  EXPECT_TRUE(shop.worker->lacks_credit());
  EXPECT_EQ(woken, 0);
  shop.line.letters.write_waiting();
  EXPECT_EQ(woken, 1);
  EXPECT_FALSE(shop.worker->lacks_credit());
  while (shop.work() && shop.queue.counters().visible != 0) {
    shop.line.letters.write_waiting();
  }
  shop.line.letters.write_waiting();
  EXPECT_EQ(shop.line.letters.stored(), 6400u);
  EXPECT_EQ(shop.line.letters.part_credits().messages(), core::DeadLetters::kPartsMax);
}

TEST(Chain, a_worker_of_the_pool_that_rejects_no_parts_does_not_wait_for_those_of_others) {
  auto stage = Script::stage("fine", 0, [](const sluice_batch&, sluice_out*) { return SLUICE_OK; });
  Shop shop({stage.get()}, {.may_wait = false});
  shop.line.letters.part_credits().take(core::DeadLetters::kPartsMax, 0);
  shop.send({"a"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.processed(), 1u);
}

TEST(Chain, a_part_counts_as_an_emission_of_a_stage_that_does_not_split) {
  std::vector<int32_t> results;
  auto stage = Script::stage("rows", 0, [&](const sluice_batch&, sluice_out* out) {
    for (int i = 0; i < 65; ++i) {
      sluice_emission row = emission(0, "bad row");
      results.push_back(host().reject_part(out, &row, str("bad_number"), {}));
    }
    return SLUICE_OK;
  });
  LogLines quiet;
  Shop shop({stage.get()});
  shop.send({"file"});
  shop.work();
  EXPECT_EQ(results[63], SLUICE_OK);
  EXPECT_EQ(results[64], SLUICE_TOO_LARGE);
  shop.line.letters.write_waiting();
  EXPECT_EQ(shop.line.letters.stored(), 64u);
}

TEST(Chain, a_fatal_stage_settles_nothing) {
  auto stage = Script::stage("fatal", 0, [](const sluice_batch&, sluice_out*) { return SLUICE_FATAL; });
  Shop shop({stage.get()});
  shop.send({"a", "b"});
  EXPECT_FALSE(shop.work());
  EXPECT_EQ(shop.processed(), 0u);
  EXPECT_EQ(shop.line.settled.count(), 0u);
  EXPECT_EQ(shop.queue.counters().visible, 2u);
}

TEST(Chain, a_stage_that_answers_what_is_no_status_is_fatal_and_settles_nothing) {
  for (const int32_t garbage : {-1, 3, 19, 23, 12345, INT32_MAX, INT32_MIN}) {
    auto stage = Script::stage("garbage", 0, [garbage](const sluice_batch&, sluice_out*) { return garbage; });
    Shop shop({stage.get()});
    shop.send({"a", "b"});
    EXPECT_FALSE(shop.work()) << garbage;
    EXPECT_EQ(shop.processed(), 0u) << garbage;
    EXPECT_EQ(shop.line.settled.count(), 0u) << garbage;
    EXPECT_EQ(shop.queue.counters().visible, 2u) << garbage;
  }
}

TEST(Chain, an_outcome_that_is_no_status_is_refused_and_changes_nothing) {
  auto stage = Script::stage("garbage", 0, [](const sluice_batch&, sluice_out* out) {
    for (const int32_t garbage : {-1, 3, 10, 19, 23, 12345, INT32_MAX, INT32_MIN}) {
      EXPECT_EQ(host().settle(out, 0, garbage, 0, str("reason"), {}), SLUICE_INVALID) << garbage;
    }
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.send({"a"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.processed(), 1u) << "it is ok, as without a word";
}

TEST(Chain, a_stage_that_answers_cancelled_though_nobody_cancelled_it_is_retried_and_counted) {
  auto stage = Script::stage("quitter", 0,
                             [](const sluice_batch&, sluice_out*) { return SLUICE_CANCELLED; });
  Shop shop({stage.get()});
  shop.send({"a", "b"});
  for (int round = 0; round < 4; ++round) {
    EXPECT_TRUE(shop.work());
    shop.line.advance(1000);
  }
  shop.line.letters.write_waiting();
  EXPECT_EQ(shop.worker->counters().retried.load(), 6u) << "max_receive_count is 3";
  EXPECT_EQ(shop.line.letters.stored(), 2u);
  EXPECT_NE(
      shop.line.file(shop.dead).find("the stage answered CANCELLED, and nobody had cancelled it"),
      std::string::npos);
  EXPECT_EQ(shop.line.settled.messages(), 2u);
}

TEST(Chain, a_stage_that_is_cancelled_settles_nothing_and_counts_no_retry) {
  Shop* at = nullptr;
  auto stage = Script::stage("obedient", 0, [&](const sluice_batch&, sluice_out*) {
    at->aborting = true;
    return SLUICE_CANCELLED;
  });
  Shop shop({stage.get()}, {}, 1);
  at = &shop;
  shop.send({"a"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.worker->counters().retried.load(), 0u);
  EXPECT_EQ(shop.queue.counters().visible, 1u) << "that was no receive in vain";
}

TEST(Chain, a_batch_whose_leases_have_all_expired_goes_to_no_further_stage) {
  Shop* at = nullptr;
  bool is_late = true;
  auto slow = Script::stage("slow", 0, [&](const sluice_batch& batch, sluice_out* out) {
    EXPECT_EQ(emit(out, 0, body_of(*batch.messages[0])), SLUICE_OK);
    at->line.advance(is_late ? 1000 : 999);
    return SLUICE_OK;
  });
  int writes = 0;
  auto sink = Script::stage("sink", 0, [&](const sluice_batch&, sluice_out*) {
    ++writes;
    return SLUICE_OK;
  });
  Shop shop({slow.get(), sink.get()});
  at = &shop;
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(writes, 0) << "it is somebody else's by now";
  EXPECT_EQ(shop.worker->counters().stale.load(), 1u);
  is_late = false;
  shop.work();
  EXPECT_EQ(writes, 1);
}

TEST(Chain, commit_without_a_reserve_before_it_is_invalid) {
  auto stage = Script::stage("writer", 0, [](const sluice_batch&, sluice_out* out) {
    uint8_t* body = nullptr;
    auto reserve = [&] {
      EXPECT_EQ(host().reserve(out, 3, &body), SLUICE_OK);
      std::memcpy(body, "abc", 3);
    };
    EXPECT_EQ(host().commit(out, 0, nullptr), SLUICE_INVALID) << "nothing was reserved";
    reserve();
    EXPECT_EQ(host().commit(out, 4, nullptr), SLUICE_INVALID) << "more than was reserved";
    EXPECT_EQ(host().commit(out, 3, nullptr), SLUICE_OK);
    EXPECT_EQ(host().commit(out, 3, nullptr), SLUICE_INVALID) << "committed already";
    reserve();
    EXPECT_EQ(emit(out, 0, "between"), SLUICE_OK);
    EXPECT_EQ(host().commit(out, 3, nullptr), SLUICE_INVALID) << "another call ended it";
    reserve();
    EXPECT_EQ(host().flush(out), SLUICE_OK);
    EXPECT_EQ(host().commit(out, 3, nullptr), SLUICE_INVALID) << "another call ended it";
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  shop.send({"a"});
  EXPECT_TRUE(shop.work());
  EXPECT_EQ(shop.hand->receive(), (Texts{"abc", "between"}));
  shop.hand->settle();
}

TEST(Chain, an_ignored_message_is_processed_and_counted_as_ignored) {
  auto stage = Script::stage("shrug", 0, [](const sluice_batch&, sluice_out* out) { return host().ignore(out, 0); });
  Shop shop({stage.get()});
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(shop.processed(), 1u);
  EXPECT_EQ(shop.worker->counters().ignored.load(), 1u);
}

TEST(Chain, progress_extends_the_lease_and_tells_when_it_is_gone) {
  std::vector<int32_t> answers;
  Shop* at = nullptr;
  auto stage = Script::stage("slow", 0, [&](const sluice_batch&, sluice_out* out) {
    for (int i = 0; i < 5; ++i) {
      at->line.advance(900);
      answers.push_back(host().progress(out, 0, 1, 5));
    }
    at->line.advance(1000);
    answers.push_back(host().progress(out, 0, 1, 5));
    at->aborting = true;
    answers.push_back(host().progress(out, 0, 1, 5));
    at->aborting = false;
    return SLUICE_OK;
  });
  Shop shop({stage.get()});
  at = &shop;
  shop.send({"a"});
  shop.work();
  EXPECT_EQ(answers, (std::vector<int32_t>{0, 0, 0, 0, 0, SLUICE_STALE, SLUICE_CANCELLED}));
  EXPECT_EQ(shop.worker->counters().stale.load(), 1u);
  EXPECT_EQ(shop.queue.counters().visible, 1u);
}

TEST(Chain, a_worker_that_is_told_to_stop_receives_nothing_more) {
  auto stage = pass_on();
  Shop shop({stage.get()});
  shop.send({"a"});
  shop.stopping = true;
  EXPECT_EQ(shop.worker->receive(shop.line.timers.now_tick()), 0u);
  EXPECT_EQ(shop.queue.counters().visible, 1u);
}

}  // namespace
}  // namespace sluice::test
