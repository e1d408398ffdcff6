#include "plugin/option_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

#include "base/spelling.hpp"
#include "base/units.hpp"
#include "plugin/templates.hpp"

namespace sluice::core {

namespace {

using Fault = std::optional<std::string>;
using Value = sluice_config::Value;

struct TypeName {
  std::string_view name;
  OptionType type;
};
constexpr TypeName kTypes[] = {
    {"string", OptionType::string},     {"int", OptionType::integer},
    {"float", OptionType::number},      {"bool", OptionType::boolean},
    {"duration", OptionType::duration}, {"size", OptionType::size},
    {"enum", OptionType::choice},       {"json", OptionType::json},
    {"secret", OptionType::secret},     {"template", OptionType::name_template},
    {"bucket", OptionType::bucket},     {"table", OptionType::table},
    {"path", OptionType::path}};

/// A value as an error shows it.
std::string shown(const Json& value) {
  constexpr std::size_t kShownMax = 60;
  if (value.type == Json::Type::object || value.type == Json::Type::array) {
    return value.type == Json::Type::object ? "an object" : "an array";
  }
  if (value.text.size() > kShownMax) {
    return to_text(Json{.type = value.type, .text = value.text.substr(0, kShownMax)}) + "...";
  }
  return to_text(value);
}

bool has_bounds(OptionType type) {
  return type == OptionType::integer || type == OptionType::number ||
         type == OptionType::duration || type == OptionType::size;
}

/// The number behind `value`, without looking at the option's bounds.
Fault read_quantity(OptionType type, const Json& value, Value* into) {
  const bool is_string = value.type == Json::Type::string;
  if (type == OptionType::duration || type == OptionType::size) {
    const bool duration = type == OptionType::duration;
    if (!is_string) {
      return fmt::format("must be a {} in quotes, such as {}, not {}",
                         duration ? "duration" : "size", duration ? "\"75s\"" : "\"256KiB\"",
                         shown(value));
    }
    const auto quantity = duration ? parse_duration(value.text) : parse_size(value.text);
    if (!quantity) {
      return "is no " + std::string(duration ? "duration" : "size") + ": " + quantity.error();
    }
    into->integer = *quantity;
    return std::nullopt;
  }
  if (value.type != Json::Type::number) {
    return fmt::format("must be a {}number, not {}", type == OptionType::integer ? "whole " : "",
                       shown(value));
  }
  if (type == OptionType::integer && !value.integer) {
    const bool too_large = value.text.find_first_of(".eE") == std::string::npos;
    return fmt::format("{} {}", too_large ? "does not fit 64 bits:" : "must be a whole number, not",
                       shown(value));
  }
  into->number = value.number;
  if (type == OptionType::integer) {
    into->integer = value.integer;
  }
  return std::nullopt;
}

/// A bound as the table has it: `10`, `"10ms"` or `10ms`.
std::optional<Value> read_bound(OptionType type, std::string_view text) {
  auto json = parse_json(text);
  if (!json) {
    json = Json{.type = Json::Type::string, .text = std::string(text)};
  }
  Value bound;
  if (read_quantity(type, *json, &bound)) {
    return std::nullopt;
  }
  return bound;
}

bool below(const Value& a, const Value& b) {
  return a.integer && b.integer ? *a.integer < *b.integer
                                : a.number.value_or(0) < b.number.value_or(0);
}

Fault read_bounded(const sluice_option& option, OptionType type, const Json& value, Value* into) {
  if (Fault fault = read_quantity(type, value, into)) {
    return fault;
  }
  if (option.minimum != nullptr) {
    if (const auto bound = read_bound(type, option.minimum); bound && below(*into, *bound)) {
      return fmt::format("must be at least {}, not {}", option.minimum, shown(value));
    }
  }
  if (option.maximum != nullptr) {
    if (const auto bound = read_bound(type, option.maximum); bound && below(*bound, *into)) {
      return fmt::format("must be at most {}, not {}", option.maximum, shown(value));
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) {
      result.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return result;
}

Fault choice_fault(const sluice_option& option, const std::string& text) {
  const std::vector<std::string_view> choices = words(option.choices);
  if (std::ranges::find(choices, text) != choices.end()) {
    return std::nullopt;
  }
  return fmt::format("must be one of {}, not {}{}", fmt::join(choices, ", "),
                     shown(Json{.type = Json::Type::string, .text = text}),
                     did_you_mean(nearest_name(text, std::span<const std::string_view>(choices))));
}

/// "graphics", and for buckets "graphics/design".
Fault reference_fault(OptionType type, std::string_view text) {
  const bool bucket = type == OptionType::bucket;
  const std::size_t slash = text.find('/');
  const bool sound = !text.empty() && (slash == std::string_view::npos ||
                                       (bucket && slash > 0 && slash + 1 < text.size() &&
                                        text.find('/', slash + 1) == std::string_view::npos));
  if (sound) {
    return std::nullopt;
  }
  return fmt::format("must be the name of a {}, not {}",
                     bucket ? "bucket, or bucket/access point" : "table",
                     shown(Json{.type = Json::Type::string, .text = std::string(text)}));
}

Fault read_path(std::string_view base_folder, Value* into) {
  if (into->text.empty()) {
    return "must not be empty";
  }
  if (into->text.find('\0') != std::string::npos) {
    return "must not hold a NUL character";
  }
  if (into->text.front() != '/') {
    const char* slash = base_folder.ends_with('/') ? "" : "/";
    into->text = fmt::format("{}{}{}", base_folder, slash, into->text);
  }
  into->json = json_quote(into->text);
  return std::nullopt;
}

Fault read_text(const sluice_option& option, OptionType type, const Json& value,
                std::string_view base_folder, Value* into) {
  if (value.type != Json::Type::string) {
    return type == OptionType::secret ? std::string("must be a string")
                                      : fmt::format("must be a string, not {}", shown(value));
  }
  into->text = value.text;
  switch (type) {
    case OptionType::choice:
      return choice_fault(option, value.text);
    case OptionType::name_template:
      return template_fault(value.text);
    case OptionType::bucket:
    case OptionType::table:
      return reference_fault(type, value.text);
    case OptionType::path:
      return read_path(base_folder, into);
    default:
      return std::nullopt;
  }
}

Fault read_value(const sluice_option& option, OptionType type, const Json& value,
                 std::string_view base_folder, Value* into) {
  into->json = to_text(value);
  into->text = value.type == Json::Type::string ? value.text : into->json;
  if (has_bounds(type)) {
    return read_bounded(option, type, value, into);
  }
  if (type == OptionType::json) {
    into->text = into->json;
    return std::nullopt;
  }
  if (type == OptionType::boolean) {
    if (value.type != Json::Type::boolean) {
      return fmt::format("must be true or false, not {}", shown(value));
    }
    into->integer = value.boolean ? 1 : 0;
    return std::nullopt;
  }
  return read_text(option, type, value, base_folder, into);
}

bool is_name(const char* name) {
  const std::string_view text = name;
  return !text.empty() && text.size() <= 64 && text.front() >= 'a' && text.front() <= 'z' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

Fault bounds_fault(const sluice_option& option, OptionType type) {
  if (option.minimum == nullptr && option.maximum == nullptr) {
    return std::nullopt;
  }
  if (!has_bounds(type)) {
    return fmt::format("type {} has no minimum or maximum", option.type);
  }
  const auto low = option.minimum != nullptr ? read_bound(type, option.minimum) : std::nullopt;
  const auto high = option.maximum != nullptr ? read_bound(type, option.maximum) : std::nullopt;
  if ((option.minimum != nullptr && !low) || (option.maximum != nullptr && !high)) {
    return fmt::format("minimum or maximum is no {}", option.type);
  }
  if (low && high && below(*high, *low)) {
    return std::string("minimum is above maximum");
  }
  return std::nullopt;
}

Fault default_fault(const sluice_option& option, OptionType type) {
  if (option.default_json == nullptr) {
    return std::nullopt;
  }
  if (option.required != 0) {
    return std::string("is required and has a default");
  }
  const auto value = parse_json(option.default_json);
  if (!value) {
    return fmt::format("default {} is no JSON: {}", json_quote(option.default_json),
                       value.error().message);
  }
  Value ignored;
  if (Fault fault = read_value(option, type, *value, "/", &ignored)) {
    return "default " + *fault;
  }
  return std::nullopt;
}

Fault option_fault(const sluice_option& option) {
  if (option.struct_size < sizeof(sluice_option)) {
    return fmt::format("struct_size {} is below {}", option.struct_size, sizeof(sluice_option));
  }
  if (option.name == nullptr || !is_name(option.name)) {
    return std::string("its name is not snake_case of at most 64 characters");
  }
  const auto type = option_type(option.type == nullptr ? "" : option.type);
  if (!type) {
    return fmt::format("type {} is unknown", json_quote(option.type == nullptr ? "" : option.type));
  }
  if (option.help == nullptr || *option.help == '\0') {
    return std::string("has no help");
  }
  const bool has_choices = option.choices != nullptr && !words(option.choices).empty();
  if (has_choices != (type == OptionType::choice)) {
    return std::string(has_choices ? "has choices but is no enum" : "is an enum without choices");
  }
  if (Fault fault = bounds_fault(option, *type)) {
    return fault;
  }
  return default_fault(option, *type);
}

}  // namespace

std::optional<OptionType> option_type(std::string_view name) {
  const auto* found = std::ranges::find(kTypes, name, &TypeName::name);
  return found == std::end(kTypes) ? std::nullopt : std::optional(found->type);
}

std::optional<std::string> read_option(const sluice_option& option, const Json& value,
                                       std::string_view base_folder, sluice_config::Value* into) {
  const auto type = option_type(option.type);
  return type ? read_value(option, *type, value, base_folder, into)
              : std::optional(fmt::format("has the unknown type {}", option.type));
}

std::optional<std::string> option_table_fault(const sluice_option* const* options) {
  constexpr std::size_t kOptionsMax = 256;
  std::set<std::string_view> names;
  for (std::size_t i = 0; options != nullptr && options[i] != nullptr; ++i) {
    if (i == kOptionsMax) {
      return fmt::format("its option table has more than {} entries or no NULL at its end",
                         kOptionsMax);
    }
    const sluice_option& option = *options[i];
    if (Fault fault = option_fault(option)) {
      const bool named = option.struct_size >= sizeof(sluice_option) && option.name != nullptr;
      return fmt::format("option {}: {}", named ? json_quote(option.name) : std::to_string(i),
                         *fault);
    }
    if (!names.insert(option.name).second) {
      return fmt::format("option {} is declared twice", json_quote(option.name));
    }
  }
  return std::nullopt;
}

}  // namespace sluice::core
