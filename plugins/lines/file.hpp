// File descriptors, and what the system says of them.
#pragma once

#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::lines {

/// A file descriptor that closes itself; -1: none.
class File {
 public:
  File() = default;
  explicit File(int number) : number_(number) {}
  ~File() {
    if (number_ >= 0)
      ::close(number_);
  }
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Whether the option `path`, which the host has made absolute, was "-": standard input or output.
/// A file of that name is written "./-".
inline bool is_standard(std::string_view path) {
  return path.ends_with("/-") && !path.ends_with("/./-");
}

/// Throws Failure(status): `cannot DOING "PATH": what errno says`.
[[noreturn]] void fail_io(int status, std::string_view doing, const std::string& path);

/// Replaces the file `path` by these bytes: whole or not at all, over kill -9; with `sync`, over a
/// loss of power. Throws Failure IO, and then leaves nothing beside it.
void replace_file(const std::string& path, std::string_view bytes, bool sync);
/// By the pieces that `next` gives until it gives an empty one; each lives until the next call.
void replace_file(const std::string& path, const std::function<std::string_view()>& next,
                  bool sync);

}  // namespace sluice::lines
