// Errors of the control plane: a code that names the exit status, and a text for people.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace sluice::core {

/// What went wrong, as far as the caller must know. The exit code of each is exit_code().
enum class Errc {
  usage,            // 64
  bad_data,         // 65
  missing_input,    // 66
  unavailable,      // 69 endpoint or plugin
  internal,         // 70 bug
  cannot_create,    // 73 state folder in use or not creatable
  io,               // 74
  config,           // 78
};

/// sysexits(3) value of `code` (DESIGN §5).
constexpr int exit_code(Errc code) {
  switch (code) {
    case Errc::usage: return 64;
    case Errc::bad_data: return 65;
    case Errc::missing_input: return 66;
    case Errc::unavailable: return 69;
    case Errc::internal: return 70;
    case Errc::cannot_create: return 73;
    case Errc::io: return 74;
    case Errc::config: return 78;
  }
  return 70;
}

/// `message` says where, what, and what to do; lower case, no full stop, no prefix.
struct Error {
  Errc code;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

/// For a function that returns a Result: `return fail(Errc::io, "...")`.
inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace sluice::core
