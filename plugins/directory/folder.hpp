// Reads the entries of one folder.
#pragma once

#include <dirent.h>

#include <memory>
#include <string>

#include "descriptor.hpp"

namespace sluice::directory {

struct FolderEntry {
  std::string name;
  bool is_folder = false;  ///< else a regular file, or a temporary name of any kind
};

/// One thread at a time.
class Folder {
 public:
  /// `descriptor` is an open folder, not O_PATH.
  explicit Folder(Descriptor descriptor);

  /// Goes to the next file or folder; links, devices, pipes and sockets are passed over.
  /// False at the end, or on an error, which error() then tells.
  bool next();

  const FolderEntry& entry() const { return entry_; }
  int error() const { return error_; }  ///< errno; 0: none
  int descriptor() const { return dirfd(stream_.get()); }

 private:
  struct Close {
    void operator()(DIR* stream) const { closedir(stream); }
  };
  std::unique_ptr<DIR, Close> stream_;
  FolderEntry entry_;
  int error_ = 0;
};

}  // namespace sluice::directory
