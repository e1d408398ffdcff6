#include "item_template.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "support/text.hpp"

namespace sluice::table_put {
namespace {

using support::json_quote;
using support::JsonFault;
using support::JsonPiece;
using support::JsonReader;
using support::KeyTemplate;

constexpr std::size_t kMembersMax = 256;

/// `column`: its name in quotes.
KeyTemplate parse_template(std::string_view column, std::string_view text) {
  auto parsed = KeyTemplate::parse(text);
  if (!parsed)
    throw JsonFault{fmt::format("{}: {}", column, parsed.error())};
  return *std::move(parsed);
}

/// The type of the value that `text` is as JSON; nothing if it is none.
std::optional<JsonPiece::Type> json_type(std::string_view text) {
  JsonReader reader;
  std::optional<JsonPiece::Type> type;
  const auto look = [&](JsonReader::Value value, int depth) {
    type = reader.piece(value, depth).type;
  };
  return reader.read(text, look) ? type : std::nullopt;
}

}  // namespace

std::expected<ItemTemplate, std::string> ItemTemplate::parse(std::string_view json) {
  ItemTemplate result;
  JsonReader reader;
  const auto read = [&](JsonReader::Value value, int depth) {
    if (JsonReader::first(value) != '{')
      throw JsonFault{R"(must be an object of columns, such as {"name": "{body:/name}"})"};
    reader.members(value, depth, [&](std::string_view name, JsonReader::Value inner, int at) {
      if (result.members_.size() == kMembersMax)
        throw JsonFault{fmt::format("has more than {} columns", kMembersMax)};
      Member member = read_member(reader, name, inner, at);
      if (std::ranges::find(result.members_, member.name, &Member::name) != result.members_.end())
        throw JsonFault{fmt::format("has {} twice", member.name)};
      result.members_.push_back(std::move(member));
    });
  };
  if (auto done = reader.read(json, read); !done)
    return std::unexpected(done.error());
  if (result.members_.empty())
    return std::unexpected(std::string("has no column"));
  return result;
}

ItemTemplate::Member ItemTemplate::read_member(JsonReader& reader, std::string_view name,
                                               JsonReader::Value value, int depth) {
  Member member{json_quote(name), Kind::literal, {}, std::nullopt};
  if (JsonReader::first(value) == '{') {
    read_typed(reader, value, depth, member);
    return member;
  }
  const JsonPiece piece = reader.piece(value, depth);
  switch (piece.type) {
    case JsonPiece::Type::array:
      throw JsonFault{fmt::format(
          "{}: an array cannot stand here; {{\"json\": TEMPLATE}} makes one", member.name)};
    case JsonPiece::Type::string:
      if (piece.text.empty()) {
        member.literal = "\"\"";
      } else {
        member.kind = Kind::text;
        member.value = parse_template(member.name, piece.text);
      }
      break;
    default:
      member.literal = piece.text;
  }
  return member;
}

void ItemTemplate::read_typed(JsonReader& reader, JsonReader::Value value, int depth,
                              Member& member) {
  reader.members(value, depth, [&](std::string_view type, JsonReader::Value inner, int at) {
    const JsonPiece text = reader.piece(inner, at);
    const Kind kind = type == "number"    ? Kind::number
                      : type == "boolean" ? Kind::boolean
                      : type == "json"    ? Kind::json
                                          : Kind::literal;
    if (kind == Kind::literal || member.value || text.type != JsonPiece::Type::string) {
      throw JsonFault{fmt::format(
          "{}: an object here is {{\"number\": TEMPLATE}}, {{\"boolean\": TEMPLATE}} or "
          "{{\"json\": TEMPLATE}}",
          member.name)};
    }
    member.kind = kind;
    member.value = parse_template(member.name, text.text);
  });
  if (!member.value)
    throw JsonFault{fmt::format("{}: an empty object cannot stand here", member.name)};
}

std::expected<std::string, ItemFault> ItemTemplate::expand(
    const support::TemplateInput& input) const {
  std::string item;
  for (const Member& member : members_) {
    item += item.empty() ? '{' : ',';
    item += member.name;
    item += ':';
    if (!member.value) {
      item += member.literal;
      continue;
    }
    const auto text = member.value->expand(input);
    if (!text)
      return std::unexpected(
          ItemFault{"template_value_missing", fmt::format("{}: {}", member.name, text.error())});
    const std::optional<std::string> json = value_json(member.kind, *text);
    if (!json) {
      constexpr std::size_t kShownMax = 60;
      const std::string_view kind = member.kind == Kind::text      ? "UTF-8"
                                    : member.kind == Kind::number  ? "number"
                                    : member.kind == Kind::boolean ? "boolean"
                                                                   : "JSON";
      return std::unexpected(
          ItemFault{"invalid_value", fmt::format("{}: {} is no {}", member.name,
                                                 json_quote(text->substr(0, kShownMax)), kind)});
    }
    item += *json;
  }
  return item + "}";
}

/// Nothing where the text is none of that kind.
std::optional<std::string> ItemTemplate::value_json(Kind kind, std::string_view text) {
  if (kind == Kind::text)
    return support::is_utf8(text) ? std::optional(json_quote(text)) : std::nullopt;
  const std::optional<JsonPiece::Type> type = json_type(text);
  if (!type || (kind == Kind::number && type != JsonPiece::Type::number) ||
      (kind == Kind::boolean && type != JsonPiece::Type::boolean))
    return std::nullopt;
  return support::compact_json(text);
}

}  // namespace sluice::table_put
