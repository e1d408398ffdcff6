// Short ways to a parsed policy, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "filter/parse_policy.hpp"

namespace sluice::test {

inline constexpr auto kBody = core::FilterScope::message_body;
inline constexpr auto kAttributes = core::FilterScope::message_attributes;
inline constexpr auto kSns = core::FilterProfile::sns;
inline constexpr auto kExtended = core::FilterProfile::extended;

/// The policy of a text that is one.
inline core::FilterPolicy policy_of(std::string_view text, core::FilterScope scope = kBody,
                                    core::FilterProfile profile = kExtended) {
  auto policy = core::parse_policy(text, scope, profile);
  EXPECT_TRUE(policy.has_value()) << text << ": " << (policy ? "" : policy.error().text);
  return policy ? *policy : core::FilterPolicy{};
}

/// The one matcher of a policy that asks for one thing of one path.
inline core::ValueMatcher matcher_of(std::string_view element) {
  const auto policy = policy_of("{\"k\":[" + std::string(element) + "]}");
  return policy.branches.empty() ? core::ValueMatcher{} : policy.branches[0].clauses[0].matchers[0];
}

/// What is wrong with a text, empty if nothing is.
inline std::string fault_of(std::string_view text, core::FilterScope scope = kBody,
                            core::FilterProfile profile = kExtended) {
  const auto policy = core::parse_policy(text, scope, profile);
  return policy ? "" : core::with_position(policy.error(), text);
}

/// `count` members or elements, made of their numbers and joined by commas.
template <class Make>
std::string many(int count, Make&& make) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += i == 0 ? "" : ",";
    text += make(i);
  }
  return text;
}

}  // namespace sluice::test
