#include "base/storage.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

namespace sluice::core {
namespace {

std::unexpected<Error> io_error(std::string_view what, const std::string& path, int number) {
  return fail(Errc::io, fmt::format("cannot {} '{}': {}", what, path,
                                    std::generic_category().message(number)));
}

class Descriptor {
 public:
  explicit Descriptor(int number)
      : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int get() const { return number_; }

 private:
  int number_;
};

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<void> sync_parent(const std::string& path) {
  const std::string folder = folder_of(path);
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) {
    return io_error("sync folder", folder, errno);
  }
  return {};
}

class File final : public AppendFile {
 public:
  File(std::string path, int descriptor, std::uint64_t size)
      : path_(std::move(path)),
        descriptor_(descriptor),
        size_(size) {}

  std::uint64_t size() const override { return size_; }

  const std::string& path() const override { return path_; }
  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (written < 0 && errno == EINTR) {
        continue;
      }
      if (written < 0) {
        return io_error("write", path_, errno);
      }
      size_ += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_.get()) != 0) {
      return io_error("sync", path_, errno);
    }
    return {};
  }

  Result<std::string> read(std::uint64_t offset, std::size_t bytes_max) override {
    std::string bytes(bytes_max, '\0');
    std::size_t filled = 0;
    while (filled < bytes_max) {
      ssize_t got = ::pread(descriptor_.get(), bytes.data() + filled, bytes_max - filled,
                            static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        return io_error("read", path_, errno);
      }
      if (got == 0) {
        break;
      }
      filled += static_cast<std::size_t>(got);
    }
    bytes.resize(filled);
    return bytes;
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) {
      return io_error("truncate", path_, errno);
    }
    size_ = size;
    return {};
  }

 private:
  std::string path_;
  Descriptor descriptor_;
  std::uint64_t size_;
};

class Lock final : public FolderLock {
 public:
  explicit Lock(int descriptor)
      : descriptor_(descriptor) {}

 private:
  Descriptor descriptor_;  // the lock ends with it, also when the process dies
};

/// Of a whole file, held by the open file, not by the process. Unlike flock(2)'s, one can be asked after without taking it.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

class FileStorage final : public Storage {
 public:
  Result<void> make_folders(const std::string& path) override {
    std::vector<std::string> missing;
    for (std::filesystem::path folder = path; !folder.empty() && !exists(folder.string()); folder = folder.parent_path()) {
      missing.push_back(folder.string());
    }
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
      return fail(Errc::cannot_create, fmt::format("cannot create folder '{}': {}", path, error.message()));
    }
    ::chmod(path.c_str(), 0700);
    for (const std::string& made : missing) {
      const bool is_readable = ::access(folder_of(made).c_str(), R_OK) == 0;  // else it cannot be synced
      if (Result<void> synced = is_readable ? sync_parent(made) : Result<void>(); !synced) {
        return synced;
      }
    }
    return {};
  }

  /// What cannot be looked at may be there: whoever opens it learns why it cannot be.
  bool exists(const std::string& path) override {
    return ::access(path.c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
  }

  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    bool is_new = !exists(path);
    int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
      return io_error("open", path, errno);
    }
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
      int number = errno;
      ::close(descriptor);
      return io_error("examine", path, number);
    }
    auto file = std::make_unique<File>(path, descriptor, static_cast<std::uint64_t>(status.st_size));
    if (is_new) {
      if (Result<void> synced = sync_parent(path); !synced) {
        return std::unexpected(synced.error());
      }
    }
    return file;
  }

  Result<void> replace(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return io_error("rename", from, errno);
    }
    return sync_parent(to);
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return io_error("remove", path, errno);
    }
    return {};
  }

  std::uint64_t room(const std::string& path) override {
    std::error_code error;
    const std::filesystem::space_info space = std::filesystem::space(path, error);
    return error ? UINT64_MAX : space.available;
  }

  Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    std::string file = path + "/lock";
    int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
      return fail(Errc::cannot_create, fmt::format("cannot create '{}': {}", file,
                                                   std::generic_category().message(errno)));
    }
    struct flock lock = whole_file();
    if (::fcntl(descriptor, F_OFD_SETLK, &lock) != 0) {
      ::close(descriptor);
      return fail(Errc::cannot_create,
                  fmt::format("state folder '{}' is in use by another sluice; stop it, or give this "
                              "pipeline another \"state\"", path));
    }
    return std::make_unique<Lock>(descriptor);
  }

  bool folder_is_locked(const std::string& path) override {
    const Descriptor descriptor(::open((path + "/lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct flock lock = whole_file();
    return descriptor.get() >= 0 && ::fcntl(descriptor.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }
};

}  // namespace

Storage& file_storage() {
  static FileStorage storage;
  return storage;
}

}  // namespace sluice::core
