#include "support/message_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/string_generator.hpp>
#include <charconv>
#include <iterator>
#include <sluice/plugin.hpp>
#include <utility>

#include "support/base64.hpp"
#include "support/text.hpp"

namespace sluice::support {

namespace {

using Type = JsonPiece::Type;
using Attribute = MessageText::Attribute;

constexpr std::size_t kAttributesMax = 64;      // as the host
constexpr std::size_t kAttributeNameMax = 256;  // bytes
constexpr std::size_t kGroupIdMax = 128;        // bytes
constexpr std::int64_t kDelayMaxMs = 900'000;   // Amazon SQS API reference, SendMessage, DelaySeconds

struct TypeName {
  std::uint32_t type;
  std::string_view name;
};
constexpr TypeName kTypeNames[] = {{SLUICE_STRING, "String"},
                                   {SLUICE_NUMBER, "Number"},
                                   {SLUICE_STRING_ARRAY, "String.Array"},
                                   {SLUICE_BINARY, "Binary"}};

std::string_view type_name(std::uint32_t type) {
  const auto* found = std::ranges::find(kTypeNames, type, &TypeName::type);
  return found == std::end(kTypeNames) ? "String" : found->name;
}

std::uint32_t type_of(std::string_view name, std::string_view attribute) {
  const auto* found = std::ranges::find(kTypeNames, name, &TypeName::name);
  if (found == std::end(kTypeNames)) {
    throw JsonFault{fmt::format(
        "attribute \"{}\" needs \"type\": String, Number, String.Array or Binary", attribute)};
  }
  return found->type;
}

std::string_view string_of(const JsonPiece& piece, std::string_view name) {
  if (piece.type != Type::string)
    throw JsonFault{fmt::format("\"{}\" is no string", name)};
  return piece.text;
}

Uuid uuid_of(std::string_view text) {
  constexpr std::string_view kShape = "00000000-0000-0000-0000-000000000000";
  bool good = text.size() == kShape.size();
  for (std::size_t i = 0; good && i < text.size(); ++i) {
    const std::string_view allowed = kShape[i] == '-' ? "-" : "0123456789abcdefABCDEF";
    good = allowed.find(text[i]) != std::string_view::npos;
  }
  if (!good)
    throw JsonFault{"\"id\" is not a UUID"};
  const boost::uuids::uuid id = boost::uuids::string_generator()(text.begin(), text.end());
  Uuid result;
  std::copy(id.begin(), id.end(), result.begin());
  return result;
}

std::string base64_of(const JsonPiece& piece, std::string_view name) {
  auto bytes = from_base64(string_of(piece, name));
  if (!bytes)
    throw JsonFault{fmt::format("\"{}\" is not base64", name)};
  return *std::move(bytes);
}

/// "90s", with the units of a configuration's durations.
std::int64_t delay_of(const JsonPiece& piece) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  std::uint32_t number = 0;
  const char* const end = piece.text.data() + piece.text.size();
  const auto [rest, fault] = std::from_chars(piece.text.data(), end, number);
  const auto* unit = std::ranges::find(kUnits, std::string_view(rest, end),
                                       &std::pair<std::string_view, std::int64_t>::first);
  if (piece.type != Type::string || fault == std::errc::invalid_argument ||
      unit == std::end(kUnits)) {
    throw JsonFault{"\"delay\" is no duration in quotes, such as \"90s\": a whole number and ms, s "
                    "or m"};
  }
  if (fault != std::errc() || number * unit->second > kDelayMaxMs)
    throw JsonFault{fmt::format("\"delay\" is {}, and at most 15m are possible", piece.text)};
  return number == 0 ? -1 : number * unit->second;
}

/// A string's characters, everything else as JSON.
std::string text_of(const JsonPiece& piece) {
  const bool nests = piece.type == Type::array || piece.type == Type::object;
  return nests ? compact_json(piece.text) : std::string(piece.text);
}

/// {"type":"String","value":"signup"}
Attribute typed_attribute(JsonReader& reader, std::string_view name, JsonReader::Value value,
                          int depth) {
  JsonPiece type, content;
  bool has_value = false;
  reader.members(value, depth, [&](std::string_view member, JsonReader::Value inner, int inside) {
    const JsonPiece piece = reader.piece(inner, inside);
    if (member == "type")
      type = piece;
    if (member != "value")
      return;
    content = piece;
    has_value = piece.type != Type::null && piece.type != Type::object;
  });
  const std::uint32_t code = type_of(type.text, name);
  if (!has_value)
    throw JsonFault{fmt::format("attribute \"{}\" needs a \"value\"", name)};
  const bool is_bare = (code == SLUICE_NUMBER && content.type == Type::number) ||
                       (code == SLUICE_STRING_ARRAY && content.type == Type::array);
  if (content.type != Type::string && !is_bare) {
    throw JsonFault{fmt::format(
        "\"value\" of attribute \"{}\" must be a string; a Number's may be a number, a String.Array's an array", name)};
  }
  return {std::string(name), code == SLUICE_BINARY ? base64_of(content, name) : text_of(content),
          code};
}

Attribute attribute_of(JsonReader& reader, std::string_view name, JsonReader::Value value,
                       int depth) {
  if (name.empty() || name.size() > kAttributeNameMax) {
    throw JsonFault{
        fmt::format("an attribute's name is not 1 to {} bytes long", kAttributeNameMax)};
  }
  if (JsonReader::first(value) == '{')
    return typed_attribute(reader, name, value, depth);
  const JsonPiece piece = reader.piece(value, depth);
  switch (piece.type) {
    case Type::string:
      return {std::string(name), std::string(piece.text), SLUICE_STRING};
    case Type::number:
      return {std::string(name), std::string(piece.text), SLUICE_NUMBER};
    case Type::array:
      return {std::string(name), compact_json(piece.text), SLUICE_STRING_ARRAY};
    default:
      throw JsonFault{fmt::format(
          "attribute \"{}\" is neither a string, a number, an array nor an object", name)};
  }
}

/// One message while it is read.
class Reading {
 public:
  explicit Reading(JsonReader& reader) : reader_(reader) {}

  void message(JsonReader::Value value, int depth) {
    if (JsonReader::first(value) != '{')
      throw JsonFault{"a message is a JSON object"};
    reader_.members(value, depth, [&](std::string_view name, JsonReader::Value inner, int inside) {
      if (name == "attributes") {
        attributes(inner, inside);
      } else {
        member(name, reader_.piece(inner, inside));
      }
    });
    if (!is_message_) {
      throw JsonFault{
          "a message has a \"body\", a \"body_base64\" or \"attributes\", and this has none"};
    }
  }

  MessageText take() { return std::move(message_); }

 private:
  void member(std::string_view name, const JsonPiece& piece) {
    if (name == "id") {
      message_.id = uuid_of(string_of(piece, name));
    } else if (name == "group_id" || name == "deduplication_id") {
      std::string& id = name == "group_id" ? message_.group_id : message_.deduplication_id;
      id = string_of(piece, name);
      if (id.size() > kGroupIdMax)
        throw JsonFault{fmt::format("\"{}\" is longer than {} bytes", name, kGroupIdMax)};
    } else if (name == "delay") {
      message_.delay_ms = delay_of(piece);
    } else if (name == "body" || name == "body_base64") {
      if (std::exchange(has_body_, true))
        throw JsonFault{"the body is given twice"};
      is_message_ = true;
      message_.body = name == "body" ? text_of(piece) : base64_of(piece, name);
    }
  }

  void attributes(JsonReader::Value value, int depth) {
    if (JsonReader::first(value) != '{')
      throw JsonFault{"\"attributes\" is no object"};
    is_message_ = true;
    reader_.members(value, depth, [&](std::string_view name, JsonReader::Value inner, int inside) {
      message_.attributes.push_back(attribute_of(reader_, name, inner, inside));
    });
    auto& all = message_.attributes;
    std::ranges::sort(all, {}, &Attribute::name);
    const auto twice = std::ranges::adjacent_find(all, {}, &Attribute::name);
    if (twice != all.end())
      throw JsonFault{fmt::format("attribute \"{}\" is given twice", twice->name)};
    if (all.size() > kAttributesMax)
      throw JsonFault{fmt::format("more than {} attributes", kAttributesMax)};
  }

  JsonReader& reader_;
  MessageText message_;
  bool has_body_ = false;
  bool is_message_ = false;
};

void append_attribute(std::string& to, const sluice_attribute& attribute) {
  const std::string_view value = view(attribute.value);
  const bool binary = attribute.type == SLUICE_BINARY;
  to += json_quote(view(attribute.name));
  fmt::format_to(std::back_inserter(to),
                 ":{{\"type\":\"{}\",\"value\":", type_name(attribute.type));
  to += json_quote(binary ? std::string_view(to_base64(value)) : value);
  to += '}';
}

}  // namespace

void append_message_json(std::string& to, const sluice_message& message) {
  const std::string_view body(reinterpret_cast<const char*>(message.body),
                              message.body == nullptr ? 0 : message.body_size);
  const auto end = std::back_inserter(to);
  fmt::format_to(end, "{{\"id\":\"{}\",", to_text(std::span<const std::uint8_t, 16>(message.id)));
  if (is_utf8(body)) {
    to += "\"body\":";
    to += json_quote(body);
  } else {
    fmt::format_to(end, "\"body_base64\":\"{}\"", to_base64(body));
  }
  to += ",\"attributes\":{";
  for (std::uint32_t i = 0; i < message.attribute_count; ++i) {
    if (i > 0)
      to += ',';
    append_attribute(to, *message.attributes[i]);
  }
  to += '}';
  if (message.group_id.size > 0) {
    to += ",\"group_id\":";
    to += json_quote(view(message.group_id));
  }
  fmt::format_to(end, ",\"sent\":{},\"receive_count\":{}}}", message.sent_ms,
                 message.receive_count);
}

std::expected<MessageText, std::string> read_message_json(JsonReader& reader,
                                                          std::string_view text) {
  Reading reading(reader);
  const auto done =
      reader.read(text, [&](JsonReader::Value value, int depth) { reading.message(value, depth); });
  if (!done)
    return std::unexpected(done.error());
  return reading.take();
}

}  // namespace sluice::support
