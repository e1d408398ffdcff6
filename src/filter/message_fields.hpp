// The fields of a message that some policy names: out of a JSON body, or out of attributes.
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "filter/compiled_filter.hpp"

namespace sluice::core {

/// Fields that policies name, and array elements around them, that one message may have: twice what
/// fits into 256 KiB. They take up to 80 bytes each, and as much again while they are matched.
inline constexpr std::size_t kFieldsMax = 1 << 18;

/// What simdjson reads behind the end of a text.
inline constexpr std::size_t kBodyPadding = 64;

/// Reads messages into a FilterScratch. One thread's; keeps its buffers from message to message.
class FieldReader {
 public:
  FieldReader();
  ~FieldReader();
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  /// Fills scratch.fields; they point into the reader's buffers, and into the body, until the next
  /// call. `readable`: bytes behind the body that may be read, whatever they are; fewer than
  /// kBodyPadding cost a copy. False: the body is not one JSON object, so no policy matches; more
  /// than kFieldsMax fields or elements count as that, too. A named value that is no JSON, or text
  /// that is no Unicode, or more than 64 levels deep, is a damaged field: nothing takes it.
  bool read_body(std::span<const std::uint8_t> body, const PathTree& paths, FilterScratch& scratch,
                 std::size_t readable = 0);

  /// Damaged fields that the last read_body() left in scratch.fields.
  std::uint32_t damaged() const;

  /// Fills scratch.fields from attributes (filter-policies.md §11): Binary is as if absent. The
  /// number of attributes that a policy names and whose value is not of its type (a String.Array
  /// that is no JSON array, or has more than kFieldsMax elements, a Number that is none): they
  /// match nothing.
  std::uint32_t read_attributes(std::span<const sluice_attribute* const> attributes,
                                const PathTree& paths, FilterScratch& scratch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::core
