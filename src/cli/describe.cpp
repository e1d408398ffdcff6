#include "cli/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/json.hpp"
#include "plugin/options.hpp"

namespace sluice::core {
namespace {

struct FlagText {
  std::uint32_t flag;
  const char* text;
};
constexpr FlagText kFlagTexts[] = {
    {SLUICE_BLOCKS, "may wait for a disk or a network: its workers get threads of their own"},
    {SLUICE_SPLITS,
     "emits without bound per message: it must be the last stage and needs a publish_to"},
    {SLUICE_STREAMS, "takes bodies as streams: their size costs no memory"},
    {SLUICE_SINK, "emits nothing: it must be the last stage"},
    {SLUICE_MAY_RETRY, "may ask for a message to come again later"},
    {SLUICE_REPEATS, "what was not acknowledged is brought again after a restart"},
};

/// A bound without the quotes that it may stand in.
std::string_view bound_text(std::string_view bound) {
  return bound.size() >= 2 && bound.front() == '"' ? bound.substr(1, bound.size() - 2) : bound;
}

std::string range_text(const sluice_option& option) {
  if (option.choices != nullptr)
    return option.choices;
  if (option.minimum != nullptr && option.maximum != nullptr) {
    return fmt::format("{} to {}", bound_text(option.minimum), bound_text(option.maximum));
  }
  if (option.minimum != nullptr)
    return fmt::format("at least {}", bound_text(option.minimum));
  if (option.maximum != nullptr)
    return fmt::format("at most {}", bound_text(option.maximum));
  return "";
}

/// A whole number within the option's bounds, of a size that is of use.
std::string example_integer(const sluice_option& option) {
  std::int64_t value = 64;
  if (option.minimum != nullptr)
    value = std::max<std::int64_t>(value, std::strtoll(option.minimum, nullptr, 10));
  if (option.maximum != nullptr)
    value = std::min<std::int64_t>(value, std::strtoll(option.maximum, nullptr, 10));
  return std::to_string(value);
}

/// A value that may stand for the option in an example.
std::string example_value(const sluice_option& option) {
  const std::string_view type = option.type;
  if (option.default_json != nullptr)
    return option.default_json;
  if (option.choices != nullptr)
    return fmt::format(
        "\"{}\"",
        std::string_view(option.choices).substr(0, std::string_view(option.choices).find(' ')));
  const std::string least =
      option.minimum == nullptr ? "" : std::string(bound_text(option.minimum));
  if (type == "int")
    return example_integer(option);
  if (type == "float")
    return least.empty() ? "1" : least;
  if (type == "bool")
    return "true";
  if (type == "duration")
    return fmt::format("\"{}\"", least.empty() ? "10s" : least);
  if (type == "size")
    return fmt::format("\"{}\"", least.empty() ? "1MiB" : least);
  if (type == "json")
    return "{}";
  if (type == "template")
    return "\"{key}\"";
  if (type == "bucket" || type == "table")
    return fmt::format("\"my-{}\"", type);
  return fmt::format("\"{}\"", option.name);
}

/// The options `names` and those that must be given, as members of an object; the first of all is
/// the type.
std::string example_members(const sluice_component& component,
                            const std::set<std::string, std::less<>>& names) {
  std::string members = fmt::format("\"type\": \"{}\"", component.type);
  for (auto option = component.options; option != nullptr && *option != nullptr; ++option) {
    if ((*option)->required != 0 || names.contains((*option)->name))
      members += fmt::format(", \"{}\": {}", (*option)->name, example_value(**option));
  }
  return members;
}

/// What the table does not say must be given, the component's own check does: the options that it
/// finds fault with while they are not there.
std::set<std::string, std::less<>> missed_options(const Component& component) {
  std::set<std::string, std::less<>> names;
  for (bool more = true; more;) {
    more = false;
    const auto object = parse_json("{" + example_members(*component.descriptor, names) + "}");
    if (!object)
      break;
    (void)complete_options(
        component, {"example", "/", ""}, &*object, {"type"},
        [&](std::string_view pointer, const std::string&) {
          const std::string name(pointer.substr(pointer.empty() ? 0 : 1));
          if (find_option(*component.descriptor, name) != nullptr && object->find(name) == nullptr)
            more |= names.insert(name).second;
        });
  }
  return names;
}

std::string example_text(const Component& component) {
  const std::string object = example_object(component);
  const std::string_view kind = component.descriptor->kind;
  if (kind == "stage")
    return fmt::format("example\n  \"stages\": [ {} ]\n", object);
  return fmt::format("example\n  \"{}s\": {{ \"my-{}\": {} }}\n", kind, kind, object);
}

}  // namespace

std::string example_object(const Component& component) {
  std::string members = example_members(*component.descriptor, missed_options(component));
  if (std::string_view(component.descriptor->kind) == "source")
    members += ", \"publish_to\": \"my-topic\"";
  return "{ " + members + " }";
}

std::string describe_component(const Component& component) {
  const sluice_component& c = *component.descriptor;
  std::string text = fmt::format("{} {} ({} {}, {})\n  {}\n", c.kind, c.type, component.plugin->id,
                                 component.plugin->version, component.library, c.help);
  for (const FlagText& flag : kFlagTexts) {
    if ((c.flags & flag.flag) != 0)
      text += fmt::format("  - {}\n", flag.text);
  }
  return text + "\n" + describe_options(c) + "\n" + example_text(component);
}

std::string describe_options(const sluice_component& component) {
  std::vector<std::vector<std::string>> rows{{"  OPTION", "TYPE", "DEFAULT", "RANGE", "HELP"}};
  for (auto option = component.options; option != nullptr && *option != nullptr; ++option) {
    const sluice_option& o = **option;
    const std::string by_default = o.required != 0             ? "(required)"
                                   : o.default_json == nullptr ? ""
                                                               : o.default_json;
    rows.push_back({fmt::format("  {}", o.name), o.type, by_default, range_text(o), o.help});
  }
  return rows.size() == 1 ? "no options\n" : "options\n" + columns_text(rows);
}

std::string columns_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += row.back() + "\n";
  }
  return text;
}

}  // namespace sluice::core
