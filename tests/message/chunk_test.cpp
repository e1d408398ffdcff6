// Chunks: what fits, what it costs, how it ends; pools; evacuation; views.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "message/evacuator.hpp"
#include "message/message_view.hpp"
#include "support/line.hpp"
#include "support/resident.hpp"

namespace sluice::test {
namespace {

using core::Chunk;
using core::ChunkPool;
using core::ExternalBody;
using core::kChunkMessages;
using core::MessageParts;
using core::Uuid;

sluice_attribute attribute(std::string_view name, std::string_view value, std::uint32_t type = SLUICE_STRING) {
  return {sizeof(sluice_attribute), type, {name.data(), name.size()}, {value.data(), value.size()}};
}

/// A chunk of `kind` in hand, ended with the test.
struct InHand {
  explicit InHand(std::uint32_t size_class = 0, Chunk::Kind kind = Chunk::Kind::derived)
      : chunk(pool.take(size_class, kind)) {
    chunk->id_base = {{1, 2, 3}};
  }
  bool append(std::string_view body, const MessageParts& parts = {}, ExternalBody* external = nullptr) {
    if (!chunk->append(bytes_of(body), external, parts, 77)) {
      return false;
    }
    if (chunk->lineage != nullptr) {
      chunk->lineage[chunk->count - 1] = {};
    }
    return true;
  }
  ~InHand() { core::release_chunk(chunk, Chunk::kOpen); }

  Settlements settled;
  core::OriginPool origins{&settled};
  ChunkPool pool;
  Chunk* chunk;
};

TEST(Chunk, keeps_bodies_attributes_group_ids_and_sent_times) {
  InHand hand(1);
  sluice_attribute attributes[] = {attribute("a", "1", SLUICE_NUMBER), attribute("b", std::string_view("x\0y", 3), SLUICE_BINARY),
                                   attribute("c", "")};
  const sluice_attribute* pointers[] = {&attributes[0], &attributes[1], &attributes[2]};
  Uuid id{{9, 8, 7}};
  ASSERT_TRUE(hand.append("first", {&id, "group", "dedup", 3, pointers}));
  ASSERT_TRUE(hand.append(""));
  core::ChunkViews views;
  views.show(*hand.chunk, 0b11);
  const sluice_message& first = *views.pointers()[0];
  EXPECT_EQ(text_of({first.body, first.body_size}), "first");
  EXPECT_EQ(std::memcmp(first.id, id.bytes.data(), 16), 0);
  EXPECT_EQ(text_of(bytes_of({first.group_id.data, first.group_id.size})), "group");
  EXPECT_EQ(core::MetaReader(*hand.chunk, 0).deduplication_id(), "dedup");
  ASSERT_EQ(first.attribute_count, 3u);
  EXPECT_EQ(std::string(first.attributes[1]->value.data, 3), std::string("x\0y", 3));
  EXPECT_EQ(first.attributes[0]->type, static_cast<std::uint32_t>(SLUICE_NUMBER));
  EXPECT_EQ(first.attributes[2]->value.size, 0u);
  EXPECT_EQ(first.sent_ms, 77);
  EXPECT_EQ(views.pointers()[1]->body_size, 0u);
  EXPECT_EQ(views.pointers()[1]->attribute_count, 0u);
  EXPECT_EQ(views.pointers()[1]->id[15], 1) << "the id base and the index";
}

TEST(Chunk, takes_no_more_than_its_capacity_and_its_slab) {
  InHand hand(2, Chunk::Kind::derived);
  for (std::uint32_t i = 0; i < kChunkMessages; ++i) {
    ASSERT_TRUE(hand.append("x"));
  }
  EXPECT_FALSE(hand.append("x"));
  EXPECT_EQ(hand.chunk->reserve(1), nullptr);
  InHand small(0);
  std::string big(2000, 'b');
  EXPECT_EQ(small.chunk->capacity, 16u);
  EXPECT_TRUE(small.append("x"));
  while (small.append(big)) {
  }
  EXPECT_LE(small.chunk->used, small.chunk->limit);
  EXPECT_EQ(text_of(small.chunk->body(0)), "x") << "a refused append changes nothing";
}

TEST(Chunk, a_reserved_body_is_appended_in_place_or_not_at_all) {
  InHand hand(0);
  std::uint8_t* place = hand.chunk->reserve(100);
  ASSERT_NE(place, nullptr);
  std::memset(place, 'r', 100);
  std::string value(4000, 'v');
  sluice_attribute too_much = attribute("a", value);
  const sluice_attribute* pointers[] = {&too_much};
  EXPECT_FALSE(hand.chunk->append_reserved(100, {.attribute_count = 1, .attributes = pointers}, 5));
  EXPECT_EQ(hand.chunk->count, 0u);
  EXPECT_TRUE(hand.chunk->append_reserved(60, {}, 5));
  hand.chunk->lineage[0] = {};
  EXPECT_EQ(hand.chunk->body(0).data(), place);
  EXPECT_EQ(hand.chunk->body(0).size(), 60u);
}

TEST(Chunk, the_class_asked_for_a_size_holds_a_message_of_that_size) {
  rc::check("class_for", [] {
    auto body = *rc::gen::inRange<std::uint64_t>(0, core::kInlineBodyMax + 1);
    auto meta = *rc::gen::inRange<std::uint64_t>(0, core::kMetaMax - 64);
    std::string value(meta, 'm');
    sluice_attribute one = attribute("n", value);
    const sluice_attribute* pointers[] = {&one};
    MessageParts parts{.attribute_count = 1, .attributes = pointers};
    std::uint32_t size_class = ChunkPool::class_for(body + Chunk::meta_bytes(parts));
    RC_ASSERT(size_class < ChunkPool::kClasses);
    for (Chunk::Kind kind : {Chunk::Kind::derived, Chunk::Kind::evacuated}) {
      InHand hand(size_class, kind);
      RC_ASSERT(hand.append(std::string(body, 'b'), parts));
    }
  });
  EXPECT_EQ(ChunkPool::class_for(60'000), ChunkPool::kClasses - 1);
  EXPECT_EQ(ChunkPool::class_for(70'000), ChunkPool::kClasses);
}

TEST(Chunk, charges_each_message_its_own_bytes_or_its_share_of_the_slab) {
  InHand hand(0);
  hand.append(std::string(65, 'x'));
  EXPECT_EQ(hand.chunk->charge_of(0), 3u) << "65 + 64 bytes in units of 64";
  hand.append("");
  EXPECT_EQ(hand.chunk->charge_of(1), 1u);
  hand.chunk->spread_charge();
  EXPECT_EQ(hand.chunk->charge, 4096u / 64);
  EXPECT_EQ(hand.chunk->charge_of(0) + hand.chunk->charge_of(1), hand.chunk->charge);
  EXPECT_EQ(hand.chunk->charge_of_mask(0b11), 64u);
  EXPECT_EQ(hand.chunk->charge_of_mask(0b10), hand.chunk->charge_of(1));
}

TEST(Chunk, an_external_body_is_released_once_by_its_last_holder) {
  static int released;
  released = 0;
  std::string big(100'000, 'e');
  ExternalBody* outside = ExternalBody::adopt(bytes_of(big).data(), big.size(), [](void*) { ++released; }, nullptr);
  ChunkPool other_pool;
  core::Evacuator evacuator(other_pool);
  core::Evacuator::Copy copy;
  {
    InHand hand(0, Chunk::Kind::derived);
    ASSERT_TRUE(hand.append("", {}, outside));
    EXPECT_EQ(hand.chunk->body(0).size(), 100'000u);
    EXPECT_EQ(hand.chunk->charge_of(0), (100'000u + 8 + 64 + 63) / 64);
    copy = evacuator.copy(*hand.chunk, 0, 5);
    EXPECT_EQ(copy.chunk->charge_of(copy.index), hand.chunk->charge_of(0)) << "what the queue was charged";
  }
  EXPECT_EQ(released, 0);
  EXPECT_EQ(copy.chunk->body(copy.index).data(), bytes_of(big).data()) << "shared, not copied";
  core::release_chunk(copy.chunk, 1);
  EXPECT_EQ(released, 0) << "the evacuator still holds its open chunk";
  evacuator.close();
  EXPECT_EQ(released, 1);
}

TEST(Chunk, what_a_pool_still_holds_at_its_end_is_released) {
  static int released;
  released = 0;
  {
    ChunkPool pool;
    Chunk* chunk = pool.take(0, Chunk::Kind::evacuated);
    chunk->append({}, ExternalBody::adopt(nullptr, 0, [](void*) { ++released; }, nullptr), {}, 0);
    chunk->lineage[0] = {.receive_count = 1, .last_error = new core::LastError{"s", "r", "d"}};
  }
  EXPECT_EQ(released, 1);
}

TEST(Evacuator, a_copy_is_the_message_with_its_history) {
  Settlements settled;
  core::OriginPool origins(&settled);
  ChunkPool pool;
  Chunk* chunk = pool.take(0, Chunk::Kind::source);
  chunk->id_base = {{5}};
  chunk->origin = origins.take();
  sluice_attribute one = attribute("k", "v");
  const sluice_attribute* pointers[] = {&one};
  chunk->append(bytes_of("body"), nullptr, {.group_id = "g", .attribute_count = 1, .attributes = pointers}, 42);
  chunk->origin->append(8, true);
  ChunkPool other;
  core::Evacuator evacuator(other);
  core::Evacuator::Copy copy = evacuator.copy(*chunk, 0, 99);
  ASSERT_NE(copy.chunk, nullptr);
  EXPECT_EQ(copy.chunk->id(copy.index), chunk->id(0));
  EXPECT_EQ(copy.chunk->lineage[copy.index].first_received_ms, 99);
  core::MetaReader meta(*copy.chunk, copy.index);
  EXPECT_EQ(meta.group_id(), "g");
  EXPECT_EQ(std::string(meta.next_attribute().value.data, 1), "v");
  EXPECT_EQ(copy.chunk->sent_ms[copy.index], 42);
  core::release_chunk(chunk, Chunk::kOpen);
  EXPECT_EQ(settled.count(), 0u) << "the copy counts";
  Chunk* first = copy.chunk;
  core::Evacuator::Copy second = evacuator.copy(*first, copy.index, 200);
  EXPECT_EQ(second.chunk->lineage[second.index].first_received_ms, 99);
  core::release_chunk(first, 1);
  EXPECT_EQ(settled.count(), 0u) << "the second took the first's place";
  second.chunk->lineage[second.index].origin->drop_copy(0);
  core::release_chunk(second.chunk, 1);
  EXPECT_EQ(settled.count(), 1u);
}

TEST(DelayEvacuator, copies_share_a_slab_with_those_that_wait_about_as_long) {
  InHand hand;
  ASSERT_TRUE(hand.append("body"));
  ChunkPool pool;
  core::DelayEvacuator evacuators(pool);
  const auto home_of = [&](std::int64_t delay_ms) {
    Chunk* home = evacuators.of(delay_ms).copy(*hand.chunk, 0, 0).chunk;
    core::release_chunk(home, 1);
    return home;
  };
  EXPECT_EQ(home_of(1100), home_of(2000));
  EXPECT_NE(home_of(1100), home_of(12 * 3'600'000)) << "a slab is not held for the sake of one";
  EXPECT_NE(home_of(1100), home_of(0));
  for (std::int64_t delay_ms = 1; delay_ms * 4 <= 12 * 3'600'000; delay_ms *= 3) {
    EXPECT_NE(home_of(delay_ms), home_of(delay_ms * 4)) << delay_ms;
  }
}

TEST(Evacuator, many_copies_gather_in_few_chunks_that_come_home) {
  ChunkPool pool, other;
  Chunk* chunk = pool.take(2, Chunk::Kind::derived);
  for (int i = 0; i < 64; ++i) {
    chunk->append(bytes_of("0123456789"), nullptr, {}, 0);
    chunk->lineage[i] = {};
  }
  core::Evacuator evacuator(other);
  std::set<Chunk*> homes;
  for (std::uint32_t i = 0; i < 64; ++i) {
    core::Evacuator::Copy copy = evacuator.copy(*chunk, i, 1);
    homes.insert(copy.chunk);
    core::release_chunk(copy.chunk, 1);
  }
  EXPECT_LE(homes.size(), 3u);
  evacuator.close();
  std::set<Chunk*> again;
  for (const Chunk* home : homes) {
    again.insert(other.take(home->size_class, Chunk::Kind::derived));
  }
  EXPECT_EQ(again, homes);
  for (Chunk* taken : again) {
    core::release_chunk(taken, Chunk::kOpen);
  }
  core::release_chunk(chunk, Chunk::kOpen);
}

TEST(ChunkPool, a_rotating_pool_goes_round_in_its_bytes_before_it_uses_a_slab_again) {
  ChunkPool pool(10 * ChunkPool::kSlabBytes[1]);
  std::vector<Chunk*> round;
  for (int i = 0; i < 30; ++i) {
    Chunk* chunk = pool.take(1, Chunk::Kind::derived);
    if (i < 10) {
      EXPECT_TRUE(std::ranges::find(round, chunk) == round.end());
      round.push_back(chunk);
    } else {
      EXPECT_EQ(chunk, round[static_cast<std::size_t>(i) % 10]) << "the one that was left alone longest";
    }
    core::release_chunk(chunk, Chunk::kOpen);
  }
}

TEST(ChunkPool, the_class_like_a_chunk_is_the_smallest_for_as_many_such_messages_as_it_may_have) {
  struct Row {
    std::size_t body;
    std::uint32_t slab_bytes;
  };
  for (const Row& row : {Row{16, 4096}, Row{43, 8192}, Row{90, 8192}, Row{100, 12288}, Row{150, 12288}, Row{256, 20480}, Row{300, 28672},
                         Row{500, 40960}, Row{1000, 65536}, Row{5000, 65536}}) {
    for (const std::uint32_t size_class : {2u, 6u}) {
      InHand hand(size_class, Chunk::Kind::source);
      hand.chunk->origin = hand.origins.take();
      while (hand.append(std::string(row.body, 'b'))) {
      }
      EXPECT_EQ(ChunkPool::kSlabBytes[ChunkPool::class_like(*hand.chunk)], row.slab_bytes) << row.body << " from " << size_class;
    }
  }
}

/// So many slabs at once, of which each `kept`th is not released.
std::vector<Chunk*> burst(ChunkPool& pool, std::uint32_t size_class, std::size_t slabs, std::size_t kept, std::set<std::uint64_t>& generations) {
  std::vector<Chunk*> chunks, left;
  for (std::size_t i = 0; i < slabs; ++i) {
    chunks.push_back(pool.take(size_class, Chunk::Kind::derived));
    EXPECT_TRUE(generations.insert(chunks.back()->generation).second);
    std::memset(chunks.back()->bytes() + sizeof(Chunk), 'x', chunks.back()->slab_bytes - sizeof(Chunk));
  }
  for (std::size_t i = 0; i < slabs; ++i) {
    if (i % kept == 0) {
      left.push_back(chunks[i]);
    } else {
      core::release_chunk(chunks[i], Chunk::kOpen);
    }
  }
  return left;
}

TEST(ChunkPool, gives_memory_back_after_a_burst_and_no_generation_comes_twice) {
  constexpr std::int64_t kMiB = 1 << 20;
#if defined(__SANITIZE_THREAD__)
  constexpr std::int64_t kLeftMax = INT64_MAX;  // it notes each access in memory of its own, several times as much
#else
  constexpr std::int64_t kLeftMax = 48 * kMiB;
#endif
  for (const std::uint32_t size_class : {0u, 3u, 6u}) {
    for (const std::size_t kept : {std::size_t{100}, std::size_t{1'000'000}}) {
      const std::size_t slabs = static_cast<std::size_t>(128 * kMiB) / ChunkPool::kSlabBytes[size_class];
      ChunkPool pool(ChunkPool::kRotation);
      std::set<std::uint64_t> generations;
      const std::int64_t before = resident_bytes();
      for (int round = 0; round < 3; ++round) {
        const std::vector<Chunk*> left = burst(pool, size_class, slabs, kept, generations);
        EXPECT_GE(resident_bytes() - before, 120 * kMiB);
        Chunk* next = pool.take(size_class, Chunk::Kind::derived);
        EXPECT_TRUE(generations.insert(next->generation).second);
        EXPECT_LE(resident_bytes() - before, kLeftMax) << "32 idle, and what the allocator and the test keep";
        for (const Chunk* chunk : left) {
          EXPECT_EQ(chunk->bytes()[sizeof(Chunk)], 'x');
          EXPECT_EQ(chunk->bytes()[chunk->slab_bytes - 1], 'x');
        }
        core::release_chunk(next, Chunk::kOpen);
        for (Chunk* chunk : left) {
          core::release_chunk(chunk, Chunk::kOpen);
        }
      }
    }
  }
}

TEST(ChunkPool, takes_from_blocks_only_what_it_needs_beyond_its_rotation) {
  ChunkPool pool(10 * ChunkPool::kSlabBytes[2]), other;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(pool.take(2, Chunk::Kind::derived)->in_block, i >= 10) << i;
    EXPECT_FALSE(other.take(2, Chunk::Kind::derived)->in_block);
  }
}

TEST(Releases, a_chunk_ends_when_what_was_gathered_of_it_is_flushed) {
  ChunkPool pool;
  Chunk* first = pool.take(0, Chunk::Kind::derived);
  Chunk* second = pool.take(0, Chunk::Kind::derived);
  first->pending.store(3);
  second->pending.store(2);
  core::Releases releases;
  releases.add(first, 1);
  releases.add(first, 2);
  EXPECT_EQ(first->pending.load(), 3) << "gathered";
  releases.add(second, 1);
  EXPECT_EQ(first->pending.load(), 0) << "another chunk's turn";
  releases.flush();
  EXPECT_EQ(second->pending.load(), 1);
  releases.add(second, 1);
  releases.flush();
  EXPECT_EQ(pool.take(0, Chunk::Kind::derived), first) << "both came home";
  EXPECT_EQ(pool.take(0, Chunk::Kind::derived), second);
}

TEST(ViewCache, a_recycled_slab_never_shows_its_former_messages) {
  ChunkPool pool;
  core::ViewCache cache;
  Chunk* before = nullptr;
  for (int round = 0; round < 3; ++round) {
    Chunk* chunk = pool.take(0, Chunk::Kind::derived);
    EXPECT_TRUE(before == nullptr || before == chunk) << "the slab comes back";
    before = chunk;
    std::string body = "round " + std::to_string(round);
    chunk->append(bytes_of(body), nullptr, {}, 0);
    chunk->lineage[0] = {};
    cache.begin_batch();
    const sluice_message* const* shown = cache.show(*chunk, 1);
    EXPECT_EQ(text_of({shown[0]->body, shown[0]->body_size}), body);
    core::release_chunk(chunk, Chunk::kOpen);
  }
}

TEST(ViewCache, a_batch_of_many_chunks_keeps_all_its_views) {
  ChunkPool pool;
  core::ViewCache cache;
  for (int round = 0; round < 2; ++round) {
    std::vector<Chunk*> chunks;
    std::vector<const sluice_message*> shown;
    cache.begin_batch();
    for (int i = 0; i < 40; ++i) {
      chunks.push_back(pool.take(0, Chunk::Kind::derived));
      chunks.back()->append(bytes_of(std::to_string(i + round)), nullptr, {}, 0);
      chunks.back()->lineage[0] = {};
      shown.push_back(cache.show(*chunks.back(), 1)[0]);
    }
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(text_of({shown[i]->body, shown[i]->body_size}), std::to_string(i + round));
      core::release_chunk(chunks[i], Chunk::kOpen);
    }
  }
}

TEST(ViewCache, messages_appended_after_a_look_are_shown_in_the_next) {
  InHand hand(0);
  hand.append("one");
  core::ViewCache cache;
  cache.begin_batch();
  cache.show(*hand.chunk, 1);
  hand.append("two");
  cache.begin_batch();
  EXPECT_EQ(cache.show(*hand.chunk, 2)[1]->body_size, 3u);
}

}  // namespace
}  // namespace sluice::test
