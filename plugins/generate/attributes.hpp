// Attributes as a configuration writes them, in the form of a message as JSON (DESIGN §4).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::generate {

struct Attribute {
  std::string name;
  std::uint32_t type;  ///< SLUICE_STRING ...
  std::string value;   ///< a string array: JSON
};

/// Reads {"event":{"type":"String","value":"signup"}, "n":5, "s":"text", "l":["a","b"]}: types
/// String, Number and String.Array, or a bare string, number or array. No Binary. The error says
/// what is wrong.
std::expected<std::vector<Attribute>, std::string> read_attributes(std::string_view json);

}  // namespace sluice::generate
