// Whether what stages put can be items of their tables. What the project's own stages and tables
// mean by their options stands here, as it does for buckets in bucket_use.cpp; what a foreign one
// means shows when an item is put.
#include <fmt/format.h>

#include <algorithm>

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
    } else if (const std::string_view made = made_of(value); !fits(made, type->text)) {
      reporter_.error(
          value.offset,
          fmt::format("{}: column {} of table {} holds {}, and the item has {}", who,
                      in_quotes(column), name, type->text, misfit_text(made, type->text)));
    }
  }
  for (const JsonMember& column : key.members) {
    const Json* value = item.find(column.name);
    const bool is_null = value != nullptr && value->type == Json::Type::null;
    // One that is missing may be the one of another name, which was reported.
    if (is_null || (value == nullptr && all_known)) {
      reporter_.error(is_null ? value->offset : item.offset,
                      fmt::format("{}: the item has no value for {}, which is of the key of "
                                  "table {}",
                                  who, in_quotes(column.name), name));
    }
  }
}

}  // namespace sluice::core
