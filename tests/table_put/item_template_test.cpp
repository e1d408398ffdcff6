#include "item_template.hpp"

#include <gtest/gtest.h>

#include "object_stages/harness.hpp"

namespace sluice::table_put {
namespace {

/// The item, or "wrong: ..." of the template, or "REASON: ..." of the message.
std::string item(std::string_view json, std::string_view body, const test::Attributes& attributes = {}) {
  const auto parsed = ItemTemplate::parse(json);
  if (!parsed)
    return "wrong: " + parsed.error();
  test::Messages messages;
  const std::uint32_t index = messages.add("", attributes);
  const auto made = parsed->expand({Message(&messages[index]), body, "drain-2", 1'767'225'600'123});
  return made ? *made : std::string(made.error().reason) + ": " + made.error().detail;
}

TEST(ItemTemplate, strings_are_templates_and_all_else_stays) {
  EXPECT_EQ(item(R"({"a":"x-{worker}","b":false,"c":null,"d":-1.50e3,"e":"","f":"{{body}"})", ""),
            R"({"a":"x-drain-2","b":false,"c":null,"d":-1.50e3,"e":"","f":"{body}"})");
}

TEST(ItemTemplate, the_whole_body_is_a_text_whatever_is_in_it) {
  EXPECT_EQ(item(R"({"queueMessage":"{body}"})", "123456789"), R"({"queueMessage":"123456789"})");
  EXPECT_EQ(item(R"({"queueMessage":"{body}"})", "a \"quote\", {body}\n"),
            R"({"queueMessage":"a \"quote\", {body}\n"})");
}

TEST(ItemTemplate, a_marked_template_makes_a_number_a_boolean_or_json) {
  EXPECT_EQ(item(R"({"at":{"number":"{now_ms}"},"n":{"number":"{body:/n}"},"y":{"boolean":"{body:/y}"},"j":{"json":"{body}"}})",
                 R"({"n":-2.5, "y":true})"),
            R"({"at":1767225600123,"n":-2.5,"y":true,"j":{"n":-2.5,"y":true}})");
}

TEST(ItemTemplate, all_times_of_an_item_are_the_same) {
  EXPECT_EQ(item(R"({"createdAt":{"number":"{now_ms}"},"updatedAt":{"number":"{now_ms}"}})", ""),
            R"({"createdAt":1767225600123,"updatedAt":1767225600123})");
}

TEST(ItemTemplate, a_text_that_is_no_such_value_is_named) {
  for (const auto& [json, body, says] :
       {std::tuple{R"({"n":{"number":"{body}"}})", "5 apples", R"(invalid_value: "n": "5 apples" is no number)"},
        {R"({"n":{"number":"{body}"}})", "true", "is no number"},
        {R"({"n":{"number":"{body}"}})", "1,2", "is no number"},
        {R"({"n":{"number":"{body}"}})", "", "is no number"},
        {R"({"y":{"boolean":"{body}"}})", "1", "is no boolean"},
        {R"({"j":{"json":"{body}"}})", "{", "is no JSON"},
        {R"({"j":{"json":"{body}"}})", "1} , {\"x\":2", "is no JSON"},
        {R"({"t":"{body}"})", "\xff", "is no UTF-8"}}) {
    const std::string made = item(json, body);
    EXPECT_EQ(made.find("invalid_value: "), 0U) << made;
    EXPECT_NE(made.find(says), std::string::npos) << made;
  }
}

TEST(ItemTemplate, a_value_that_is_missing_is_named) {
  EXPECT_EQ(item(R"({"name":"{attribute:x}"})", ""),
            R"(template_value_missing: "name": the message has no attribute "x")");
  EXPECT_EQ(item(R"({"name":"{body:/name}"})", "{}").find("template_value_missing: \"name\": "), 0U);
}

TEST(ItemTemplate, that_is_wrong_is_refused_in_words) {
  for (const auto& [json, says] : {std::pair{"[]", "must be an object of columns"},
                                   {"{}", "has no column"},
                                   {R"({"a":"{kye}"})", "\"a\": unknown name \"kye\""},
                                   {R"({"a":"x","a":"y"})", "has \"a\" twice"},
                                   {R"({"a":{"json":"{"}})", "wrong: \"a\": \"{\" without \"}\""},
                                   {R"({"a":[1]})", "\"a\": an array cannot stand here"},
                                   {R"({"a":{}})", "\"a\": an empty object"},
                                   {R"({"a":{"number":5}})", "\"a\": an object here is"},
                                   {R"({"a":{"nmber":"x"}})", "\"a\": an object here is"},
                                   {R"({"a":{"number":"1","json":"2"}})", "\"a\": an object here is"},
                                   {R"({"a":{"number":""}})", "is empty"},
                                   {R"({"a":)", "no JSON"}}) {
    const std::string made = item(json, "");
    EXPECT_EQ(made.find("wrong: "), 0U) << json;
    EXPECT_NE(made.find(says), std::string::npos) << made;
  }
}

}  // namespace
}  // namespace sluice::table_put
