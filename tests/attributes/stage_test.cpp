// The stage on the real host's calls.
#include <gtest/gtest.h>

#include "object_stages/harness.hpp"

namespace sluice::test {
namespace {

/// What the stage makes of one message.
Receiver run(std::string_view options, std::string body, const Attributes& attributes = {}) {
  Plugins plugins;
  Receiver out;
  const auto stage = plugins.make("stage", "attributes", "tag", options);
  if (stage == nullptr)
    return out;
  Messages messages;
  messages.add(std::move(body), attributes);
  EXPECT_EQ(messages.process(*stage, out), SLUICE_OK);
  return out;
}

TEST(AttributesStage, what_stands_in_the_body_becomes_attributes_and_the_body_stays) {
  const Receiver out = run(R"({"attributes":{"event":"/event","age":"/user/age","none":"/none"}})",
                           R"({ "event":"signup", "user":{"age":41} })");

  ASSERT_EQ(out.emitted.size(), 1U);
  EXPECT_EQ(out.emitted[0].body, R"({ "event":"signup", "user":{"age":41} })");
  EXPECT_EQ(out.emitted[0].attributes, (Attributes{{"event", "signup"}, {"age", "41"}}));
  EXPECT_EQ(out.emitted[0].types.at("age"), std::uint32_t{SLUICE_NUMBER});
  EXPECT_TRUE(out.outcomes.empty());
}

TEST(AttributesStage, attributes_that_are_there_stay_unless_told_otherwise) {
  const Attributes had{{"event", "old"}};
  const std::string body = R"({"event":"new","n":1})";
  EXPECT_EQ(run(R"({"attributes":{"event":"/event","n":"/n"}})", body, had).emitted[0].attributes,
            (Attributes{{"n", "1"}}));
  EXPECT_EQ(
      run(R"({"attributes":{"event":"/event"},"overwrite":true})", body, had).emitted[0].attributes,
      (Attributes{{"event", "new"}}));
}

TEST(AttributesStage, a_body_that_is_no_json_is_rejected_with_the_reason) {
  const Receiver out = run(R"({"attributes":{"event":"/event"}})", R"({"event":"signup")");

  EXPECT_TRUE(out.emitted.empty());
  EXPECT_EQ(out.outcomes.at(0).status, SLUICE_REJECT);
  EXPECT_EQ(out.outcomes.at(0).reason, "invalid_body");
  EXPECT_NE(out.outcomes.at(0).detail, "");
}

TEST(AttributesStage, a_required_value_that_is_missing_rejects_the_message_and_names_it) {
  const char* options = R"({"attributes":{"event":"/event","n":"/n"},"required":true})";
  EXPECT_EQ(run(options, R"({"event":"a","n":1})").emitted.size(), 1U);

  const Receiver out = run(options, R"({"event":"a","n":null})");

  EXPECT_TRUE(out.emitted.empty());
  EXPECT_EQ(out.outcomes.at(0).status, SLUICE_REJECT);
  EXPECT_EQ(out.outcomes.at(0).reason, "attribute_missing");
  EXPECT_NE(out.outcomes.at(0).detail.find("\"/n\""), std::string::npos);
}

TEST(AttributesStage, a_required_value_may_be_an_attribute_that_is_there_already) {
  const Receiver out =
      run(R"({"attributes":{"event":"/event"},"required":true})", "{}", {{"event", "given"}});
  EXPECT_EQ(out.emitted.size(), 1U);
}

TEST(AttributesStage, one_bad_message_leaves_its_neighbours_alone) {
  Plugins plugins;
  const auto stage = plugins.make("stage", "attributes", "tag", R"({"attributes":{"e":"/e"}})");
  ASSERT_NE(stage, nullptr);
  Messages messages;
  for (const char* body : {R"({"e":"1"})", "bad", R"({"e":"3"})"})
    messages.add(body, {});
  Receiver out;

  ASSERT_EQ(messages.process(*stage, out), SLUICE_OK);

  ASSERT_EQ(out.emitted.size(), 2U);
  EXPECT_EQ(out.emitted[0].parent, 0U);
  EXPECT_EQ(out.emitted[1].parent, 2U);
  EXPECT_EQ(out.emitted[1].attributes, (Attributes{{"e", "3"}}));
  EXPECT_EQ(out.outcomes.size(), 1U);
}

TEST(AttributesStage, options_that_make_no_sense_are_config_errors) {
  Plugins plugins;
  for (const char* options :
       {R"({})", R"({"attributes":["/event"]})", R"({"attributes":{"event":"event"}})",
        R"({"attributes":{"e":"/e"},"required":"yes"})"}) {
    EXPECT_NE(plugins.faults("stage", "attributes", options), "") << options;
  }
}

}  // namespace
}  // namespace sluice::test
