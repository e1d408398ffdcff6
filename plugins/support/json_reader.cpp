#include "support/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::support {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// RFC 8259 §6.
bool is_number(std::string_view token) {
  std::size_t at = 0;
  const auto take = [&](std::string_view any) {
    const bool taken = at < token.size() && any.find(token[at]) != std::string_view::npos;
    at += taken ? 1 : 0;
    return taken;
  };
  const auto digits = [&] {
    const std::size_t first = at;
    while (take("0123456789")) {
    }
    return at > first;
  };
  take("-");
  if (!take("0") && !digits())
    return false;
  if (take(".") && !digits())
    return false;
  if (take("eE")) {
    take("+-");
    if (!digits())
      return false;
  }
  return at == token.size();
}

}  // namespace

std::string compact_json(std::string_view json) {
  std::string compact(json.size(), '\0');
  std::size_t bytes = 0;
  if (simdjson::minify(json.data(), json.size(), compact.data(), bytes) != simdjson::SUCCESS)
    return std::string(json);
  compact.resize(bytes);
  return compact;
}

void JsonReader::open(std::string_view text) {
  padded_.clear();
  padded_.reserve(text.size() + 2 + simdjson::SIMDJSON_PADDING);
  padded_ += '[';
  padded_ += text;
  padded_ += ']';
  const std::size_t bytes = padded_.size();
  padded_.resize(bytes + simdjson::SIMDJSON_PADDING, ' ');
  document_ = parser_.iterate(padded_.data(), bytes, padded_.size());
}

void JsonReader::close(std::size_t values) {
  if (values != 1)
    throw JsonFault{values == 0 ? "no JSON: empty" : "no JSON: more than one value"};
  if (document_.current_location().error() == simdjson::SUCCESS)
    throw JsonFault{"no JSON: something follows the value"};
}

int JsonReader::deeper(int depth) {
  if (depth == kDepthMax)
    throw JsonFault{fmt::format("nested deeper than {} levels", kDepthMax)};
  return depth + 1;
}

std::string_view JsonReader::token(Value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && is_space(token.back()))
    token.remove_suffix(1);
  if (token.empty())
    throw JsonFault{"no JSON: a value is missing"};
  return token;
}

std::string_view JsonReader::checked(std::string_view unescaped) {
  if (!simdjson::validate_utf8(unescaped.data(), unescaped.size()))
    throw JsonFault{"no JSON: half a surrogate pair in a string"};
  return unescaped;
}

std::string_view JsonReader::since(const char* begin) {
  const char* here = document_.current_location();
  while (here > begin && is_space(here[-1]))
    --here;
  return {begin, here};
}

JsonPiece JsonReader::piece(Value value, int depth) {
  using Type = JsonPiece::Type;
  const std::string_view scalar = token(value);
  switch (scalar.front()) {
    case '"':
      return {Type::string, checked(value.get_string())};
    case '{':
      members(value, depth, [&](std::string_view, Value inner, int at) { piece(inner, at); });
      return {Type::object, since(scalar.data())};
    case '[':
      items(value, depth, [&](Value inner, int at) { piece(inner, at); });
      return {Type::array, since(scalar.data())};
    default:
      break;
  }
  if (scalar == "null")
    return {Type::null, scalar};
  if (scalar == "true" || scalar == "false")
    return {Type::boolean, scalar};
  if (!is_number(scalar))
    throw JsonFault{"no JSON: neither a number nor true, false or null"};
  return {Type::number, scalar};
}

}  // namespace sluice::support
