#include "listing.hpp"

#include <fcntl.h>
#include <sluice/plugin.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "folder.hpp"
#include "object.hpp"

namespace sluice::directory {

namespace {

/// A walk, folder by folder. The trick of the order: a folder sorts as its name with '/', which
/// is how all keys below it begin. A file's name holds no '/', so comparing it with that text
/// decides its place against all of them: "a-b" < "a.b" < "a/" < "a0".
class Walk {
 public:
  Walk(const Root& root, std::string_view prefix, std::string_view after, std::int64_t now_ns,
       const EachObject& each)
      : root_(root), prefix_(prefix), after_(after), now_ns_(now_ns), each_(each) {}

  std::int32_t run() {
    if (!prefix_fault(prefix_).empty())
      return SLUICE_OK;  // no key begins so
    enter(std::string(prefix_.substr(0, prefix_.rfind('/') + 1)));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next == level.names.size()) {
        levels_.pop_back();
        continue;
      }
      const std::string key = level.path + level.names[level.next++];
      if (key.ends_with('/')) {
        enter(key);
      } else if (const std::int32_t status = tell(level, key); status != SLUICE_OK) {
        return status;
      }
    }
    return SLUICE_OK;
  }

 private:
  struct Level {
    std::string path;  ///< "" or ends with '/'
    Descriptor folder;
    std::vector<std::string> names;  ///< sorted; folders end with '/'
    std::size_t next = 0;
  };

  /// Whether a key at or below `key` (a folder ends with '/') is asked for.
  bool wanted(std::string_view key) const {
    if (!key.starts_with(prefix_) && !(key.ends_with('/') && prefix_.starts_with(key)))
      return false;
    return key > after_ || (key.ends_with('/') && after_.starts_with(key));
  }

  void enter(std::string path) {
    Opened opened = root_.open(path, O_RDONLY | O_DIRECTORY);
    if (opened.error == ENOENT || opened.error == ENOTDIR || opened.error == ELOOP)
      return;  // gone
    if (opened.error != 0)
      fail(opened.error, "list", path);
    Level level;
    level.path = std::move(path);
    Folder folder(std::move(opened.descriptor));
    while (folder.next()) {
      const FolderEntry& entry = folder.entry();
      if (is_temporary(entry.name)) {
        remove_if_stale(folder.descriptor(), entry.name.c_str(), now_ns_);
        continue;
      }
      std::string name = entry.is_folder ? entry.name + '/' : entry.name;
      const std::string key = level.path + name;
      if (!wanted(key))
        continue;
      if (!(entry.is_folder ? prefix_fault(key) : key_fault(key)).empty())
        continue;
      level.names.push_back(std::move(name));
    }
    if (folder.error() != 0)
      fail(folder.error(), "list", level.path);
    std::sort(level.names.begin(), level.names.end());
    level.folder = Descriptor(fcntl(folder.descriptor(), F_DUPFD_CLOEXEC, 0));
    if (!level.folder)
      fail(errno, "list", level.path);
    levels_.push_back(std::move(level));
  }

  std::int32_t tell(const Level& level, const std::string& key) {
    struct stat status {};
    const std::string leaf = leaf_of(key);
    if (fstatat(level.folder.get(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return SLUICE_OK;  // gone
    }
    if (!S_ISREG(status.st_mode))
      return SLUICE_OK;
    return each_(key, static_cast<std::uint64_t>(status.st_size), etag_of(status),
                 modified_ns(status) / 1'000'000);
  }

  const Root& root_;
  const std::string_view prefix_;
  const std::string_view after_;
  const std::int64_t now_ns_;
  const EachObject& each_;
  std::vector<Level> levels_;
};

}  // namespace

std::int32_t list_objects(const Root& root, std::string_view prefix, std::string_view after,
                          std::int64_t now_ns, const EachObject& each) {
  return Walk(root, prefix, after, now_ns, each).run();
}

}  // namespace sluice::directory
