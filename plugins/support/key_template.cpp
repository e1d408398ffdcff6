#include "support/key_template.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "support/text.hpp"
#include "support/uuid.hpp"

namespace sluice::support {

namespace {

constexpr std::size_t kTemplateBytesMax = 4096;
constexpr int kNestingMax = 4;

/// Whether `pointer` is well formed by RFC 6901 §3.
bool is_pointer(std::string_view pointer) {
  if (!pointer.empty() && pointer.front() != '/')
    return false;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] != '~')
      continue;
    if (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1'))
      return false;
  }
  return true;
}

std::string hostname() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0')
    return "localhost";
  return name.data();
}

/// A key cut into folder, base and extension.
struct KeyParts {
  std::string_view dir, base, ext;
};

KeyParts parts_of(std::string_view key) {
  KeyParts parts;
  const std::size_t slash = key.rfind('/');
  parts.base = key;
  if (slash != std::string_view::npos) {
    parts.dir = key.substr(0, slash);
    parts.base = key.substr(slash + 1);
  }
  const std::size_t dot = parts.base.rfind('.');
  const std::size_t first = parts.base.find_first_not_of('.');  // leading dots begin no extension
  if (dot == std::string_view::npos || first == std::string_view::npos || dot < first)
    return parts;
  parts.ext = parts.base.substr(dot + 1);
  parts.base = parts.base.substr(0, dot);
  return parts;
}

std::string_view after_prefix(std::string_view key, const Message& message) {
  const std::optional<std::string_view> prefix = message.attribute("s3.prefix");
  if (prefix && key.starts_with(*prefix))
    return key.substr(prefix->size());
  const std::size_t slash = key.find('/');
  return slash == std::string_view::npos ? key : key.substr(slash + 1);
}

std::unexpected<std::string> missing(std::string_view what) {
  return std::unexpected(fmt::format("the message has no {}", what));
}

}  // namespace

/// Recursive descent over the template's text; depth is that of {uuid5:...}.
class TemplateParser {
 public:
  using Kind = KeyTemplate::Kind;
  using Piece = KeyTemplate::Piece;
  using Pieces = KeyTemplate::Pieces;
  using Fault = std::optional<std::string>;

  explicit TemplateParser(std::string_view text) : text_(text) {}

  /// Reads to the end, or (depth > 0) to the brace that closes the name around it.
  Fault pieces(Pieces& result, int depth) {
    while (at_ < text_.size()) {
      const char now = text_[at_];
      const bool doubled = at_ + 1 < text_.size() && text_[at_ + 1] == now;
      if (now == '}' && depth > 0)
        return std::nullopt;
      if ((now == '{' || now == '}') && doubled) {
        literal(result, now);
        at_ += 2;
      } else if (now == '{') {
        if (Fault fault = name(result, depth))
          return fault;
      } else {
        literal(result, now);
        ++at_;
      }
    }
    return std::nullopt;
  }

  bool needs_body() const { return needs_body_; }

 private:
  static void literal(Pieces& result, char character) {
    if (!result.empty() && result.back().kind == Kind::key_dir && !result.back().joined &&
        character == '/') {
      result.back().joined = true;
      return;
    }
    if (result.empty() || result.back().kind != Kind::literal)
      result.emplace_back();
    result.back().text += character;
  }

  Fault fault(std::size_t position, std::string_view text) const {
    return fmt::format("{} at character {}", text, position + 1);
  }

  /// at_ stands on the opening brace of a name.
  Fault name(Pieces& result, int depth) {
    const std::size_t open = at_;
    const std::size_t end = text_.find_first_of("{}:", open + 1);
    if (end == std::string_view::npos || text_[end] == '{') {
      return fault(open, "\"{\" without \"}\" (write \"{{\" for a brace)");
    }
    const std::string_view word = text_.substr(open + 1, end - open - 1);
    at_ = end + 1;
    if (text_[end] == ':')
      return name_with_argument(result, word, open, depth);
    return plain_name(result, word, open);
  }

  Fault plain_name(Pieces& result, std::string_view word, std::size_t open) {
    struct Known {
      std::string_view word;
      Kind kind;
    };
    static constexpr Known kKnown[] = {
        {"key", Kind::key},         {"key_after_prefix", Kind::key_after_prefix},
        {"key_dir", Kind::key_dir}, {"key_base", Kind::key_base},
        {"key_ext", Kind::key_ext}, {"id", Kind::id},
        {"uuid", Kind::uuid},       {"now", Kind::now},
        {"now_ms", Kind::now_ms},   {"hostname", Kind::hostname},
        {"worker", Kind::worker},   {"receive_count", Kind::receive_count},
        {"width", Kind::attribute}, {"height", Kind::attribute},
        {"body", Kind::whole_body},
    };
    for (const Known& known : kKnown) {
      if (known.word != word)
        continue;
      Piece piece;
      piece.kind = known.kind;
      if (known.kind == Kind::attribute)
        piece.text = word;
      if (known.kind == Kind::key_ext)
        piece.joined = take_dot(result);
      needs_body_ |= known.kind == Kind::whole_body;
      result.push_back(std::move(piece));
      return std::nullopt;
    }
    if (word == "attribute" || word == "uuid5")
      return fault(open, fmt::format("{{{}}} needs an argument, as in {{{}:TEXT}}", word, word));
    return unknown(word, open);
  }

  Fault unknown(std::string_view word, std::size_t open) const {
    return fault(open,
                 fmt::format("unknown name \"{}\" (known: key key_after_prefix key_dir key_base "
                             "key_ext id attribute:N body body:/pointer uuid uuid5:TEXT now now_ms "
                             "hostname worker receive_count width height)",
                             word));
  }

  /// Takes a '.' off the end of the literal before, which {key_ext} then brings itself.
  static bool take_dot(Pieces& result) {
    if (result.empty() || result.back().kind != Kind::literal)
      return false;
    std::string& text = result.back().text;
    if (text.empty() || text.back() != '.')
      return false;
    text.pop_back();
    return true;
  }

  /// at_ stands behind the colon.
  Fault name_with_argument(Pieces& result, std::string_view word, std::size_t open, int depth) {
    Piece piece;
    if (word == "uuid5") {
      if (depth == kNestingMax)
        return fault(open, "names nested too deeply");
      piece.kind = Kind::uuid5;
      if (Fault inner = pieces(piece.inner, depth + 1))
        return inner;
      if (at_ == text_.size())
        return fault(open, "\"{\" without \"}\" (write \"{{\" for a brace)");
    } else if (word == "attribute" || word == "body") {
      const std::size_t close = text_.find('}', at_);
      if (close == std::string_view::npos) {
        return fault(open, "\"{\" without \"}\" (write \"{{\" for a brace)");
      }
      piece.kind = word == "body" ? Kind::body : Kind::attribute;
      piece.text = text_.substr(at_, close - at_);
      if (Fault wrong = check_argument(piece))
        return wrong;
      needs_body_ |= piece.kind == Kind::body;
      at_ = close;
    } else {
      return unknown(word, open);
    }
    ++at_;  // the closing brace
    result.push_back(std::move(piece));
    return std::nullopt;
  }

  Fault check_argument(const Piece& piece) const {
    if (piece.kind == Kind::attribute && piece.text.empty()) {
      return fault(at_, "{attribute:N} needs the attribute's name");
    }
    if (piece.kind == Kind::body && !is_pointer(piece.text)) {
      return fault(at_, fmt::format("\"{}\" is no JSON pointer (\"/a/0\")", piece.text));
    }
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool needs_body_ = false;
};

std::expected<KeyTemplate, std::string> KeyTemplate::parse(std::string_view text) {
  if (text.empty())
    return std::unexpected(std::string("the template is empty"));
  if (text.size() > kTemplateBytesMax) {
    return std::unexpected(fmt::format("the template is longer than {} bytes", kTemplateBytesMax));
  }
  KeyTemplate result;
  TemplateParser parser(text);
  if (auto fault = parser.pieces(result.pieces_, 0))
    return std::unexpected(*fault);
  result.needs_body_ = parser.needs_body();
  return result;
}

std::expected<std::string, std::string> KeyTemplate::expand(const TemplateInput& input) const {
  std::string result;
  if (auto done = append(pieces_, input, result); !done)
    return std::unexpected(done.error());
  return result;
}

std::expected<void, std::string> KeyTemplate::append(const Pieces& pieces,
                                                     const TemplateInput& input, std::string& to) {
  for (const Piece& piece : pieces) {
    if (auto done = append(piece, input, to); !done)
      return done;
  }
  return {};
}

std::expected<void, std::string> KeyTemplate::append_key(const Piece& piece, const Message& message,
                                                         std::string& to) {
  const std::optional<std::string_view> found = message.attribute("s3.key");
  if (!found)
    return missing("attribute \"s3.key\"");
  const KeyParts parts = parts_of(*found);
  switch (piece.kind) {
    case Kind::key:
      to += *found;
      break;
    case Kind::key_after_prefix:
      to += after_prefix(*found, message);
      break;
    case Kind::key_dir:
      to += parts.dir;
      if (piece.joined && !parts.dir.empty())
        to += '/';
      break;
    case Kind::key_base:
      to += parts.base;
      break;
    default:  // key_ext
      if (piece.joined && !parts.ext.empty())
        to += '.';
      to += parts.ext;
  }
  return {};
}

std::expected<void, std::string> KeyTemplate::append(const Piece& piece, const TemplateInput& input,
                                                     std::string& to) {
  switch (piece.kind) {
    case Kind::literal:
      to += piece.text;
      break;
    case Kind::key:
    case Kind::key_after_prefix:
    case Kind::key_dir:
    case Kind::key_base:
    case Kind::key_ext:
      return append_key(piece, input.message, to);
    case Kind::id:
      to += to_text(std::span<const std::uint8_t, 16>(input.message->id));
      break;
    case Kind::attribute: {
      const std::optional<std::string_view> value = input.message.attribute(piece.text);
      if (!value)
        return missing(fmt::format("attribute \"{}\"", piece.text));
      to += *value;
      break;
    }
    case Kind::whole_body:
      if (!input.body)
        return missing("body in memory");
      to += *input.body;
      break;
    case Kind::body: {
      if (!input.body)
        return missing("body in memory");
      const std::optional<std::string> value = json_scalar(*input.body, piece.text);
      if (!value)
        return missing(fmt::format("scalar at \"{}\" of a JSON body", piece.text));
      to += *value;
      break;
    }
    case Kind::uuid:
      to += to_text(uuid4());
      break;
    case Kind::uuid5: {
      std::string text;
      if (auto done = append(piece.inner, input, text); !done)
        return done;
      to += to_text(uuid5(kNameSpace, text));
      break;
    }
    case Kind::now:
      to += iso_time(input.now_ms);
      break;
    case Kind::now_ms:
      to += fmt::format("{}", input.now_ms);
      break;
    case Kind::hostname:
      to += hostname();
      break;
    case Kind::worker:
      to += input.worker;
      break;
    case Kind::receive_count:
      to += fmt::format("{}", input.message->receive_count);
      break;
  }
  return {};
}

}  // namespace sluice::support
