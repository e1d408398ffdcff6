#include "database.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::sqlite {
namespace {

DatabaseError error_of(sqlite3* database, int code) {
  const std::string text = database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  return {code, text};
}

}  // namespace

std::string sql_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    result += c;
    if (c == '"')
      result += c;
  }
  return result + "\"";
}

void Statement::check(int code) const {
  if (code != SQLITE_OK)
    throw error_of(sqlite3_db_handle(statement_.get()), code);
}

void Statement::bind_null(int at) {
  check(sqlite3_bind_null(statement_.get(), at));
}
void Statement::bind(int at, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), at, value));
}
void Statement::bind(int at, double value) {
  check(sqlite3_bind_double(statement_.get(), at, value));
}
void Statement::bind(int at, std::string_view text) {
  // A NULL pointer would be the value NULL.
  check(sqlite3_bind_text64(statement_.get(), at, text.empty() ? "" : text.data(), text.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE)
    return false;
  throw error_of(sqlite3_db_handle(statement_.get()), code);
}

void Statement::reset() {
  // It answers the error of the last step() again, which was thrown then.
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

int Statement::type(int column) const {
  return sqlite3_column_type(statement_.get(), column);
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}
std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(size));
}

Database::Database(const std::string& path, bool create, std::int64_t busy_timeout_ms)
    : Database(path, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), busy_timeout_ms) {}

Database Database::unchanging(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#')
      uri += c == '%' ? "%25" : c == '?' ? "%3f" : "%23";
    else
      uri += c;
  }
  return {uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, 0};
}

bool Database::has_moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Database::Database(const std::string& name, int flags, std::int64_t busy_timeout_ms) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(
      name.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database_.reset(opened);  // also where it failed
  check(code);
  const auto timeout = std::min<std::int64_t>(busy_timeout_ms, std::numeric_limits<int>::max());
  check(sqlite3_busy_timeout(opened, static_cast<int>(timeout)));
  // A file that somebody else made has no say in what is run, a quoted name is never a text, and
  // SQL cannot break the file (sqlite.org, Defense Against The Dark Arts).
  for (const auto& [option, on] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                   {SQLITE_DBCONFIG_DQS_DML, 0},
                                   {SQLITE_DBCONFIG_DQS_DDL, 0}})
    check(sqlite3_db_config(opened, option, on, nullptr));
}

void Database::check(int code) const {
  if (code != SQLITE_OK)
    throw error_of(database_.get(), code);
}

void Database::execute(const std::string& sql) {
  check(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

std::string Database::ask(const std::string& sql) {
  Statement statement = prepare(sql);
  if (!statement.step())
    return {};
  const auto* text =
      reinterpret_cast<const char*>(sqlite3_column_text(statement.statement_.get(), 0));
  return text == nullptr ? "" : text;
}

Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  return Statement(statement);
}

Transaction::~Transaction() {
  if (!database_.in_transaction())
    return;
  try {
    database_.execute("ROLLBACK");
  } catch (const DatabaseError&) {  // the next BEGIN says what is wrong
  }
}

}  // namespace sluice::sqlite
