// The compiled matcher of many policies against each of them alone, by the definition.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "filter/compiled.hpp"
#include "filter/policies.hpp"
#include "filter/random_policies.hpp"
#include "filter/reference_matcher.hpp"
#include "support/scale.hpp"

namespace sluice::test {
namespace {

core::MessageText message_of(core::FilterScope scope) {
  core::MessageText message;
  if (scope == kBody) {
    message.body = *arbitrary_body();
    if (*rc::gen::inRange(0, 16) == 0) {  // torn
      message.body.resize(static_cast<std::size_t>(
          *rc::gen::inRange<int>(0, static_cast<int>(message.body.size()))));
    }
    return message;
  }
  message.body = "no JSON";
  for (const char* name : {"k", "m", "p", "k.m", "$or"}) {
    if (*rc::gen::arbitrary<bool>()) {
      const auto type = static_cast<std::uint32_t>(*rc::gen::inRange(1, 5));
      message.attributes.push_back({name, *arbitrary_attribute(type), type});
    }
  }
  return message;
}

struct Policies {
  std::vector<std::string> texts;
  std::vector<core::FilterPolicy> parsed;
};

Policies arbitrary_policies(core::FilterScope scope, int most) {
  Policies policies;
  for (int count = *rc::gen::inRange(1, most); count > 0; --count) {
    policies.texts.push_back(*arbitrary_policy(scope == kBody));
    policies.parsed.push_back(policy_of(policies.texts.back(), scope));
  }
  return policies;
}

void check_same(const std::vector<std::uint32_t>& found, const std::vector<std::uint32_t>& expected,
                const std::vector<std::string>& policies, const core::MessageText& message) {
  if (found == expected) {
    return;
  }
  RC_LOG() << message.body << "\n";
  for (const auto& each : message.attributes) {
    RC_LOG() << each.name << " " << each.type << " " << each.value << "\n";
  }
  for (std::uint32_t i = 0; i < policies.size(); ++i) {
    if (std::ranges::count(found, i) != std::ranges::count(expected, i)) {
      RC_LOG() << "policy " << policies[i] << "\n";
    }
  }
  RC_FAIL("not the same policies");
}

/// `pairs` of a policy and a message, in rapidcheck's 100 rounds.
void check_definition(core::FilterScope scope, std::uint64_t pairs) {
  const Policies policies = arbitrary_policies(scope, 90);
  Compiled filter(scope, policies.parsed);
  for (std::uint64_t left = pairs / 100 / policies.parsed.size() + 1; left > 0; --left) {
    const core::MessageText message = message_of(scope);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < policies.parsed.size(); ++i) {
      if (reference_matches(policies.parsed[i], message)) {
        expected.push_back(i);
      }
    }
    check_same(filter.match(message), expected, policies.texts, message);
  }
}

void check_together(core::FilterScope scope, std::uint64_t pairs) {
  const Policies policies = arbitrary_policies(scope, 200);
  Compiled together(scope, policies.parsed);
  std::deque<Compiled> alone;
  for (const core::FilterPolicy& policy : policies.parsed) {
    alone.emplace_back(scope, std::vector{policy});
  }
  for (std::uint64_t left = pairs / 100 / policies.parsed.size() + 1; left > 0; --left) {
    const core::MessageText message = message_of(scope);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < alone.size(); ++i) {
      if (!alone[i].match(message).empty()) {
        expected.push_back(i);
      }
    }
    check_same(together.match(message), expected, policies.texts, message);
  }
}

// A million pairs of a policy and a message at scale 1.
TEST(CompiledFilter, policies_take_the_bodies_that_the_definition_says) {
  EXPECT_TRUE(rc::check("bodies", [] { check_definition(kBody, scaled(500'000)); }));
}

TEST(CompiledFilter, policies_take_the_attributes_that_the_definition_says) {
  EXPECT_TRUE(rc::check("attributes", [] { check_definition(kAttributes, scaled(500'000)); }));
}

TEST(CompiledFilter, many_policies_together_take_what_each_takes_alone) {
  EXPECT_TRUE(rc::check("bodies", [] { check_together(kBody, scaled(100'000)); }));
  EXPECT_TRUE(rc::check("attributes", [] { check_together(kAttributes, scaled(100'000)); }));
}

/// `trial`: steps before the elements are walked.
void check_elements(bool twice, std::uint64_t trial) {
  const core::FilterPolicy policy = policy_of(*arbitrary_element_policy());
  Compiled filter(kBody, {policy});
  filter.limits().trial = trial;
  for (int messages = 0; messages < 20; ++messages) {
    core::MessageText message;
    message.body = *arbitrary_elements(twice);
    const bool found = !filter.match(message).empty();
    RC_ASSERT(filter.was_told());
    if (found != reference_matches(policy, message))
      RC_LOG() << message.body << "\n";
    RC_ASSERT(found == reference_matches(policy, message));
    RC_CLASSIFY(found, "matches");
  }
}

TEST(CompiledFilter, fields_meet_in_elements_as_the_definition_says_by_trial_and_by_walk) {
  EXPECT_TRUE(rc::check("by walk", [] { check_elements(false, 0); }));
  EXPECT_TRUE(rc::check("by trial", [] { check_elements(false, 1000); }));
  EXPECT_TRUE(rc::check("members twice", [] { check_elements(true, 0); }));
}

}  // namespace
}  // namespace sluice::test
