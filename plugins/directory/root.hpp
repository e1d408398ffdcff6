// The folder of a bucket, and the only way from a key to a file: no path that is opened here can
// leave the folder, and no symbolic link below it is ever followed. Linux does it in one call
// (openat2, 5.6 and later); elsewhere each component is opened by itself with O_NOFOLLOW.
#pragma once

#include <string>
#include <string_view>

#include "descriptor.hpp"

namespace sluice::directory {

/// A descriptor, or why there is none.
struct Opened {
  Descriptor descriptor;
  int error = 0;  ///< errno; ELOOP: a symbolic link is in the way
};

/// Constant after construction; any thread.
class Root {
 public:
  enum class Resolve { by_kernel, by_component };

  /// Throws Failure NOT_FOUND, naming `path`, if it is not there, no folder, or not readable.
  explicit Root(std::string path, Resolve resolve = Resolve::by_kernel);

  const std::string& path() const { return path_; }
  int descriptor() const { return folder_.get(); }

  /// Opens what `relative` names ("" is the folder itself; a trailing '/' is allowed).
  /// `flags` as open(2) without O_CREAT; O_CLOEXEC and O_NOFOLLOW are added.
  /// REQUIRES: prefix_fault(relative) or key_fault(relative) is empty.
  Opened open(std::string_view relative, int flags) const;

  /// The folder that holds `key`, as an O_PATH descriptor. `create`: makes what is missing.
  Opened open_parent(std::string_view key, bool create) const;

 private:
  Opened open_by_kernel(const std::string& relative, int flags) const;
  Opened open_by_component(std::string_view relative, int flags) const;
  Opened make_folders(std::string_view folder) const;

  std::string path_;
  Descriptor folder_;
  bool kernel_resolves_ = false;
};

/// The last component of `key`.
std::string leaf_of(std::string_view key);

}  // namespace sluice::directory
