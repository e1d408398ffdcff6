// What a peek shows of a queue's messages, and the limits of that.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sluice::core {

/// So many bytes of JSON are shown at once. A message that takes more by itself is shown without its body.
constexpr std::size_t kPeekBytesMax = 1 << 20;
/// So many bytes of messages are looked at for that, however little of them is shown.
constexpr std::size_t kPeekLookMax = 64 << 20;

/// Messages as JSON (message_json.hpp), the oldest first.
struct Peeked {
  std::vector<std::string> messages;
  bool more = false;          ///< it ended for its limits: there may be more
  std::size_t bytes = 0;      ///< of the messages, each with what separates it from the next
  std::size_t looked_at = 0;  ///< bytes of them as a whole

  static bool shows_whole(std::size_t message_bytes) { return message_bytes < kPeekBytesMax; }
  /// `whole_bytes`: of the message with its body. False: no more is shown.
  bool add(std::string message, std::size_t whole_bytes) {
    more = more || bytes + message.size() >= kPeekBytesMax || looked_at >= kPeekLookMax;
    if (!more) {
      bytes += message.size() + 1;
      looked_at += whole_bytes;
      messages.push_back(std::move(message));
    }
    return !more;
  }
};

}  // namespace sluice::core
