// Quantities for people and from people. Durations and sizes as a configuration writes them: a
// whole number and its unit, in one word.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::core {

/// "75s" -> 75'000 milliseconds. Units: ms, s, m, h, d. No sign, fraction, space or second unit.
/// The error is a text such as `"75" needs a unit: ms, s, m, h or d`.
std::expected<std::int64_t, std::string> parse_duration(std::string_view text);

/// "256KiB" -> 262'144 bytes. Units: B, KiB, MiB, GiB, TiB.
std::expected<std::int64_t, std::string> parse_size(std::string_view text);

/// The shortest text that parse_duration() reads as `ms`. REQUIRES: ms >= 0.
std::string format_duration(std::int64_t ms);

/// The shortest text that parse_size() reads as `bytes`. REQUIRES: bytes >= 0.
std::string format_size(std::int64_t bytes);

/// "1 dead letter", "2 dead letters": `what` in the singular, its plural ends with s.
std::string count_text(std::uint64_t number, std::string_view what);

}  // namespace sluice::core
