// What can go wrong with one picture: the codes of the stage's contract and a text for people.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace sluice::image_resize {

/// Reason of a rejected message, by the names that code_name() gives.
enum class Code : std::uint8_t {
  unsupported_format,   ///< no JPEG or PNG signature, or no bytes
  unsupported_feature,  ///< a JPEG or PNG, but of a kind that is not decoded (12 bits, lossless, DNL)
  bad_header,           ///< invalid sizes or fields, critical parts missing or misplaced
  limit_exceeded,       ///< a limit of the stage; the text names it, its value and the picture's
  truncated,            ///< the data ends early
  corrupt_data,         ///< an error, or in strict mode a warning, in the pixel data
  bad_request,          ///< options that cannot be met
  encode_failed,
  out_of_memory,
  cancelled,
};

/// "limit_exceeded" and so on; never ends.
const char* code_name(Code code);

struct Fault {
  Code code;
  std::string detail;  ///< lower case, no full stop; may be empty
};

template <class T>
using Result = std::expected<T, Fault>;

inline std::unexpected<Fault> fail(Code code, std::string detail) {
  return std::unexpected(Fault{code, std::move(detail)});
}

/// Asked at least once per 64 rows; true ends the work with Code::cancelled.
struct Watch {
  bool (*cancelled)(void* user, std::uint64_t rows_done, std::uint64_t rows) = nullptr;
  void* user = nullptr;
  bool stop(std::uint64_t rows_done, std::uint64_t rows) const {
    return cancelled != nullptr && cancelled(user, rows_done, rows);
  }
};

}  // namespace sluice::image_resize
