// Templates of keys and texts, "icons-size-16/{key_after_prefix}" (DESIGN §4, Templates).
//
//   {key}               attribute s3.key
//   {key_after_prefix}  what follows attribute s3.prefix; without one, what follows the first '/';
//                       without one, all
//   {key_dir}           before the last '/' ("a/b" of "a/b/c.tar.gz"); empty if there is none
//   {key_base}          the last component without its extension ("c.tar")
//   {key_ext}           its extension without the dot ("gz"); empty if it has none or is a dot file
//   {id}                the message's id
//   {attribute:N}       attribute N
//   {body}              the whole body
//   {body:/pointer}     a scalar of the JSON body by RFC 6901
//   {uuid}              a new random id; {uuid5:TEXT} one derived from TEXT, which may hold
//                       names in braces, in the project's name space
//   {now} {now_ms}      wall clock: ISO 8601 in UTC with milliseconds; milliseconds since 1970
//   {hostname} {worker} {receive_count}
//   {width} {height}    attributes of these names, as image_resize sets them
//
// `{{` and `}}` stand for one brace; a single `}` stands for itself. Names are expanded once:
// braces in a value stay what they are. A '/' right after an empty {key_dir} and a '.' right before
// an empty {key_ext} are left out, so "{key_dir}/{key_base}.{key_ext}" is the key itself.
#pragma once

#include <sluice/plugin.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::support {

/// What a template may ask for. Borrowed during expand().
struct TemplateInput {
  Message message;
  std::optional<std::string_view> body;  ///< not set: not in memory
  std::string_view worker;
  std::int64_t now_ms = 0;
};

/// A parsed template. Immutable; any thread.
class KeyTemplate {
 public:
  /// The error says what is wrong and at which character (from 1), for Config::error.
  static std::expected<KeyTemplate, std::string> parse(std::string_view text);

  /// The text for this message, or which value is missing.
  std::expected<std::string, std::string> expand(const TemplateInput& input) const;

  /// Whether expand() needs the body in memory.
  bool needs_body() const { return needs_body_; }

 private:
  friend class TemplateParser;

  enum class Kind : std::uint8_t {
    literal,
    key,
    key_after_prefix,
    key_dir,
    key_base,
    key_ext,
    id,
    attribute,
    whole_body,
    body,
    uuid,
    uuid5,
    now,
    now_ms,
    hostname,
    worker,
    receive_count,
  };
  struct Piece {
    Kind kind = Kind::literal;
    bool joined = false;       ///< key_dir: a '/' follows; key_ext: a '.' precedes
    std::string text;          ///< the literal, the attribute's name, the JSON pointer
    std::vector<Piece> inner;  ///< uuid5: its TEXT
  };
  using Pieces = std::vector<Piece>;

  static std::expected<void, std::string> append(const Pieces& pieces, const TemplateInput& input,
                                                 std::string& to);
  static std::expected<void, std::string> append(const Piece& piece, const TemplateInput& input,
                                                 std::string& to);
  static std::expected<void, std::string> append_key(const Piece& piece, const Message& message,
                                                     std::string& to);

  Pieces pieces_;
  bool needs_body_ = false;
};

}  // namespace sluice::support
