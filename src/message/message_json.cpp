#include "message/message_json.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <limits>

#include "base/utf8.hpp"

namespace sluice::core {
namespace {

/// OpenSSL counts bytes in an int, so long texts pass through it in blocks. Of whole groups of three, so
/// that only the last one is padded.
constexpr std::size_t kBlockBytes = 3 << 16, kBlockText = 4 << 16;

std::size_t base64_bytes(std::size_t bytes) { return 4 * ((bytes + 2) / 3); }

std::string base64(std::string_view bytes) {
  std::string text(base64_bytes(bytes.size()) + 1, '\0');  // one more for the NUL that OpenSSL adds
  std::size_t size = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kBlockBytes))) {
    std::string_view block = bytes.substr(0, kBlockBytes);
    size += static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data() + size),
                                                     reinterpret_cast<const unsigned char*>(block.data()),
                                                     static_cast<int>(block.size())));
  }
  text.resize(size);
  return text;
}

/// A body of up to so many bytes is a string whatever stands in it: people read it.
constexpr std::size_t kStringBytesMax = 16 << 20;

/// How long it is as json_quote has it. REQUIRES: UTF-8.
std::size_t quoted_bytes(std::string_view text) {
  std::size_t bytes = 2 + text.size();
  for (const char c : text) {
    const bool is_short = c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r';
    bytes += is_short ? 1 : static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? 5 : 0;
  }
  return bytes;
}

bool is_string(std::string_view body) {
  return is_utf8(body) && (body.size() <= kStringBytesMax || quoted_bytes(body) <= 2 + base64_bytes(body.size()));
}

/// Strict: no white space, and padding at the end only.
std::optional<std::string> from_base64(std::string_view text) {
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0 || text.substr(0, text.size() - padding).find('=') != std::string_view::npos) {
    return std::nullopt;
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  for (std::size_t at = 0; !text.empty(); text.remove_prefix(std::min(text.size(), kBlockText))) {
    std::string_view block = text.substr(0, kBlockText);
    int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data() + at),
                               reinterpret_cast<const unsigned char*>(block.data()), static_cast<int>(block.size()));
    if (size < 0 || static_cast<std::size_t>(size) != block.size() / 4 * 3) {
      return std::nullopt;
    }
    at += static_cast<std::size_t>(size);
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

std::string_view view(sluice_str text) { return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size); }

std::string_view type_name(std::uint32_t type) {
  switch (type) {
    case SLUICE_NUMBER: return "Number";
    case SLUICE_STRING_ARRAY: return "String.Array";
    case SLUICE_BINARY: return "Binary";
    default: return "String";
  }
}

std::optional<std::uint32_t> type_of(std::string_view name) {
  for (std::uint32_t type : {SLUICE_STRING, SLUICE_NUMBER, SLUICE_STRING_ARRAY, SLUICE_BINARY}) {
    if (type_name(type) == name) {
      return type;
    }
  }
  return std::nullopt;
}

std::unexpected<Error> bad(std::string text) { return fail(Errc::bad_data, std::move(text)); }

Result<MessageText::Attribute> read_attribute(const std::string& name, const Json& value) {
  switch (value.type) {
    case Json::Type::string: return MessageText::Attribute{name, value.text, SLUICE_STRING};
    case Json::Type::number: return MessageText::Attribute{name, value.text, SLUICE_NUMBER};
    case Json::Type::array: return MessageText::Attribute{name, to_text(value), SLUICE_STRING_ARRAY};
    case Json::Type::object: break;
    default: return bad(fmt::format("attribute '{}' must be a string, number, array or object", name));
  }
  const Json* type = value.find("type");
  const Json* text = value.find("value");
  std::optional<std::uint32_t> code = type != nullptr ? type_of(type->text) : std::nullopt;
  if (!code || text == nullptr) {
    return bad(fmt::format("attribute '{}' needs \"type\" (String, Number, String.Array, Binary) and \"value\"", name));
  }
  const bool is_bare = (*code == SLUICE_NUMBER && text->type == Json::Type::number) ||
                       (*code == SLUICE_STRING_ARRAY && text->type == Json::Type::array);
  if (text->type != Json::Type::string && !is_bare) {
    return bad(fmt::format("\"value\" of attribute '{}' must be a string; a Number's may be a number, a String.Array's an array", name));
  }
  std::string content = text->type == Json::Type::array ? to_text(*text) : text->text;
  if (*code == SLUICE_BINARY) {
    std::optional<std::string> bytes = from_base64(content);
    if (!bytes) {
      return bad(fmt::format("attribute '{}' is not base64", name));
    }
    content = std::move(*bytes);
  }
  return MessageText::Attribute{name, std::move(content), *code};
}

/// The end of the year 9999: sums of times do not overflow.
constexpr std::int64_t kTimeMaxMs = 253'402'300'799'999;

/// Members of an object; one that is absent is empty, 0 or false. `wrong`: the first one of another type than was asked for.
struct Members {
  const Json& object;
  std::string wrong = {};

  const Json* find(std::string_view name, Json::Type type, std::string_view type_text) {
    const Json* found = object.find(name);
    if (found == nullptr || found->type == type) {
      return found;
    }
    note(name, type_text);
    return nullptr;
  }
  std::string text(std::string_view name) {
    const Json* found = find(name, Json::Type::string, "a string");
    return found != nullptr ? found->text : std::string();
  }
  std::int64_t count(std::string_view name, std::int64_t maximum = std::numeric_limits<std::int64_t>::max()) {
    const Json* found = object.find(name);
    if (found != nullptr && (found->integer.value_or(-1) < 0 || *found->integer > maximum)) {
      note(name, fmt::format("a whole number of 0 to {}", maximum));
      return 0;
    }
    return found != nullptr ? *found->integer : 0;
  }
  bool flag(std::string_view name) {
    const Json* found = find(name, Json::Type::boolean, "true or false");
    return found != nullptr && found->boolean;
  }

 private:
  void note(std::string_view name, std::string_view type_text) {
    wrong = wrong.empty() ? fmt::format("\"{}\" must be {}", name, type_text) : wrong;
  }
};

Result<DeadLetterNote> read_note(const Json& json) {
  Members members{json};
  DeadLetterNote note{members.text("queue"),  members.text("service"),      members.text("stage"),
                      members.text("reason"), members.text("detail"),       members.count("first", kTimeMaxMs),
                      members.count("last", kTimeMaxMs),  members.text("source_queue"), members.flag("part"),
                      static_cast<std::uint32_t>(members.count("redrive_count", std::numeric_limits<std::uint32_t>::max())),
                      members.text("letter_of")};
  return members.wrong.empty() ? Result<DeadLetterNote>(std::move(note)) : bad("dead_letter: " + members.wrong);
}

/// {"id":"...",
std::string begin_of(const sluice_message& message) {
  Uuid id;
  std::copy(message.id, message.id + 16, id.bytes.begin());
  return fmt::format("{{\"id\":\"{}\",", to_text(id));
}

void append_body(std::string_view body, std::string& json) {
  if (is_string(body)) {
    json.append("\"body\":").append(json_quote(body));
  } else {
    json.append("\"body_base64\":\"").append(base64(body)).append(1, '"');
  }
}

/// What stands behind the body.
void append_rest(const sluice_message& message, const DeadLetterNote* note, std::string& json) {
  json += ",\"attributes\":{";
  for (std::uint32_t i = 0; i < message.attribute_count; ++i) {
    const sluice_attribute& attribute = *message.attributes[i];
    std::string_view value = view(attribute.value);
    json += fmt::format("{}{}:{{\"type\":\"{}\",\"value\":{}}}", i == 0 ? "" : ",", json_quote(view(attribute.name)),
                        type_name(attribute.type),
                        attribute.type == SLUICE_BINARY ? json_quote(base64(value)) : json_quote(value));
  }
  json += '}';
  if (message.group_id.size != 0) {
    json += fmt::format(",\"group_id\":{}", json_quote(view(message.group_id)));
  }
  json += fmt::format(",\"sent\":{},\"receive_count\":{}", message.sent_ms, message.receive_count);
  if (note != nullptr) {
    json += fmt::format(",\"dead_letter\":{{\"queue\":{},\"service\":{},\"stage\":{},\"reason\":{},\"detail\":{},\"first\":{},\"last\":{}{}{}{}}}",
                        json_quote(note->queue), json_quote(note->service), json_quote(note->stage), json_quote(note->reason),
                        json_quote(note->detail), note->first_ms, note->last_ms,
                        note->is_part                ? std::string(",\"part\":true")
                        : note->source_queue.empty() ? std::string()
                                                     : ",\"source_queue\":" + json_quote(note->source_queue),
                        note->letter_of.empty() ? std::string() : ",\"letter_of\":" + json_quote(note->letter_of),
                        note->redrive_count != 0 ? fmt::format(",\"redrive_count\":{}", note->redrive_count) : std::string());
  }
  json += '}';
}

}  // namespace

std::string message_to_json(const sluice_message& message, const DeadLetterNote* note) {
  std::string json = begin_of(message);
  append_body(message.body == nullptr ? std::string_view()
                                      : std::string_view(reinterpret_cast<const char*>(message.body), message.body_size),
              json);
  append_rest(message, note, json);
  return json;
}

std::string message_without_body(const sluice_message& message, const DeadLetterNote* note) {
  std::string json = begin_of(message) + fmt::format("\"body_bytes\":{}", message.body_size);
  append_rest(message, note, json);
  return json;
}

Result<MessageText> message_from_json(const Json& json) {
  if (json.type != Json::Type::object) {
    return bad("a message must be a JSON object");
  }
  MessageText message;
  Members members{json};
  if (const Json* id = json.find("id")) {
    message.id = parse_uuid(id->text);
    if (!message.id) {
      return bad("\"id\" is not a UUID");
    }
  }
  if (const Json* encoded = json.find("body_base64")) {
    std::optional<std::string> bytes = encoded->type == Json::Type::string ? from_base64(encoded->text) : std::nullopt;
    if (!bytes) {
      return bad("\"body_base64\" is not base64");
    }
    message.body = std::move(*bytes);
  } else if (const Json* body = json.find("body")) {
    message.body = body->type == Json::Type::string ? body->text : to_text(*body);
  }
  if (const Json* attributes = members.find("attributes", Json::Type::object, "an object")) {
    for (const JsonMember& member : attributes->members) {
      Result<MessageText::Attribute> attribute = read_attribute(member.name, member.value);
      if (!attribute) {
        return std::unexpected(attribute.error());
      }
      message.attributes.push_back(std::move(*attribute));
    }
    std::ranges::sort(message.attributes, {}, &MessageText::Attribute::name);
  }
  message.group_id = members.text("group_id");
  if (message.group_id.size() > kGroupIdMax) {
    return bad(fmt::format("\"group_id\" has {} bytes, at most {} are possible", message.group_id.size(), kGroupIdMax));
  }
  message.sent_ms = members.count("sent", kTimeMaxMs);
  message.receive_count =
      static_cast<std::uint32_t>(members.count("receive_count", std::numeric_limits<std::uint32_t>::max()));
  if (const Json* json_note = members.find("dead_letter", Json::Type::object, "an object")) {
    Result<DeadLetterNote> note = read_note(*json_note);
    if (!note) {
      return std::unexpected(note.error());
    }
    message.dead_letter = std::move(*note);
  }
  return members.wrong.empty() ? Result<MessageText>(std::move(message)) : bad(members.wrong);
}

}  // namespace sluice::core
