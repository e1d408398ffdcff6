// The parser on texts that nobody would write.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>

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

}  // namespace
}  // namespace sluice::test
