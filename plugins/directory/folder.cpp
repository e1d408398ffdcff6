#include "folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

namespace sluice::directory {

Folder::Folder(Descriptor descriptor) : stream_(fdopendir(descriptor.get())) {
  if (stream_ == nullptr) {
    error_ = errno;
  } else {
    descriptor.release();  // the stream's now
  }
}

bool Folder::next() {
  if (stream_ == nullptr)
    return false;
  while (true) {
    errno = 0;
    const dirent* found = readdir(stream_.get());
    if (found == nullptr) {
      error_ = errno;
      return false;
    }
    const std::string_view name = found->d_name;
    if (name == "." || name == "..")
      continue;
    unsigned char type = found->d_type;
    if (type == DT_UNKNOWN) {  // some file systems do not tell
      struct stat status {};
      if (fstatat(descriptor(), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      type = S_ISDIR(status.st_mode) ? DT_DIR : S_ISREG(status.st_mode) ? DT_REG : DT_LNK;
    }
    if (type != DT_DIR && type != DT_REG)
      continue;
    entry_.name = name;
    entry_.is_folder = type == DT_DIR;
    return true;
  }
}

}  // namespace sluice::directory
