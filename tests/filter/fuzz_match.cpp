// libFuzzer's way into matching: scripts/fuzz.sh. The first byte of the input chooses the scope and
// an attribute's type; lines follow, the last of them the body or the attribute's value, the others
// policies. They must be matched together as each is alone, and small ones as the definition says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "filter/compiled_filter.hpp"
#include "filter/message_fields.hpp"
#include "filter/parse_policy.hpp"
#include "filter/reference_matcher.hpp"

namespace {

using namespace sluice::core;

/// Beyond it the reference matcher, which tries all choices, may take too long.
constexpr std::size_t kReferenceBytesMax = 200;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

/// Numbers of the policies that take the message; `is_read`: whether it could be read and told.
std::vector<std::uint32_t> matched(const std::vector<FilterPolicy>& policies, FilterScope scope,
                                   const MessageText& message, bool* is_read) {
  const auto filter = CompiledFilter::compile(policies);
  require(filter.has_value());
  FilterScratch scratch(**filter);
  FieldReader reader;
  if (scope == FilterScope::message_body) {
    const auto* body = reinterpret_cast<const std::uint8_t*>(message.body.data());
    *is_read = reader.read_body({body, message.body.size()}, (*filter)->paths(), scratch);
  } else {
    const MessageText::Attribute& text = message.attributes.front();
    const sluice_attribute attribute{sizeof attribute,
                                     text.type,
                                     {text.name.data(), text.name.size()},
                                     {text.value.data(), text.value.size()}};
    const sluice_attribute* const pointer = &attribute;
    reader.read_attributes({&pointer, 1}, (*filter)->paths(), scratch);
    *is_read = true;
  }
  *is_read = *is_read && (*filter)->match(scratch);
  return *is_read ? scratch.matched : (*filter)->take_all();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto scope =
      (data[0] & 1) != 0 ? FilterScope::message_body : FilterScope::message_attributes;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_small = text.size() <= kReferenceBytesMax;
  std::vector<FilterPolicy> policies;
  for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;
       text.remove_prefix(end + 1)) {
    if (auto policy = parse_policy(text.substr(0, end), scope, FilterProfile::extended)) {
      policies.push_back(std::move(*policy));
    }
  }
  MessageText message;
  message.body = text;
  message.attributes.push_back({"k", std::string(text), 1U + (data[0] >> 1) % 4});
  bool is_read = false;
  const std::vector<std::uint32_t> together = matched(policies, scope, message, &is_read);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < policies.size(); ++i) {
    const bool is_taken = next < together.size() && together[next] == i;
    next += is_taken ? 1 : 0;
    bool is_read_alone = false;
    const bool is_taken_alone = !matched({policies[i]}, scope, message, &is_read_alone).empty();
    require(is_taken_alone == is_taken || is_read != is_read_alone);
    // What no policy names is skipped without a close look, so a body that is no JSON may match.
    require(!is_small || is_taken || !is_read ||
            !sluice::test::reference_matches(policies[i], message));
  }
  require(next == together.size());
  return 0;
}
