#include "plugin/templates.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/spelling.hpp"

namespace sluice::core {

namespace {

constexpr std::string_view kNames[] = {"key",           "key_after_prefix",
                                       "key_dir",       "key_base",
                                       "key_ext",       "id",
                                       "attribute",     "body",
                                       "uuid",          "uuid5",
                                       "now",           "now_ms",
                                       "hostname",      "worker",
                                       "receive_count", "width",
                                       "height"};
/// These stand before a colon and an argument; {body} also without.
constexpr std::string_view kWithArgument[] = {"attribute", "body", "uuid5"};
constexpr int kNestingMax = 4;

std::optional<std::string> fault_of(std::string_view text, int nesting);

/// `inside` is what stands between the braces.
std::optional<std::string> placeholder_fault(std::string_view inside, int nesting) {
  const std::size_t colon = inside.find(':');
  const std::string_view name = inside.substr(0, colon);
  if (std::ranges::find(kNames, name) == std::end(kNames)) {
    return fmt::format("has an unknown name {}{}", json_quote(fmt::format("{{{}}}", name)),
                       did_you_mean(nearest_name(name, std::span<const std::string_view>(kNames))));
  }
  const bool wants = std::ranges::find(kWithArgument, name) != std::end(kWithArgument);
  if (name == "body" && colon == std::string_view::npos) {
    return std::nullopt;
  }
  if (wants != (colon != std::string_view::npos)) {
    return wants ? fmt::format("has {{{0}}} without an argument: write {{{0}:...}}", name)
                 : fmt::format("has an argument at {{{0}}}, which takes none", name);
  }
  const std::string_view argument = wants ? inside.substr(colon + 1) : std::string_view();
  if (name == "attribute" && argument.empty()) {
    return "has {attribute:} without the attribute's name";
  }
  if (name == "body" && !argument.empty() && argument.front() != '/') {
    return fmt::format("has {{body:{}}}, which is no JSON pointer: it begins with '/'", argument);
  }
  return name == "uuid5" ? fault_of(argument, nesting + 1) : std::nullopt;
}

/// The closing brace of the one at `open`; npos if there is none. Only {uuid5:...} may hold others.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
    if (depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::optional<std::string> fault_of(std::string_view text, int nesting) {
  if (nesting > kNestingMax) {
    return "is nested too deeply";
  }
  for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at)) {
    if (text.substr(at).starts_with("{{")) {
      at += 2;
      continue;
    }
    const std::size_t end = closing(text, at);
    if (end == std::string_view::npos) {
      return fmt::format(
          "has a '{{' without its '}}' at character {}: a literal one is written '{{{{'", at + 1);
    }
    if (auto fault = placeholder_fault(text.substr(at + 1, end - at - 1), nesting)) {
      return fault;
    }
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> template_fault(std::string_view text) {
  return fault_of(text, 0);
}

}  // namespace sluice::core
