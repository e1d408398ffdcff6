#include "filter/compiled.hpp"

#include <string>

#include "filter/policies.hpp"

namespace sluice::test {
namespace {

std::vector<core::FilterPolicy> parsed(std::initializer_list<std::string_view> texts) {
  std::vector<core::FilterPolicy> policies;
  for (const std::string_view text : texts) {
    policies.push_back(policy_of(text));
  }
  return policies;
}

}  // namespace

Compiled::Compiled(core::FilterScope scope, std::vector<core::FilterPolicy> policies)
    : scope_(scope),
      filter_(core::CompiledFilter::compile(std::move(policies)).value()),
      scratch_(std::make_unique<core::FilterScratch>(*filter_)) {}

Compiled::Compiled(std::initializer_list<std::string_view> policies)
    : Compiled(kBody, parsed(policies)) {}

std::vector<std::uint32_t> Compiled::matched(bool is_read) {
  was_told_ = is_read && filter_->match(*scratch_) && scratch_->untold.empty() &&
              (scope_ != kBody || reader_.damaged() == 0);
  return is_read ? scratch_->matched : filter_->take_all();
}

std::vector<std::uint32_t> Compiled::match_body(std::string_view body) {
  return matched(
      reader_.read_body({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()},
                        filter_->paths(), *scratch_));
}

std::vector<std::uint32_t> Compiled::match(const core::MessageText& message) {
  if (scope_ == kBody) {
    return match_body(message.body);
  }
  std::vector<sluice_attribute> attributes;
  for (const auto& each : message.attributes) {
    attributes.push_back({sizeof(sluice_attribute),
                          each.type,
                          {each.name.data(), each.name.size()},
                          {each.value.data(), each.value.size()}});
  }
  std::vector<const sluice_attribute*> pointers;
  for (const sluice_attribute& attribute : attributes) {
    pointers.push_back(&attribute);
  }
  reader_.read_attributes(pointers, filter_->paths(), *scratch_);
  return matched(true);
}

}  // namespace sluice::test
