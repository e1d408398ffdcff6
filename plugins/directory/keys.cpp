#include "keys.hpp"

#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <cerrno>
#include <cstring>

#include "support/text.hpp"

namespace sluice::directory {

namespace {

std::string component_fault(std::string_view name) {
  if (name.empty())
    return "holds an empty component (\"//\", or a \"/\" at its beginning or end)";
  if (name == "." || name == "..")
    return fmt::format("holds the component \"{}\"", name);
  if (name.size() > kNameBytesMax) {
    return fmt::format("holds a name of {} bytes; at most {} are possible", name.size(),
                       kNameBytesMax);
  }
  if (is_temporary(name)) {
    return fmt::format(
        "holds a name that begins with \"{}\", which is kept for files being written",
        kTemporaryPrefix);
  }
  return {};
}

/// Checks all components of `folder`, which is empty or ends with '/'.
std::string folder_fault(std::string_view folder) {
  std::size_t depth = 0;
  while (!folder.empty()) {
    const std::size_t slash = folder.find('/');
    if (std::string fault = component_fault(folder.substr(0, slash)); !fault.empty())
      return fault;
    folder.remove_prefix(slash + 1);
    if (++depth > kDepthMax)
      return fmt::format("is more than {} folders deep", kDepthMax);
  }
  return {};
}

std::string_view folder_part(std::string_view key) {
  return key.substr(0, key.rfind('/') + 1);  // npos + 1 is 0
}

std::int32_t status_of(int error) {
  switch (error) {
    case ENOENT:
      return SLUICE_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
      return SLUICE_DENIED;
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EEXIST:
    case EILSEQ:
    case EINVAL:
      return SLUICE_INVALID;
    case EFBIG:
      return SLUICE_TOO_LARGE;
    default:
      return SLUICE_UNAVAILABLE;
  }
}

std::string text_of(int error) {
  switch (error) {
    case ELOOP:
      return "the key names or passes a symbolic link, which is never followed";
    case EXDEV:
      return "the key leaves the bucket's folder";
    case ENOTDIR:
      return "a part of the key is an object, not a folder";
    case EISDIR:
    case ENOTEMPTY:
      return "the key names a folder";
    default:
      return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is per thread
  }
}

}  // namespace

std::string key_fault(std::string_view key) {
  if (key.empty())
    return "is empty";
  if (key.size() > kKeyBytesMax) {
    return fmt::format("is {} bytes long; at most {} are possible", key.size(), kKeyBytesMax);
  }
  if (key.find('\0') != std::string_view::npos)
    return "holds a NUL";
  const std::string_view folder = folder_part(key);
  if (std::string fault = folder_fault(folder); !fault.empty())
    return fault;
  return component_fault(key.substr(folder.size()));
}

std::string prefix_fault(std::string_view prefix) {
  if (prefix.size() > kKeyBytesMax)
    return fmt::format("is longer than {} bytes", kKeyBytesMax);
  if (prefix.find('\0') != std::string_view::npos)
    return "holds a NUL";
  const std::string_view folder = folder_part(prefix);
  if (std::string fault = folder_fault(folder); !fault.empty())
    return fault;
  const std::string_view rest = prefix.substr(folder.size());
  // "." and ".." may go on ("..x"); an empty rest matches every name.
  return rest.size() > kNameBytesMax || is_temporary(rest) ? component_fault(rest) : std::string();
}

bool is_temporary(std::string_view name) {
  return name.starts_with(kTemporaryPrefix);
}

std::int64_t modified_ns(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::string etag_of(const struct stat& status) {
  return fmt::format("{:x}-{:x}", static_cast<std::uint64_t>(status.st_size),
                     static_cast<std::uint64_t>(modified_ns(status)));
}

void fail(int error, std::string_view doing, std::string_view key) {
  throw Failure(status_of(error),
                fmt::format("cannot {} {}: {}", doing, support::json_quote(key), text_of(error)));
}

void require_key(std::string_view key) {
  const std::string fault = key_fault(key);
  if (fault.empty())
    return;
  throw Failure(SLUICE_INVALID,
                fmt::format("key {} {}", support::json_quote(key.substr(0, 300)), fault));
}

}  // namespace sluice::directory
