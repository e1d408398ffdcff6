// Messages as JSON in plugins: the same as the host's own, which they cannot see.
#include "support/message_json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "message/message_json.hpp"

namespace sluice::support {
namespace {

struct Sample {
  Sample(std::string_view body, std::string_view value, std::uint32_t type) {
    attribute = {sizeof attribute, type, {"name", 4}, {value.data(), value.size()}};
    message.struct_size = sizeof message;
    message.receive_count = 3;
    message.id[0] = 0xab;
    message.sent_ms = 1'767'225'600'123;
    message.body = reinterpret_cast<const std::uint8_t*>(body.data());
    message.body_size = body.size();
    message.group_id = {"g\"1", 3};
    message.attribute_count = 1;
    message.attributes = &pointer;
  }
  sluice_attribute attribute;
  const sluice_attribute* pointer = &attribute;
  sluice_message message{};
};

std::string written(const sluice_message& message) {
  std::string json;
  append_message_json(json, message);
  return json;
}

std::expected<MessageText, std::string> read(std::string_view json) {
  JsonReader reader;
  return read_message_json(reader, json);
}

TEST(PluginMessageJson, is_read_by_the_host_and_by_plugins_as_it_was) {
  EXPECT_TRUE(rc::check("round trip", [] {
    const auto body = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const auto value = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const Sample sample(body, value, SLUICE_BINARY);
    const std::string json = written(sample.message);
    const auto host_json = core::parse_json(json);
    RC_ASSERT(host_json.has_value());
    const auto host = core::message_from_json(*host_json);
    RC_ASSERT(host.has_value());
    const auto plugin = read(json);
    RC_ASSERT(plugin.has_value());
    RC_ASSERT(host->body == body);
    RC_ASSERT(plugin->body == body);
    RC_ASSERT(host->attributes.at(0).value == value);
    RC_ASSERT(plugin->attributes.at(0).value == value);
    RC_ASSERT(plugin->attributes.at(0).type == std::uint32_t{SLUICE_BINARY});
    RC_ASSERT(plugin->group_id == "g\"1");
    RC_ASSERT(std::ranges::equal(*plugin->id, host->id->bytes));
  }));
}

TEST(PluginMessageJson, is_written_as_the_host_writes_it) {
  for (const char* body : {"", "hi\n", "\"\\\x01", "\xff\x00", "aé", R"({"a":[1]})"}) {
    for (const std::uint32_t type :
         {SLUICE_STRING, SLUICE_NUMBER, SLUICE_STRING_ARRAY, SLUICE_BINARY}) {
      const Sample sample(body, "5", type);
      EXPECT_EQ(written(sample.message), core::message_to_json(sample.message));
    }
  }
}

TEST(PluginMessageJson, attributes_may_be_bare_and_the_body_any_json_as_for_the_host) {
  const std::string_view json =
      R"({"body": {"a": [1.50, true]}, "attributes": {"s":"x", "n":-1.50, "l":["a", 2],)"
      R"( "t":{"type":"Number","value":"7"}, "a":{"type":"String.Array","value":["x"]}}, "sent":5, "more":null})";
  const auto plugin = read(json);
  const auto host = core::message_from_json(*core::parse_json(json));
  ASSERT_TRUE(plugin) << plugin.error();
  ASSERT_TRUE(host);
  EXPECT_EQ(plugin->body, R"({"a":[1.50,true]})");
  EXPECT_EQ(plugin->body, host->body);
  ASSERT_EQ(plugin->attributes.size(), host->attributes.size());
  for (std::size_t i = 0; i < host->attributes.size(); ++i) {
    EXPECT_EQ(plugin->attributes[i].name, host->attributes[i].name);
    EXPECT_EQ(plugin->attributes[i].value, host->attributes[i].value);
    EXPECT_EQ(plugin->attributes[i].type, host->attributes[i].type);
  }
}

TEST(PluginMessageJson, what_is_no_message_is_refused_with_a_reason) {
  for (const char* bad : {"",
                          "5",
                          "[]",
                          "\"x\"",
                          "{}",
                          R"({"event":"signup"})",
                          R"({"body":"x"} 5)",
                          R"({"body":"x")",
                          R"({"body":"x","body_base64":"eA=="})",
                          R"({"body_base64":"eA="})",
                          R"({"body_base64":"e A="})",
                          R"({"body_base64":5})",
                          R"({"body":"x","id":"5"})",
                          R"({"body":"x","id":null})",
                          R"({"body":"x","id":"bd1c57a0-f91e-5664-b24f-a90f58ed973g"})",
                          R"({"body":"x","group_id":5})",
                          R"({"body":"x","attributes":[]})",
                          R"({"attributes":{"a":null}})",
                          R"({"attributes":{"a":true}})",
                          R"({"attributes":{"":"x"}})",
                          R"({"attributes":{"a":{"type":"Text","value":"x"}}})",
                          R"({"attributes":{"a":{"type":"String"}}})",
                          R"({"attributes":{"a":{"type":"String","value":true}}})",
                          R"({"attributes":{"a":{"type":"String","value":5}}})",
                          R"({"attributes":{"a":{"type":"Number","value":[5]}}})",
                          R"({"attributes":{"a":{"type":"Binary","value":"x"}}})",
                          R"({"attributes":{"a":1,"a":2}})",
                          R"({"body":"x","more":tru})"}) {
    const auto message = read(bad);
    EXPECT_FALSE(message) << bad;
    EXPECT_TRUE(message || !message.error().empty()) << bad;
  }
  EXPECT_FALSE(read(R"({"body":"x","deduplication_id":")" + std::string(129, 'd') + "\"}"));
  EXPECT_EQ(read(R"({"body":"x","deduplication_id":"d"})")->deduplication_id, "d");
  EXPECT_FALSE(read(R"({"body":"x","group_id":")" + std::string(129, 'g') + "\"}"));
}

TEST(PluginMessageJson, a_delay_is_a_duration_of_at_most_fifteen_minutes) {
  const std::pair<const char*, std::int64_t> goods[] = {{"1ms", 1},       {"90s", 90'000},  {"15m", 900'000},
                                                        {"900s", 900'000}, {"0s", -1},       {"0ms", -1}};
  for (const auto& [text, ms] : goods)
    EXPECT_EQ(read(R"({"body":"x","delay":")" + std::string(text) + "\"}")->delay_ms, ms) << text;
  EXPECT_EQ(read(R"({"body":"x"})")->delay_ms, 0) << "its queue's own";
  for (const char* bad : {"5", "null", "\"\"", "\"s\"", "\"5\"", "\"-1s\"", "\"+1s\"", "\" 1s\"", "\"1.5s\"",
                          "\"1 s\"", "\"1m30s\"", "\"1w\"", "[\"1s\"]"}) {
    const auto message = read(R"({"body":"x","delay":)" + std::string(bad) + "}");
    ASSERT_FALSE(message) << bad;
    EXPECT_NE(message.error().find("\"delay\" is no duration in quotes"), std::string::npos) << message.error();
  }
  for (const char* bad : {"16m", "900001ms", "1h", "99999999999s"}) {
    const auto message = read(R"({"body":"x","delay":")" + std::string(bad) + "\"}");
    ASSERT_FALSE(message) << bad;
    EXPECT_EQ(message.error(), "\"delay\" is " + std::string(bad) + ", and at most 15m are possible");
  }
}

TEST(PluginMessageJson, what_the_reader_takes_is_json_for_the_host_too) {
  const std::string good =
      R"({"id":"bd1c57a0-f91e-5664-b24f-a90f58ed9739","body":"x\u00e9","attributes":{"a":[1,-2.5e3,null],"b":)"
      R"({"type":"Binary","value":"eA=="}},"group_id":"g","more":[{"y":{}},true]})";
  JsonReader reader;
  EXPECT_TRUE(rc::check("mutations", [&] {
    std::string text = good;
    const int changes = *rc::gen::inRange(0, 4);
    for (int i = 0; i < changes; ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
      if (*rc::gen::arbitrary<bool>()) {
        text[at] = *rc::gen::elementOf(std::string("{}[]\",:\\ 01-.eEtfn\xff\n\0", 22));
      } else {
        text.erase(at, *rc::gen::inRange<std::size_t>(1, 5));
      }
    }
    RC_PRE(!text.empty());
    if (read_message_json(reader, text).has_value())
      RC_ASSERT(core::parse_json(text).has_value());
  }));
}

}  // namespace
}  // namespace sluice::support
