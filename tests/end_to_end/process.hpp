// The real binary as a child process: started, watched, waited for with a deadline, and gone with
// the test at the latest.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sluice::test {

/// Whatever a test waits for has happened by then, also under a sanitizer on a busy machine.
constexpr std::chrono::seconds kDeadline{100};

/// The folder that the build made the binary in, and the one with the sources.
std::string build_root();
std::string source_root();

struct Command {
  std::vector<std::string> words;                  ///< what follows the program's name
  std::map<std::string, std::string> environment;  ///< added to, or over, ours
  std::string program = build_root() + "/sluice";
  std::uint64_t file_bytes_max = UINT64_MAX;  ///< a write beyond it fails with EFBIG
};

struct Ended {
  int exit = -1;  ///< 128 + signal where one ended it
  std::string out, err;
};

class Process {
 public:
  explicit Process(const Command& command);
  ~Process();  ///< kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  bool ends_within(std::chrono::milliseconds limit);
  /// Asks `holds` until it does. False, and the test has failed, at the deadline or if the process
  /// has ended and it still does not hold. `what` names it in the failure.
  bool until(const char* what, const std::function<bool()>& holds);
  /// The same for what stands on stderr, so often.
  bool until_logged(std::string_view text, int times);
  /// Its end and all that it said. Past the deadline the test has failed and it is killed.
  Ended wait();
  std::uint64_t peak_memory_bytes() const;  ///< VmHWM. REQUIRES: it runs

 private:
  /// What it says on one of its outputs: read while it is waited for, so that it never waits for
  /// us.
  struct Said {
    int pipe = -1;
    std::string text;
    bool listen();  ///< False, and closed, at the end.
  };
  [[noreturn]] static void execute(const Command& command, int out, int err);

  Said out_, err_;
  pid_t pid_ = -1;
  int handle_ = -1;  // pidfd
  bool reaped_ = false;
};

/// Runs to the end.
Ended run(const Command& command);

std::string read_file(const std::filesystem::path& path);
/// Whole or not at all, as users put files: written beside and moved in.
void put_file(const std::filesystem::path& path, const std::string& bytes);

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// `full` times SLUICE_TEST_SCALE (default 1), at least `least`.
int scaled(int full, int least);

}  // namespace sluice::test
