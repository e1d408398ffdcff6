#include "appender.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sluice/plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

namespace sluice::lines {

namespace {

/// What every line of ours begins with.
constexpr std::string_view kLineBegin = "{\"id\":\"";

constexpr int kWaitMs = 100;

/// Without O_NONBLOCK a FIFO's reader would be waited for where nobody can stop us.
File open_output(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC;
  // Its folder is made where nothing else is missing; what is wrong with it, open() tells.
  std::error_code ignored;
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), ignored);
  File file(path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                        : ::open(path.c_str(), kFlags, 0666));
  if (!file && errno == ENXIO) {
    throw Failure(SLUICE_UNAVAILABLE,
                  fmt::format("cannot append to \"{}\": nobody reads this FIFO; start its reader "
                              "first",
                              path));
  }
  if (!file)
    fail_io(SLUICE_UNAVAILABLE, "append to", path == "-" ? "standard output" : path);
  return file;
}

/// Where the last line begins, if it has no line end; otherwise `size`.
std::uint64_t begin_of_torn(int file, std::uint64_t size, const std::string& path) {
  std::array<char, 65536> block;
  for (std::uint64_t end = size; end > 0;) {
    const std::uint64_t begin = end - std::min<std::uint64_t>(end, block.size());
    const ssize_t got = ::pread(file, block.data(), static_cast<std::size_t>(end - begin),
                                static_cast<off_t>(begin));
    if (got < 0)
      fail_io(SLUICE_UNAVAILABLE, "read", path);
    const std::size_t found =
        std::string_view(block.data(), static_cast<std::size_t>(got)).rfind('\n');
    if (found != std::string_view::npos)
      return begin + found + 1;
    end = begin;
  }
  return 0;
}

/// Whether what stands at `begin` is the front of a line of ours.
bool is_ours(int file, std::uint64_t begin, std::uint64_t size) {
  std::array<char, kLineBegin.size()> front;
  const ssize_t got =
      ::pread(file, front.data(), std::min<std::uint64_t>(front.size(), size - begin),
              static_cast<off_t>(begin));
  return got > 0 &&
         kLineBegin.starts_with(std::string_view(front.data(), static_cast<std::size_t>(got)));
}

}  // namespace

std::shared_ptr<Appender> Appender::open(const std::string& path) {
  static std::map<std::pair<dev_t, ino_t>, std::weak_ptr<Appender>> opened;
  std::string name = is_standard(path) ? "-" : path;
  File file = open_output(name);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0)
    fail_io(SLUICE_UNAVAILABLE, "look at", name);
  std::weak_ptr<Appender>& slot = opened[{status.st_dev, status.st_ino}];
  std::shared_ptr<Appender> appender = slot.lock();
  if (appender == nullptr) {
    slot = appender =
        std::make_shared<Appender>(std::move(name), std::move(file), S_ISREG(status.st_mode) != 0);
  }
  return appender;
}

Appender::Appender(std::string path, File file, bool is_regular)
    : path_(std::move(path)), file_(std::move(file)), is_regular_(is_regular) {
  if (is_regular_ && path_ != "-")
    mend_end();
}

void Appender::mend_end() {
  const File reader(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader)
    return;  // one may append to what one may not read
  const std::uint64_t bytes = size();
  const std::uint64_t torn = begin_of_torn(reader.get(), bytes, path_);
  if (torn == bytes)
    return;
  if (!is_ours(reader.get(), torn, bytes)) {
    rest_ = "\n";
  } else if (::ftruncate(file_.get(), static_cast<off_t>(torn)) != 0) {
    fail_io(SLUICE_UNAVAILABLE, "cut a torn line off", path_);
  }
}

std::uint64_t Appender::size() const {
  struct stat status {};
  return ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

const std::string& Appender::shown() const {
  static const std::string kStandard = "standard output";
  return path_ == "-" ? kStandard : path_;
}

void Appender::append(std::string_view lines, const std::atomic<bool>& stopped) {
  const std::lock_guard lock(mutex_);
  std::string mended;
  if (!rest_.empty()) {
    mended = rest_;
    mended += lines;
    lines = mended;
  }
  const std::uint64_t begin = size();
  std::size_t done = 0;
  try {
    write(lines, stopped, done);
  } catch (const Failure&) {
    undo(lines, done, begin);
    throw;
  }
  rest_.clear();
}

void Appender::write(std::string_view text, const std::atomic<bool>& stopped,
                     std::size_t& done) const {
  while (done < text.size()) {
    const ssize_t written = ::write(file_.get(), text.data() + done, text.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      if (stopped.load(std::memory_order_relaxed))
        throw Failure(SLUICE_CANCELLED, fmt::format("nobody reads \"{}\"", shown()));
      pollfd full{file_.get(), POLLOUT, 0};
      ::poll(&full, 1, kWaitMs);
    } else if (errno != EINTR) {
      fail_io(SLUICE_UNAVAILABLE, "write", shown());
    }
  }
}

/// The first `done` bytes of `text` were written, at `begin`, and no more can be.
void Appender::undo(std::string_view text, std::size_t done, std::uint64_t begin) {
  if (done == 0)
    return;
  const bool alone = is_regular_ && path_ != "-" && rest_.empty() && size() == begin + done;
  if (alone && ::ftruncate(file_.get(), static_cast<off_t>(begin)) == 0)
    return;
  const std::size_t end = text[done - 1] == '\n' ? done : text.find('\n', done) + 1;
  rest_ = text.substr(done, end - done);
}

void Appender::sync() {
  if (is_regular_ && ::fdatasync(file_.get()) != 0)
    fail_io(SLUICE_UNAVAILABLE, "sync", shown());
}

}  // namespace sluice::lines
