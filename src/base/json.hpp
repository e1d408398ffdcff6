// JSON as a tree whose values know where they stand, for configuration and other control-plane
// input. Reading is simdjson's; the tree is immutable data, safe to share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sluice::core {

struct JsonMember;

/// One value. `offset` is the byte of the text where it begins.
struct Json {
  enum class Type : std::uint8_t { null, boolean, number, string, array, object };

  Type type = Type::null;
  bool boolean = false;
  std::uint32_t offset = 0;
  double number = 0;
  std::optional<std::int64_t> integer;  ///< Set where the number is a whole int64.
  std::string text;                     ///< string: unescaped; number: its literal.
  std::vector<Json> items;              ///< array
  std::vector<JsonMember> members;      ///< object, in the order of the text

  /// The member's value, nullptr if there is none (or this is no object).
  const Json* find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  std::uint32_t offset = 0;  ///< of the name's opening quote
  Json value;
};

/// Where and why a text is not JSON.
struct JsonError {
  std::uint32_t offset;
  std::string message;
};

/// What parse_json takes. The defaults are for what people write: configuration, messages as JSON.
struct JsonOptions {
  std::size_t bytes_max = 16 << 20;
  /// A Json takes about 130 bytes, its text as few as two: this bounds memory to some 130 MB.
  std::size_t values_max = 1'000'000;
  int depth_max = 64;                   ///< at most 1000: reading recurses
  bool allow_duplicate_names = false;   ///< keep every member of an object, in order
  bool allow_infinite_numbers = false;  ///< `number` of 1e400 is infinity; `text` has the literal
};

/// Strict JSON within `options`.
std::expected<Json, JsonError> parse_json(std::string_view text, const JsonOptions& options);

/// The same with the defaults, and texts of at most `bytes_max`.
std::expected<Json, JsonError> parse_json(std::string_view text, std::size_t bytes_max = 16 << 20);

/// Compact JSON text of `value`.
std::string to_text(const Json& value);

/// Where a value or member name of a written text came from.
struct JsonMark {
  std::size_t written;   ///< byte of the new text
  std::uint32_t offset;  ///< Json::offset or JsonMember::offset
};

/// The same; the origins of its parts are added to `marks`, in the order of the text.
std::string to_text(const Json& value, std::vector<JsonMark>& marks);

/// `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace sluice::core
