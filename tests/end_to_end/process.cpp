#include "end_to_end/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace sluice::test {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{5};  // between two looks at a condition

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  EXPECT_NE(value, nullptr) << name << " is not set: run me by 'meson test'";
  return value == nullptr ? "" : value;
}

fs::path new_folder() {
  std::string name = (fs::temp_directory_path() / "sluice-end-to-end-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::runtime_error("cannot make a temporary folder");
  return name;
}

void remove_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace

std::string build_root() {
  return variable("SLUICE_BUILD_ROOT");
}
std::string source_root() {
  return variable("SLUICE_SOURCE_ROOT");
}

Process::Process(const Command& command) {
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0)
    throw std::runtime_error("cannot make pipes");
  pid_ = ::fork();
  if (pid_ == 0)
    execute(command, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  out_ = {out[0], {}};
  err_ = {err[0], {}};
  handle_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pid_ < 0 || handle_ < 0)
    throw std::runtime_error("cannot start a process");
}

void Process::execute(const Command& command, int out, int err) {
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::syscall(SYS_close_range, 3U, ~0U,
            0U);  // a file that the test writes must not look open in the child
  for (const auto& [name, value] : command.environment)
    ::setenv(name.c_str(), value.c_str(), 1);
  if (command.file_bytes_max != UINT64_MAX) {
    const rlimit limit{command.file_bytes_max, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);  // a full disk sends no signal
  }
  std::vector<std::string> words{command.program};
  words.insert(words.end(), command.words.begin(), command.words.end());
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

Process::~Process() {
  if (!reaped_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(handle_);
  ::close(out_.pipe);
  ::close(err_.pipe);
}

void Process::send(int signal) const {
  ::kill(pid_, signal);
}

bool Process::Said::listen() {
  char bytes[4096];
  const ssize_t got = ::read(pipe, bytes, sizeof bytes);
  if (got > 0)
    text.append(bytes, static_cast<std::size_t>(got));
  else  // poll() passes over what is closed
    ::close(std::exchange(pipe, -1));
  return got > 0;
}

bool Process::ends_within(std::chrono::milliseconds limit) {
  const Steady::time_point deadline = Steady::now() + limit;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now());
    pollfd events[] = {{handle_, POLLIN, 0}, {out_.pipe, POLLIN, 0}, {err_.pipe, POLLIN, 0}};
    const int ready = ::poll(events, 3, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if ((events[0].revents & POLLIN) != 0)
      return true;
    if (ready <= 0)
      return false;
    if (events[1].revents != 0)
      out_.listen();
    if (events[2].revents != 0)
      err_.listen();
  }
}

bool Process::until(const char* what, const std::function<bool()>& holds) {
  const Steady::time_point deadline = Steady::now() + kDeadline;
  while (Steady::now() < deadline) {
    const bool ended = ends_within(kLook);
    if (holds())
      return true;
    if (ended) {
      ADD_FAILURE() << "it ended before: " << what << "\n" << err_.text;
      return false;
    }
  }
  ADD_FAILURE() << "not in time: " << what << "\n" << err_.text;
  return false;
}

bool Process::until_logged(std::string_view text, int times) {
  return until(std::string(text).c_str(), [&] {
    int found = 0;
    for (std::size_t at = 0; (at = err_.text.find(text, at)) != std::string::npos; ++at)
      ++found;
    return found >= times;
  });
}

Ended Process::wait() {
  if (!ends_within(kDeadline)) {
    ADD_FAILURE() << "it does not end";
    send(SIGKILL);
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  while (out_.listen()) {
  }
  while (err_.listen()) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_.text, err_.text};
}

std::uint64_t Process::peak_memory_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:"))
      return std::stoull(line.substr(6)) * 1024;
  }
  ADD_FAILURE() << "/proc tells no VmHWM";
  return 0;
}

Ended run(const Command& command) {
  return Process(command).wait();
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void put_file(const fs::path& path, const std::string& bytes) {
  static std::atomic<int> count{0};
  fs::create_directories(path.parent_path());
  const fs::path beside = path.parent_path() / (".sluice-tmp-test-" + std::to_string(++count));
  std::ofstream file(beside, std::ios::binary);
  file << bytes;
  file.close();
  ASSERT_TRUE(file) << "cannot write " << beside;
  fs::rename(beside, path);
}

TemporaryFolder::TemporaryFolder() : path_(new_folder()) {}
TemporaryFolder::~TemporaryFolder() {
  remove_folder(path_);
}

int scaled(int full, int least) {
  const char* scale =
      std::getenv("SLUICE_TEST_SCALE");  // NOLINT(concurrency-mt-unsafe): one thread
  return std::max(least, static_cast<int>(full * (scale == nullptr ? 1.0 : std::atof(scale))));
}

}  // namespace sluice::test
