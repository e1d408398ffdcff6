// Reading JSON that others wrote: simdjson's On-Demand front end, but every value is looked at, so
// that what is broken anywhere is no JSON, and numbers keep the digits that they were written with.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::support {

/// Ends a read; `text` says what is wrong with the input.
struct JsonFault {
  std::string text;
};

/// Values that were read. Their texts stay valid until the reader's next read().
struct JsonPiece {
  enum class Type : std::uint8_t { null, boolean, number, string, array, object };
  Type type = Type::null;
  /// string: its characters; all others: as written.
  std::string_view text;
};

/// `json` without the white space between its parts.
std::string compact_json(std::string_view json);

/// Reads one text after the other, with the same memory. One thread at a time.
class JsonReader {
 public:
  JsonReader() = default;
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  using Value = simdjson::ondemand::value;
  /// Arrays and objects in one another.
  static constexpr int kDepthMax = 64;

  /// Calls `visit(Value, int depth)` for the value that `text` is; it passes the value on to one of
  /// the functions below, exactly once, and may throw JsonFault. The error says what is wrong.
  template <class Visit>
  std::expected<void, std::string> read(std::string_view text, Visit&& visit);

  /// Looks at the whole value and gives it.
  JsonPiece piece(Value value, int depth);

  /// Calls `each(std::string_view name, Value, int depth)` for each member. REQUIRES: an object.
  template <class Each>
  void members(Value value, int depth, Each&& each);

  /// Calls `each(Value, int depth)` for each item. REQUIRES: an array.
  template <class Each>
  void items(Value value, int depth, Each&& each);

  /// The first byte of the value: '{', '[', '"', or that of a scalar.
  static char first(Value& value) { return token(value).front(); }
  /// Where a value begins, for since().
  static const char* begin(Value& value) { return token(value).data(); }
  /// What was read since `begin`, as written: the value, right after all of it has been read.
  std::string_view since(const char* begin);

 private:
  static std::string_view token(Value& value);
  static std::string_view checked(std::string_view unescaped);
  static int deeper(int depth);
  /// `text` in brackets, so that scalars need no path of their own: an array of one.
  void open(std::string_view text);
  void close(std::size_t values);

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::string padded_;  ///< the text in brackets, and simdjson's padding
};

template <class Visit>
std::expected<void, std::string> JsonReader::read(std::string_view text, Visit&& visit) {
  try {
    open(text);
    std::size_t values = 0;
    for (auto item : document_.get_array()) {
      visit(Value(item.value()), 0);
      ++values;
    }
    close(values);
  } catch (const JsonFault& fault) {
    return std::unexpected(fault.text);
  } catch (const simdjson::simdjson_error& error) {
    return std::unexpected(std::string("no JSON: ") + simdjson::error_message(error.error()));
  }
  return {};
}

template <class Each>
void JsonReader::members(Value value, int depth, Each&& each) {
  const int inside = deeper(depth);
  for (auto member : value.get_object()) {
    const std::string_view name = checked(member.unescaped_key());
    each(name, Value(member.value().value()), inside);
  }
}

template <class Each>
void JsonReader::items(Value value, int depth, Each&& each) {
  const int inside = deeper(depth);
  for (auto item : value.get_array())
    each(Value(item.value()), inside);
}

}  // namespace sluice::support
