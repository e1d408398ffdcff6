// What the policies of one topic may take together.
#include <fmt/format.h>

#include <string>

#include "filter/compiled_filter.hpp"
#include "filter/policies.hpp"

namespace sluice::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;

TEST(CompileLimit, the_policy_at_which_memory_is_too_much_is_named) {
  const std::string text(100'000, 'x');
  std::vector<core::FilterPolicy> policies;
  for (int i = 0; i < 10; ++i) {
    policies.push_back(policy_of(fmt::format(R"({{"k":[{{"prefix":"{}{}"}}]}})", i, text)));
  }
  EXPECT_TRUE(core::CompiledFilter::compile(policies).has_value());
  const auto filter = core::CompiledFilter::compile(policies, 32 * kMiB);
  ASSERT_FALSE(filter.has_value());
  EXPECT_EQ(filter.error().policy, 4U);
  EXPECT_EQ(filter.error().text,
            "the filter policies of one topic take more than 32 MiB of memory together, of which "
            "the one numbered 5 of 10 "
            "alone takes 98 KiB: give them fewer values, or split them over several topics");
}

/// Policies of 1 000 things each: whether `bytes` are enough for so many.
bool fits(int policies, std::size_t bytes, auto&& thing) {
  const std::string text = "{" + many(1000, thing) + "}";
  std::vector<core::FilterPolicy> all(static_cast<std::size_t>(policies), policy_of(text));
  return core::CompiledFilter::compile(std::move(all), bytes).has_value();
}

TEST(CompileLimit, all_that_a_policy_can_have_is_counted) {
  const auto key = [](int i) { return fmt::format(R"("k{}":[1])", i); };
  const auto ranges = [](int i) {
    const auto range = [i](int n) { return fmt::format(R"({{"numeric":[">",{}]}})", i + n); };
    return fmt::format(R"("k{}":[{}])", i, many(20, range));
  };
  const auto wildcard = [](int i) {
    return fmt::format(R"("k{}":[{{"wildcard":"*{:0100}*"}},{{"anything-but":[{}]}}])", i, i, i);
  };
  const auto excluded = [](int i) {
    return fmt::format(R"("k{}":[{{"anything-but":["x{}"]}}])", i, i);
  };
  EXPECT_FALSE(fits(1, kMiB, key));
  EXPECT_FALSE(fits(1, 8 * kMiB, ranges));
  EXPECT_FALSE(fits(1, 2 * kMiB, wildcard));
  EXPECT_FALSE(fits(100, 16 * kMiB, excluded));
}

TEST(CompileLimit, ten_thousand_usual_policies_are_far_below_it) {
  std::vector<core::FilterPolicy> policies;
  for (int i = 0; i < 10'000; ++i) {
    policies.push_back(policy_of(fmt::format(
        R"({{"kind":["order-{}"],"price":[{{"numeric":[">",{}]}}],"to":[{{"prefix":"eu-{}/"}}]}})",
        i, i, i)));
  }
  EXPECT_TRUE(
      core::CompiledFilter::compile(std::move(policies), core::kFilterMemoryMax / 4).has_value());
}

}  // namespace
}  // namespace sluice::test
