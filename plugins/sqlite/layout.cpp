#include "layout.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "support/json_reader.hpp"
#include "support/text.hpp"

namespace sluice::sqlite {
namespace {

using support::json_quote;
using support::JsonFault;
using support::JsonPiece;
using support::JsonReader;

struct TypeName {
  std::string_view name;
  ColumnType type;
  std::string_view declared;  ///< in CREATE TABLE
};
constexpr TypeName kTypes[] = {{"text", ColumnType::text, "TEXT"},
                               {"integer", ColumnType::integer, "INTEGER"},
                               {"real", ColumnType::real, "REAL"},
                               {"boolean", ColumnType::boolean, "INTEGER"},
                               {"json", ColumnType::json, "TEXT"}};

const TypeName& entry_of(ColumnType type) {
  return *std::ranges::find(kTypes, type, &TypeName::type);
}

/// As SQLite compares names: ASCII letters without their case.
std::string folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// What a declared type makes of values (sqlite.org, Datatypes In SQLite, 3.1).
enum class Affinity : std::uint8_t { text, integer, real, numeric, none };

Affinity affinity_of(std::string_view declared) {
  const std::string type = folded(declared);
  const auto holds = [&](std::string_view part) { return type.find(part) != std::string::npos; };
  if (holds("int"))
    return Affinity::integer;
  if (holds("char") || holds("clob") || holds("text"))
    return Affinity::text;
  if (type.empty() || holds("blob"))
    return Affinity::none;
  return holds("real") || holds("floa") || holds("doub") ? Affinity::real : Affinity::numeric;
}

/// Whether a value of the type comes back as it was put.
bool keeps(Affinity affinity, ColumnType type) {
  switch (type) {
    case ColumnType::text:
    case ColumnType::json:
      return affinity == Affinity::text || affinity == Affinity::none;
    case ColumnType::real:
      return affinity != Affinity::text;
    default:
      return affinity != Affinity::text && affinity != Affinity::real;
  }
}

/// "a", "b": the columns from `first` to `last`, each through `text`.
template <class Text>
std::string joined(std::size_t first, std::size_t last, std::string_view by, Text&& text) {
  std::string result;
  for (std::size_t i = first; i < last; ++i)
    result += fmt::format("{}{}", i == first ? "" : by, text(i));
  return result;
}

std::string names(const Layout& layout, std::size_t first, std::size_t last) {
  return joined(first, last, ", ", [&](std::size_t i) { return sql_name(layout.columns[i].name); });
}

std::string parameters(std::size_t last) {
  return joined(0, last, ", ", [](std::size_t i) { return fmt::format("?{}", i + 1); });
}

/// Of a column as the database has it.
struct Found {
  std::string name, declared;
  bool needs_value;  ///< NOT NULL, and without a default
  int key_place;     ///< from 1; 0: not in the key
};

std::vector<Found> columns_in(Database& database, const std::string& table) {
  Statement ask = database.prepare(
      "SELECT name, type, \"notnull\" AND dflt_value IS NULL, pk FROM pragma_table_info(?1)");
  ask.bind(1, table);
  std::vector<Found> found;
  while (ask.step()) {
    found.push_back({std::string(ask.text(0)), std::string(ask.text(1)), ask.integer(2) != 0,
                     static_cast<int>(ask.integer(3))});
  }
  return found;
}

std::string key_text(std::vector<Found> columns) {
  std::ranges::sort(columns, {}, &Found::key_place);
  std::string text;
  for (const Found& column : columns) {
    if (column.key_place > 0)
      text += fmt::format("{}{}", text.empty() ? "" : ", ", json_quote(column.name));
  }
  return text.empty() ? "without a key" : "keyed by " + text;
}

/// The key's columns in another order are the same key.
bool same_key(const Layout& layout, const std::vector<Found>& columns) {
  std::size_t in_both = 0, in_database = 0;
  for (const Found& column : columns) {
    if (column.key_place == 0)
      continue;
    ++in_database;
    for (std::size_t i = 0; i < layout.key_columns; ++i)
      in_both += folded(layout.columns[i].name) == folded(column.name) ? 1 : 0;
  }
  return in_database == layout.key_columns && in_both == layout.key_columns;
}

/// Of one column of the options.
std::string column_misfit(const Column& column, const std::vector<Found>& columns) {
  const auto found = std::ranges::find(columns, folded(column.name),
                                       [](const Found& each) { return folded(each.name); });
  if (found == columns.end())
    return fmt::format("it has no column {}", json_quote(column.name));
  if (keeps(affinity_of(found->declared), column.type))
    return {};
  return fmt::format("its column {} is declared {}, which does not keep {}",
                     json_quote(column.name), json_quote(found->declared), name_of(column.type));
}

/// Of a column whose type is none.
std::string column_fault(std::string_view before, std::string_view name, const JsonPiece& type) {
  constexpr std::size_t kShownMax = 60;
  const std::string found =
      type.type == JsonPiece::Type::string   ? json_quote(type.text.substr(0, kShownMax))
      : type.type == JsonPiece::Type::array  ? "an array"
      : type.type == JsonPiece::Type::object ? "an object"
                                             : std::string(type.text.substr(0, kShownMax));
  return fmt::format("{}column {} must be of type text, integer, real, boolean or json, found {}",
                     before, json_quote(name), found);
}

/// What is wrong beyond it is not told.
constexpr std::size_t kFaultBytesMax = 2000;

}  // namespace

std::string_view name_of(ColumnType type) {
  return entry_of(type).name;
}

std::optional<std::size_t> Layout::find(std::string_view name) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name)
      return i;
  }
  return std::nullopt;
}

std::expected<std::vector<Column>, std::string> read_columns(std::string_view json) {
  std::vector<Column> columns;
  std::string faults;
  JsonReader reader;
  const auto read = [&](JsonReader::Value value, int depth) {
    if (JsonReader::first(value) != '{')
      throw JsonFault{R"(must be an object of columns and their types, such as {"id": "text"})"};
    reader.members(value, depth, [&](std::string_view name, JsonReader::Value inner, int at) {
      const JsonPiece type = reader.piece(inner, at);
      const auto* known = std::ranges::find(kTypes, type.text, &TypeName::name);
      if (type.type != JsonPiece::Type::string || known == std::end(kTypes)) {
        if (faults.size() < kFaultBytesMax)
          faults += column_fault(faults.empty() ? "" : "; ", name, type);
        return;
      }
      columns.push_back({std::string(name), known->type});
    });
  };
  if (auto done = reader.read(json, read); !done)
    return std::unexpected(done.error());
  if (!faults.empty())
    return std::unexpected(faults);
  return columns;
}

std::string layout_fault(const Layout& layout) {
  if (layout.key_columns == 0)
    return "the key has no column";
  if (layout.columns.size() > kColumnsMax)
    return fmt::format("there are more than {} columns", kColumnsMax);
  if (folded(layout.table).starts_with("sqlite_"))
    return fmt::format("SQLite keeps names such as {} for itself", json_quote(layout.table));
  std::vector<std::string> seen;
  const auto name_fault = [&](std::string_view what, const std::string& name) -> std::string {
    if (name.empty() || name.size() > kNameBytesMax || name.find('\0') != std::string::npos)
      return fmt::format("{} {} has no name of 1 to {} bytes", what,
                         json_quote(name.substr(0, kNameBytesMax)), kNameBytesMax);
    return {};
  };
  if (std::string fault = name_fault("the table", layout.table); !fault.empty())
    return fault;
  for (const Column& column : layout.columns) {
    if (std::string fault = name_fault("a column", column.name); !fault.empty())
      return fault;
    if (std::ranges::find(seen, folded(column.name)) != seen.end())
      return fmt::format("column {} is there twice; SQLite takes upper and lower case for the same",
                         json_quote(column.name));
    seen.push_back(folded(column.name));
  }
  return {};
}

void create_table(Database& database, const Layout& layout) {
  const std::string columns = joined(0, layout.columns.size(), ", ", [&](std::size_t i) {
    return fmt::format("{} {}{}", sql_name(layout.columns[i].name),
                       entry_of(layout.columns[i].type).declared,
                       i < layout.key_columns ? " NOT NULL" : "");
  });
  database.execute(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))",
                               sql_name(layout.table), columns,
                               names(layout, 0, layout.key_columns)));
}

bool has_table(Database& database, const std::string& table) {
  return !columns_in(database, table).empty();
}

std::string misfit(Database& database, const Layout& layout) {
  const std::vector<Found> columns = columns_in(database, layout.table);
  if (columns.empty())
    return "it is not there";
  Statement kind = database.prepare(
      "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type = 'view'");
  kind.bind(1, layout.table);
  if (kind.step())
    return "it is a view, which takes no items";
  std::string faults;
  const auto add = [&](const std::string& fault) {
    if (!fault.empty())
      faults += (faults.empty() ? "" : "; ") + fault;
  };
  for (const Column& column : layout.columns)
    add(column_misfit(column, columns));
  if (!same_key(layout, columns))
    add("it is " + key_text(columns));
  for (const Found& column : columns) {
    const bool known = std::ranges::any_of(layout.columns, [&](const Column& each) {
      return folded(each.name) == folded(column.name);
    });
    if (!known && column.needs_value)
      add(fmt::format("its column {} needs a value, and is none of ours", json_quote(column.name)));
  }
  return faults;
}

std::string insert_sql(const Layout& layout) {
  return fmt::format("INSERT INTO {} ({}) VALUES ({})", sql_name(layout.table),
                     names(layout, 0, layout.columns.size()), parameters(layout.columns.size()));
}

std::string upsert_sql(const Layout& layout) {
  const std::string set =
      joined(layout.key_columns, layout.columns.size(), ", ", [&](std::size_t i) {
        return fmt::format("{0} = excluded.{0}", sql_name(layout.columns[i].name));
      });
  return fmt::format("{} ON CONFLICT ({}) DO {}{}", insert_sql(layout),
                     names(layout, 0, layout.key_columns), set.empty() ? "NOTHING" : "UPDATE SET ",
                     set);
}

std::string update_sql(const Layout& layout) {
  const auto is_parameter = [&](std::size_t i) {
    return fmt::format("{} = ?{}", sql_name(layout.columns[i].name), i + 1);
  };
  // A table of keys alone has nothing to set, but whether the item is there is told all the same.
  const std::size_t first = layout.columns.size() > layout.key_columns ? layout.key_columns : 0;
  return fmt::format("UPDATE {} SET {} WHERE {}", sql_name(layout.table),
                     joined(first, layout.columns.size(), ", ", is_parameter),
                     joined(0, layout.key_columns, " AND ", is_parameter));
}

std::string get_sql(const Layout& layout) {
  const auto is_parameter = [&](std::size_t i) {
    return fmt::format("{} = ?{}", sql_name(layout.columns[i].name), i + 1);
  };
  return fmt::format("SELECT {} FROM {} WHERE {}", names(layout, 0, layout.columns.size()),
                     sql_name(layout.table), joined(0, layout.key_columns, " AND ", is_parameter));
}

std::string list_sql(const Layout& layout, bool from_start) {
  const std::string key = names(layout, 0, layout.key_columns);
  const std::string where =
      from_start ? "" : fmt::format(" WHERE ({}) > ({})", key, parameters(layout.key_columns));
  return fmt::format("SELECT {} FROM {}{} ORDER BY {} LIMIT ?{}",
                     names(layout, 0, layout.columns.size()), sql_name(layout.table), where, key,
                     layout.key_columns + 1);
}

}  // namespace sluice::sqlite
