// A message as JSON: written and read back.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "message/message_json.hpp"
#include "support/line.hpp"

namespace sluice::test {
namespace {

using core::message_from_json;
using core::message_to_json;
using core::message_without_body;
using core::MessageText;
using core::parse_json;

struct Sample {
  Sample(std::string_view body_text, std::string_view value, std::uint32_t type) {
    attribute = {sizeof attribute, type, {"name", 4}, {value.data(), value.size()}};
    message.struct_size = sizeof message;
    message.receive_count = 3;
    message.id[0] = 0xab;
    message.sent_ms = 1'767'225'600'123;
    message.body = bytes_of(body_text).data();
    message.body_size = body_text.size();
    message.group_id = {"g\"1", 3};
    message.attribute_count = 1;
    message.attributes = &pointer;
  }
  sluice_attribute attribute;
  const sluice_attribute* pointer = &attribute;
  sluice_message message{};
};

MessageText read(const std::string& json) {
  auto parsed = parse_json(json, 1 << 24);
  EXPECT_TRUE(parsed) << json;
  auto message = message_from_json(*parsed);
  EXPECT_TRUE(message) << json;
  return *message;
}

TEST(MessageJson, is_written_as_the_design_says) {
  Sample sample("hi\n", "signup", SLUICE_STRING);
  EXPECT_EQ(message_to_json(sample.message),
            R"({"id":"ab000000-0000-0000-0000-000000000000","body":"hi\n","attributes":{"name":{"type":"String","value":"signup"}},)"
            R"("group_id":"g\"1","sent":1767225600123,"receive_count":3})");
}

TEST(MessageJson, without_its_body_has_the_size_of_it) {
  Sample sample("hi\n", "signup", SLUICE_STRING);
  EXPECT_EQ(message_without_body(sample.message),
            R"({"id":"ab000000-0000-0000-0000-000000000000","body_bytes":3,"attributes":{"name":{"type":"String","value":"signup"}},)"
            R"("group_id":"g\"1","sent":1767225600123,"receive_count":3})");
}

TEST(MessageJson, any_body_and_any_value_come_back_whole) {
  bool fine = rc::check("round trip", [] {
    auto body = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    auto value = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    Sample sample(body, value, SLUICE_BINARY);
    core::DeadLetterNote note{"q", "s", "stage", "reason \"x\"", "detail\n", 5, 6};
    note.redrive_count = *rc::gen::arbitrary<std::uint16_t>();
    MessageText back = read(message_to_json(sample.message, &note));
    RC_ASSERT(back.body == body);
    RC_ASSERT(back.attributes.size() == 1u);
    RC_ASSERT(back.attributes[0].value == value);
    RC_ASSERT(back.group_id == "g\"1");
    RC_ASSERT(back.receive_count == 3u);
    RC_ASSERT(back.dead_letter->reason == note.reason);
    RC_ASSERT(back.dead_letter->detail == note.detail);
    RC_ASSERT(back.dead_letter->last_ms == 6);
    RC_ASSERT(back.dead_letter->redrive_count == note.redrive_count);
  });
  EXPECT_TRUE(fine);
}

TEST(MessageJson, bare_values_stand_for_their_types) {
  MessageText message = read(R"({"body":"b","attributes":{"s":"x","n":12.50,"a":["p","q"]}})");
  ASSERT_EQ(message.attributes.size(), 3u);
  EXPECT_EQ(message.attributes[0].type, static_cast<std::uint32_t>(SLUICE_STRING_ARRAY));
  EXPECT_EQ(message.attributes[0].value, R"(["p","q"])");
  EXPECT_EQ(message.attributes[1].value, "12.50") << "a number keeps its text";
  EXPECT_FALSE(message.id);
}

TEST(MessageJson, bodies_that_are_coded_in_several_blocks_come_back_whole) {
  constexpr std::size_t kBlock = 3 << 16;
  for (std::size_t blocks : {1u, 2u, 5u}) {
    for (int off = -4; off <= 4; ++off) {
      std::string body(blocks * kBlock + static_cast<std::size_t>(off), '\xfe');  // no UTF-8
      for (std::size_t i = 1; i < body.size(); ++i) {
        body[i] = static_cast<char>(i * 131 >> 3);
      }
      Sample sample(body, "x", SLUICE_STRING);
      ASSERT_TRUE(read(message_to_json(sample.message)).body == body) << blocks << " blocks and " << off;
    }
  }
}

/// Or a line of it would be longer than any that is read again.
TEST(MessageJson, a_long_body_is_no_longer_than_in_base64) {
  constexpr std::size_t kStringMax = 16 << 20;
  const auto written = [](const std::string& body) {
    Sample sample(body, "x", SLUICE_STRING);
    return message_to_json(sample.message);
  };
  const auto is_string = [](const std::string& json) { return json.find("\"body\":") != std::string::npos; };
  EXPECT_TRUE(is_string(written(std::string(1000, '\0')))) << "a short one is for people";
  EXPECT_TRUE(is_string(written(std::string(kStringMax + 1, 'a'))));
  std::string escapes(kStringMax + 2, 'a');  // of whole groups of three
  std::fill_n(escapes.begin(), escapes.size() / 3, '\n');
  EXPECT_TRUE(is_string(written(escapes))) << "as long as in base64";
  escapes.back() = '"';
  EXPECT_FALSE(is_string(written(escapes))) << "longer";
  for (const char c : {'\0', '\x1f', '\x7f', '\\'}) {
    const std::string body(kStringMax + 1, c), json = written(body);
    EXPECT_FALSE(is_string(json));
    EXPECT_LT(json.size(), body.size() * 3 / 2);
    auto parsed = parse_json(json, 1 << 26);
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(message_from_json(*parsed)->body == body);
  }
}

TEST(MessageJson, what_is_no_message_is_refused) {
  for (const char* bad : {R"([])", R"("x")", R"({"id":"nonsense"})", R"({"body_base64":"@@@@"})", R"({"body_base64":"abc"})",
                          R"({"attributes":{"a":{"type":"Nope","value":"x"}}})", R"({"attributes":{"a":{"type":"String"}}})",
                          R"({"body_base64":"QQ==QQ=="})", R"({"body_base64":"QQ= "})", R"({"body_base64":" QUJD   "})",
                          R"({"attributes":{"a":null}})", R"({"attributes":{"a":{"type":"Binary","value":"%%%%"}}})",
                          R"({"attributes":{"a":{"type":"String","value":true}}})", R"({"attributes":{"a":{"type":"String","value":5}}})",
                          R"({"attributes":[]})", R"({"group_id":5})", R"({"sent":-1})", R"({"sent":253402300800000})",
                          R"({"dead_letter":{"first":253402300800000}})", R"({"dead_letter":{"last":9223372036854775807}})", R"({"receive_count":"1"})", R"({"dead_letter":5})",
                          R"({"attributes":{"a":{"type":"Number","value":[5]}}})", R"({"attributes":{"a":{"type":"Number","value":null}}})"}) {
    auto parsed = parse_json(bad, 1000);
    ASSERT_TRUE(parsed) << bad;
    EXPECT_FALSE(message_from_json(*parsed)) << bad;
  }
  auto parsed = parse_json(R"({"group_id":")" + std::string(129, 'g') + R"("})", 1000);
  EXPECT_FALSE(message_from_json(*parsed)) << "a chunk has a byte for its size";
}

}  // namespace
}  // namespace sluice::test
