// The compiled matcher of many policies against each of them alone, by the definition.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "filter/compiled.hpp"
#include "filter/policies.hpp"
#include "filter/random_policies.hpp"
#include "filter/reference_matcher.hpp"

namespace sluice::test {
namespace {

core::MessageText message_of(core::FilterScope scope) {
  core::MessageText message;
  if (scope == kBody) {
    message.body = *arbitrary_body();
    if (*rc::gen::inRange(0, 16) == 0) {  // torn
      message.body.resize(static_cast<std::size_t>(*rc::gen::inRange<int>(0, static_cast<int>(message.body.size()))));
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

void check_together(core::FilterScope scope) {
  std::vector<std::string> texts;
  std::vector<core::FilterPolicy> policies;
  for (int count = *rc::gen::inRange(1, 90); count > 0; --count) {
    texts.push_back(*arbitrary_policy(scope == kBody));
    policies.push_back(policy_of(texts.back(), scope));
  }
  Compiled filter(scope, policies);
  for (int messages = 0; messages < 40; ++messages) {
    const core::MessageText message = message_of(scope);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < policies.size(); ++i) {
      if (reference_matches(policies[i], message)) expected.push_back(i);
    }
    const std::vector<std::uint32_t> found = filter.match(message);
    if (found != expected) {
      RC_LOG() << message.body << "\n";
      for (const auto& each : message.attributes) RC_LOG() << each.name << " " << each.type << " " << each.value << "\n";
      for (std::uint32_t i = 0; i < policies.size(); ++i) {
        if (std::ranges::count(found, i) != std::ranges::count(expected, i)) RC_LOG() << "policy " << texts[i] << "\n";
      }
    }
    RC_ASSERT(found == expected);
  }
}

TEST(CompiledFilter, many_policies_together_take_what_each_takes_alone_of_bodies) {
  EXPECT_TRUE(rc::check("bodies", [] { check_together(kBody); }));
}

TEST(CompiledFilter, many_policies_together_take_what_each_takes_alone_of_attributes) {
  EXPECT_TRUE(rc::check("attributes", [] { check_together(kAttributes); }));
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
    if (found != reference_matches(policy, message)) RC_LOG() << message.body << "\n";
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
