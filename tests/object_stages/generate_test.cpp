#include <gtest/gtest.h>

#include <set>

#include "generate/attributes.hpp"
#include "generate/bodies.hpp"
#include "generate/pace.hpp"
#include "object_stages/harness.hpp"

namespace sluice::generate {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Bodies, carry_their_sequence_and_a_crc_that_zlib_confirms) {
  for (const std::size_t size : {12, 13, 20, 64, 256, 8192, 10'001}) {
    const Bodies bodies(size, 42);
    for (const std::uint64_t sequence :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xfedcba9876543210}}) {
      std::string body(size, '\0');
      bodies.write(sequence, {reinterpret_cast<std::uint8_t*>(body.data()), size});
      std::uint64_t read = 0;
      EXPECT_TRUE(check_body(bytes(body), &read)) << size << ' ' << sequence;
      EXPECT_EQ(read, sequence);
      body[size / 2] = static_cast<char>(body[size / 2] ^ 1);
      EXPECT_FALSE(check_body(bytes(body), &read));
    }
  }
}

TEST(Pace, of_next_to_nothing_is_not_due_again) {
  Pace pace(1e-300, 0);
  pace.sent(1, 0);
  EXPECT_GT(pace.due_ns(1), std::int64_t{1} << 58);
}

TEST(Pace, spreads_messages_evenly_and_does_not_make_up_for_long_pauses) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  Pace pace(10, 5 * kSecond);
  EXPECT_EQ(pace.due_ns(1), 5 * kSecond);
  pace.sent(1, 5 * kSecond);
  EXPECT_EQ(pace.due_ns(1), 5 * kSecond + kSecond / 10);
  EXPECT_EQ(pace.due_ns(5), 5 * kSecond + kSecond / 2);
  pace.sent(1, 60 * kSecond);
  EXPECT_EQ(pace.due_ns(1), 60 * kSecond);
}

TEST(Attributes, are_read_in_every_form_of_a_message_and_faults_are_named) {
  const auto read = read_attributes(
      R"({"e":{"type":"String","value":"signup"},"n":5,"s":"text","l":["a","b"],"m":{"type":"Number","value":"1.50"}})");
  ASSERT_TRUE(read);
  std::set<std::string> all;
  for (const Attribute& one : *read)
    all.insert(one.name + ':' + std::to_string(one.type) + ':' + one.value);
  EXPECT_EQ(all, (std::set<std::string>{"e:1:signup", "n:2:5", "s:1:text", "l:3:[\"a\",\"b\"]",
                                        "m:2:1.50"}));
  for (const char* bad : {"[]", R"({"":1})", R"({"a":null})", R"({"a":true})", R"({"a":[1]})",
                          R"({"a":{"type":"Number","value":"x"}})",
                          R"({"a":{"type":"Binary","value":"eA=="}})", R"({"a":{}})"}) {
    EXPECT_FALSE(read_attributes(bad)) << bad;
  }
}

TEST(Generate, sends_the_asked_number_and_ends) {
  struct Case {
    const char* options;
    std::size_t messages, body_bytes;
    int flushes;
  };
  test::Plugins plugins;
  for (const Case& one :
       {Case{R"({"count":130,"body_bytes":"64B","batch":50,"attributes":{"a":"b"}})", 130, 64, 3},
        Case{R"({"count":3,"body_bytes":"9KiB"})", 3, 9216, 1},
        Case{R"({"count":5,"rate":200,"body_bytes":"12B"})", 5, 12, 3}}) {
    const auto source = plugins.make("source", "generate", "load", one.options);
    test::Receiver out;
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_END);
    EXPECT_EQ(out.emitted.size(), one.messages);
    EXPECT_EQ(out.flushes, one.flushes) << one.options;
    for (std::size_t i = 0; i < out.emitted.size(); ++i) {
      std::uint64_t sequence = 0;
      EXPECT_TRUE(check_body(bytes(out.emitted[i].body), &sequence));
      EXPECT_EQ(sequence, i);
      EXPECT_EQ(out.emitted[i].body.size(), one.body_bytes);
    }
  }
}

TEST(Generate, without_an_end_stops_when_it_is_cancelled) {
  test::Plugins plugins;
  for (const char* options : {R"({})", R"({"rate":0.001})"}) {
    const auto source = plugins.make("source", "generate", "load", options);
    test::Receiver out;
    out.on_emit = [&](const auto&) { source->cancel(); };
    EXPECT_EQ(source->functions<sluice_source>().run(source->self(), &out), SLUICE_CANCELLED);
    EXPECT_LE(out.emitted.size(), 64U);
  }
}

TEST(Generate, refuses_impossible_options) {
  test::Plugins plugins;
  for (const char* options :
       {R"({"batch":65})", R"({"batch":0})", R"({"body_bytes":"11B"})", R"({"count":-1})",
        R"({"rate":-1})", R"({"attributes":{"a":null}})", R"({"attributes":[]})"}) {
    EXPECT_NE(plugins.faults("source", "generate", options), "") << options;
  }
}

}  // namespace
}  // namespace sluice::generate
