// Why a filter policy takes a message or does not, by the definition in policy.hpp: for people who
// try a policy, and as a second opinion on the compiled matcher. Pure; not for the data plane.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/policy.hpp"

namespace sluice::core {

struct Explanation {
  bool matches = false;
  /// Without line ends. A clause that holds begins with "+", one that does not with "-"; with
  /// several branches, each has a line before its clauses, which are indented. Where the policy
  /// matches, only the first branch that does is told. Long values and lists are cut.
  std::vector<std::string> lines;
};

/// `scratch` has the message's fields as a FieldReader read them along `paths`, which are those of
/// a CompiledFilter that `policy` is part of.
Explanation explain(const FilterPolicy& policy, const PathTree& paths,
                    const FilterScratch& scratch);

/// Of a body that FieldReader::read_body() does not take: what is wrong with it.
std::string body_fault(std::string_view body);

}  // namespace sluice::core
