// inotify: which folders are watched, and what happened in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "descriptor.hpp"

namespace sluice::directory {

/// One event, its folder already looked up.
struct FolderEvent {
  std::uint32_t mask = 0;  ///< IN_... of inotify(7); IN_Q_OVERFLOW: events were lost
  std::string folder;      ///< relative to the root, "" or ends with '/'
  std::string name;        ///< of the entry in it
};

/// One thread.
class Notifier {
 public:
  /// 0, or the errno why inotify cannot be used.
  int start();

  /// Watches the open folder `folder`, from now on known as `path`. 0, or errno (ENOSPC: the limit
  /// fs.inotify.max_user_watches is reached). Watching what is watched already renames it.
  int add(int folder, const std::string& path);

  /// Watches `path` and all below it no longer.
  void forget(const std::string& path);

  /// Appends what happened to `events`, without waiting. False: nothing had.
  bool read(std::vector<FolderEvent>* events);

  void stop();
  bool running() const { return static_cast<bool>(inotify_); }
  int descriptor() const { return inotify_.get(); }  ///< for poll(2)

 private:
  void take(int watch, std::uint32_t mask, std::string_view name, std::vector<FolderEvent>* events);

  Descriptor inotify_;
  std::unordered_map<int, std::string> paths_;
};

/// Whether changes may be made where inotify does not see them (network file systems, FUSE).
bool is_remote(int folder);

}  // namespace sluice::directory
