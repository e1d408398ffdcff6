// Writing: compact text of a tree, and strings as JSON has them.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace sluice::core {

namespace {
/// `marks`: nullptr, nobody asks.
void write_text(const Json& value, std::string& into, std::vector<JsonMark>* marks) {
  const auto mark = [&](std::uint32_t offset) {
    if (marks != nullptr) {
      marks->push_back({into.size(), offset});
    }
  };
  const char* separator = "";
  mark(value.offset);
  switch (value.type) {
    case Json::Type::null:
      into += "null";
      return;
    case Json::Type::boolean:
      into += value.boolean ? "true" : "false";
      return;
    case Json::Type::number:
      into += value.text;
      return;
    case Json::Type::string:
      into += json_quote(value.text);
      return;
    case Json::Type::array:
      into += '[';
      for (const Json& item : value.items) {
        into += std::exchange(separator, ",");
        write_text(item, into, marks);
      }
      into += ']';
      return;
    case Json::Type::object:
      into += '{';
      for (const JsonMember& member : value.members) {
        into += std::exchange(separator, ",");
        mark(member.offset);
        into += json_quote(member.name);
        into += ':';
        write_text(member.value, into, marks);
      }
      into += '}';
      return;
  }
}
}  // namespace

std::string to_text(const Json& value) {
  std::string text;
  write_text(value, text, nullptr);
  return text;
}

std::string to_text(const Json& value, std::vector<JsonMark>& marks) {
  std::string text;
  write_text(value, text, &marks);
  return text;
}

std::string json_quote(std::string_view text) {
  std::string quoted = "\"";
  quoted.reserve(text.size() + 2);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const char c = text[at];
    if (length == 0) {
      quoted += "\xEF\xBF\xBD";
    } else if (length > 1) {
      quoted += text.substr(at, length);
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
    at += std::max<std::size_t>(length, 1);
  }
  quoted += '"';
  return quoted;
}

}  // namespace sluice::core
