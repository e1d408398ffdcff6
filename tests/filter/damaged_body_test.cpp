// Bodies with damage in a value that a policy looks at: they match nothing, and nothing is thrown.
#include <gtest/gtest.h>

#include <string>

#include "filter/compiled.hpp"

namespace sluice::test {
namespace {

using Numbers = std::vector<std::uint32_t>;

TEST(DamagedBody, a_value_that_is_no_json_matches_nothing) {
  for (const char* value : {"nope", "nul", "nulll", "n", "tru", "truee", "fals", "01", "-01", "1.", "-", "1.e5", "1e", "+1",
                            "00", "-.5", ".5", "0x1", "1.5.", "12345678901234567.", "0123456789012345678"}) {
    Compiled filter({R"({"k":[{"exists":true}]})"});
    EXPECT_EQ(filter.match_body(std::string("{\"k\":") + value + "}"), Numbers{}) << value;
    EXPECT_EQ(filter.match_body(std::string("{\"k\":[") + value + "]}"), Numbers{}) << value;
  }
}

TEST(DamagedBody, a_number_too_small_for_a_double_is_zero) {
  Compiled filter({R"({"k":[0]})"});
  EXPECT_EQ(filter.match_body("{\"k\":0." + std::string(400, '0') + "1}"), Numbers{0});
  EXPECT_EQ(filter.match_body("{\"k\":1e-999999999}"), Numbers{0});
}

}  // namespace
}  // namespace sluice::test
