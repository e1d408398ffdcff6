// Items made of messages: a JSON object of templates.
//
//   "name"            a string is a template, whose text is a string: "{body:/name}", "{hostname}"
//   false 5 null      as it is
//   {"number": T}     the text of template T is a number: {"number": "{now_ms}"}
//   {"boolean": T}    it is true or false
//   {"json": T}       it is any JSON value: {"json": "{body}"}
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/json_reader.hpp"
#include "support/key_template.hpp"

namespace sluice::table_put {

/// Why a message becomes no item, as it stands in its dead letter.
struct ItemFault {
  const char* reason;
  std::string detail;
};

/// One thread at a time.
class ItemTemplate {
 public:
  /// The error says what is wrong with the JSON text.
  static std::expected<ItemTemplate, std::string> parse(std::string_view json);

  /// The item of a message, as JSON. REQUIRES: the body is given.
  std::expected<std::string, ItemFault> expand(const support::TemplateInput& input) const;

 private:
  enum class Kind : std::uint8_t { literal, text, number, boolean, json };
  struct Member {
    std::string name;  ///< as JSON, in quotes
    Kind kind;
    std::string literal;  ///< as JSON
    std::optional<support::KeyTemplate> value;
  };
  static Member read_member(support::JsonReader& reader, std::string_view name,
                            support::JsonReader::Value value, int depth);
  static void read_typed(support::JsonReader& reader, support::JsonReader::Value value, int depth,
                         Member& member);
  static std::optional<std::string> value_json(Kind kind, std::string_view text);

  std::vector<Member> members_;
};

}  // namespace sluice::table_put
