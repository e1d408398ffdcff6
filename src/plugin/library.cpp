#include "plugin/library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace sluice::core {

namespace {

class File {
 public:
  explicit File(const char* path) : descriptor_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }
  bool read(void* into, std::size_t size, std::uint64_t offset) const {
    return ::pread(descriptor_, into, size, static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(size);
  }

 private:
  int descriptor_;
};

std::string system_text(int number) {
  return std::strerror(number);
}  // NOLINT(concurrency-mt-unsafe): control thread

/// Every loadable segment must lie within the file.
std::optional<std::string> segments_fault(const File& file, const ElfW(Ehdr) & header,
                                          std::uint64_t size) {
  if (header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phnum == 0) {
    return "is no shared library: it has no program headers";
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    const std::uint64_t at = header.e_phoff + std::uint64_t{i} * sizeof segment;
    if (at < header.e_phoff || at > size || !file.read(&segment, sizeof segment, at)) {
      return "is cut short: its program headers are missing";
    }
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset) {
      return fmt::format("is cut short: it has {} bytes of at least {}", size,
                         std::uint64_t{segment.p_offset} + segment.p_filesz);
    }
  }
  return std::nullopt;
}

std::string without_newlines(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// dlerror()'s text without the path in front, which our message has already.
std::string loader_error(const std::string& path) {
  const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it per thread
  std::string reason = text == nullptr ? "unknown reason" : text;
  if (reason.starts_with(path + ": ")) {
    reason.erase(0, path.size() + 2);
  }
  return without_newlines(std::move(reason));
}

}  // namespace

std::optional<std::string> library_file_fault(const std::string& path) {
  const File file(path.c_str());
  struct stat status {};
  if (file.descriptor() < 0 || ::fstat(file.descriptor(), &status) != 0) {
    return "cannot be read: " + system_text(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return S_ISDIR(status.st_mode) ? "is a folder" : "is no regular file";
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0) {
    return "is empty";
  }
  ElfW(Ehdr) header, own;
  if (!file.read(&header, sizeof header, 0) ||
      !std::equal(header.e_ident, header.e_ident + SELFMAG, ELFMAG)) {
    return "is no shared library: it is not an ELF file";
  }
  const File self("/proc/self/exe");
  if (!self.read(&own, sizeof own, 0)) {
    return "cannot be judged: /proc/self/exe is unreadable";
  }
  if (header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
      header.e_ident[EI_DATA] != own.e_ident[EI_DATA] || header.e_machine != own.e_machine) {
    return fmt::format("is built for another processor (ELF machine {}, this one is {})",
                       header.e_machine, own.e_machine);
  }
  if (header.e_type != ET_DYN) {
    return fmt::format("is no shared library: it is an ELF file of type {}", header.e_type);
  }
  return segments_fault(file, header, size);
}

Result<const sluice_plugin*> load_library(const std::string& path) {
  const auto refuse = [&](const std::string& reason) {
    return fail(Errc::unavailable, fmt::format("plugin library {}: {}", path, reason));
  };
  if (auto fault = library_file_fault(path)) {
    return refuse(*fault);
  }
  ::dlerror();  // NOLINT(concurrency-mt-unsafe): forget older errors
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return refuse("does not load: " + loader_error(path));
  }
  // From here on it stays loaded, sound or not: its constructors have run.
  void* symbol = ::dlsym(library, "sluice_plugin_entry_v1");
  if (symbol == nullptr) {
    return refuse("is no sluice plugin: it exports no sluice_plugin_entry_v1");
  }
  const sluice_plugin* plugin = nullptr;
  try {
    plugin = reinterpret_cast<sluice_plugin_entry_v1_fn>(symbol)();
  } catch (...) {  // a plugin that breaks the contract
    return refuse("let an exception out of sluice_plugin_entry_v1");
  }
  if (auto fault = descriptor_fault(plugin)) {
    return refuse(without_newlines(*fault));
  }
  return plugin;
}

}  // namespace sluice::core
