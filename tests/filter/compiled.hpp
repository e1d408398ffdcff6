// The compiled matcher at work, for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/message_fields.hpp"
#include "message/message_json.hpp"

namespace sluice::test {

/// Some policies of one scope as one matcher, with all that it needs.
class Compiled {
 public:
  Compiled(core::FilterScope scope, std::vector<core::FilterPolicy> policies);
  /// Of policies of the message body.
  explicit Compiled(std::initializer_list<std::string_view> policies);

  /// Numbers of those that take the message; of those that take all where it cannot be told.
  std::vector<std::uint32_t> match(const core::MessageText& message);
  std::vector<std::uint32_t> match_body(std::string_view body);
  /// Whether the last message could be read, and told.
  bool was_told() const { return was_told_; }
  /// Steps that the last message took.
  std::uint64_t steps() const { return scratch_->check.steps() + scratch_->values.steps; }
  core::ElementCheck::Limits& limits() { return scratch_->check.limits; }
  const core::FilterScratch& scratch() const { return *scratch_; }

 private:
  std::vector<std::uint32_t> matched(bool is_read);

  core::FilterScope scope_;
  std::shared_ptr<const core::CompiledFilter> filter_;
  std::unique_ptr<core::FilterScratch> scratch_;
  core::FieldReader reader_;
  bool was_told_ = false;
};

}  // namespace sluice::test
