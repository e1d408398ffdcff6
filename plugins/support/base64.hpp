// Base64 (RFC 4648 §4), strict: padded, no white space.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::support {

std::string to_base64(std::string_view bytes);

/// Nothing if `text` is not base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace sluice::support
