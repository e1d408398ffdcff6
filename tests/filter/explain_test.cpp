// Explanations: what they say, and that they agree with the compiled matcher.
#include "filter/explain.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "filter/matcher_text.hpp"
#include "filter/message_fields.hpp"
#include "filter/parse_matcher.hpp"
#include "filter/policies.hpp"
#include "filter/random_policies.hpp"

namespace sluice::test {
namespace {

struct Told {
  bool compiled = false;
  core::Explanation explanation;

  std::string text() const { return fmt::format("{}", fmt::join(explanation.lines, "\n")); }
};

Told of_body(const core::FilterPolicy& policy, const std::string& body) {
  const auto filter = core::CompiledFilter::compile({policy}).value();
  core::FilterScratch scratch(*filter);
  core::FieldReader reader;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  EXPECT_TRUE(reader.read_body({bytes, body.size()}, filter->paths(), scratch)) << body;
  EXPECT_TRUE(filter->match(scratch));
  return {!scratch.matched.empty(), core::explain(policy, filter->paths(), scratch)};
}

std::string why(std::string_view policy, const std::string& body) {
  return of_body(policy_of(policy), body).text();
}

struct Attribute {
  std::string name;
  std::uint32_t type;
  std::string value;
};

Told of_attributes(const core::FilterPolicy& policy, const std::vector<Attribute>& attributes) {
  const auto filter = core::CompiledFilter::compile({policy}).value();
  core::FilterScratch scratch(*filter);
  core::FieldReader reader;
  std::vector<sluice_attribute> views;
  for (const Attribute& each : attributes) {
    views.push_back({sizeof(sluice_attribute),
                     each.type,
                     {each.name.data(), each.name.size()},
                     {each.value.data(), each.value.size()}});
  }
  std::vector<const sluice_attribute*> pointers;
  for (const sluice_attribute& view : views)
    pointers.push_back(&view);
  reader.read_attributes(pointers, filter->paths(), scratch);
  EXPECT_TRUE(filter->match(scratch));
  return {!scratch.matched.empty(), core::explain(policy, filter->paths(), scratch)};
}

std::size_t clauses_that_fail(const core::Explanation& explanation) {
  return static_cast<std::size_t>(std::ranges::count_if(
      explanation.lines, [](const std::string& line) { return line.find("- \"") <= 2; }));
}

/// Also: each branch that is told to fail names a clause that does, one that holds names none.
void check(const Told& told, const core::FilterPolicy& policy, const std::string& policy_text) {
  if (told.compiled != told.explanation.matches)
    RC_LOG() << policy_text << "\n" << told.text() << "\n";
  RC_ASSERT(told.compiled == told.explanation.matches);
  if (told.compiled) {
    RC_ASSERT(clauses_that_fail(told.explanation) == 0U);
  } else {
    RC_ASSERT(clauses_that_fail(told.explanation) >=
              std::min<std::size_t>(policy.branches.size(), 16));
  }
}

TEST(Explain, agrees_with_the_compiled_matcher_on_bodies) {
  EXPECT_TRUE(rc::check("bodies", [] {
    const std::string text = *arbitrary_policy(true);
    const core::FilterPolicy policy = policy_of(text);
    for (int messages = 0; messages < 40; ++messages)
      check(of_body(policy, *arbitrary_body()), policy, text);
  }));
}

TEST(Explain, agrees_with_the_compiled_matcher_on_attributes) {
  EXPECT_TRUE(rc::check("attributes", [] {
    const std::string text = *arbitrary_policy(false);
    const core::FilterPolicy policy = policy_of(text, kAttributes);
    for (int messages = 0; messages < 40; ++messages) {
      std::vector<Attribute> attributes;
      for (const char* name : {"k", "m", "p", "k.m", "$or"}) {
        const auto type = static_cast<std::uint32_t>(*rc::gen::inRange(1, 5));
        if (*rc::gen::arbitrary<bool>())
          attributes.push_back({name, type, *arbitrary_attribute(type)});
      }
      check(of_attributes(policy, attributes), policy, text);
    }
  }));
}

TEST(Explain, a_clause_that_fails_tells_path_value_and_what_was_asked) {
  EXPECT_EQ(why(R"({"a":{"b":["x",{"prefix":"y"}]}})", R"({"a":{"b":["q",5,null]}})"),
            R"(- "a.b": "q", 5, null; wanted "x" or {"prefix":"y"})");
}

TEST(Explain, a_field_that_is_not_there_is_told) {
  EXPECT_EQ(why(R"({"a":[1],"b":["x"]})", R"({"b":"x"})"),
            "- \"a\": no field; wanted 1\n"
            "+ \"b\": \"x\" matches \"x\"");
}

TEST(Explain, a_field_that_must_not_be_there_is_told) {
  EXPECT_EQ(why(R"({"a":[{"exists":false}]})", R"({"a":1})"),
            R"(- "a": 1; wanted {"exists":false})");
  EXPECT_EQ(why(R"({"a":[{"exists":false}]})", R"({"b":1})"),
            R"(+ "a": nothing there, as {"exists":false} wants)");
}

TEST(Explain, fields_in_different_elements_of_an_array_are_told) {
  EXPECT_EQ(why(R"({"e":{"f":["Anna"],"l":["Jones"]}})",
                R"({"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]})"),
            "+ \"e.f\": \"Anna\" matches \"Anna\"\n"
            "- \"e.l\": \"Jones\" would do, but the fields lie in different elements of an array");
}

TEST(Explain, each_branch_that_fails_is_told) {
  EXPECT_EQ(why(R"({"$or":[{"a":[1]},{"b":[2]}]})", R"({"a":3,"b":[3,4]})"),
            "branch 1 of 2 does not match:\n"
            "  - \"a\": 3; wanted 1\n"
            "branch 2 of 2 does not match:\n"
            "  - \"b\": 3, 4; wanted 2");
}

TEST(Explain, the_branch_that_matches_is_told_alone) {
  EXPECT_EQ(why(R"({"$or":[{"a":[1]},{"b":[2]}]})", R"({"a":3,"b":2})"),
            "branch 2 of 2 matches:\n"
            "  + \"b\": 2 matches 2");
}

TEST(Explain, an_attribute_that_is_not_of_its_type_is_told) {
  const auto policy = policy_of(R"({"n":[{"anything-but":[1]}]})", kAttributes);
  EXPECT_EQ(of_attributes(policy, {{"n", SLUICE_NUMBER, "ten"}}).text(),
            R"(- "n": "ten" (not of the attribute's type); wanted {"anything-but":[1]})");
}

TEST(Explain, the_empty_policy_takes_every_message) {
  EXPECT_EQ(why("", "{}"), "+ the policy is empty, and takes every message");
}

TEST(Explain, long_values_lists_and_policies_are_cut) {
  std::string alternatives, values;
  for (int i = 0; i < 50; ++i) {
    alternatives += fmt::format("{}{{\"k\":[{}]}}", i == 0 ? "" : ",", i);
    values += fmt::format("{}{}", i == 0 ? "" : ",", i + 100);
  }
  const std::string text =
      why(fmt::format("{{\"$or\":[{}]}}", alternatives), fmt::format("{{\"k\":[{}]}}", values));
  EXPECT_NE(text.find("106, 107, 42 more; wanted 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nand 34 more branches that do not match"), std::string::npos) << text;
  const std::string long_value =
      why(R"({"k":["a"]})", "{\"k\":\"" + std::string(5000, 'x') + "\"}");
  EXPECT_LT(long_value.size(), 200U);
}

TEST(Explain, a_body_that_no_filter_takes_is_told) {
  EXPECT_EQ(core::body_fault("[1]"), "it is an array, and a filter takes objects only");
  EXPECT_EQ(core::body_fault("{\"a\":tru}"), "byte 6: \"tru\" is no JSON value");
  EXPECT_EQ(core::body_fault(""), "byte 1: the text is empty");
}

TEST(Explain, every_body_that_is_refused_has_a_fault) {
  const auto filter =
      core::CompiledFilter::compile({policy_of(R"({"k":{"m":[1]},"p":["a"]})")}).value();
  EXPECT_TRUE(rc::check("faults", [&] {
    core::FilterScratch scratch(*filter);
    core::FieldReader reader;
    for (int bodies = 0; bodies < 50; ++bodies) {
      const std::string body = *mutation_of(*arbitrary_body());
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
      if (!reader.read_body({bytes, body.size()}, filter->paths(), scratch))
        if (core::body_fault(body) == "nested deeper, or with more values, than a filter looks at")
          RC_FAIL(body);
    }
  }));
}

TEST(MatcherText, reads_back_as_the_same_matcher) {
  EXPECT_TRUE(rc::check("matchers", [] {
    for (const core::FilterBranch& branch : policy_of(*arbitrary_policy(true)).branches) {
      for (const core::FilterClause& clause : branch.clauses) {
        for (const core::ValueMatcher& matcher : clause.matchers) {
          const std::string text = core::to_text(matcher);
          const auto json = core::parse_json(text, {.allow_infinite_numbers = true});
          if (!json || core::parse_matcher(*json, kExtended) != matcher)
            RC_FAIL(text);
        }
      }
    }
  }));
}

}  // namespace
}  // namespace sluice::test
