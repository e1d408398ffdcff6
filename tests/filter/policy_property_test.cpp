// The parser on texts that nobody would write.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>

#include "base/json.hpp"
#include "filter/parse_policy.hpp"
#include "filter/policies.hpp"
#include "filter/random_policies.hpp"
#include "filter/reference_matcher.hpp"

namespace sluice::test {
namespace {

using core::FilterPolicy;

/// What later stages rely on.
void check_canonical(const FilterPolicy& policy) {
  RC_ASSERT(!policy.branches.empty());
  RC_ASSERT(policy.branches.size() <= core::kBranchesMax);
  for (const core::FilterBranch& branch : policy.branches) {
    const auto by_path = [](const auto& a, const auto& b) { return a.path >= b.path; };
    RC_ASSERT(std::ranges::adjacent_find(branch.clauses, by_path) == branch.clauses.end());
    for (const core::FilterClause& clause : branch.clauses) {
      RC_ASSERT(!clause.matchers.empty());
    }
  }
}

/// Parses under both profiles, in both scopes; what is refused has a place in the text and a
/// reason, and what SNS takes, the extended profile takes and understands in the same way.
void check(const std::string& text) {
  for (const auto scope : {kAttributes, kBody}) {
    const auto extended = core::parse_policy(text, scope, kExtended);
    const auto sns = core::parse_policy(text, scope, kSns);
    for (const auto* parsed : {&extended, &sns}) {
      if (*parsed) {
        check_canonical(**parsed);
      } else {
        RC_ASSERT(parsed->error().offset <= text.size());
        RC_ASSERT(!parsed->error().text.empty());
      }
    }
    if (sns && !sns->branches[0].clauses.empty()) {
      RC_ASSERT(extended.has_value());
      RC_ASSERT(*sns == *extended);
    }
  }
}

TEST(PolicyProperty, random_bytes_are_refused_or_understood) {
  EXPECT_TRUE(rc::check("bytes", [](const std::string& text) { check(text); }));
}

TEST(PolicyProperty, random_policies_are_understood) {
  EXPECT_TRUE(rc::check("policies", [] {
    const std::string text = *arbitrary_policy(true);
    const auto policy = core::parse_policy(text, kBody, kExtended);
    RC_ASSERT(policy.has_value());
    check(text);
  }));
}

TEST(PolicyProperty, damaged_policies_are_refused_or_understood) {
  EXPECT_TRUE(rc::check("mutations", [] { check(*mutation_of(*arbitrary_policy(true))); }));
}

TEST(PolicyProperty, a_policy_with_spaces_between_its_tokens_is_the_same_policy) {
  EXPECT_TRUE(rc::check("spaces", [] {
    const std::string text = *arbitrary_policy(true);
    std::string spaced;
    bool inside = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const bool escaped = at > 0 && text[at - 1] == '\\' && (at < 2 || text[at - 2] != '\\');
      inside = text[at] == '"' && !escaped ? !inside : inside;
      spaced += text[at];
      spaced += !inside && std::string_view("{}[],:").find(text[at]) != std::string_view::npos
                    ? " \n"
                    : "";
    }
    RC_ASSERT(policy_of(spaced) == policy_of(text));
  }));
}

bool body_matches(const FilterPolicy& policy, std::string_view body) {
  core::MessageText message;
  message.body = body;
  return reference_matches(policy, message);
}

TEST(PolicyProperty, a_policy_matches_when_one_of_its_branches_alone_does) {
  EXPECT_TRUE(rc::check("branches", [] {
    const FilterPolicy policy = policy_of(*arbitrary_policy(true));
    const std::string body = *arbitrary_body();
    const bool some = std::ranges::any_of(policy.branches, [&](const auto& branch) {
      return body_matches({policy.scope, {branch}}, body);
    });
    RC_ASSERT(body_matches(policy, body) == some);
    RC_CLASSIFY(some, "matches");
  }));
}

TEST(PolicyProperty, fields_that_no_clause_names_change_nothing) {
  EXPECT_TRUE(rc::check("other fields", [] {
    const FilterPolicy policy = policy_of(*arbitrary_policy(true));
    const std::string body = *arbitrary_body(), other = *arbitrary_body();
    const std::string more =
        "{\"other\":[" + other + "]" + (body == "{}" ? "" : ",") + body.substr(1);
    RC_ASSERT(body_matches(policy, body) == body_matches(policy, more));
  }));
}

/// By the grammar: a star is any text, a backslash takes the next character as it is.
bool glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern[0] == '*') {
    return glob(pattern.substr(1), text) || (!text.empty() && glob(pattern, text.substr(1)));
  }
  const std::string_view literal = pattern.substr(pattern[0] == '\\' ? 1 : 0);
  return !text.empty() && text[0] == literal[0] && glob(literal.substr(1), text.substr(1));
}

TEST(PolicyProperty, a_wildcard_matches_what_its_grammar_says) {
  EXPECT_TRUE(rc::check("patterns", [] {
    const std::string pattern = *arbitrary_pattern(), text = *arbitrary_pattern();
    const FilterPolicy policy = policy_of(R"({"k":[{"wildcard":)" + pattern + "}]}");
    const auto decoded = [](const std::string& json) {
      return core::parse_json(json).value().text;
    };
    RC_ASSERT(body_matches(policy, R"({"k":)" + text + "}") ==
              glob(decoded(pattern), decoded(text)));
  }));
}

}  // namespace
}  // namespace sluice::test
