// A table of items in an SQLite file. Any thread; calls wait for one another.
#pragma once

#include <sluice/plugin.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "database.hpp"
#include "item.hpp"
#include "layout.hpp"

namespace sluice::sqlite {

struct TableOptions {
  std::string path;
  Layout layout;
  bool create = true;     ///< the file and the table, where they are missing
  bool read_only = false;  ///< makes nothing, puts nothing; the file need not be writable
  bool full_sync = true;  ///< each put is on the disk when it returns
  std::int64_t busy_timeout_ms = 5000;
  std::uint64_t item_bytes_max = 400 << 10;
};

class SqliteTable {
 public:
  /// Opens the file, makes what is missing, compares the columns. Throws Failure: BAD_OPTION (the
  /// table there is another one), NOT_FOUND (nothing there, and nothing to be made), IO (damaged),
  /// UNAVAILABLE.
  explicit SqliteTable(TableOptions options);
  SqliteTable(const SqliteTable&) = delete;
  SqliteTable& operator=(const SqliteTable&) = delete;

  // As plugin.hpp says of a table.
  void put(const PutItems& items, PutMode mode, PutResult& result);
  std::optional<std::string> get(std::string_view key_json);
  bool list(std::uint32_t limit, std::string_view next_token, const EachItem& each);

 private:
  struct Row {
    std::string json, token;
  };

  Database open() const;
  Database open_to_read() const;
  Failure missing(const std::string& what) const;
  std::string ask_for_log();
  void prepare_file();
  void make_table();
  void put_one(Statement& statement, std::uint32_t item, std::string_view json, PutMode mode,
               PutResult& result);
  bool read_page(std::uint32_t limit, std::string_view next_token, std::vector<Row>& rows);
  Failure failure(const DatabaseError& error) const;
  std::unique_lock<std::timed_mutex> locked();

  const TableOptions options_;

  std::timed_mutex mutex_;  // of all that follows
  Database database_;
  ItemReader reader_;
  std::optional<Statement> upsert_, insert_, update_, get_, first_page_, next_page_;
};

}  // namespace sluice::sqlite
