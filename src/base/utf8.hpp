// UTF-8: whether a text is, and one character at a time, for places that must name the byte which is wrong.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::core {

/// Bytes (1-4) of the well-formed character that begins at `at`; 0 if none does (RFC 3629: no
/// overlong forms, no surrogates, nothing above U+10FFFF). REQUIRES: at < text.size().
std::size_t utf8_length(std::string_view text, std::size_t at);

/// The first byte that belongs to no well-formed character; text.size() if all is well.
std::size_t utf8_fault(std::string_view text);

/// Whether all of it is well-formed; quick also where it is long.
bool is_utf8(std::string_view text);

}  // namespace sluice::core
