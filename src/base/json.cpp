// Reading. simdjson's On-Demand front end walks the text and gives, for every value and name, a
// pointer into it: those are our offsets. On-Demand checks only what is looked at and leaves
// numbers and literals as raw tokens, so everything is looked at here, tokens are held against the
// grammar, and what its first pass reports without a place (broken UTF-8, control characters, an
// unclosed string) is looked for again, on the error path only.
#include "base/json.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/utf8.hpp"

namespace sluice::core {

namespace {

namespace ondemand = simdjson::ondemand;

using Fault = std::optional<JsonError>;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && is_space(token.back())) {
    token.remove_suffix(1);
  }
  return token;
}

/// How a character is shown in an error.
std::string shown(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F ? fmt::format("'{}'", c) : fmt::format("byte 0x{:02x}", byte);
}

/// RFC 8259 §6. `whole` tells whether it has neither fraction nor exponent.
bool is_json_number(std::string_view token, bool* whole) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < token.size() && is_digit(token[at])) {
      ++at;
    }
    return at > first;
  };
  *whole = true;
  if (at < token.size() && token[at] == '-') {
    ++at;
  }
  if (at < token.size() && token[at] == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (at < token.size() && token[at] == '.') {
    *whole = false;
    ++at;
    if (!digits()) {
      return false;
    }
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    *whole = false;
    ++at;
    if (at < token.size() && (token[at] == '+' || token[at] == '-')) {
      ++at;
    }
    if (!digits()) {
      return false;
    }
  }
  return at == token.size();
}

/// The place of an unclosed string or of a control character inside one.
JsonError string_fault(std::string_view text, simdjson::error_code code) {
  std::size_t opened = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (!inside) {
      inside = byte == '"';
      opened = at;
    } else if (byte == '\\') {
      ++at;
    } else if (byte == '"') {
      inside = false;
    } else if (byte < 0x20 && code == simdjson::UNESCAPED_CHARS) {
      return {static_cast<std::uint32_t>(at),
              fmt::format("control character 0x{:02x} in a string: write \\u{:04x}", byte, byte)};
    }
  }
  return {static_cast<std::uint32_t>(opened), "the string is not closed"};
}

/// simdjson refuses a root that does not end with its own bracket before reading it: the place
/// where the brackets of `text` stop to match.
JsonError bracket_fault(std::string_view text) {
  std::string open;
  bool inside_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (inside_string) {
      at += c == '\\' ? 1 : 0;
      inside_string = c != '"';
    } else if (const auto place = static_cast<std::uint32_t>(at);
               open.empty() && at > 0 && !is_space(c) && text.find_first_not_of(" \t\r\n") < at) {
      return {place, fmt::format("{} after the end of the document", shown(c))};
    } else if (c == '"') {
      inside_string = true;
    } else if (c == '{' || c == '[') {
      open += c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (open.empty() || open.back() != c) {
        return {place, fmt::format("expected {}, not '{}'",
                                   open.empty() ? "a value"
                                   : c == '}'   ? "',' or ']'"
                                                : "',' or '}'",
                                   c)};
      }
      open.pop_back();
    }
  }
  return {static_cast<std::uint32_t>(text.size()), "the document ends inside an array or object"};
}

class Reading {
 public:
  Reading(std::string_view text, ondemand::document& document, const JsonOptions& options)
      : text_(text), document_(document), options_(options) {}

  /// `Value` is ondemand::value or, at the root, ondemand::document.
  template <class Value>
  Fault read(Value& value, Json& into, int depth) {
    if (++values_ > options_.values_max) {
      return at_cursor(fmt::format("more than {} values", options_.values_max));
    }
    std::string_view token;
    if (const auto code =
            simdjson::simdjson_result<std::string_view>(value.raw_json_token()).get(token)) {
      return at_cursor("expected a value", code);
    }
    into.offset = offset_of(token.data());
    const char first = into.offset < text_.size() ? text_[into.offset] : '\0';
    switch (first) {
      case '{':
        return depth == options_.depth_max ? too_deep(into) : read_object(value, into, depth + 1);
      case '[':
        return depth == options_.depth_max ? too_deep(into) : read_array(value, into, depth + 1);
      case '"':
        return read_string(value, into);
      default:
        return read_scalar(trim_end(token), into);
    }
  }

  /// Whatever stands behind the root value.
  Fault trailing(const Json& root) {
    const char* next = nullptr;
    if (root.type == Json::Type::object || root.type == Json::Type::array) {
      if (document_.current_location().get(next) != simdjson::SUCCESS) {
        return std::nullopt;
      }
    } else {
      next = text_.data() + end_of_scalar(root);
    }
    std::size_t at = offset_of(next);
    while (at < text_.size() && is_space(text_[at])) {
      ++at;
    }
    if (at >= text_.size()) {
      return std::nullopt;
    }
    return JsonError{static_cast<std::uint32_t>(at),
                     fmt::format("{} after the end of the document", shown(text_[at]))};
  }

 private:
  std::uint32_t offset_of(const char* pointer) const {
    return static_cast<std::uint32_t>(std::clamp<std::ptrdiff_t>(
        pointer - text_.data(), 0, static_cast<std::ptrdiff_t>(text_.size())));
  }

  /// A scalar at the root is read from its token alone; the cursor still stands before it.
  std::size_t end_of_scalar(const Json& root) const {
    std::size_t at = root.offset;
    if (root.type != Json::Type::string) {
      while (at < text_.size() && !is_space(text_[at])) {
        ++at;
      }
      return at;
    }
    for (++at; at < text_.size() && text_[at] != '"'; ++at) {
      at += text_[at] == '\\' ? 1 : 0;
    }
    return at + 1;
  }

  Fault at_cursor(std::string message, simdjson::error_code code = simdjson::SUCCESS) {
    if (code == simdjson::UNCLOSED_STRING || code == simdjson::UNESCAPED_CHARS) {
      return string_fault(text_, code);
    }
    const char* here = nullptr;
    if (document_.current_location().get(here) != simdjson::SUCCESS) {
      here = text_.data() + text_.size();
    }
    const std::uint32_t offset = offset_of(here);
    if (code == simdjson::INCOMPLETE_ARRAY_OR_OBJECT || offset >= text_.size()) {
      return bracket_fault(text_);
    }
    return JsonError{offset, fmt::format("{}, not {}", message, shown(text_[offset]))};
  }

  Fault too_deep(const Json& into) const {
    return JsonError{into.offset, fmt::format("nested deeper than {} levels", options_.depth_max)};
  }

  template <class Value>
  Fault read_string(Value& value, Json& into) {
    into.type = Json::Type::string;
    std::string_view unescaped;
    if (value.get_string().get(unescaped) != simdjson::SUCCESS) {
      return JsonError{into.offset, "bad escape in the string"};
    }
    if (utf8_fault(unescaped) != unescaped.size()) {
      return JsonError{into.offset, "half a surrogate pair in the string"};
    }
    into.text = unescaped;
    return std::nullopt;
  }

  template <class Value>
  Fault read_array(Value& value, Json& into, int depth) {
    into.type = Json::Type::array;
    ondemand::array array;
    if (const auto code = value.get_array().get(array)) {
      return at_cursor("expected ']'", code);
    }
    for (auto item : array) {
      ondemand::value element;
      if (const auto code = item.get(element)) {
        return at_cursor("expected ',' or ']'", code);
      }
      if (Fault fault = read(element, into.items.emplace_back(), depth)) {
        return fault;
      }
    }
    return std::nullopt;
  }

  template <class Value>
  Fault read_object(Value& value, Json& into, int depth) {
    into.type = Json::Type::object;
    ondemand::object object;
    if (const auto code = value.get_object().get(object)) {
      return at_cursor("expected '}'", code);
    }
    std::unordered_set<std::string_view> names;  // into the parser's buffer, which stays
    for (auto item : object) {
      ondemand::field field;
      if (const auto code = std::move(item).get(field)) {
        return at_cursor("expected a member name, ',' or '}'", code);
      }
      JsonMember& member = into.members.emplace_back();
      member.offset = offset_of(field.key().raw() - 1);
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) {
        return JsonError{member.offset, "bad escape in the member name"};
      }
      if (utf8_fault(name) != name.size()) {
        return JsonError{member.offset, "half a surrogate pair in the member name"};
      }
      if (!options_.allow_duplicate_names && !names.insert(name).second) {
        return JsonError{member.offset, fmt::format("member {} is given twice", json_quote(name))};
      }
      member.name = name;
      if (Fault fault = read(field.value(), member.value, depth)) {
        return fault;
      }
    }
    return std::nullopt;
  }

  Fault read_scalar(std::string_view token, Json& into) const {
    if (token == "true" || token == "false") {
      into.type = Json::Type::boolean;
      into.boolean = token == "true";
      return std::nullopt;
    }
    if (token == "null") {
      into.type = Json::Type::null;
      return std::nullopt;
    }
    bool whole = false;
    if (!is_json_number(token, &whole)) {
      return not_a_value(token, into.offset);
    }
    return read_number(token, whole, into);
  }

  static Fault not_a_value(std::string_view token, std::uint32_t offset) {
    if (token.empty() || std::string_view(",:]}").find(token.front()) != std::string_view::npos) {
      return JsonError{offset, token.empty()
                                   ? std::string("expected a value")
                                   : fmt::format("expected a value, not {}", shown(token.front()))};
    }
    const bool cut = token.size() > 40;
    std::string text(token.substr(0, cut ? 40 : token.size()));
    return JsonError{offset,
                     fmt::format("{}{} is no JSON value", json_quote(text), cut ? "..." : "")};
  }

  Fault read_number(std::string_view token, bool whole, Json& into) const {
    into.type = Json::Type::number;
    into.text = token;
    const char* end = token.data() + token.size();
    const auto converted = std::from_chars(token.data(), end, into.number);
    if (converted.ec != std::errc()) {
      // from_chars gives the same answer for too large and too small; only the former is an error.
      into.number = std::strtod(into.text.c_str(), nullptr);
      if (!std::isfinite(into.number) && !options_.allow_infinite_numbers) {
        return JsonError{into.offset, "the number is too large"};
      }
    }
    constexpr double kExact = 9007199254740992.0;  // 2^53: doubles below are exact whole numbers
    std::int64_t integer = 0;
    if (whole) {
      if (std::from_chars(token.data(), end, integer).ec == std::errc()) {
        into.integer = integer;
      }
    } else if (std::abs(into.number) < kExact && std::trunc(into.number) == into.number) {
      into.integer = static_cast<std::int64_t>(into.number);
    }
    return std::nullopt;
  }

  std::string_view text_;  // the parser's padded copy, without the padding
  ondemand::document& document_;
  const JsonOptions& options_;
  std::size_t values_ = 0;
};

/// What simdjson's first pass over the whole text found.
JsonError first_pass_fault(std::string_view text, simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return {0, "the text is empty"};
    case simdjson::UNCLOSED_STRING:
    case simdjson::UNESCAPED_CHARS:
      return string_fault(text, code);
    case simdjson::MEMALLOC:
      return {0, "out of memory"};
    default:
      return {0, fmt::format("not JSON ({})", simdjson::error_message(code))};
  }
}

}  // namespace

const Json* Json::find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const JsonMember& member) { return member.name == name; });
  return found == members.end() ? nullptr : &found->value;
}

std::expected<Json, JsonError> parse_json(std::string_view text, std::size_t bytes_max) {
  return parse_json(text, JsonOptions{.bytes_max = bytes_max});
}

std::expected<Json, JsonError> parse_json(std::string_view text, const JsonOptions& options) {
  const std::size_t bytes_max =
      std::min<std::size_t>(options.bytes_max, std::numeric_limits<std::uint32_t>::max() / 2);
  if (text.size() > bytes_max) {
    return std::unexpected(JsonError{static_cast<std::uint32_t>(bytes_max),
                                     fmt::format("longer than {} bytes", bytes_max)});
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return std::unexpected(JsonError{0, "begins with a byte order mark: save it as plain UTF-8"});
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    const std::size_t fault = std::min(utf8_fault(text), text.size() - 1);
    return std::unexpected(JsonError{static_cast<std::uint32_t>(fault),
                                     fmt::format("{} is not UTF-8", shown(text[fault]))});
  }
  const simdjson::padded_string padded(text);
  const std::string_view copy(padded.data(), padded.size());
  ondemand::parser parser(bytes_max);
  ondemand::document document;
  if (const auto code = parser.iterate(padded).get(document)) {
    return std::unexpected(first_pass_fault(copy, code));
  }
  Json root;
  Reading reading(copy, document, options);
  Fault fault = reading.read(document, root, 0);
  if (!fault) {
    fault = reading.trailing(root);
  }
  if (fault) {
    return std::unexpected(std::move(*fault));
  }
  return root;
}

}  // namespace sluice::core
