// Items as JSON, and as values of columns.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "database.hpp"
#include "layout.hpp"
#include "support/json_reader.hpp"

namespace sluice::sqlite {

/// A value for a parameter. `text` is borrowed.
struct Value {
  enum class Kind : std::uint8_t { null, integer, real, text } kind = Kind::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text = {};
};

/// Reads items and keys of one layout, with the same memory. One thread at a time.
class ItemReader {
 public:
  /// Borrows `layout`.
  explicit ItemReader(const Layout& layout) : layout_(layout) {}

  /// A value for each column; what the item leaves out is null. They live until the next call. The
  /// error is a sentence.
  std::expected<std::span<const Value>, std::string> read(std::string_view json);

  /// The same of the key's columns. `json` may also be the bare value of a key of one column; a
  /// string is read as what the column holds then.
  std::expected<std::span<const Value>, std::string> read_key(std::string_view json);

 private:
  using Json = support::JsonReader;
  void read_members(Json::Value value, int depth, std::size_t columns);
  void read_value(Json::Value value, int depth, std::size_t column);
  void need_key(std::size_t columns) const;

  const Layout& layout_;
  Json reader_;
  std::vector<Value> values_;
  std::vector<bool> given_;
  std::vector<std::string> compacted_;  ///< what values of json columns borrow
};

void bind_values(Statement& statement, std::span<const Value> values);

/// The statement's row as JSON: the first `columns` of the layout, in their order.
std::string row_json(const Statement& statement, const Layout& layout, std::size_t columns);

}  // namespace sluice::sqlite
