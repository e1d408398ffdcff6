#include "notifier.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/statfs.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::directory {

namespace {

constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_ONLYDIR | IN_EXCL_UNLINK;

}  // namespace

int Notifier::start() {
  inotify_ = Descriptor(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  return inotify_ ? 0 : errno;
}

int Notifier::add(int folder, const std::string& path) {
  // By descriptor: a path could have become another folder since it was opened.
  const std::string name = fmt::format("/proc/self/fd/{}", folder);
  const int watch = inotify_add_watch(inotify_.get(), name.c_str(), kMask);
  if (watch < 0)
    return errno;
  paths_[watch] = path;
  return 0;
}

void Notifier::forget(const std::string& path) {
  for (auto at = paths_.begin(); at != paths_.end();) {
    if (at->second.starts_with(path)) {
      inotify_rm_watch(inotify_.get(), at->first);
      at = paths_.erase(at);
    } else {
      ++at;
    }
  }
}

bool Notifier::read(std::vector<FolderEvent>* events) {
  if (!running())
    return false;
  alignas(inotify_event) std::array<char, 65536> buffer;
  const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
  if (got <= 0)
    return false;
  const char* at = buffer.data();
  const char* const end = at + got;
  while (at < end) {
    inotify_event event;
    std::memcpy(&event, at, sizeof event);
    const char* name = at + sizeof event;
    take(event.wd, event.mask,
         std::string_view(name, event.len == 0 ? 0 : strnlen(name, event.len)), events);
    at = name + event.len;
  }
  return true;
}

void Notifier::take(int watch, std::uint32_t mask, std::string_view name,
                    std::vector<FolderEvent>* events) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    events->push_back({mask, "", ""});
    return;
  }
  const auto found = paths_.find(watch);
  if (found == paths_.end())
    return;  // told before the folder was forgotten
  if ((mask & IN_IGNORED) != 0) {
    paths_.erase(found);
    return;
  }
  if (!name.empty())
    events->push_back({mask, found->second, std::string(name)});
}

void Notifier::stop() {
  inotify_.reset();
  paths_.clear();
}

bool is_remote(int folder) {
  struct statfs status {};
  if (fstatfs(folder, &status) != 0)
    return false;
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case AFS_SUPER_MAGIC:
    case V9FS_MAGIC:
      return true;
    default:
      return false;
  }
}

}  // namespace sluice::directory
