#include "plugin/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <system_error>

#include "base/json.hpp"
#include "base/spelling.hpp"
#include "plugin/library.hpp"
#include "plugin/shipped_plugins.hpp"

namespace sluice::core {

namespace fs = std::filesystem;

namespace {

/// A file that may be a plugin. `loaded` is false until someone asked for it.
struct Library {
  std::string path;
  std::string stem;  ///< "image_resize" of "image_resize.so"
  bool loaded = false;
  std::optional<Error> fault;
  std::deque<Component> components;
};

void load(Library& library) {
  if (library.loaded) {
    return;
  }
  library.loaded = true;
  auto plugin = load_library(library.path);
  if (!plugin) {
    library.fault = std::move(plugin.error());
    return;
  }
  for (auto* component = (*plugin)->components; *component != nullptr; ++component) {
    library.components.push_back({*component, *plugin, library.path});
  }
}

const Component* offered(const Library& library, std::string_view kind, std::string_view type) {
  for (const Component& component : library.components) {
    if (kind == component.descriptor->kind && type == component.descriptor->type) {
      return &component;
    }
  }
  return nullptr;
}

}  // namespace

struct Registry::State {
  std::vector<std::string> folders;
  std::vector<std::string> shipped;
  bool scanned = false;
  std::deque<Library> libraries;  ///< by folder, then by name
  std::vector<Error> folder_faults;

  void scan();
  void scan_folder(const std::string& folder);
  void load_all();
  const Component* among_all(std::string_view kind, std::string_view type) const;
  Error not_found(std::string_view kind, std::string_view type) const;
  std::string troubles() const;
};

void Registry::State::scan() {
  if (!scanned) {
    scanned = true;
    std::ranges::for_each(folders, [&](const std::string& folder) { scan_folder(folder); });
  }
}

void Registry::State::scan_folder(const std::string& folder) {
  std::error_code fault;
  std::vector<fs::path> paths;
  for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (entry->path().extension() == ".so") {
      paths.push_back(entry->path());
    }
  }
  if (fault) {
    folder_faults.push_back(
        {Errc::unavailable, fmt::format("plugin folder {}: {}", folder, fault.message())});
  }
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    libraries.push_back({.path = path.string(), .stem = path.stem().string()});
  }
}

void Registry::State::load_all() {
  std::ranges::for_each(libraries, load);
}

/// REQUIRES: load_all(). A library named as the type comes before all others, as in find().
const Component* Registry::State::among_all(std::string_view kind, std::string_view type) const {
  const Component* first = nullptr;
  for (const Library& library : libraries) {
    const Component* found = offered(library, kind, type);
    if (found != nullptr && library.stem == type) {
      return found;
    }
    first = first == nullptr ? found : first;
  }
  return first;
}

/// What did not load, to be put behind an error for which it may be the cause.
std::string Registry::State::troubles() const {
  constexpr std::size_t kShownMax = 3;
  std::vector<std::string_view> texts;
  for (const Error& fault : folder_faults) {
    texts.push_back(fault.message);
  }
  for (const Library& library : libraries) {
    if (library.fault) {
      texts.push_back(library.fault->message);
    }
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(texts.size(), kShownMax); ++i) {
    text += fmt::format("; {}", texts[i]);
  }
  if (texts.size() > kShownMax) {
    text += fmt::format("; and {} more that do not load: see 'sluice plugins'",
                        texts.size() - kShownMax);
  }
  return text;
}

/// REQUIRES: load_all().
Error Registry::State::not_found(std::string_view kind, std::string_view type) const {
  std::vector<std::string_view> same_kind(shipped.begin(), shipped.end());
  for (const Library& library : libraries) {
    for (const Component& component : library.components) {
      if (type == component.descriptor->type) {
        return {Errc::config,
                fmt::format("\"{}\" is a {}, not a {}", type, component.descriptor->kind, kind)};
      }
      if (kind == component.descriptor->kind) {
        same_kind.push_back(component.descriptor->type);
      }
    }
  }
  if (std::ranges::find(shipped, type) != shipped.end()) {
    return {
        Errc::unavailable,
        fmt::format(
            "plugin library {0}.so: missing, and no other offers {1} \"{0}\": looked in {2}{3}",
            type, kind, folders.empty() ? "no folder" : fmt::format("{}", fmt::join(folders, ", ")),
            troubles())};
  }
  return {
      Errc::config,
      fmt::format("no plugin offers {} {}{}{}", kind, json_quote(type),
                  did_you_mean(nearest_name(type, std::span<const std::string_view>(same_kind))),
                  troubles())};
}

Registry::Registry(std::vector<std::string> folders, std::vector<std::string> shipped)
    : state_(std::make_unique<State>()) {
  state_->folders = std::move(folders);
  state_->shipped = std::move(shipped);
}

Registry::~Registry() = default;

Result<const Component*> Registry::find(std::string_view kind, std::string_view type) {
  state_->scan();
  for (Library& library : state_->libraries) {
    if (library.stem != type) {
      continue;
    }
    load(library);
    if (library.fault) {
      return std::unexpected(*library.fault);
    }
    if (const Component* found = offered(library, kind, type)) {
      return found;
    }
  }
  state_->load_all();
  if (const Component* found = state_->among_all(kind, type)) {
    return found;
  }
  return std::unexpected(state_->not_found(kind, type));
}

std::vector<const Component*> Registry::all(std::vector<Error>* failures) {
  state_->scan();
  state_->load_all();
  std::map<std::pair<std::string_view, std::string_view>, const Component*> found;
  for (const Library& library : state_->libraries) {
    for (const Component& component : library.components) {
      const auto [place, added] =
          found.try_emplace({component.descriptor->kind, component.descriptor->type}, &component);
      // The first of those named as their type wins over the first of the others.
      if (!added && library.stem == component.descriptor->type &&
          fs::path(place->second->library).stem() != component.descriptor->type) {
        place->second = &component;
      }
    }
    if (library.fault && failures != nullptr) {
      failures->push_back(*library.fault);
    }
  }
  if (failures != nullptr) {
    failures->insert(failures->end(), state_->folder_faults.begin(), state_->folder_faults.end());
  }
  std::vector<const Component*> components;
  for (const auto& [name, component] : found) {
    components.push_back(component);
  }
  return components;
}

std::vector<std::string> shipped_types() {
  std::vector<std::string> types;
  // The list may be empty, which an array cannot.
  for (const char* type : {SLUICE_SHIPPED_TYPES static_cast<const char*>(nullptr)}) {
    if (type != nullptr) {
      types.emplace_back(type);
    }
  }
  return types;
}

Result<std::vector<std::string>> plugin_folders(std::vector<std::string> from_command_line) {
  std::vector<std::string> folders = std::move(from_command_line);
  std::error_code fault;
  for (const std::string& folder : folders) {
    if (const fs::directory_iterator readable(folder, fault); fault) {
      return fail(Errc::unavailable,
                  fmt::format("--plugin-dir {}: {}: give a folder that can be read", folder,
                              fault.message()));
    }
  }
  const fs::path binary = fs::read_symlink("/proc/self/exe", fault);
  if (fault) {
    return folders;
  }
  const fs::path beside = binary.parent_path();
  // operator/ takes an absolute right side as it is.
  for (const fs::path& folder :
       {beside / "plugins",
        (beside / SLUICE_BINARY_TO_PREFIX / SLUICE_PLUGIN_FOLDER).lexically_normal()}) {
    if (fs::is_directory(folder, fault)) {
      folders.push_back(folder.string());
    }
  }
  return folders;
}

}  // namespace sluice::core
