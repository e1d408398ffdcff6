// Whether what stages put can be items of their tables. What the project's own stages and tables
// mean by their options stands here, as it does for buckets in bucket_use.cpp; what a foreign one
// means shows when an item is put.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "config/loader.hpp"

namespace sluice::core {
namespace {

bool is_of(const sluice_config& options, std::string_view type) {
  return type == options.component->descriptor->type;
}

/// The columns in an option of table sqlite: {NAME: TYPE}.
Json columns_of(const sluice_config& options, std::string_view option) {
  return parse_json(option_text(options, option)).value_or(Json());
}

/// What stage table_put makes of a member of its "item", as a column's type; "number": integer or
/// real; "json": anything.
std::string_view made_of(const Json& value) {
  switch (value.type) {
    case Json::Type::string:
      return "text";
    case Json::Type::boolean:
      return "boolean";
    case Json::Type::number:
      return value.integer ? "integer" : "real";
    case Json::Type::object:  // {"number": TEMPLATE}
      return value.members.empty() ? "json" : std::string_view(value.members.front().name);
    default:
      return "json";
  }
}

/// What a template without a placeholder always makes; nothing where it has one, or is wrong
/// itself.
std::optional<std::string> constant_text(std::string_view text) {
  std::string constant;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool doubled = i + 1 < text.size() && text[i + 1] == text[i];
    if (text[i] == '{' && !doubled)
      return std::nullopt;
    constant += text[i];
    i += (text[i] == '{' || text[i] == '}') && doubled ? 1 : 0;
  }
  return constant.empty() ? std::nullopt : std::optional(constant);
}

/// The value that a typed template, {"number": TEMPLATE}, always makes.
struct Constant {
  std::string_view kind;  ///< "number"
  std::string text;
  std::optional<Json> value;  ///< nullopt: the text is none of that kind
};

/// Nothing where `value` is none, or not known before a message comes. Objects and arrays are left
/// to the table: which it takes, and in which depth, is its own.
std::optional<Constant> constant_of(const Json& value) {
  if (value.type != Json::Type::object || value.members.size() != 1 ||
      value.members.front().value.type != Json::Type::string)
    return std::nullopt;
  const auto& [kind, offset, inner] = value.members.front();
  const std::optional<std::string> text = constant_text(inner.text);
  const bool known = kind == "number" || kind == "boolean" || kind == "json";
  const std::size_t first = text ? text->find_first_not_of(" \t\r\n") : std::string::npos;
  if (!known || !text ||
      (kind == "json" && first != std::string::npos &&
       std::strchr("{[", (*text)[first]) != nullptr))
    return std::nullopt;
  Constant constant{kind, *text, std::nullopt};
  const auto parsed = parse_json(*text, JsonOptions{.allow_infinite_numbers = true});
  if (parsed && (kind == "json" ||
                 parsed->type == (kind == "number" ? Json::Type::number : Json::Type::boolean)))
    constant.value = *parsed;
  return constant;
}

bool fits(std::string_view made, std::string_view column) {
  const bool is_number = column == "integer" || column == "real";
  return made == column || made == "json" || column == "json" || (made == "number" && is_number) ||
         (made == "integer" && column == "real");
}

/// Behind "and the item has".
std::string_view misfit_text(std::string_view made, std::string_view column) {
  if (made == "text") {
    return column == "boolean" ? "a string: {\"boolean\": TEMPLATE} makes true or false"
                               : "a string: {\"number\": TEMPLATE} makes a number";
  }
  return made == "boolean" ? "true or false" : made == "integer" ? "a whole number" : "a number";
}

/// The same; empty: `value` may be one of the column.
std::string misfit(const Json& value, std::string_view column) {
  const std::optional<Constant> constant = constant_of(value);
  if (constant && !constant->value) {
    return fmt::format("{{\"{}\": {}}}, which is no {}", constant->kind, in_quotes(constant->text),
                       constant->kind == "json" ? "JSON" : constant->kind);
  }
  const std::string_view made = made_of(constant ? *constant->value : value);
  return fits(made, column) ? std::string() : std::string(misfit_text(made, column));
}

bool is_null(const Json& value) {
  const std::optional<Constant> constant = constant_of(value);
  return value.type == Json::Type::null ||
         (constant && constant->value && constant->value->type == Json::Type::null);
}

}  // namespace

void Loader::check_put_items(const sluice_config& options, const ObjectReader& fields) {
  if (!is_of(options, "table_put"))
    return;
  const auto table =
      std::ranges::find(result_.tables, option_text(options, "table"), &TableDescription::name);
  if (table == result_.tables.end() || table->options == nullptr ||
      !is_of(*table->options, "sqlite"))
    return;
  if (option_text(*table->options, "read_only") == "true") {
    reporter_.error(fields.offset("table"),
                    fmt::format("{}: table {} is \"read_only\", and takes no items: set that to "
                                "false, or name another",
                                fields.who(), in_quotes(table->name)));
  }
  if (const Json* item = fields.find("item"))
    check_item(*item, *table, fields.who());
}

/// Each message's item would be refused.
void Loader::check_item(const Json& item, const TableDescription& table, const std::string& who) {
  const Json key = columns_of(*table.options, "key"),
             others = columns_of(*table.options, "columns");
  std::vector<std::string_view> known;
  for (const Json* columns : {&key, &others}) {
    for (const JsonMember& column : columns->members)
      known.push_back(column.name);
  }
  const std::string name = in_quotes(table.name);
  bool all_known = true;
  for (const auto& [column, offset, value] : item.members) {
    const Json* type = key.find(column) != nullptr ? key.find(column) : others.find(column);
    if (type == nullptr) {
      all_known = false;
      // A hint is a long search: none where nobody will see it.
      reporter_.error(offset,
                      fmt::format("{}: table {} has no column {}{}", who, name, in_quotes(column),
                                  reporter_.diagnostics.full() ? "" : hint(column, known)));
    } else if (const std::string found = misfit(value, type->text); !found.empty()) {
      reporter_.error(value.offset,
                      fmt::format("{}: column {} of table {} holds {}, and the item has {}", who,
                                  in_quotes(column), name, type->text, found));
    }
  }
  for (const JsonMember& column : key.members) {
    const Json* value = item.find(column.name);
    const bool has_null = value != nullptr && is_null(*value);
    // One that is missing may be the one of another name, which was reported.
    if (has_null || (value == nullptr && all_known)) {
      reporter_.error(has_null ? value->offset : item.offset,
                      fmt::format("{}: the item has no value for {}, which is of the key of "
                                  "table {}",
                                  who, in_quotes(column.name), name));
    }
  }
}

}  // namespace sluice::core
