#include "support/text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace sluice::support {

namespace {

/// What application/x-www-form-urlencoded leaves as it is (WHATWG URL §5.2), and '/'.
bool is_plain(unsigned char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '*' ||
         byte == '/';
}

std::optional<std::string> scalar_text(const simdjson::dom::element& value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::STRING:
      return std::string(value.get_string().value_unsafe());
    case element_type::INT64:
      return fmt::format("{}", value.get_int64().value_unsafe());
    case element_type::UINT64:
      return fmt::format("{}", value.get_uint64().value_unsafe());
    case element_type::DOUBLE:
      return fmt::format("{}", value.get_double().value_unsafe());
    case element_type::BOOL:
      return value.get_bool().value_unsafe() ? "true" : "false";
    default:
      return std::nullopt;  // null, array, object
  }
}

}  // namespace

std::string encode_key(std::string_view key) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  result.reserve(key.size() + 8);
  for (char character : key) {
    const auto byte = static_cast<unsigned char>(character);
    if (is_plain(byte)) {
      result += character;
    } else if (byte == ' ') {
      result += '+';
    } else {
      result += '%';
      result += kDigits[byte >> 4];
      result += kDigits[byte & 15];
    }
  }
  return result;
}

std::string json_quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

std::string iso_time(std::int64_t unix_ms) {
  constexpr std::int64_t kYear0 = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
  constexpr std::int64_t kYear9999 = 253'402'300'799'999;
  unix_ms = std::clamp(unix_ms, kYear0, kYear9999);
  const auto time = std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(unix_ms)));
  const std::int64_t rest = unix_ms - time.time_since_epoch().count() * 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(time.time_since_epoch().count()),
                     rest);
}

std::optional<std::string> json_scalar(std::string_view body, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  if (pointer.empty())
    return scalar_text(root);
  simdjson::dom::element value;
  if (root.at_pointer(pointer).get(value) != simdjson::SUCCESS)
    return std::nullopt;
  return scalar_text(value);
}

}  // namespace sluice::support
