#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "support/base64.hpp"

namespace sluice::sqlite {
namespace {

/// A page of a list ends with it, as one of DynamoDB's Scan does with 1 MB.
constexpr std::size_t kPageBytesMax = std::size_t{4} << 20;
/// What others in this process have in hand for as long is no reason to give up.
constexpr std::int64_t kOwnBusyMs = 1000;

bool is_damage(const DatabaseError& error) {
  return error.primary_code() == SQLITE_CORRUPT || error.primary_code() == SQLITE_NOTADB;
}

/// Of an error that is one item's own fault; OK: it is not.
std::int32_t item_status(const DatabaseError& error) {
  switch (error.primary_code()) {
    case SQLITE_CONSTRAINT:
      return error.code() == SQLITE_CONSTRAINT_PRIMARYKEY || error.code() == SQLITE_CONSTRAINT_ROWID
                 ? SLUICE_CONFLICT
                 : SLUICE_INVALID;
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return SLUICE_INVALID;
    case SQLITE_TOOBIG:
      return SLUICE_TOO_LARGE;
    default:
      return SLUICE_OK;
  }
}

}  // namespace

SqliteTable::SqliteTable(TableOptions options)
    : options_(std::move(options)), database_(open()), reader_(options_.layout) {
  const std::string where =
      fmt::format("table {} of {}", sql_name(options_.layout.table), options_.path);
  try {
    prepare_file();
    make_table();
    if (const std::string fault = misfit(database_, options_.layout); !fault.empty()) {
      throw Failure(
          SLUICE_BAD_OPTION,
          fmt::format("{} is not what the options say: {}: change \"key\" or \"columns\", or name "
                      "another \"table\"",
                      where, fault));
    }
    upsert_ = database_.prepare(upsert_sql(options_.layout));
    insert_ = database_.prepare(insert_sql(options_.layout));
    update_ = database_.prepare(update_sql(options_.layout));
    get_ = database_.prepare(get_sql(options_.layout));
    first_page_ = database_.prepare(list_sql(options_.layout, true));
    next_page_ = database_.prepare(list_sql(options_.layout, false));
  } catch (const DatabaseError& error) {
    if (!is_damage(error))
      throw failure(error);
    throw Failure(
        SLUICE_IO,
        fmt::format("{} is damaged, or no SQLite database: {}: restore it, or move it away",
                    options_.path, error.what()));
  }
}

Database SqliteTable::open() const {
  std::error_code fault;
  const std::filesystem::path path(options_.path);
  const bool creates = options_.create && !options_.read_only;
  if (!creates && !std::filesystem::exists(path, fault))
    throw missing(options_.path + " is not there");
  if (creates)
    std::filesystem::create_directories(path.parent_path(), fault);
  try {
    if (options_.read_only)
      return open_to_read();
    return Database(options_.path, options_.create, options_.busy_timeout_ms);
  } catch (const DatabaseError& error) {
    const std::string why = fault ? fault.message() : error.what();
    throw Failure(SLUICE_UNAVAILABLE, fmt::format("cannot open {}: {}", options_.path, why));
  }
}

/// SQLite makes a log and an index of it beside the file, also to read, which the folder may not allow.
/// Where the file cannot be written and has no log, nobody writes to it now, and it can do without.
Database SqliteTable::open_to_read() const {
  Database database(options_.path, false, options_.busy_timeout_ms);
  const bool has_log = std::filesystem::exists(options_.path + "-wal") ||
                       std::filesystem::exists(options_.path + "-journal");
  return database.is_read_only() && !has_log ? Database::unchanging(options_.path)
                                             : std::move(database);
}

Failure SqliteTable::missing(const std::string& what) const {
  return {SLUICE_NOT_FOUND, what + (options_.read_only ? "" : ", and \"create\" is false")};
}

/// SQLite by itself does not wait here for another that opens the file anew.
std::string SqliteTable::ask_for_log() {
  constexpr int kStepMs = 10;
  for (std::int64_t waited_ms = 0;; waited_ms += kStepMs) {
    try {
      return database_.ask("PRAGMA journal_mode = WAL");
    } catch (const DatabaseError& error) {
      if (error.primary_code() != SQLITE_BUSY || waited_ms >= options_.busy_timeout_ms)
        throw;
      sqlite3_sleep(kStepMs);
    }
  }
}

void SqliteTable::prepare_file() {
  if (options_.read_only) {
    database_.execute("PRAGMA query_only = ON");
    return;
  }
  if (database_.is_read_only())
    throw Failure(SLUICE_UNAVAILABLE,
                  fmt::format("{} cannot be written: see its permissions", options_.path));
  const std::string mode = ask_for_log();
  if (mode != "wal") {
    throw Failure(
        SLUICE_UNAVAILABLE,
        fmt::format("{} cannot have a write-ahead log, but keeps journal mode {}: it needs a "
                    "local file system with shared memory",
                    options_.path, mode));
  }
  database_.execute(options_.full_sync ? "PRAGMA synchronous = FULL"
                                       : "PRAGMA synchronous = NORMAL");
}

/// Whoever finds it there takes no right to write: he may only want to look.
void SqliteTable::make_table() {
  if (has_table(database_, options_.layout.table))
    return;
  if (!options_.create || options_.read_only)
    throw missing(fmt::format("{} has no table {}", options_.path, sql_name(options_.layout.table)));
  Transaction transaction(database_);
  create_table(database_, options_.layout);
  transaction.commit();
}

Failure SqliteTable::failure(const DatabaseError& error) const {
  return {is_damage(error) ? SLUICE_FATAL : SLUICE_UNAVAILABLE,
          fmt::format("{}: {}", options_.path, error.what())};
}

/// Who holds it may wait for another process as long: who waits for all before it would lose its lease.
std::unique_lock<std::timed_mutex> SqliteTable::locked() {
  const std::int64_t most_ms = std::max(options_.busy_timeout_ms, kOwnBusyMs);
  std::unique_lock lock(mutex_, std::chrono::milliseconds(most_ms));
  if (!lock)
    throw Failure(SLUICE_UNAVAILABLE, fmt::format("{} is busy", options_.path));
  return lock;
}

void SqliteTable::put(const PutItems& items, PutMode mode, PutResult& result) {
  const std::unique_lock lock = locked();
  Statement& statement = mode == PutMode::insert   ? *insert_
                         : mode == PutMode::update ? *update_
                                                   : *upsert_;
  if (database_.has_moved())
    throw Failure(SLUICE_UNAVAILABLE,
                  fmt::format("{} was removed or moved while it was open: put it back, or start anew", options_.path));
  try {
    Transaction transaction(database_);
    for (std::uint32_t i = 0; i < items.size(); ++i)
      put_one(statement, i, items[i], mode, result);
    transaction.commit();
  } catch (const DatabaseError& error) {
    throw failure(error);
  }
}

void SqliteTable::put_one(Statement& statement, std::uint32_t item, std::string_view json,
                          PutMode mode, PutResult& result) {
  if (json.size() > options_.item_bytes_max) {
    result.fail(item, SLUICE_TOO_LARGE,
                fmt::format("an item of {} bytes, and at most {} are taken", json.size(),
                            options_.item_bytes_max));
    return;
  }
  const auto values = reader_.read(json);
  if (!values) {
    result.fail(item, SLUICE_INVALID, values.error());
    return;
  }
  const Running running(statement);
  try {
    bind_values(statement, *values);
    statement.step();
    if (mode == PutMode::update && database_.changes() == 0)
      result.fail(item, SLUICE_CONFLICT, "there is no item with this key");
  } catch (const DatabaseError& error) {
    // Some errors end the transaction, and with it what was put before.
    const std::int32_t status = item_status(error);
    if (status == SLUICE_OK || !database_.in_transaction())
      throw;
    result.fail(item, status, error.what());
  }
}

std::optional<std::string> SqliteTable::get(std::string_view key_json) {
  const std::unique_lock lock = locked();
  const auto key = reader_.read_key(key_json);
  if (!key)
    throw Failure(SLUICE_INVALID, key.error());
  try {
    const Running running(*get_);
    bind_values(*get_, *key);
    if (!get_->step())
      return std::nullopt;
    return row_json(*get_, options_.layout, options_.layout.columns.size());
  } catch (const DatabaseError& error) {
    throw failure(error);
  }
}

bool SqliteTable::list(std::uint32_t limit, std::string_view next_token, const EachItem& each) {
  std::vector<Row> rows;
  const bool more = read_page(limit, next_token, rows);
  for (const Row& row : rows)
    each(row.json, row.token);
  return more;
}

/// True: more follow.
bool SqliteTable::read_page(std::uint32_t limit, std::string_view next_token,
                            std::vector<Row>& rows) {
  const std::unique_lock lock = locked();
  Statement& page = next_token.empty() ? *first_page_ : *next_page_;
  try {
    const Running running(page);
    if (!next_token.empty()) {
      const auto key = reader_.read_key(support::from_base64(next_token).value_or(""));
      if (!key)
        throw Failure(SLUICE_INVALID, "the next token is none that this table gave");
      bind_values(page, *key);
    }
    // One more tells whether there is one.
    page.bind(static_cast<int>(options_.layout.key_columns) + 1, std::int64_t{limit} + 1);
    std::size_t bytes = 0;
    while (page.step()) {
      if (rows.size() == limit || bytes > kPageBytesMax)
        return true;
      Row& row = rows.emplace_back();
      row.json = row_json(page, options_.layout, options_.layout.columns.size());
      row.token = support::to_base64(row_json(page, options_.layout, options_.layout.key_columns));
      bytes += row.json.size() + row.token.size();
    }
    return false;
  } catch (const DatabaseError& error) {
    throw failure(error);
  }
}

}  // namespace sluice::sqlite
