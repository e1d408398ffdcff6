#include "config/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace sluice::core {
namespace {

void shift_offsets(Json& value, std::uint32_t by) {
  value.offset += by;
  for (Json& item : value.items)
    shift_offsets(item, by);
  for (JsonMember& member : value.members) {
    member.offset += by;
    shift_offsets(member.value, by);
  }
}

/// The parts of a JSON pointer, unescaped; nullopt where '~' stands alone.
std::optional<std::vector<std::string>> pointer_parts(std::string_view pointer) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      parts.emplace_back();
    } else if (pointer[i] != '~') {
      parts.back() += pointer[i];
    } else if (i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
      parts.back() += pointer[++i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return parts;
}

/// The member or item that `part` names, made where it may be; nullptr and a text otherwise.
Json* step(Json& parent, const std::string& part, std::uint32_t offset, std::string& fault) {
  if (parent.type == Json::Type::object) {
    for (JsonMember& member : parent.members) {
      if (member.name == part)
        return &member.value;
    }
    Json made;
    made.type = Json::Type::object;  // on the way; the end is overwritten
    made.offset = offset;
    parent.members.push_back(JsonMember{part, offset, std::move(made)});
    return &parent.members.back().value;
  }
  if (parent.type != Json::Type::array) {
    fault =
        fmt::format("there is nothing to set at {}: its parent is neither an object nor an array",
                    in_quotes(part));
    return nullptr;
  }
  const std::size_t count = parent.items.size();
  std::size_t index = count;
  if (part != "-") {
    const bool digits =
        !part.empty() && part.size() < 7 &&
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    index = digits ? std::stoul(part) : count + 1;
  }
  if (index > count) {
    fault = fmt::format("no item {} in an array of {} (\"-\" appends)", in_quotes(part), count);
    return nullptr;
  }
  if (index == count) {
    parent.items.emplace_back();
    parent.items.back().type = Json::Type::object;
    parent.items.back().offset = offset;
  }
  return &parent.items[index];
}

bool name_character(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

/// One "${...}" at `at`: its end (behind the brace) and its parts.
struct Reference {
  std::size_t end;
  std::string name;
  std::optional<std::string> fallback;
};

std::optional<Reference> parse_reference(const std::string& text, std::size_t at) {
  std::size_t i = at + 2;
  Reference result{0, {}, std::nullopt};
  while (i < text.size() && name_character(text[i], result.name.empty()))
    result.name += text[i++];
  if (result.name.empty())
    return std::nullopt;
  if (text.compare(i, 2, ":-") == 0) {
    const std::size_t close = text.find('}', i);
    if (close == std::string::npos)
      return std::nullopt;
    result.fallback = text.substr(i + 2, close - i - 2);
    i = close;
  }
  if (i >= text.size() || text[i] != '}')
    return std::nullopt;
  result.end = i + 1;
  return result;
}

}  // namespace

Result<Override> parse_override(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos || argument.empty() || argument[0] != '/') {
    return fail(Errc::usage, fmt::format("--set takes POINTER=VALUE with a JSON pointer, such as "
                                         "--set /services/resize-16/batch_size=1, not {}",
                                         in_quotes(argument)));
  }
  Override result{std::string(argument.substr(0, equals)),
                  std::string(argument.substr(equals + 1))};
  if (!pointer_parts(result.pointer)) {
    return fail(Errc::usage,
                fmt::format("--set {}: in a JSON pointer '~' is written ~0 and '/' is written ~1",
                            in_quotes(result.pointer)));
  }
  return result;
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): [main-thread]
  if (value == nullptr)
    return std::nullopt;
  return value;
}

bool Document::read(std::string path, std::string text, const std::vector<Override>& overrides,
                    const Environment& environment, Diagnostics& diagnostics) {
  path_ = std::move(path);
  text_ = std::move(text);
  end_ = static_cast<std::uint32_t>(text_.size()) + 1;
  line_begins_.assign(1, 0);
  for (std::size_t at = 0; (at = text_.find('\n', at)) != std::string::npos;) {
    line_begins_.push_back(static_cast<std::uint32_t>(++at));
  }
  std::expected<Json, JsonError> parsed = parse_json(text_);
  if (!parsed) {
    error(diagnostics, parsed.error().offset, parsed.error().message);
    return false;
  }
  root_ = std::move(*parsed);
  for (const Override& change : overrides)
    apply(change, diagnostics);
  expand(root_, environment, diagnostics);
  return true;
}

void Document::apply(const Override& change, Diagnostics& diagnostics) {
  const std::uint32_t begin = end_;
  const std::uint32_t value_at =
      begin + static_cast<std::uint32_t>(change.pointer.size()) + 7;  // "--set " and "="
  overrides_.push_back(
      {begin, change.pointer, fmt::format("--set {}={}", change.pointer, change.value)});
  end_ += static_cast<std::uint32_t>(overrides_.back().text.size()) + 1;

  Json value;
  if (std::expected<Json, JsonError> parsed = parse_json(change.value)) {
    value = std::move(*parsed);
    shift_offsets(value, value_at);
  } else {
    value.type = Json::Type::string;
    value.text = change.value;
    value.offset = value_at;
  }
  Json* target = &root_;
  const std::vector<std::string> parts =
      pointer_parts(change.pointer).value();  // parse_override() saw to it
  for (const std::string& part : parts) {
    std::string fault;
    target = step(*target, part, begin + 6, fault);
    if (target == nullptr)
      return error(diagnostics, begin + 6, std::move(fault));
  }
  *target = std::move(value);
}

void Document::expand(Json& value, const Environment& environment, Diagnostics& diagnostics) {
  for (Json& item : value.items)
    expand(item, environment, diagnostics);
  for (JsonMember& member : value.members)
    expand(member.value, environment, diagnostics);
  if (value.type != Json::Type::string || value.text.find("${") == std::string::npos)
    return;
  std::string result;
  bool missing = false;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = value.text.find("${", from)) != std::string::npos;) {
    result.append(value.text, from, at - from);
    const std::optional<Reference> reference = parse_reference(value.text, at);
    if (!reference) {
      error(diagnostics, offset_in(value, at),
            "\"${\" begins a variable of the environment: \"${NAME}\" or \"${NAME:-default}\"");
      broken_.insert(value.offset);
      return;
    }
    std::optional<std::string> found = environment(reference->name);
    // As in a shell, ":-" stands in for an empty value too.
    if (reference->fallback && (!found || found->empty()))
      found = reference->fallback;
    if (!found) {
      error(diagnostics, offset_in(value, at),
            fmt::format(
                "the environment has no {0}: set it, or give a default with \"${{{1}:-default}}\"",
                in_quotes(reference->name), reference->name));
      found = "";
      missing = true;
    }
    result += *found;
    from = reference->end;
  }
  if (missing)
    broken_.insert(value.offset);
  result.append(value.text, from);
  value.text = std::move(result);
}

/// Where byte `index` of a string value stands: exact while the string is written without escapes.
std::uint32_t Document::offset_in(const Json& value, std::size_t index) const {
  const std::size_t exact = value.offset + 1 + index;
  return text_.compare(std::min(exact, text_.size()), 2, "${") == 0
             ? static_cast<std::uint32_t>(exact)
             : value.offset;
}

Place Document::place(std::uint32_t offset) const {
  if (!overrides_.empty() && offset >= overrides_.front().begin) {
    const auto after =
        std::upper_bound(overrides_.begin(), overrides_.end(), offset,
                         [](std::uint32_t o, const OverrideText& t) { return o < t.begin; });
    const OverrideText& found = *(after - 1);
    return {"--set " + found.pointer, found.text, offset - found.begin};
  }
  const std::size_t at = std::min<std::size_t>(offset, text_.size());
  const auto next_line = std::upper_bound(line_begins_.begin(), line_begins_.end(), at);
  const std::size_t begin = *(next_line - 1);
  std::size_t end = std::min(text_.find('\n', at), text_.size());
  if (end > begin && text_[end - 1] == '\r')
    --end;
  const auto line = next_line - line_begins_.begin();
  const auto characters =
      std::count_if(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                    text_.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return {fmt::format("{}:{}:{}", path_, line, characters + 1), text_.substr(begin, end - begin),
          at - begin};
}

void Document::add(Diagnostics& diagnostics, Diagnostic diagnostic) const {
  if (!diagnostics.full())
    diagnostic.place = place(diagnostic.offset);
  diagnostics.add(std::move(diagnostic));
}

void Document::error(Diagnostics& diagnostics, std::uint32_t offset, std::string text,
                     Errc code) const {
  if (broken_.contains(offset))
    return;
  add(diagnostics, {Diagnostic::Severity::error, code, offset, {}, std::move(text)});
}

void Document::warning(Diagnostics& diagnostics, std::uint32_t offset, std::string text) const {
  add(diagnostics, {Diagnostic::Severity::warning, Errc::config, offset, {}, std::move(text)});
}

}  // namespace sluice::core
