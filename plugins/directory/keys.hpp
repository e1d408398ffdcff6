// Which texts are keys of a directory bucket, and what the system's errors mean for them.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::directory {

/// As in S3, so that objects can move between bucket types.
inline constexpr std::size_t kKeyBytesMax = 1024;
/// NAME_MAX of Linux.
inline constexpr std::size_t kNameBytesMax = 255;
/// Folders in a key. A listing holds one descriptor for each level it is in.
inline constexpr std::size_t kDepthMax = 128;
/// Names of files that are being written begin so. Never part of a key.
inline constexpr std::string_view kTemporaryPrefix = ".sluice-tmp-";

/// Why `key` can never name an object here; empty if it can. The rule: 1 to 1024 bytes without
/// NUL, cut by '/' into components of 1 to 255 bytes, none of them ".", ".." or a temporary name.
std::string key_fault(std::string_view key);

/// Why no key can begin with `prefix`; empty if some can.
std::string prefix_fault(std::string_view prefix);

bool is_temporary(std::string_view name);

/// `hex(size)-hex(mtime_ns)` (DESIGN §4).
std::string etag_of(const struct stat& status);
std::int64_t modified_ns(const struct stat& status);

/// Told for each object; anything but SLUICE_OK ends the call with that status.
using EachObject = std::function<std::int32_t(std::string_view key, std::uint64_t size,
                                              std::string_view etag, std::int64_t modified_ms)>;

/// Throws Failure: NOT_FOUND, DENIED, INVALID, TOO_LARGE, or UNAVAILABLE for what may pass
/// (disk full, no descriptors left, I/O error). `doing` is a verb: "open", "write".
[[noreturn]] void fail(int error, std::string_view doing, std::string_view key);

/// Throws Failure INVALID unless `key` is one.
void require_key(std::string_view key);

}  // namespace sluice::directory
