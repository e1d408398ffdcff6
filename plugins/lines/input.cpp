#include "input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice::lines {

namespace {

/// Without O_NONBLOCK a FIFO would be waited for right here, where nobody can wake us.
File open_input(const std::string& path) {
  File file(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                        : ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file)
    fail_io(SLUICE_NOT_FOUND, "read", path == "-" ? "standard input" : path);
  return file;
}

}  // namespace

Input::Input(std::string path)
    : path_(is_standard(path) ? "-" : std::move(path)),
      file_(open_input(path_)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_)
    fail_io(SLUICE_UNAVAILABLE, "make a wake-up for", path_);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0)
    fail_io(SLUICE_IO, "look at", path_);
  if (S_ISDIR(status.st_mode))
    throw Failure(SLUICE_NOT_FOUND, fmt::format("\"{}\" is a folder, not a file", path_));
  if (path_ != "-")
    kind_ = S_ISREG(status.st_mode)    ? Kind::file
            : S_ISFIFO(status.st_mode) ? Kind::fifo
                                       : Kind::standard;
}

void Input::seek(std::uint64_t offset) {
  if (::lseek(file_.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
    fail_io(SLUICE_IO, "seek in", path_);
}

Input::Wait Input::wait(int timeout_ms) const {
  std::array<pollfd, 2> asked{{{wake_.get(), POLLIN, 0}, {file_.get(), POLLIN, 0}}};
  const int ready = ::poll(asked.data(), asked.size(), has_silent_end_ ? 0 : timeout_ms);
  if (ready < 0 && errno != EINTR)
    fail_io(SLUICE_IO, "wait for", path_);
  if (ready > 0 && asked[0].revents != 0)
    return Wait::cancelled;
  return ready > 0 || has_silent_end_ ? Wait::ready : Wait::timeout;
}

Input::Wait Input::pause(int timeout_ms) const {
  pollfd asked{wake_.get(), POLLIN, 0};
  return ::poll(&asked, 1, timeout_ms) > 0 ? Wait::cancelled : Wait::timeout;
}

std::optional<std::size_t> Input::read(std::span<char> into) {
  const ssize_t got = ::read(file_.get(), into.data(), into.size());
  is_reopened_ = is_reopened_ && got > 0;
  has_silent_end_ = is_reopened_;
  if (got >= 0)
    return static_cast<std::size_t>(got);
  if (errno != EINTR && errno != EAGAIN)
    fail_io(SLUICE_IO, "read", path_);
  return std::nullopt;
}

void Input::reopen() {
  // The old one is closed after the new one is open: a FIFO that nobody has open loses its bytes.
  file_ = open_input(path_);
  is_reopened_ = kind_ == Kind::fifo;
  has_silent_end_ = false;
}

void Input::cancel() const {
  ::eventfd_write(wake_.get(), 1);
}

}  // namespace sluice::lines
