// Files as the engine's own state needs them, behind a seam: tests put a storage in place that
// fails, fills up, or loses what was not synced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::core {

/// A file that grows at its end. One owner at a time. Errors: io, with path and reason.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual std::uint64_t size() const = 0;
  /// All of `bytes` or an error; after an error the tail is undefined.
  virtual Result<void> append(std::string_view bytes) = 0;
  virtual const std::string& path() const = 0;
  /// Returns when all that was appended is on the device.
  virtual Result<void> sync() = 0;
  /// Up to `bytes_max` bytes from `offset`; fewer only at the end.
  virtual Result<std::string> read(std::uint64_t offset, std::size_t bytes_max) = 0;
  /// Cuts the file to `size` bytes.
  virtual Result<void> truncate(std::uint64_t size) = 0;
};

/// Held as long as the object lives.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

/// [thread-safe]
class Storage {
 public:
  virtual ~Storage() = default;
  /// Makes the folder and its parents (mode 0700); those that were not there are durable on return. Errors: cannot_create; io,
  /// where one cannot be synced.
  virtual Result<void> make_folders(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  /// Opens for reading and appending; creates it (and syncs the folder) if it is not there.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;
  /// Puts `from` in the place of `to`, atomically, and syncs the folder.
  virtual Result<void> replace(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  /// Bytes that may still be written beside `path`; what cannot be known is a lot.
  virtual std::uint64_t room(const std::string& path) = 0;
  /// One holder in the machine. Errors: cannot_create if another process holds it, naming the folder.
  virtual Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) = 0;
  /// Whether somebody holds it; to ask is in nobody's way.
  virtual bool folder_is_locked(const std::string& path) = 0;
};

/// The file system.
Storage& file_storage();

}  // namespace sluice::core
