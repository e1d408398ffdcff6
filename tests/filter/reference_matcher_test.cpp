// What the definition of a match implies, so that the oracle itself is held against the
// specification where the conformance file is silent.
#include "filter/reference_matcher.hpp"

#include "filter/policies.hpp"

namespace sluice::test {
namespace {

bool body_matches(std::string_view policy, std::string_view body) {
  core::MessageText message;
  message.body = body;
  return reference_matches(policy_of(policy), message);
}

bool attribute_matches(std::string_view policy, std::uint32_t type, std::string_view value) {
  core::MessageText message;
  message.body = R"({"k":"body"})";
  message.attributes.push_back({"k", std::string(value), type});
  return reference_matches(policy_of(policy, kAttributes), message);
}

TEST(Match, conditions_hold_within_one_element_of_an_array_of_objects) {
  constexpr std::string_view kAnnaJones = R"({"e":{"first":["Anna"],"last":["Jones"]}})";
  EXPECT_FALSE(body_matches(
      kAnnaJones, R"({"e":[{"first":"Anna","last":"Smith"},{"first":"Peter","last":"Jones"}]})"));
  EXPECT_TRUE(body_matches(kAnnaJones, R"({"e":[{},{"first":["Bob","Anna"],"last":"Jones"}]})"));
  EXPECT_TRUE(
      body_matches(R"({"a":{"x":[1]},"b":{"y":[2]}})", R"({"a":[{"x":1}],"b":[{"y":0},{"y":2}]})"));
  EXPECT_FALSE(body_matches(R"({"a":{"x":[1],"y":[2]}})", R"({"a":[[{"x":1},{"y":2}]]})"));
  EXPECT_FALSE(body_matches(R"({"a":{"x":[1],"y":[2]}})", R"({"a":[[{"x":1}],[{"y":2}]]})"));
}

TEST(Match, absence_is_looked_for_beside_what_is_chosen_so_far) {
  constexpr std::string_view kBody = R"({"a":[{"b":1},{"c":2}]})";
  EXPECT_TRUE(body_matches(R"({"a":{"b":[1],"c":[{"exists":false}]}})", kBody));
  EXPECT_FALSE(body_matches(R"({"a":{"c":[2],"b":[{"exists":false}]}})", kBody));
  EXPECT_TRUE(body_matches(R"({"a":[{"exists":false}]})", R"({"a":{"b":1}})"));
  EXPECT_TRUE(body_matches(R"({"a":[{"exists":false}]})", R"({"a":[[],{}]})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"exists":false}]})", R"({"a":[null]})"));
}

TEST(Match, an_array_matches_when_some_element_does) {
  EXPECT_TRUE(body_matches(R"({"a":[{"anything-but":[100,500]}]})", R"({"a":[100,50]})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"anything-but":[100,500]}]})", R"({"a":[100,[500]]})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"anything-but":[100,500]}]})", R"({"a":[]})"));
  EXPECT_TRUE(body_matches(R"({"a":["x"]})", R"({"a":[["y",["x"]]]})"));
}

TEST(Match, a_body_must_be_one_whole_json_object) {
  constexpr std::string_view kAbsent = R"({"a":[{"exists":false}]})";
  EXPECT_TRUE(body_matches(kAbsent, " {} \n"));
  for (const char* body : {"", "text", "[]", "null", "\"{}\"", "{} x", "{}{}", R"({"b":})"}) {
    EXPECT_FALSE(body_matches(kAbsent, body)) << body;
    EXPECT_TRUE(body_matches("", body)) << body;
  }
}

TEST(Match, every_one_of_duplicate_keys_counts) {
  EXPECT_TRUE(body_matches(R"({"a":[1]})", R"({"a":1,"a":2})"));
  EXPECT_TRUE(body_matches(R"({"a":[2]})", R"({"a":1,"a":2})"));
  EXPECT_TRUE(body_matches(R"({"a":{"b":[1],"c":[2]}})", R"({"a":{"b":1},"a.c":2})"));
}

TEST(Match, numbers_are_equal_by_value_and_beyond_the_doubles_by_text) {
  EXPECT_TRUE(body_matches(R"({"a":[-0]})", R"({"a":0.0e7})"));
  EXPECT_TRUE(body_matches(R"({"a":[0]})", R"({"a":-0})"));
  constexpr std::string_view kLong = "123456789012345678901234567890";
  EXPECT_TRUE(
      body_matches("{\"a\":[" + std::string(kLong) + "]}", "{\"a\":" + std::string(kLong) + "}"));
  EXPECT_TRUE(body_matches(R"({"a":[1e400]})", R"({"a":1e400})"));
  EXPECT_FALSE(body_matches(R"({"a":[1e400]})", R"({"a":1e401})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"numeric":[">",0]}]})", R"({"a":1e400})"));
  EXPECT_TRUE(body_matches(R"({"a":[{"anything-but":[1e400]}]})", R"({"a":1e401})"));
}

TEST(Match, an_address_matches_in_any_spelling_but_not_the_other_family_or_a_number) {
  EXPECT_TRUE(body_matches(R"({"a":["::1"]})", R"({"a":"0:0:0:0:0:0:0:1"})"));
  EXPECT_TRUE(body_matches(R"({"a":["10.0.0.1"]})", R"({"a":"010.000.000.001"})"));
  EXPECT_TRUE(body_matches(R"({"a":[{"anything-but":"10.0.0.1"}]})", R"({"a":"10.0.0.01"})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"cidr":"::/0"}]})", R"({"a":"10.0.0.1"})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"cidr":"0.0.0.0/0"}]})", R"({"a":1})"));
}

TEST(Match, text_is_compared_without_case_by_simple_folding) {
  EXPECT_TRUE(body_matches(R"({"a":[{"equals-ignore-case":"ÉCOLE"}]})", R"({"a":"École"})"));
  EXPECT_FALSE(body_matches(R"({"a":[{"equals-ignore-case":"ß"}]})", R"({"a":"SS"})"));
  EXPECT_TRUE(
      body_matches(R"({"a":[{"suffix":{"equals-ignore-case":".Png"}}]})", R"({"a":"x.pNG"})"));
  EXPECT_TRUE(
      body_matches(R"({"a":[{"wildcard":"*b*"},{"equals-ignore-case":"A"}]})", R"({"a":"b"})"));
  EXPECT_FALSE(
      body_matches(R"({"a":[{"wildcard":"*b*"},{"equals-ignore-case":"A"}]})", R"({"a":"zz"})"));
}

TEST(Match, attributes_have_the_type_that_they_are_sent_with) {
  EXPECT_TRUE(attribute_matches(R"({"k":["[1]"]})", SLUICE_STRING, "[1]"));
  EXPECT_TRUE(attribute_matches(R"({"k":[301.5]})", SLUICE_NUMBER, "3.0150e2"));
  EXPECT_FALSE(attribute_matches(R"({"k":["1"]})", SLUICE_NUMBER, "1"));
  EXPECT_TRUE(attribute_matches(R"({"k":[null]})", SLUICE_STRING_ARRAY, R"(["a",null])"));
  EXPECT_TRUE(attribute_matches(R"({"k":[{"exists":false}]})", SLUICE_STRING_ARRAY, "[]"));
  EXPECT_TRUE(attribute_matches(R"({"k":[{"exists":false}]})", SLUICE_BINARY, "x"));
  EXPECT_FALSE(attribute_matches(R"({"k":[{"exists":true}]})", SLUICE_BINARY, "x"));
}

TEST(Match, an_attribute_that_is_not_what_its_type_says_matches_nothing) {
  for (const char* element : {R"("a")", R"({"exists":true})", R"({"exists":false})",
                              R"({"anything-but":"b"})", R"({"prefix":""})"}) {
    const std::string policy = "{\"k\":[" + std::string(element) + "]}";
    for (const char* value : {"a", R"({"k":"a"})", "", R"(["a")"}) {
      EXPECT_FALSE(attribute_matches(policy, SLUICE_STRING_ARRAY, value)) << element << value;
      EXPECT_FALSE(attribute_matches(policy, SLUICE_NUMBER, value)) << element << value;
    }
  }
}

TEST(Match, attribute_and_body_do_not_see_each_other) {
  EXPECT_FALSE(attribute_matches(R"({"k":["body"]})", SLUICE_STRING, "x"));
  core::MessageText message;
  message.body = "{}";
  message.attributes.push_back({"k", "x", SLUICE_STRING});
  EXPECT_FALSE(reference_matches(policy_of(R"({"k":["x"]})"), message));
}

}  // namespace
}  // namespace sluice::test
