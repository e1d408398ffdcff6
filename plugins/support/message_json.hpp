// A message as JSON, the same everywhere (DESIGN §4):
//
//   {"id","body"|"body_base64","attributes":{"event":{"type":"String","value":"signup"}},"group_id",
//    "sent","receive_count"}
//
// The host has its own pair of functions, which plugins cannot see; a test compares them.
#pragma once

#include <sluice/plugin.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/json_reader.hpp"
#include "support/uuid.hpp"

namespace sluice::support {

/// Appends the message, without a line end. The body is a string where it is UTF-8. REQUIRES: its
/// body is in memory.
void append_message_json(std::string& to, const sluice_message& message);

/// A message that was read; owns its bytes. What only a queue can know ("sent", "receive_count",
/// "dead_letter") is passed over.
struct MessageText {
  struct Attribute {
    std::string name, value;
    std::uint32_t type;  ///< SLUICE_STRING ...
  };
  std::optional<Uuid> id;
  std::string body;
  std::string group_id;
  // Are read, and never written: who receives a message does not know them.
  std::string deduplication_id;
  std::int64_t delay_ms = 0;  ///< as in sluice_emission: 0, it says none; -1, it says "0s"
  std::vector<Attribute> attributes;
};

/// Reads one message. An attribute may also be a bare string, number or array, and a body any JSON
/// value, which it then is as compact text. A "delay" is a duration in quotes, 0 to 15 minutes. An
/// object that has none of "body", "body_base64" and "attributes" is no message. The error says what
/// is wrong.
std::expected<MessageText, std::string> read_message_json(JsonReader& reader,
                                                          std::string_view text);

}  // namespace sluice::support
