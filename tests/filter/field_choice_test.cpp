// The search for fields that hold together, against the reference matcher, and with bodies made to
// let it take long.
#include "filter/field_choice.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "filter/message_fields.hpp"
#include "filter/policies.hpp"
#include "filter/reference_matcher.hpp"

namespace sluice::test {
namespace {

using Fields = std::span<const core::Field>;

struct Found {
  bool holds = false;
  std::vector<std::uint32_t> chosen;  ///< memberships, ~0 for no field
};

/// Of a policy with one branch.
Found search(const core::FilterPolicy& policy, const std::string& body) {
  const auto filter = core::CompiledFilter::compile({policy});
  core::FilterScratch scratch(*filter);
  core::FieldReader reader;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  EXPECT_TRUE(reader.read_body({bytes, body.size()}, filter->paths(), scratch));
  std::ranges::stable_sort(scratch.fields, {}, &core::Field::path);
  std::vector<Fields> fields;
  for (const core::FilterClause& clause : policy.branches.front().clauses) {
    const auto found = std::ranges::equal_range(scratch.fields, filter->paths().find(clause.path),
                                                {}, &core::Field::path);
    fields.emplace_back(found.begin(), found.end());
  }
  core::FieldChoice choice(policy.branches.front(), fields, scratch.memberships);
  const bool holds = choice.search();
  Found found{holds, {}};
  for (const core::Field* field : choice.chosen())
    found.chosen.push_back(field == nullptr ? ~0U : field->membership);
  return found;
}

bool holds(std::string_view policy, const std::string& body) {
  return search(policy_of(policy), body).holds;
}

std::string repeated(std::size_t count, const std::string& element) {
  std::string list = "[" + element;
  for (std::size_t i = 1; i < count; ++i)
    list += "," + element;
  return list + "]";
}

std::string one_of(const std::vector<std::string>& texts) {
  return *rc::gen::elementOf(texts);
}

/// Few names and values, and many arrays in arrays.
std::string random_value(int depth) {
  const int kind = depth == 0 ? 0 : *rc::gen::inRange(0, 5);
  if (kind <= 1)
    return one_of({"1", "2"});
  const bool is_array = kind != 2;
  std::string text;
  for (int left = *rc::gen::inRange(0, 4); left > 0; --left) {
    text += text.empty() ? "" : ",";
    text += is_array ? "" : fmt::format("\"{}\":", one_of({"p", "q", "r", "p.q"}));
    text += random_value(depth - 1);
  }
  return is_array ? "[" + text + "]" : "{" + text + "}";
}

std::string random_object(int depth) {
  std::string text;
  for (int left = *rc::gen::inRange(1, 4); left > 0; --left) {
    text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", one_of({"p", "q", "r"}),
                        repeated(1, random_value(depth)));
  }
  return "{" + text + "}";
}

std::string random_policy() {
  std::string text;
  for (int left = *rc::gen::inRange(2, 7); left > 0; --left) {
    std::string path = one_of({"p", "q", "r"});
    for (int deeper = *rc::gen::inRange(0, 3); deeper > 0; --deeper)
      path += "." + one_of({"p", "q", "r"});
    text += fmt::format("{}\"{}\":[{}]", text.empty() ? "" : ",", path,
                        one_of({"1", "1", "2", "{\"exists\":false}", "1,{\"exists\":false}"}));
  }
  return "{" + text + "}";
}

TEST(FieldChoice, finds_what_the_definition_finds) {
  int held = 0, failed = 0;
  EXPECT_TRUE(rc::check("arrays in arrays", [&] {
    const std::string text = random_policy();
    const core::FilterPolicy policy = policy_of(text);
    for (int bodies = 0; bodies < 40; ++bodies) {
      core::MessageText message;
      message.body = random_object(5);
      const bool expected = reference_matches(policy, message);
      ++(expected ? held : failed);
      if (search(policy, message.body).holds != expected)
        RC_FAIL(text + " " + message.body);
    }
  }));
  EXPECT_GT(held, 100);
  EXPECT_GT(failed, 100);
}

TEST(FieldChoice, takes_the_element_in_which_all_clauses_hold) {
  const Found found = search(policy_of(R"({"a":{"p":[1],"q":[1]}})"),
                             R"({"a":[{"p":1,"q":2},{"p":2,"q":1},{"p":1,"q":1}]})");
  EXPECT_TRUE(found.holds);
  EXPECT_EQ(found.chosen[0], found.chosen[1]);
}

TEST(FieldChoice, tells_the_first_clauses_that_hold_together_where_not_all_do) {
  const Found found = search(policy_of(R"({"a":{"p":[1],"q":[1],"r":[1]}})"),
                             R"({"a":[{"p":1},{"p":1,"q":1},{"r":1}]})");
  EXPECT_FALSE(found.holds);
  EXPECT_EQ(found.chosen.size(), 2U);
}

TEST(FieldChoice, many_arrays_side_by_side_do_not_multiply) {
  const std::string many = repeated(2000, R"({"x":1})");
  const std::string body =
      fmt::format(R"("a":{0},"b":{0},"c":{0},"d":[{{"p":1}},{{"q":1}}])", many);
  const std::string policy = R"("a":{"x":[1]},"b":{"x":[1]},"c":{"x":[1]},"d":{"p":[1],"q":[1]})";
  EXPECT_FALSE(holds("{" + policy + "}", "{" + body + "}"));
  EXPECT_FALSE(holds("{\"w\":{" + policy + "}}", "{\"w\":[{" + body + "}]}"))
      << "in an array themselves";
}

TEST(FieldChoice, a_long_array_is_not_gone_through_for_each_of_its_elements) {
  const std::string halves = repeated(50'000, R"({"p":1},{"q":1})");
  EXPECT_FALSE(holds(R"({"a":{"p":[1],"q":[1]}})", "{\"a\":" + halves + "}"));
  EXPECT_FALSE(holds(R"({"w":{"a":{"p":[1],"q":[1]}}})", "{\"w\":[{\"a\":" + halves + "}]}"));
}

TEST(FieldChoice, gives_up_on_bodies_that_repeat_a_name_to_make_it_search) {
  std::string body = "\"a\":[{\"z\":9}," + repeated(50, R"({"x0":1,"z":0})").substr(1);
  std::string policy = "\"x0\":[1]";
  for (int i = 1; i < 8; ++i) {  // 50^8 ways to choose the first eight
    body += fmt::format(",\"a\":{}", repeated(50, fmt::format("{{\"x{}\":1,\"z\":0}}", i)));
    policy += fmt::format(",\"x{}\":[1]", i);
  }
  EXPECT_TRUE(holds("{\"a\":{" + policy + ",\"z\":[0]}}", "{" + body + "}"));
  EXPECT_FALSE(holds("{\"a\":{" + policy + ",\"z\":[9]}}", "{" + body + "}"));
}

TEST(FieldChoice, many_clauses_take_no_stack) {
  std::string body = "\"a\":[{\"x\":1}]", policy = "\"a\":{\"x\":[1]}";
  for (int i = 0; i < 40'000; ++i) {
    body += fmt::format(",\"{}\":1", i);
    policy += fmt::format(",\"{}\":[1]", i);
  }
  EXPECT_TRUE(holds("{" + policy + "}", "{" + body + "}"));
}

}  // namespace
}  // namespace sluice::test
