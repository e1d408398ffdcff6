// Which attribute comes from where in a JSON body: JSON pointers (RFC 6901), compiled into a tree
// that is walked along with the body, once for all of them.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/json_reader.hpp"

namespace sluice::attributes {

/// What stands at a pointer, as an attribute.
struct Found {
  bool there = false;      ///< false: nothing, null, or what no attribute can be
  std::uint32_t type = 0;  ///< SLUICE_STRING ...
  std::string value;
};

/// Immutable after parse(), except for the memory of read(). One thread at a time.
class Pointers {
 public:
  /// `json`: {"NAME": "/pointer", ...}. The error says what is wrong.
  static std::expected<Pointers, std::string> parse(std::string_view json);

  const std::vector<std::string>& names() const { return names_; }
  /// The pointer of the attribute `names()[index]`.
  const std::string& pointer(std::size_t index) const { return pointers_[index]; }

  /// Fills `found`, one for each name. The error says why `body` is no JSON; all of it is looked
  /// at.
  std::expected<void, std::string> read(support::JsonReader& reader, std::string_view body,
                                        std::vector<Found>& found) const;

 private:
  struct Node {
    std::vector<std::size_t> targets;  ///< attributes that come from here
    std::map<std::string, Node, std::less<>> children;
  };
  class Walk;

  std::vector<std::string> names_, pointers_;
  Node root_;
};

}  // namespace sluice::attributes
