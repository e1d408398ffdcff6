// One object: reading it, writing it anew, deleting it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "descriptor.hpp"
#include "root.hpp"

namespace sluice::directory {

/// Reads the version that was there when it was opened; a put meanwhile does not disturb it.
/// One thread at a time.
class ObjectReader {
 public:
  explicit ObjectReader(Descriptor file, std::string key)
      : file_(std::move(file)), key_(std::move(key)) {}
  /// Bytes read, 0 at the end. Throws Failure.
  std::size_t read(std::span<std::uint8_t> into);

 private:
  Descriptor file_;
  std::string key_;
};

/// Writes to a file with a temporary name in the object's folder; commit() renames it, so that
/// others see the old object or the whole new one. After kill -9 a committed object is there
/// (the kernel holds it); nothing is promised for a loss of power. One thread at a time.
class ObjectWriter {
 public:
  /// Makes missing folders. Throws Failure.
  ObjectWriter(const Root& root, std::string key);
  ~ObjectWriter();  ///< Without commit: removes the temporary file.
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  void write(std::span<const std::uint8_t> bytes);  ///< Throws Failure.
  void commit();                                    ///< Throws Failure. At most once.

 private:
  std::string key_;
  std::string leaf_;
  std::string temporary_;  ///< empty: there is none (any more)
  Descriptor folder_;
  Descriptor file_;
};

/// `if_match`: an etag, or empty. *size is that of the whole object, whatever `offset` is.
/// Throws Failure: NOT_FOUND (also for folders and devices), CONFLICT, INVALID, DENIED,
/// UNAVAILABLE.
std::unique_ptr<ObjectReader> open_object(const Root& root, std::string_view key,
                                          std::string_view if_match, std::uint64_t offset,
                                          std::uint64_t* size);

/// Deleting what is not there succeeds, as in S3. Folders stay. Throws Failure.
void remove_object(const Root& root, std::string_view key);

/// Removes `name` in `folder` if it is a temporary file that nobody wrote to for an hour.
void remove_if_stale(int folder, const char* name, std::int64_t now_ns);

/// Looks for stale temporary files below `root`, through `entries_max` entries at most.
void remove_stale(const Root& root, std::int64_t now_ns, std::size_t entries_max);

}  // namespace sluice::directory
