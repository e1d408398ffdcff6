// A filter policy that is tried: compiled and asked as a topic does it, one message at a time.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/message_fields.hpp"
#include "filter/parse_policy.hpp"
#include "message/message_json.hpp"

namespace sluice::core {

/// "MessageAttributes" or "MessageBody".
std::optional<FilterScope> filter_scope_from(std::string_view name);

/// A message as JSON (DESIGN §4). An object that has nothing of one is refused, as a `lines` source
/// does: it is more likely a bare body. Error: bad_data.
Result<MessageText> message_from(const Json& json);

/// One thread's.
class PolicyTrial {
 public:
  struct Answer {
    bool matches = false;
    std::vector<std::string> reasons;  ///< of explain(), and what else may help; if asked for
  };

  static std::expected<std::unique_ptr<PolicyTrial>, PolicyError> create(std::string_view policy,
                                                                         FilterScope scope,
                                                                         FilterProfile profile);
  Answer ask(const MessageText& message, bool explained);

 private:
  PolicyTrial(FilterPolicy policy, std::shared_ptr<const CompiledFilter> filter);
  bool read(const MessageText& message);
  std::vector<std::string> reasons(const MessageText& message) const;

  const FilterPolicy policy_;
  const std::shared_ptr<const CompiledFilter> filter_;
  FilterScratch scratch_;
  FieldReader reader_;
};

}  // namespace sluice::core
