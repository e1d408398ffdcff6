// Runs the real binary and keeps what it said.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace sluice::core {

inline std::string build_root() {
  const char* root = std::getenv("SLUICE_BUILD_ROOT");
  return root == nullptr ? "." : root;
}
inline std::string source_root() {
  const char* root = std::getenv("SLUICE_SOURCE_ROOT");
  return root == nullptr ? "." : root;
}
inline std::string test_plugins() {
  return build_root() + "/tests/config";
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-cli-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      ADD_FAILURE() << "no temporary folder";
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Said {
  int exit = -1;  ///< 128 + signal where it was killed
  std::string out, err;
};

/// A `sluice WORDS` that was started: its streams are files in a folder of its own.
class Program {
 public:
  Program(const std::vector<std::string>& words, const std::string& input,
          const std::map<std::string, std::string>& environment, const char* out = nullptr) {
    write_text(folder_ / "in", input);
    const std::string in_path = (folder_ / "in").string(), err_path = (folder_ / "err").string();
    const std::string out_path = out == nullptr ? (folder_ / "out").string() : out;
    std::vector<std::string> all{build_root() + "/sluice"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0)
      return;
    ::dup2(::open(in_path.c_str(), O_RDONLY), 0);
    ::dup2(::open(out_path.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    ::dup2(::open(err_path.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    for (const auto& [name, value] : environment)
      ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~Program() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const { ::kill(child_, number); }
  Said wait() {
    int status = 0;
    ::waitpid(std::exchange(child_, 0), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_text(folder_ / "out"), read_text(folder_ / "err")};
  }

 private:
  Folder folder_;
  pid_t child_ = 0;
};

/// Runs `sluice WORDS` with `input` on stdin. `out`: a file in the place of the captured stdout.
inline Said run_sluice(const std::vector<std::string>& words, const std::string& input = {},
                       const std::map<std::string, std::string>& environment = {},
                       const char* out = nullptr) {
  return Program(words, input, environment, out).wait();
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace sluice::core
