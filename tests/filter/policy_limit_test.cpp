// SNS's limits, and the engine's own: no policy takes memory or time without bound.
#include <fmt/format.h>

#include "filter/parse_matcher.hpp"
#include "filter/policies.hpp"

namespace sluice::test {
namespace {

std::string values(int count) {
  return "[" + many(count, [](int i) { return std::to_string(i); }) + "]";
}

std::string keys(int count) {
  return "{" + many(count, [](int i) { return fmt::format("\"k{}\":[1]", i); }) + "}";
}

/// `count` times `$or`, side by side, of two alternatives each: 2^count branches.
std::string forks(int count) {
  return "{" +
         many(count,
              [](int i) {
                return fmt::format(R"("n{0}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}})", i);
              }) +
         "}";
}

TEST(PolicyLimit, sns_takes_five_keys_and_extended_any) {
  EXPECT_EQ(fault_of(keys(5), kAttributes, kSns), "");
  EXPECT_EQ(fault_of(keys(6), kAttributes, kSns),
            "1:47: Filter policy can not have more than 5 keys");
  EXPECT_EQ(fault_of(keys(6), kAttributes), "");
  EXPECT_EQ(fault_of(R"({"a":[1],"a":[1],"a":[1],"a":[1],"a":[1],"a":[1]})", kBody, kSns), "");
}

TEST(PolicyLimit, sns_takes_150_combinations_and_extended_any) {
  constexpr std::string_view kTooComplex = "1:1: Filter policy is too complex";
  EXPECT_EQ(fault_of("{\"a\":" + values(150) + "}", kBody, kSns), "");
  EXPECT_EQ(fault_of("{\"a\":" + values(151) + "}", kBody, kSns), kTooComplex);
  EXPECT_EQ(fault_of("{\"a\":" + values(151) + "}"), "");
  EXPECT_EQ(fault_of("{\"a\":{\"b\":{\"c\":" + values(50) + "}}}", kBody, kSns), "");
  EXPECT_EQ(fault_of("{\"a\":{\"b\":{\"c\":" + values(51) + "}}}", kBody, kSns), kTooComplex);
  EXPECT_EQ(fault_of("{\"a.b.c\":" + values(150) + "}", kBody, kSns), "");
  EXPECT_EQ(fault_of("{\"a\":" + values(200) + ",\"a\":[1]}", kBody, kSns), "");
  const std::string alternatives =
      many(151, [](int i) { return fmt::format(R"({{"a{}":[1]}})", i); });
  EXPECT_EQ(fault_of("{\"$or\":[" + alternatives + "]}", kBody, kSns), kTooComplex);
}

TEST(PolicyLimit, sns_takes_nested_objects_in_the_body_scope_alone) {
  constexpr std::string_view kNested = R"({"a":["x"],"$or":[{"b":{"c":["y"]}},{"d":["z"]}]})";
  EXPECT_EQ(fault_of(kNested, kAttributes, kSns),
            "1:24: Filter policy scope MessageAttributes does not support nested filter policy");
  EXPECT_EQ(fault_of(kNested, kBody, kSns), "");
  EXPECT_EQ(policy_of(R"({"b":{"c":["y"]}})", kAttributes).branches[0].clauses[0].path, "b.c");
}

TEST(PolicyLimit, a_policy_has_a_greatest_length) {
  const auto of_size = [](std::size_t size) {
    return "{\"a\":[\"" + std::string(size - 10, 'x') + "\"]}";
  };
  EXPECT_EQ(fault_of(of_size(core::kSnsPolicyBytesMax), kBody, kSns), "");
  EXPECT_EQ(fault_of(of_size(core::kSnsPolicyBytesMax + 1), kBody, kSns),
            "1:262145: Filter policy is longer than 262144 bytes");
  EXPECT_EQ(fault_of(of_size(core::kPolicyBytesMax)), "");
  EXPECT_EQ(fault_of(of_size(core::kPolicyBytesMax + 1)),
            "1:1048577: Filter policy is longer than 1048576 bytes");
}

TEST(PolicyLimit, branches_are_counted_before_they_are_made) {
  EXPECT_EQ(policy_of(forks(10)).branches.size(), 1024U);
  EXPECT_EQ(
      fault_of(forks(11)),
      "1:1: Filter policy has more than 1024 branches when its $or is expanded: split it over "
      "several subscriptions");
  EXPECT_NE(fault_of(forks(3000)), "");
  EXPECT_EQ(fault_of(R"({"a":{"b":)" + forks(11) + "}}", kBody, kSns),
            "1:1: Filter policy is too complex");
}

TEST(PolicyLimit, what_branches_have_in_common_is_counted_once_for_each) {
  const std::string shared = "\"" + std::string(1 << 15, 'x') + "\"";
  const std::string policy = fmt::format(R"({{"k":[{}],"n":{}}})", shared, forks(9));
  EXPECT_EQ(
      fault_of(policy),
      "1:1: Filter policy takes more than 16 MiB of memory when its $or is expanded: split it "
      "over several subscriptions");
  const std::string deep = fmt::format(R"({{{}:{}}})", shared, keys(1000));
  EXPECT_NE(fault_of(deep).find("takes more than 16 MiB"), std::string::npos);
}

TEST(PolicyLimit, depth_values_and_stars_are_bounded) {
  std::string deep = "[1]";
  for (int i = 0; i < core::kPolicyDepthMax; ++i) {
    deep = "{\"a\":" + deep + "}";
  }
  EXPECT_EQ(fault_of(deep), "1:321: nested deeper than 64 levels");
  EXPECT_NE(fault_of("{\"a\":" + values(core::kPolicyValuesMax) + "}"), "");
  const auto stars = [](std::size_t count) {
    std::string pattern;
    for (std::size_t i = 0; i < count; ++i) {
      pattern += "a*";
    }
    return fmt::format(R"({{"wildcard":"{}"}})", pattern);
  };
  EXPECT_EQ(matcher_of(stars(core::kPatternStarsMax)).pieces.size(), core::kPatternStarsMax + 1);
  EXPECT_EQ(fault_of("{\"k\":[" + stars(core::kPatternStarsMax + 1) + "]}"),
            "1:19: a wildcard pattern may have at most 32 stars");
  const std::string full = many(129, [&](int) { return stars(core::kPatternStarsMax); });
  EXPECT_NE(fault_of("{\"k\":[" + full + "]}").find("more than 4096 stars"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
