// A message as JSON, the same everywhere (DESIGN §4): dead letters, peek, `sluice stage --jsonl`.
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace sluice::core {

/// What an emission may carry besides its body; SQS allows less. Its parent's attributes come on top.
inline constexpr std::size_t kAttributesMax = 64;
inline constexpr std::size_t kAttributeNameMax = 256;  ///< bytes
inline constexpr std::size_t kGroupIdMax = 128;        ///< bytes; the deduplication id's too

/// What a dead letter adds. Times are wall clock milliseconds of the first and last receive.
struct DeadLetterNote {
  std::string queue, service, stage, reason, detail;
  std::int64_t first_ms = 0, last_ms = 0;
  std::string source_queue;  ///< the one that it came from; empty: unknown, or a part
  bool is_part = false;      ///< a part of a message, which was no message of any queue
  std::uint32_t redrive_count = 0;  ///< how often it went back to a queue and failed again
  std::string letter_of;     ///< it was a letter there, that came from this queue; empty: a message
};

/// {"id","body"|"body_base64","attributes","group_id","sent","receive_count"[,"dead_letter"]}, no line
/// end. The body is a string where it is valid UTF-8 and, above 16 MiB, no longer so than in base64: control characters
/// take six bytes each. Times are milliseconds since 1970.
std::string message_to_json(const sluice_message& message, const DeadLetterNote* note = nullptr);
/// The same with "body_bytes":N, which is its size, in place of the body.
std::string message_without_body(const sluice_message& message, const DeadLetterNote* note = nullptr);

/// A message read back; owns its bytes.
struct MessageText {
  std::optional<Uuid> id;
  std::string body;
  std::string group_id;
  std::int64_t sent_ms = 0;
  std::uint32_t receive_count = 0;
  struct Attribute {
    std::string name, value;
    std::uint32_t type;
  };
  std::vector<Attribute> attributes;  ///< sorted by name
  std::optional<DeadLetterNote> dead_letter;
};

/// Reads what message_to_json writes; attributes may also be a bare string, number or array, and the body any JSON.
/// Errors: bad_data.
Result<MessageText> message_from_json(const Json& json);

}  // namespace sluice::core
