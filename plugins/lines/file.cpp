#include "file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <cerrno>
#include <cstring>

namespace sluice::lines {

void fail_io(int status, std::string_view doing, const std::string& path) {
  const int error = errno;
  throw Failure(status, fmt::format("cannot {} \"{}\": {}", doing, path,
                                    std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
}

void replace_file(const std::string& path, std::string_view bytes, bool sync) {
  const std::string beside = path + ".new";
  const File file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file)
    fail_io(SLUICE_IO, "open", beside);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail_io(SLUICE_IO, "write", beside);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (sync && ::fdatasync(file.get()) != 0)
    fail_io(SLUICE_IO, "sync", beside);
  if (::rename(beside.c_str(), path.c_str()) != 0)
    fail_io(SLUICE_IO, "rename", beside);
}

}  // namespace sluice::lines
