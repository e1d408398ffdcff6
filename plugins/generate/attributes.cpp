#include "attributes.hpp"

#include <fmt/format.h>
#include <sluice/plugin.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::generate {

namespace {

using nlohmann::json;

constexpr std::size_t kNameBytesMax = 256;  // as in SQS

bool is_number_text(const std::string& text) {
  return json::parse(text, nullptr, false).is_number();
}

bool is_string_array(const json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); });
}

/// The value as text, for an attribute of type `type`; nothing if it is none of that type.
std::string text_of(std::string_view type, const json& value, std::uint32_t* number) {
  if (type == "String" && value.is_string()) {
    *number = SLUICE_STRING;
    return value;
  }
  if (type == "Number" && (value.is_number() || (value.is_string() && is_number_text(value)))) {
    *number = SLUICE_NUMBER;
    return value.is_string() ? value.get<std::string>() : value.dump();
  }
  if (type == "String.Array" && is_string_array(value)) {
    *number = SLUICE_STRING_ARRAY;
    return value.dump();
  }
  return {};
}

std::string_view bare_type(const json& value) {
  return value.is_string() ? "String" : value.is_number() ? "Number" : "String.Array";
}

}  // namespace

std::expected<std::vector<Attribute>, std::string> read_attributes(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) {
    return std::unexpected(std::string("must be an object of attributes, {\"name\":\"value\"}"));
  }
  std::vector<Attribute> result;
  for (const auto& [name, given] : object.items()) {
    Attribute attribute{name, 0, {}};
    if (name.empty() || name.size() > kNameBytesMax) {
      return std::unexpected(
          fmt::format("holds a name that is not 1 to {} bytes long", kNameBytesMax));
    }
    if (given.is_object()) {
      const std::string type = given.value("type", json()).is_string() ? given["type"] : json("");
      attribute.value = text_of(type, given.value("value", json()), &attribute.type);
    } else {
      attribute.value = text_of(bare_type(given), given, &attribute.type);
    }
    if (attribute.type == 0) {
      return std::unexpected(
          fmt::format("attribute \"{}\" must be a string, a number, a list of strings, or "
                      "{{\"type\":T,\"value\":V}} "
                      "with T one of String, Number, String.Array",
                      name));
    }
    result.push_back(std::move(attribute));
  }
  return result;
}

}  // namespace sluice::generate
