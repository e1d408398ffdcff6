#include "cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sluice::core {
namespace {

int output_fault = 0;  // the first errno of the standard output

}  // namespace

void print(std::string_view text) {
  if (output_fault != 0 || text.empty())
    return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    output_fault = errno == 0 ? EIO : errno;
}

bool flush_output() {
  if (output_fault == 0 && std::fflush(stdout) != 0)
    output_fault = errno;
  return output_fault == 0;
}

int finish_output(int exit) {
  if (flush_output())
    return exit;
  print_error(fmt::format("cannot write to the standard output: {}",
                          std::strerror(output_fault)));  // NOLINT(concurrency-mt-unsafe)
  return exit == exit_code(Errc::internal) ? exit : exit_code(Errc::io);
}

void print_error(std::string_view text) {
  print_raw_error(fmt::format("sluice: error: {}\n", text));
}

void print_warning(std::string_view text) {
  print_raw_error(fmt::format("sluice: warning: {}\n", text));
}

void print_raw_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int report(const Error& error) {
  print_error(error.message);
  return exit_code(error.code);
}

bool colour_on_stderr() {
  const char* terminal = std::getenv("TERM");     // NOLINT(concurrency-mt-unsafe)
  const char* refused = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  return isatty(STDERR_FILENO) != 0 && (refused == nullptr || *refused == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace sluice::core
