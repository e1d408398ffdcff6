// Reads one object of the configuration by its Shape: reports unknown keys, wrong types, impossible
// values and missing keys, then hands out the values that are right, or their defaults.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/keys.hpp"

namespace sluice::core {

/// Where faults of a document go.
struct Reporter {
  const Document& document;
  Diagnostics& diagnostics;

  void error(std::uint32_t offset, std::string text, Errc code = Errc::config) const {
    document.error(diagnostics, offset, std::move(text), code);
  }
  void warning(std::uint32_t offset, std::string text) const {
    document.warning(diagnostics, offset, std::move(text));
  }
};

/// Borrows everything it is given. One thread.
class ObjectReader {
 public:
  /// Checks the whole of `value` at once. `who` names it in errors: "queue 'resize-16'".
  ObjectReader(const Reporter& reporter, const Json& value, const Shape& shape, std::string who);

  /// The key's value if it is given and right.
  const Json* find(std::string_view key) const;
  /// Of name, string, path, choice: the text, its default, or empty.
  std::string text(std::string_view key) const;
  /// Of integer, duration (ms), size (bytes): the value, its default, or nullopt.
  std::optional<std::int64_t> number(std::string_view key) const;
  /// The same; of a key that is wrong the most that it may be.
  std::optional<std::int64_t> number_or_most(std::string_view key) const;
  /// Of number: the value, its default, or nullopt.
  std::optional<double> real(std::string_view key) const;
  /// Of boolean: the value, or its default.
  bool flag(std::string_view key) const;
  /// The key is given, and wrong, or it is missing and an unknown one was most likely meant to be
  /// it. That was reported: what follows from it is not told.
  bool is_wrong(std::string_view key) const { return wrong_.contains(key); }
  /// The key is given, right or wrong.
  bool is_given(std::string_view key) const { return is_wrong(key) || find(key) != nullptr; }
  /// Where to point at for a fault of `key`: its value, or the object.
  std::uint32_t offset(std::string_view key) const;
  const std::string& who() const { return who_; }

 private:
  void check_member(const JsonMember& member);
  void report_unknown(const JsonMember& member);
  bool check_value(const Key& key, const Json& value) const;
  bool check_number(const Key& key, const Json& value) const;
  bool check_items(const Key& key, const Json& value) const;
  bool check_choice(const Key& key, const Json& value) const;
  void report_missing() const;

  const Reporter& reporter_;
  const Json& value_;
  const Shape& shape_;
  std::string who_;
  std::set<std::string_view> wrong_;  ///< keys that were reported: is_wrong()
};

/// "a string", "an object": for "expected X, found Y".
std::string_view type_name(const Json& value);

/// `: did you mean "NAME"?` for the nearest of `candidates`, or nothing.
std::string hint(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace sluice::core
