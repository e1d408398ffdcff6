// Small translations between texts: URL encoding of keys, JSON strings, times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::support {

/// `key` as S3 writes it in an event record: application/x-www-form-urlencoded, '/' kept
/// ("a b+ü.png" -> "a+b%2B%C3%BC.png"). The result is ASCII without quotes and backslashes.
std::string encode_key(std::string_view key);

/// `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

/// Whether `text` is well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

/// "2026-01-01T00:00:00.000Z", for milliseconds since 1970, within the years 0 to 9999.
std::string iso_time(std::int64_t unix_ms);

/// The scalar that `pointer` (RFC 6901) names in the JSON text `body`, as text: a string's
/// characters, a number, "true" or "false". Nothing if `body` is not JSON or holds no scalar there.
/// Numbers are written anew: integers exactly, others by the shortest text of their double.
std::optional<std::string> json_scalar(std::string_view body, std::string_view pointer);

}  // namespace sluice::support
