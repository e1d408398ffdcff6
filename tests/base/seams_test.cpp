// Clock, ids, random numbers, arena, return stack, cores: the small parts that everything stands on.
#include <gtest/gtest.h>
#include <pthread.h>

#include <cstring>
#include <set>
#include <thread>

#include "base/arena.hpp"
#include "base/clock.hpp"
#include "base/cpu.hpp"
#include "base/id.hpp"
#include "base/random.hpp"
#include "base/return_stack.hpp"

namespace sluice::core {
namespace {

TEST(FakeClock, stands_still_until_moved_and_moves_both_times) {
  FakeClock clock;
  std::int64_t steady = clock.steady_ns(), wall = clock.wall_ms();
  EXPECT_EQ(clock.steady_ns(), steady);
  clock.advance_ms(1500);
  EXPECT_EQ(clock.steady_ns(), steady + 1'500'000'000);
  EXPECT_EQ(clock.wall_ms(), wall + 1500);
  clock.jump_wall_ms(-3'600'000);
  EXPECT_EQ(clock.steady_ns(), steady + 1'500'000'000);
  EXPECT_EQ(clock.wall_ms(), wall + 1500 - 3'600'000);
}

TEST(SystemClock, never_goes_back_and_knows_the_century) {
  std::int64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    std::int64_t now = system_clock().steady_ns();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(system_clock().wall_ms(), 1'700'000'000'000);
}

TEST(Uuid, of_version_5_is_that_of_the_rfc) {
  // RFC 9562, appendix A.4: "www.example.com" in the DNS namespace.
  Uuid dns = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  EXPECT_EQ(to_text(uuid5(dns, "www.example.com")), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  EXPECT_NE(uuid5(dns, std::string_view("a\0b", 3)), uuid5(dns, std::string_view("a\0c", 3))) << "NUL is a byte as any";
}

TEST(Uuid, of_version_7_holds_its_time_and_sorts_by_it) {
  Uuid early = uuid7(0x017f22e279b0, 0xfff, ~0ull), late = uuid7(0x017f22e279b1, 0, 0);
  EXPECT_EQ(to_text(early), "017f22e2-79b0-7fff-bfff-ffffffffffff");
  EXPECT_LT(early.bytes, late.bytes);
  EXPECT_EQ(late.bytes[6] >> 4, 7);
  EXPECT_EQ(late.bytes[8] >> 6, 2);
}

/// Letters are looked up by ids that senders choose.
TEST(Uuid, that_differ_in_any_two_bytes_only_have_hashes_of_their_own) {
  for (std::size_t first = 0; first < 15; ++first) {
    std::set<std::size_t> hashes;
    for (int i = 0; i < 65536; ++i) {
      Uuid id;
      id.bytes[first] = static_cast<std::uint8_t>(i);
      id.bytes[first + 1] = static_cast<std::uint8_t>(i >> 8);
      hashes.insert(UuidHash{}(id));
    }
    EXPECT_EQ(hashes.size(), 65536u) << first;
  }
}

TEST(Uuid, texts_come_back_and_nonsense_does_not) {
  Uuid id = uuid7(1'767'225'600'000, 5, 77);
  EXPECT_EQ(parse_uuid(to_text(id)), id);
  for (const char* bad : {"", "x", "2ed6657d-e927-568b-95e1-2665a8aea6a", "2ed6657d-e927-568b-95e1-2665a8aea6a22",
                          "2ed6657dxe927-568b-95e1-2665a8aea6a2", "2ed6657d-e927-568b-95e1-2665a8aea6g2",
                          "{ed6657d-e927-568b-95e1-2665a8aea6a}"}) {
    EXPECT_FALSE(parse_uuid(bad)) << bad;
  }
}

TEST(Random, a_seed_replays_and_the_kernels_differ) {
  Random one(42), two(42), kernel, other;
  EXPECT_EQ(one.next(), two.next());
  EXPECT_EQ(one.next(), two.next());
  EXPECT_NE(kernel.next(), other.next());
}

TEST(Arena, addresses_are_aligned_apart_and_stay_until_reset) {
  Arena arena;
  std::vector<std::pair<std::uint8_t*, std::size_t>> taken;
  for (std::size_t size : {1u, 16u, 17u, 100u, 70'000u, 3u, 65'536u, 1'000'000u, 8u}) {
    auto* place = static_cast<std::uint8_t*>(arena.take(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(place) % 16, 0u);
    std::memset(place, static_cast<int>(taken.size()), size);
    taken.emplace_back(place, size);
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    EXPECT_EQ(taken[i].first[0], i);
    EXPECT_EQ(taken[i].first[taken[i].second - 1], i);
  }
}

TEST(Arena, memory_is_used_again_after_a_reset) {
  Arena arena;
  void* first = arena.take(100);
  arena.take(60'000);
  arena.take(60'000);
  arena.reset();
  EXPECT_EQ(arena.take(100), first);
  EXPECT_EQ(arena.take_array<std::uint64_t>(0), arena.take_array<std::uint64_t>(0)) << "nothing costs nothing";
}

struct Node {
  Node* next = nullptr;
  int number = 0;
};

TEST(ReturnStack, the_owner_takes_all_that_came_home_each_once) {
  ReturnStack<Node> stack;
  EXPECT_EQ(stack.take_all(), nullptr);
  std::vector<Node> nodes(20'000);
  std::vector<std::thread> threads;
  for (int part = 0; part < 2; ++part) {
    threads.emplace_back([&, part] {
      for (int i = 0; i < 10'000; ++i) {
        nodes[part * 10'000 + i].number = part * 10'000 + i;
        stack.push(&nodes[part * 10'000 + i]);
      }
    });
  }
  std::set<int> seen;
  while (seen.size() < nodes.size()) {
    for (Node* node = stack.take_all(); node != nullptr; node = node->next) {
      EXPECT_TRUE(seen.insert(node->number).second);
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(stack.take_all(), nullptr);
}

TEST(Cpu, allowed_cores_can_be_pinned_to) {
  std::vector<int> cores = allowed_cores();
  ASSERT_FALSE(cores.empty());
  std::thread([&] {
    EXPECT_TRUE(pin_this_thread(cores.back()));
    EXPECT_EQ(sched_getcpu(), cores.back());
    EXPECT_EQ(allowed_cores(), std::vector<int>{cores.back()});
    EXPECT_FALSE(pin_this_thread(CPU_SETSIZE - 1));
    name_this_thread("a name that is too long for the kernel");
    char name[32];
    pthread_getname_np(pthread_self(), name, sizeof name);
    EXPECT_STREQ(name, "a name that is ");
  }).join();
}

}  // namespace
}  // namespace sluice::core
