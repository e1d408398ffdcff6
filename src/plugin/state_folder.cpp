// A component's own folder: STATE/components/NAME for a source, NAME@KIND-TYPE for the others,
// since a source, a bucket and a service may have the same name.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/json.hpp"
#include "plugin/host.hpp"
#include "plugin/host_calls.hpp"

namespace sluice::core::host_calls {

namespace {

constexpr std::size_t kFileNameMax = 255;  // NAME_MAX of Linux

/// A name as one path segment; different names stay different. '%' and '@' are always escaped.
std::string file_name(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || (c == '.' && !result.empty());
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

/// mkdir -p with mode 0700 for what is made. 0 or an errno.
int make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    struct stat status {};
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      const int reason = errno;
      // A parent that we may not write to, but that is there, is fine.
      if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        return reason;
      }
    }
    if (slash == std::string::npos) {
      return ::stat(path.c_str(), &status) != 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    }
  }
}

}  // namespace

int32_t state_folder(const sluice_config* config, sluice_str* path) {
  return guarded([&]() -> int32_t {
    if (config == nullptr || path == nullptr) {
      return failed(SLUICE_INVALID, "state_folder was given NULL");
    }
    if (config->state_root.empty()) {
      return failed(SLUICE_NOT_FOUND,
                    fmt::format("{} has no state folder here", json_quote(config->name)));
    }
    if (config->state_folder.empty()) {
      const sluice_component& component = *config->component->descriptor;
      std::string name = file_name(config->name);
      if (std::string_view(component.kind) != "source") {
        name += fmt::format("@{}-{}", component.kind, component.type);
      }
      if (config->name.empty() || name.size() > kFileNameMax) {
        return failed(SLUICE_INVALID,
                      fmt::format("the name {} cannot be that of a folder: it is {}",
                                  json_quote(config->name.substr(0, 100)),
                                  config->name.empty() ? "empty" : "too long"));
      }
      std::string folder = fmt::format("{}/components/{}", config->state_root, name);
      if (const int reason = make_folders(folder); reason != 0) {
        return failed(SLUICE_UNAVAILABLE, fmt::format("cannot make the folder {}: {}", folder,
                                                      std::generic_category().message(reason)));
      }
      config->state_folder = std::move(folder);
    }
    *path = str(config->state_folder);
    return SLUICE_OK;
  });
}

}  // namespace sluice::core::host_calls
