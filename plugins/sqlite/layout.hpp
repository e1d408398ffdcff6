// A table's columns as the options tell them, and as a database has them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database.hpp"

namespace sluice::sqlite {

/// What a column holds, in JSON and in the database:
///   text     a string           TEXT
///   integer  a whole number     INTEGER, 64 bits
///   real     a number           REAL
///   boolean  true or false      INTEGER, 1 or 0
///   json     any value          TEXT, compact
enum class ColumnType : std::uint8_t { text, integer, real, boolean, json };

std::string_view name_of(ColumnType type);

struct Column {
  std::string name;
  ColumnType type;
};

/// Immutable.
struct Layout {
  std::string table;            ///< its name in the database
  std::vector<Column> columns;  ///< the key's first
  std::size_t key_columns = 0;

  std::optional<std::size_t> find(std::string_view name) const;
};

constexpr std::size_t kColumnsMax = 256;
constexpr std::size_t kNameBytesMax = 128;

/// The columns of an option: {"NAME": "TYPE", ...}, in their order. The error follows the option's
/// name.
std::expected<std::vector<Column>, std::string> read_columns(std::string_view json);

/// What is wrong with them together; empty: nothing.
std::string layout_fault(const Layout& layout);

/// Whether there is a table, or a view, of that name.
bool has_table(Database& database, const std::string& table);

/// Makes the table where it is not there.
void create_table(Database& database, const Layout& layout);

/// Why the database's table does not fit; empty: it does. Other columns in it are left alone where
/// they need no value.
std::string misfit(Database& database, const Layout& layout);

/// Statements; parameter N is column N, from 1.
std::string upsert_sql(const Layout& layout);
std::string insert_sql(const Layout& layout);
std::string update_sql(const Layout& layout);
/// One item by its key: parameters 1 to key_columns.
std::string get_sql(const Layout& layout);
/// Items behind a key (parameters 1 to key_columns; not where `from_start`), at most parameter
/// key_columns + 1.
std::string list_sql(const Layout& layout, bool from_start);

}  // namespace sluice::sqlite
