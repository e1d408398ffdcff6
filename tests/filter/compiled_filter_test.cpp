// The compiled matcher of many policies against each of them alone, by the definition.
#include "filter/compiled_filter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

#include "filter/message_fields.hpp"
#include "filter/policies.hpp"
#include "filter/random_policies.hpp"
#include "filter/reference_matcher.hpp"

namespace sluice::test {
namespace {

/// Numbers of the policies that the compiled matcher says take the message.
std::vector<std::uint32_t> compiled(const core::CompiledFilter& filter, core::FilterScope scope, const core::MessageText& message) {
  static core::FieldReader reader;
  core::FilterScratch scratch(filter);
  if (scope == kBody) {
    const std::string& body = message.body;
    if (!reader.read_body({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}, filter.paths(), scratch)) {
      scratch.fields.clear();
      return filter.take_all();
    }
  } else {
    std::vector<sluice_attribute> attributes;
    for (const auto& each : message.attributes) {
      attributes.push_back({sizeof(sluice_attribute), each.type, {each.name.data(), each.name.size()}, {each.value.data(), each.value.size()}});
    }
    std::vector<const sluice_attribute*> pointers;
    for (const sluice_attribute& attribute : attributes) pointers.push_back(&attribute);
    reader.read_attributes(pointers, filter.paths(), scratch);
  }
  filter.match(scratch);
  return scratch.matched;
}

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
  const auto filter = core::CompiledFilter::compile(policies);
  RC_ASSERT(filter != nullptr);
  for (int messages = 0; messages < 40; ++messages) {
    const core::MessageText message = message_of(scope);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < policies.size(); ++i) {
      if (reference_matches(policies[i], message)) expected.push_back(i);
    }
    const std::vector<std::uint32_t> found = compiled(*filter, scope, message);
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

}  // namespace
}  // namespace sluice::test
