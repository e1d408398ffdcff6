// SQLite's C interface with owners and errors. One thread at a time for a database and its
// statements.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sluice::sqlite {

/// What SQLite refused: its extended code, and its own text.
class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(int code, const std::string& text) : std::runtime_error(text), code_(code) {}
  int code() const { return code_; }                 ///< SQLITE_CONSTRAINT_PRIMARYKEY ...
  int primary_code() const { return code_ & 0xff; }  ///< SQLITE_CONSTRAINT ...

 private:
  int code_;
};

/// `name` as SQL takes it, whatever characters it has.
std::string sql_name(std::string_view name);

/// A prepared statement. Values are bound by number, from 1, and borrowed until the next reset().
class Statement {
 public:
  void bind_null(int at);
  void bind(int at, std::int64_t value);
  void bind(int at, double value);
  void bind(int at, std::string_view text);

  /// Whether there is a row. Throws DatabaseError.
  bool step();
  /// Ends the run and lets go of what was bound.
  void reset();

  // Of the row, columns from 0. Texts live until the next step() or reset().
  int type(int column) const;  ///< SQLITE_INTEGER ...
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  ///< of texts and blobs

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void check(int code) const;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Resets a statement at the end of a scope.
class Running {
 public:
  explicit Running(Statement& statement) : statement_(statement) {}
  ~Running() { statement_.reset(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Statement& statement_;
};

/// An open file. Outlives its statements.
class Database {
 public:
  /// `create`: the file is made where it is missing. Throws DatabaseError.
  Database(const std::string& path, bool create, std::int64_t busy_timeout_ms);
  /// A file that nobody changes meanwhile: it needs no other beside it. Throws DatabaseError.
  static Database unchanging(const std::string& path);

  /// SQL without results. Throws DatabaseError.
  void execute(const std::string& sql);
  /// The first column of the first row, as text; empty: there is none.
  std::string ask(const std::string& sql);
  Statement prepare(const std::string& sql);
  std::int64_t changes() const { return sqlite3_changes64(database_.get()); }
  /// Whether a transaction is open. Some errors end it.
  bool in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }
  /// The file was removed or moved since it was opened: what is written now, nobody finds.
  bool has_moved() const;
  bool is_read_only() const { return sqlite3_db_readonly(database_.get(), "main") == 1; }

 private:
  Database(const std::string& name, int flags, std::int64_t busy_timeout_ms);
  void check(int code) const;

  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

/// Rolls back at the end of the scope unless it was committed.
class Transaction {
 public:
  /// Takes the right to write, waiting for the busy timeout. Throws DatabaseError.
  explicit Transaction(Database& database) : database_(database) {
    database_.execute("BEGIN IMMEDIATE");
  }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { database_.execute("COMMIT"); }

 private:
  Database& database_;
};

}  // namespace sluice::sqlite
