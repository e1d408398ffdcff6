#include "config/object_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "base/units.hpp"

namespace sluice::core {
namespace {

/// A duration or size (by type) from its text.
std::expected<std::int64_t, std::string> parse_unit(Key::Type type, std::string_view text) {
  return type == Key::Type::duration ? parse_duration(text) : parse_size(text);
}

std::string format_limit(Key::Type type, std::int64_t value) {
  if (type == Key::Type::duration)
    return format_duration(value);
  if (type == Key::Type::size)
    return format_size(value);
  return std::to_string(value);
}

std::string_view expected_of(Key::Type type) {
  switch (type) {
    case Key::Type::name:
      return "a name in quotes";
    case Key::Type::string:
      return "a string";
    case Key::Type::path:
      return "a path in quotes";
    case Key::Type::integer:
      return "a whole number";
    case Key::Type::number:
      return "a number";
    case Key::Type::boolean:
      return "true or false";
    case Key::Type::duration:
      return "a duration such as \"75s\"";
    case Key::Type::size:
      return "a size such as \"256KiB\"";
    case Key::Type::choice:
      return "a word in quotes";
    case Key::Type::object:
    case Key::Type::objects:
    case Key::Type::policy:
      return "an object";
    case Key::Type::array:
    case Key::Type::actions:
      return "an array";
    case Key::Type::maybe_object:
      return "an object or null";
  }
  return "something else";
}

bool has_type(Key::Type type, const Json& value) {
  switch (type) {
    case Key::Type::integer:
      return value.type == Json::Type::number && value.integer.has_value();
    case Key::Type::number:
      return value.type == Json::Type::number;
    case Key::Type::boolean:
      return value.type == Json::Type::boolean;
    case Key::Type::object:
    case Key::Type::objects:
    case Key::Type::policy:
      return value.type == Json::Type::object;
    case Key::Type::array:
    case Key::Type::actions:
      return value.type == Json::Type::array;
    case Key::Type::maybe_object:
      return value.type == Json::Type::object || value.type == Json::Type::null;
    default:
      return value.type == Json::Type::string;
  }
}

}  // namespace

std::string_view type_name(const Json& value) {
  switch (value.type) {
    case Json::Type::null:
      return "null";
    case Json::Type::boolean:
      return value.boolean ? "true" : "false";
    case Json::Type::number:
      return value.integer ? "a whole number" : "a number";
    case Json::Type::string:
      return "a string";
    case Json::Type::array:
      return "an array";
    case Json::Type::object:
      return "an object";
  }
  return "something else";
}

std::string hint(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  // The search costs length times length times candidates: a hostile file must not make it long.
  if (wrong.size() > 2 * kNameBytesMax || candidates.size() > 1000)
    return {};
  return did_you_mean(nearest_name(wrong, candidates));
}

ObjectReader::ObjectReader(const Reporter& reporter, const Json& value, const Shape& shape,
                           std::string who)
    : reporter_(reporter), value_(value), shape_(shape), who_(std::move(who)) {
  if (value.type != Json::Type::object) {
    reporter_.error(value.offset,
                    fmt::format("{} must be an object, found {}", who_, type_name(value)));
    for (const Key& key : shape_.keys)
      wrong_.insert(key.name);  // reported once, here
    return;
  }
  for (const JsonMember& member : value.members)
    check_member(member);
  report_missing();
}

void ObjectReader::check_member(const JsonMember& member) {
  const Key* key = shape_.find(member.name);
  if (key != nullptr) {
    if (!check_value(*key, member.value))
      wrong_.insert(key->name);
    return;
  }
  if (shape_.plugin_kind.empty())  // else it is an option: the plugin's table decides
    report_unknown(member);
}

void ObjectReader::report_unknown(const JsonMember& member) {
  std::vector<std::string_view> names;
  for (const Key& known : shape_.keys)
    names.push_back(known.name);
  std::string text = fmt::format("unknown key {} in {}", in_quotes(member.name), who_);
  const std::string_view near = nearest_name(member.name, names);
  const Key* meant = near.empty() || value_.find(near) != nullptr ? nullptr : shape_.find(near);
  if (meant != nullptr)
    wrong_.insert(meant->name);
  if (meant != nullptr && meant->required)
    text += fmt::format(", which lacks the key \"{}\"", near);
  reporter_.error(member.offset, text + (names.empty() ? ": it takes none" : did_you_mean(near)));
}

bool ObjectReader::check_value(const Key& key, const Json& value) const {
  const bool is_huge = key.type == Key::Type::integer && value.type == Json::Type::number &&
                       !value.integer && value.text.find_first_of(".eE") == std::string::npos;
  if (!has_type(key.type, value) && !is_huge) {
    reporter_.error(value.offset, fmt::format("\"{}\" of {} must be {}, found {}", key.name, who_,
                                              expected_of(key.type), type_name(value)));
    return false;
  }
  switch (key.type) {
    case Key::Type::integer:
    case Key::Type::number:
    case Key::Type::duration:
    case Key::Type::size:
      return check_number(key, value);
    case Key::Type::actions:
      return check_items(key, value);
    case Key::Type::choice:
      return check_choice(key, value);
    case Key::Type::path:
      if (!value.text.empty() && value.text.find('\0') == std::string::npos)
        return true;
      reporter_.error(value.offset, fmt::format("\"{}\" of {} is no path", key.name, who_));
      return false;
    default:
      return true;
  }
}

bool ObjectReader::check_number(const Key& key, const Json& value) const {
  const auto fits = [&](auto number) {
    const auto least = static_cast<decltype(number)>(key.minimum);
    return (key.above_minimum ? number > least : number >= least) &&
           number <= static_cast<decltype(number)>(key.maximum);
  };
  std::string found = value.text;
  bool is_right = false;
  if (key.type == Key::Type::integer) {
    is_right = value.integer && fits(*value.integer);
    if (!value.integer)
      found = fmt::format("{}", value.number);
  } else if (key.type == Key::Type::number) {
    is_right = fits(value.number);
    found = fmt::format("{}", value.number);  // its literal may be of any length
  } else {
    const auto parsed = parse_unit(key.type, value.text);
    if (!parsed) {
      reporter_.error(value.offset,
                      fmt::format("\"{}\" of {}: {}", key.name, who_, parsed.error()));
      return false;
    }
    is_right = fits(*parsed);
  }
  if (!is_right) {
    reporter_.error(
        value.offset,
        fmt::format("\"{}\" of {} must be {}{}{}, found {}", key.name, who_,
                    key.above_minimum ? "above " : "", format_limit(key.type, key.minimum),
                    (key.above_minimum ? ", up to " : " to ") + format_limit(key.type, key.maximum),
                    found));
  }
  return is_right;
}

bool ObjectReader::check_choice(const Key& key, const Json& value) const {
  if (std::ranges::find(key.choices, value.text) != key.choices.end())
    return true;
  const auto others = key.choices.first(key.choices.size() - 1);
  reporter_.error(value.offset,
                  fmt::format("\"{}\" of {} is {}{}{}, found {}{}", key.name, who_, fmt::join(others, ", "),
                              others.empty() ? "" : " or ", key.choices.back(), in_quotes(value.text),
                              hint(value.text, {key.choices.begin(), key.choices.end()})));
  return false;
}

bool ObjectReader::check_items(const Key& key, const Json& value) const {
  std::vector<std::string_view> names;
  for (const ActionName& action : kActions)
    names.push_back(action.name);
  bool right = true;
  for (const Json& item : value.items) {
    bool known = false;
    for (const std::string_view name : names)
      known |= item.type == Json::Type::string && item.text == name;
    if (known)
      continue;
    right = false;
    const std::string found =
        item.type == Json::Type::string ? in_quotes(item.text) : std::string(type_name(item));
    const std::string near =
        item.type == Json::Type::string ? hint(item.text, names) : std::string();
    reporter_.error(item.offset,
                    fmt::format("\"{}\" of {} takes get, put, delete and list, found {}{}",
                                key.name, who_, found, near));
  }
  if (value.items.empty()) {
    right = false;
    reporter_.error(value.offset,
                    fmt::format("\"{}\" of {} is empty: it allows nothing", key.name, who_));
  }
  return right;
}

void ObjectReader::report_missing() const {
  for (const Key& key : shape_.keys) {
    if (key.required && !is_given(key.name)) {
      reporter_.error(value_.offset, fmt::format("{} lacks the key \"{}\"", who_, key.name));
    }
  }
}

const Json* ObjectReader::find(std::string_view key) const {
  return wrong_.contains(key) ? nullptr : value_.find(key);
}

std::string ObjectReader::text(std::string_view key) const {
  if (const Json* value = find(key))
    return value->text;
  const std::string_view text = shape_.find(key)->default_json;
  return text.empty() ? std::string() : std::string(text.substr(1, text.size() - 2));  // without its quotes
}

std::optional<std::int64_t> ObjectReader::number(std::string_view key) const {
  const Key& described = *shape_.find(key);
  if (const Json* value = find(key)) {
    if (described.type == Key::Type::integer)
      return value->integer;
    return *parse_unit(described.type, value->text);
  }
  std::string_view text = described.default_json;
  if (text.empty())
    return std::nullopt;
  if (described.type == Key::Type::integer)
    return std::stoll(std::string(text));
  return *parse_unit(described.type, text.substr(1, text.size() - 2));  // without its quotes
}

std::optional<std::int64_t> ObjectReader::number_or_most(std::string_view key) const {
  return is_wrong(key) ? shape_.find(key)->maximum : number(key);
}

std::optional<double> ObjectReader::real(std::string_view key) const {
  if (const Json* value = find(key))
    return value->number;
  const std::string_view text = shape_.find(key)->default_json;
  return text.empty() ? std::nullopt : std::optional(std::stod(std::string(text)));
}

bool ObjectReader::flag(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr ? value->boolean : shape_.find(key)->default_json == "true";
}

std::uint32_t ObjectReader::offset(std::string_view key) const {
  const Json* value = value_.find(key);
  return value == nullptr ? value_.offset : value->offset;
}

}  // namespace sluice::core
