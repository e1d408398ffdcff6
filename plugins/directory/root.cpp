#include "root.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sluice/plugin.hpp>

#include <cerrno>
#include <cstring>

namespace sluice::directory {

namespace {

constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW;
constexpr int kFolderOnPath = O_PATH | O_DIRECTORY | kAlways;

Opened result_of(int number) {
  if (number < 0)
    return {Descriptor(), errno};
  return {Descriptor(number), 0};
}

/// glibc 2.36 has no wrapper.
int openat2(int folder, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, folder, path, &how, sizeof how));
}

/// O_DIRECTORY answers ENOTDIR for a symbolic link as well: tells them apart.
int explain(int folder, const char* name, int error) {
  struct stat status {};
  if (error != ENOTDIR)
    return error;
  if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    return error;
  return S_ISLNK(status.st_mode) ? ELOOP : error;
}

Opened open_component(int folder, const char* name, int flags) {
  Opened opened = result_of(::openat(folder, name, flags | kAlways));
  if (opened.error != 0)
    opened.error = explain(folder, name, opened.error);
  if (opened.error != 0 || (flags & O_PATH) == 0)
    return opened;
  // O_PATH with O_NOFOLLOW opens the link itself.
  struct stat status {};
  if (fstat(opened.descriptor.get(), &status) == 0 && S_ISLNK(status.st_mode)) {
    return {Descriptor(), ELOOP};
  }
  return opened;
}

}  // namespace

std::string leaf_of(std::string_view key) {
  return std::string(key.substr(key.rfind('/') + 1));
}

Root::Root(std::string path, Resolve resolve) : path_(std::move(path)) {
  folder_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_ || faccessat(folder_.get(), ".", R_OK | X_OK, AT_EACCESS) != 0) {
    const int error = errno;
    throw Failure(SLUICE_NOT_FOUND,
                  fmt::format("folder \"{}\" of the bucket cannot be read: {}", path_,
                              std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
  }
  // Kernels before 5.6 answer ENOSYS, some container runtimes EPERM.
  if (resolve == Resolve::by_kernel) {
    kernel_resolves_ = static_cast<bool>(
        Descriptor(openat2(folder_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC)));
  }
}

Opened Root::open(std::string_view relative, int flags) const {
  if (relative.empty())
    return result_of(::openat(folder_.get(), ".", flags | kAlways));
  if (kernel_resolves_)
    return open_by_kernel(std::string(relative), flags);
  return open_by_component(relative, flags);
}

Opened Root::open_by_kernel(const std::string& relative, int flags) const {
  // EAGAIN: a rename or mount elsewhere raced with the resolution (openat2(2)).
  constexpr int kAttemptsMax = 64;
  Opened opened;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    opened = result_of(openat2(folder_.get(), relative.c_str(), flags | kAlways));
    if (opened.error != EAGAIN && opened.error != EINTR)
      break;
  }
  return opened;
}

Opened Root::open_by_component(std::string_view relative, int flags) const {
  if (relative.ends_with('/')) {
    relative.remove_suffix(1);
    flags |= O_DIRECTORY;
  }
  Opened folder;
  int at = folder_.get();
  for (std::size_t slash = relative.find('/'); slash != std::string_view::npos;
       slash = relative.find('/')) {
    Opened next = open_component(at, std::string(relative.substr(0, slash)).c_str(), kFolderOnPath);
    if (next.error != 0)
      return next;
    folder = std::move(next);
    at = folder.descriptor.get();
    relative.remove_prefix(slash + 1);
  }
  return open_component(at, std::string(relative).c_str(), flags);
}

Opened Root::open_parent(std::string_view key, bool create) const {
  const std::string_view folder = key.substr(0, key.rfind('/') + 1);
  Opened opened = open(folder, O_PATH | O_DIRECTORY);
  if (opened.error == ENOENT && create)
    return make_folders(folder);
  return opened;
}

Opened Root::make_folders(std::string_view folder) const {
  Opened made;
  int at = folder_.get();
  while (!folder.empty()) {
    const std::size_t slash = folder.find('/');
    const std::string name(folder.substr(0, slash));
    if (mkdirat(at, name.c_str(), 0777) != 0 && errno != EEXIST)
      return {Descriptor(), errno};
    Opened next = open_component(at, name.c_str(), kFolderOnPath);
    if (next.error != 0)
      return next;
    made = std::move(next);
    at = made.descriptor.get();
    folder.remove_prefix(slash + 1);
  }
  return made;
}

}  // namespace sluice::directory
