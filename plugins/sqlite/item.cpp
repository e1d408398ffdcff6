#include "item.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "support/base64.hpp"
#include "support/text.hpp"

namespace sluice::sqlite {
namespace {

using support::json_quote;
using support::JsonFault;
using support::JsonPiece;

[[noreturn]] void wrong(const Column& column, std::string_view found) {
  throw JsonFault{fmt::format("column {} holds {}, and the item has {}", json_quote(column.name),
                              name_of(column.type), found)};
}

std::string_view kind_text(JsonPiece::Type type) {
  switch (type) {
    case JsonPiece::Type::null:
      return "null";
    case JsonPiece::Type::boolean:
      return "true or false";
    case JsonPiece::Type::number:
      return "a number";
    case JsonPiece::Type::string:
      return "a string";
    case JsonPiece::Type::array:
      return "an array";
    default:
      return "an object";
  }
}

/// The whole of `text`, or nothing.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

Value integer_value(const Column& column, std::string_view text) {
  const auto integer = number_in<std::int64_t>(text);
  if (!integer)
    wrong(column, "a number that is not whole, or of more than 64 bits");
  return {.kind = Value::Kind::integer, .integer = *integer};
}

Value real_value(const Column& column, std::string_view text) {
  const auto real = number_in<double>(text);
  if (!real || !std::isfinite(*real))
    wrong(column, "a number beyond its range");
  return {.kind = Value::Kind::real, .real = *real};
}

/// Of every type but json. `bare`: a string stands for any type.
Value scalar_value(const Column& column, const JsonPiece& piece, bool bare) {
  const bool is_string = piece.type == JsonPiece::Type::string;
  const bool as_text = bare && is_string;
  switch (column.type) {
    case ColumnType::integer:
      if (piece.type != JsonPiece::Type::number && !as_text)
        wrong(column, kind_text(piece.type));
      return integer_value(column, piece.text);
    case ColumnType::real:
      if (piece.type != JsonPiece::Type::number && !as_text)
        wrong(column, kind_text(piece.type));
      return real_value(column, piece.text);
    case ColumnType::boolean:
      if (piece.type != JsonPiece::Type::boolean && !as_text)
        wrong(column, kind_text(piece.type));
      if (piece.text != "true" && piece.text != "false")
        wrong(column, "another word");
      return {.kind = Value::Kind::integer, .integer = piece.text == "true" ? 1 : 0};
    default:
      if (!is_string)
        wrong(column, kind_text(piece.type));
      return {.kind = Value::Kind::text, .text = piece.text};
  }
}

bool is_json(std::string_view text) {
  support::JsonReader reader;
  return reader
      .read(text, [&](support::JsonReader::Value value, int depth) { reader.piece(value, depth); })
      .has_value();
}

/// As it stands in the database, which others may write, too.
std::string value_json(const Statement& statement, int at, ColumnType type) {
  switch (statement.type(at)) {
    case SQLITE_NULL:
      return "null";
    case SQLITE_INTEGER: {
      const std::int64_t integer = statement.integer(at);
      if (type == ColumnType::boolean && (integer == 0 || integer == 1))
        return integer == 1 ? "true" : "false";
      return fmt::format("{}", integer);
    }
    case SQLITE_FLOAT:
      return std::isfinite(statement.real(at)) ? fmt::format("{}", statement.real(at)) : "null";
    case SQLITE_BLOB:
      return json_quote(support::to_base64(statement.text(at)));
    default: {
      const std::string_view text = statement.text(at);
      return type == ColumnType::json && is_json(text) ? std::string(text) : json_quote(text);
    }
  }
}

}  // namespace

std::expected<std::span<const Value>, std::string> ItemReader::read(std::string_view json) {
  const std::size_t columns = layout_.columns.size();
  const auto object = [&](Json::Value value, int depth) {
    if (Json::first(value) != '{')
      throw JsonFault{"an item is a JSON object"};
    read_members(value, depth, columns);
  };
  if (auto done = reader_.read(json, object); !done)
    return std::unexpected(done.error());
  return std::span<const Value>(values_);
}

std::expected<std::span<const Value>, std::string> ItemReader::read_key(std::string_view json) {
  const auto key = [&](Json::Value value, int depth) {
    if (Json::first(value) == '{') {
      read_members(value, depth, layout_.key_columns);
      return;
    }
    if (layout_.key_columns != 1) {
      throw JsonFault{
          fmt::format("the key is {} columns: give an object of them", layout_.key_columns)};
    }
    const Column& column = layout_.columns.front();
    const JsonPiece piece = reader_.piece(value, depth);
    compacted_.assign(1, std::string(piece.text));
    values_.assign(1, column.type == ColumnType::json
                          ? Value{.kind = Value::Kind::text, .text = compacted_.front()}
                          : scalar_value(column, piece, true));
  };
  if (auto done = reader_.read(json, key); !done)
    return std::unexpected(done.error());
  return std::span<const Value>(values_);
}

void ItemReader::read_members(Json::Value value, int depth, std::size_t columns) {
  values_.assign(columns, Value{});
  given_.assign(columns, false);
  compacted_.assign(columns, {});
  reader_.members(value, depth, [&](std::string_view name, Json::Value inner, int at) {
    const std::optional<std::size_t> column = layout_.find(name);
    if (!column || *column >= columns) {
      throw JsonFault{fmt::format(
          "{} {}",
          columns == layout_.columns.size() ? "the table has no column" : "the key has no column",
          json_quote(name.substr(0, kNameBytesMax)))};
    }
    if (given_[*column])
      throw JsonFault{fmt::format("column {} is there twice", json_quote(name))};
    given_[*column] = true;
    read_value(inner, at, *column);
  });
  need_key(layout_.key_columns);
}

void ItemReader::read_value(Json::Value value, int depth, std::size_t at) {
  const Column& column = layout_.columns[at];
  const char* begin = Json::begin(value);
  const JsonPiece piece = reader_.piece(value, depth);
  if (piece.type == JsonPiece::Type::null)
    return;
  if (column.type != ColumnType::json) {
    values_[at] = scalar_value(column, piece, false);
    return;
  }
  const bool is_string =
      piece.type == JsonPiece::Type::string;  // of which the piece has the characters
  compacted_[at] = support::compact_json(is_string ? reader_.since(begin) : piece.text);
  values_[at] = {.kind = Value::Kind::text, .text = compacted_[at]};
}

void ItemReader::need_key(std::size_t columns) const {
  for (std::size_t i = 0; i < columns; ++i) {
    if (values_[i].kind == Value::Kind::null)
      throw JsonFault{
          fmt::format("column {} of the key has no value", json_quote(layout_.columns[i].name))};
  }
}

void bind_values(Statement& statement, std::span<const Value> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    const Value& value = values[i];
    switch (value.kind) {
      case Value::Kind::null:
        statement.bind_null(at);
        break;
      case Value::Kind::integer:
        statement.bind(at, value.integer);
        break;
      case Value::Kind::real:
        statement.bind(at, value.real);
        break;
      case Value::Kind::text:
        statement.bind(at, value.text);
    }
  }
}

std::string row_json(const Statement& statement, const Layout& layout, std::size_t columns) {
  std::string json = "{";
  for (std::size_t i = 0; i < columns; ++i) {
    json += fmt::format("{}{}:{}", i == 0 ? "" : ",", json_quote(layout.columns[i].name),
                        value_json(statement, static_cast<int>(i), layout.columns[i].type));
  }
  return json + "}";
}

}  // namespace sluice::sqlite
