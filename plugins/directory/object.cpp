#include "object.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "folder.hpp"
#include "keys.hpp"

namespace sluice::directory {

namespace {

constexpr std::int64_t kStaleNs = 3'600'000'000'000;  // an hour without a write

std::string temporary_name() {
  std::uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) {
    throw Failure(SLUICE_UNAVAILABLE, "the system gives no random numbers");
  }
  return fmt::format("{}{:016x}", kTemporaryPrefix, random);
}

/// Refuses to put over, or delete, what is no object.
void require_replaceable(int folder, const std::string& leaf, std::string_view doing,
                         std::string_view key) {
  struct stat status {};
  if (fstatat(folder, leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT)
      return;
    fail(errno, doing, key);
  }
  if (S_ISLNK(status.st_mode))
    fail(ELOOP, doing, key);
  if (S_ISDIR(status.st_mode))
    fail(EISDIR, doing, key);
}

}  // namespace

std::size_t ObjectReader::read(std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t got = ::read(file_.get(), into.data(), into.size());
    if (got >= 0)
      return static_cast<std::size_t>(got);
    if (errno != EINTR)
      fail(errno, "read", key_);
  }
}

ObjectWriter::ObjectWriter(const Root& root, std::string key) : key_(std::move(key)) {
  require_key(key_);
  leaf_ = leaf_of(key_);
  Opened opened = root.open_parent(key_, true);
  if (opened.error != 0)
    fail(opened.error, "put", key_);
  folder_ = std::move(opened.descriptor);
  require_replaceable(folder_.get(), leaf_, "put", key_);
  temporary_ = temporary_name();
  file_ = Descriptor(::openat(folder_.get(), temporary_.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file_) {
    temporary_.clear();
    // The folder was deleted between the two calls: a retry makes it again.
    fail(errno == ENOENT ? EBUSY : errno, "put", key_);
  }
}

ObjectWriter::~ObjectWriter() {
  if (!temporary_.empty())
    unlinkat(folder_.get(), temporary_.c_str(), 0);
}

void ObjectWriter::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR)
        continue;
      fail(errno, "write", key_);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void ObjectWriter::commit() {
  // Closed before the rename: whoever sees the new name finds nobody writing. NFS and quotas tell
  // a full disk only here.
  if (::close(file_.release()) != 0 && errno != EINTR)
    fail(errno, "write", key_);
  require_replaceable(folder_.get(), leaf_, "put", key_);
  if (renameat(folder_.get(), temporary_.c_str(), folder_.get(), leaf_.c_str()) != 0) {
    fail(errno == ENOENT ? EBUSY : errno, "put", key_);
  }
  temporary_.clear();
}

std::unique_ptr<ObjectReader> open_object(const Root& root, std::string_view key,
                                          std::string_view if_match, std::uint64_t offset,
                                          std::uint64_t* size) {
  require_key(key);
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Opened opened = root.open(key, O_RDONLY | O_NONBLOCK);
  if (opened.error == ENOTDIR || opened.error == ENXIO)
    opened.error = ENOENT;
  if (opened.error != 0)
    fail(opened.error, "open", key);
  struct stat status {};
  if (fstat(opened.descriptor.get(), &status) != 0)
    fail(errno, "open", key);
  if (!S_ISREG(status.st_mode))
    fail(ENOENT, "open", key);
  if (!if_match.empty() && if_match != etag_of(status)) {
    throw Failure(SLUICE_CONFLICT, fmt::format("the object's etag is \"{}\", not \"{}\"",
                                               etag_of(status), if_match));
  }
  if (offset > static_cast<std::uint64_t>(INT64_MAX))
    fail(EINVAL, "open", key);
  if (offset != 0 && lseek(opened.descriptor.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    fail(errno, "open", key);
  }
  *size = static_cast<std::uint64_t>(status.st_size);
  return std::make_unique<ObjectReader>(std::move(opened.descriptor), std::string(key));
}

void remove_object(const Root& root, std::string_view key) {
  require_key(key);
  const Opened folder = root.open_parent(key, false);
  if (folder.error == ENOENT || folder.error == ENOTDIR)
    return;
  if (folder.error != 0)
    fail(folder.error, "delete", key);
  const std::string leaf = leaf_of(key);
  require_replaceable(folder.descriptor.get(), leaf, "delete", key);
  if (unlinkat(folder.descriptor.get(), leaf.c_str(), 0) != 0 && errno != ENOENT) {
    fail(errno, "delete", key);
  }
}

void remove_if_stale(int folder, const char* name, std::int64_t now_ns) {
  struct stat status {};
  if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
    return;
  if (now_ns - modified_ns(status) > kStaleNs)
    unlinkat(folder, name, 0);
}

void remove_stale(const Root& root, std::int64_t now_ns, std::size_t entries_max) {
  std::vector<std::string> folders = {""};
  while (!folders.empty() && entries_max > 0) {
    const std::string path = std::move(folders.back());
    folders.pop_back();
    Opened opened = root.open(path, O_RDONLY | O_DIRECTORY);
    if (opened.error != 0)
      continue;
    Folder folder(std::move(opened.descriptor));
    while (entries_max > 0 && folder.next()) {
      --entries_max;
      const FolderEntry& entry = folder.entry();
      if (is_temporary(entry.name)) {
        remove_if_stale(folder.descriptor(), entry.name.c_str(), now_ns);
      } else if (entry.is_folder && prefix_fault(path + entry.name + '/').empty()) {
        folders.push_back(path + entry.name + '/');
      }
    }
  }
}

}  // namespace sluice::directory
