// Runs the real binary and keeps what it said.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
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
inline std::string test_plugins() { return build_root() + "/tests/config"; }

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
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
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

/// Runs `sluice WORDS` with `input` on stdin. `out`: a file in the place of the captured stdout.
inline Said run_sluice(const std::vector<std::string>& words, const std::string& input = {},
                       const std::map<std::string, std::string>& environment = {}, const char* out = nullptr) {
  Folder folder;
  write_text(folder / "in", input);
  std::vector<std::string> all{build_root() + "/sluice"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string in_path = (folder / "in").string(), err_path = (folder / "err").string();
  const std::string out_path = out == nullptr ? (folder / "out").string() : out;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(in_path.c_str(), O_RDONLY), 0);
    ::dup2(::open(out_path.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    ::dup2(::open(err_path.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          out == nullptr ? read_text(out_path) : std::string(), read_text(err_path)};
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace sluice::core
