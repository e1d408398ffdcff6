#include "file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sluice/plugin.hpp>

#include <cerrno>
#include <cstring>

namespace sluice::lines {

namespace {

void write_all(const File& file, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail_io(SLUICE_IO, "write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void fail_io(int status, std::string_view doing, const std::string& path) {
  const int error = errno;
  throw Failure(status, fmt::format("cannot {} \"{}\": {}", doing, path,
                                    std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
}

void replace_file(const std::string& path, std::string_view bytes, bool sync) {
  const auto next = [&bytes] { return std::exchange(bytes, {}); };
  replace_file(path, next, sync);
}

void replace_file(const std::string& path, const std::function<std::string_view()>& next,
                  bool sync) {
  const std::string beside = path + ".new";
  const File file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file)
    fail_io(SLUICE_IO, "open", beside);
  try {
    for (std::string_view piece = next(); !piece.empty(); piece = next())
      write_all(file, beside, piece);
    if (sync && ::fdatasync(file.get()) != 0)
      fail_io(SLUICE_IO, "sync", beside);
    if (::rename(beside.c_str(), path.c_str()) != 0)
      fail_io(SLUICE_IO, "rename", beside);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
}

}  // namespace sluice::lines
