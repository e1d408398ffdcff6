// libFuzzer's way into the policy parser: scripts/fuzz.sh. The first byte of the input chooses
// scope and profile, the rest is the text. What comes out must be what later stages rely on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "filter/parse_policy.hpp"

namespace {

using namespace sluice::core;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check(const FilterPolicy& policy) {
  require(!policy.branches.empty() && policy.branches.size() <= kBranchesMax);
  for (const FilterBranch& branch : policy.branches) {
    for (std::size_t i = 0; i < branch.clauses.size(); ++i) {
      require(!branch.clauses[i].matchers.empty());
      require(i == 0 || branch.clauses[i - 1].path < branch.clauses[i].path);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto scope =
      (data[0] & 1) != 0 ? FilterScope::message_body : FilterScope::message_attributes;
  const auto profile = (data[0] & 2) != 0 ? FilterProfile::extended : FilterProfile::sns;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto policy = parse_policy(text, scope, profile);
  if (policy) {
    check(*policy);
  } else {
    require(!policy.error().text.empty() && policy.error().offset <= text.size());
    require(with_position(policy.error(), text).size() > policy.error().text.size());
  }
  return 0;
}
