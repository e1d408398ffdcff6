// Whether a plugin's descriptor keeps the contract of plugin.h. Pointers are trusted (a plugin runs
// in our process anyway); what is caught is what authors get wrong.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>

#include "base/json.hpp"
#include "plugin/library.hpp"
#include "plugin/option_table.hpp"

namespace sluice::core {

namespace {

using Fault = std::optional<std::string>;

/// Structs of version 1.0 end with the named member; later minors only append.
#define SLUICE_SIZE_UP_TO(type, last) (offsetof(type, last) + sizeof(type::last))

constexpr std::uint32_t kStructSizeMax = 1 << 16;
constexpr unsigned kFlagsKnown = SLUICE_BLOCKS | SLUICE_SPLITS | SLUICE_STREAMS | SLUICE_SINK |
                                 SLUICE_MAY_RETRY | SLUICE_REPEATS;

Fault size_fault(std::string_view what, std::uint32_t size, std::size_t least) {
  if (size >= least && size <= kStructSizeMax) {
    return std::nullopt;
  }
  return fmt::format("{} has struct_size {}, which cannot be: at least {} is needed", what, size,
                     least);
}

bool is_type_name(const char* type) {
  const std::string_view text = type == nullptr ? std::string_view() : type;
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

struct Needed {
  const char* name;
  bool present;
};

Fault missing(std::initializer_list<Needed> functions) {
  for (const Needed& function : functions) {
    if (!function.present) {
      return fmt::format("its {} is NULL", function.name);
    }
  }
  return std::nullopt;
}

Fault stage_fault(const void* functions) {
  const auto& stage = *static_cast<const sluice_stage*>(functions);
  if (Fault fault = size_fault("its sluice_stage", stage.struct_size,
                               SLUICE_SIZE_UP_TO(sluice_stage, process))) {
    return fault;
  }
  return missing({{"process", stage.process != nullptr}});
}

Fault source_fault(const void* functions) {
  const auto& source = *static_cast<const sluice_source*>(functions);
  if (Fault fault = size_fault("its sluice_source", source.struct_size,
                               SLUICE_SIZE_UP_TO(sluice_source, settled))) {
    return fault;
  }
  return missing({{"run", source.run != nullptr}});
}

Fault bucket_fault(const void* functions) {
  const auto& bucket = *static_cast<const sluice_bucket*>(functions);
  if (Fault fault = size_fault("its sluice_bucket", bucket.struct_size,
                               SLUICE_SIZE_UP_TO(sluice_bucket, watch_close))) {
    return fault;
  }
  if (Fault fault = missing({{"open", bucket.open != nullptr},
                             {"read", bucket.read != nullptr},
                             {"close", bucket.close != nullptr},
                             {"begin", bucket.begin != nullptr},
                             {"write", bucket.write != nullptr},
                             {"commit", bucket.commit != nullptr},
                             {"abort", bucket.abort != nullptr},
                             {"remove", bucket.remove != nullptr},
                             {"list", bucket.list != nullptr}})) {
    return fault;
  }
  const int watching = (bucket.watch_open != nullptr) + (bucket.watch_next != nullptr) +
                       (bucket.watch_cancel != nullptr) + (bucket.watch_close != nullptr);
  return watching == 0 || watching == 4 ? Fault()
                                        : "it has some of its watch functions, but not all";
}

Fault table_fault(const void* functions) {
  const auto& table = *static_cast<const sluice_table*>(functions);
  if (Fault fault = size_fault("its sluice_table", table.struct_size,
                               SLUICE_SIZE_UP_TO(sluice_table, list))) {
    return fault;
  }
  return missing({{"put", table.put != nullptr},
                  {"get", table.get != nullptr},
                  {"list", table.list != nullptr}});
}

/// A kind, the check of its functions, and the config key that an option of it cannot have.
struct Kind {
  std::string_view name;
  Fault (*functions_fault)(const void*);
  std::string_view reserved_option;
};
constexpr Kind kKinds[] = {{"stage", stage_fault, "type"},
                           {"source", source_fault, "publish_to"},
                           {"bucket", bucket_fault, "access_points"},
                           {"table", table_fault, "type"}};

Fault option_names_fault(const sluice_component& component, const Kind& kind) {
  for (auto* option = component.options; option != nullptr && *option != nullptr; ++option) {
    const std::string_view name = (*option)->name;
    if (name == "type" || name == kind.reserved_option) {
      return fmt::format("option \"{}\" has a name that the host uses itself", name);
    }
  }
  return std::nullopt;
}

Fault component_fault(const sluice_component& component, bool newer) {
  if (Fault fault = size_fault("its sluice_component", component.struct_size,
                               SLUICE_SIZE_UP_TO(sluice_component, functions))) {
    return fault;
  }
  const std::string_view kind_name = component.kind == nullptr ? "" : component.kind;
  const auto* kind = std::ranges::find(kKinds, kind_name, &Kind::name);
  if (kind == std::end(kKinds)) {
    return fmt::format("its kind {} is none of stage, source, bucket, table",
                       json_quote(kind_name));
  }
  if (!is_type_name(component.type)) {
    return "its type is not of the form [a-z0-9_]+";
  }
  if (!newer && (component.flags & ~kFlagsKnown) != 0) {
    return fmt::format("its flags 0x{:x} hold unknown ones", component.flags);
  }
  if (Fault fault = missing({{"help", component.help != nullptr},
                             {"create", component.create != nullptr},
                             {"destroy", component.destroy != nullptr},
                             {"functions", component.functions != nullptr}})) {
    return fault;
  }
  if (Fault fault = kind->functions_fault(component.functions)) {
    return fault;
  }
  if (Fault fault = option_table_fault(component.options)) {
    return fault;
  }
  return option_names_fault(component, *kind);
}

Fault components_fault(const sluice_plugin& plugin) {
  constexpr std::size_t kComponentsMax = 256;
  const bool newer = plugin.abi_minor > SLUICE_ABI_MINOR;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (std::size_t i = 0; plugin.components[i] != nullptr; ++i) {
    if (i == kComponentsMax) {
      return fmt::format("more than {} components or no NULL at their end", kComponentsMax);
    }
    const sluice_component& component = *plugin.components[i];
    if (Fault fault = component_fault(component, newer)) {
      const bool named = component.struct_size >= SLUICE_SIZE_UP_TO(sluice_component, type) &&
                         is_type_name(component.type);
      return fmt::format("component {}: {}", named ? json_quote(component.type) : std::to_string(i),
                         *fault);
    }
    if (!seen.emplace(component.kind, component.type).second) {
      return fmt::format("component \"{}\" is declared twice", component.type);
    }
  }
  return seen.empty() ? Fault("it offers no component") : std::nullopt;
}

}  // namespace

std::optional<std::string> descriptor_fault(const sluice_plugin* plugin) {
  if (plugin == nullptr) {
    return "sluice_plugin_entry_v1 answered NULL";
  }
  // The version comes first: of another major, nothing behind it can be judged.
  if (plugin->struct_size < SLUICE_SIZE_UP_TO(sluice_plugin, abi_minor)) {
    return size_fault("its sluice_plugin", plugin->struct_size,
                      SLUICE_SIZE_UP_TO(sluice_plugin, components));
  }
  if (plugin->abi_major != SLUICE_ABI_MAJOR) {
    return fmt::format(
        "is built for plugin ABI {}.{}, this sluice speaks {}.{}: build it anew against "
        "this version's sluice/plugin.h",
        plugin->abi_major, plugin->abi_minor, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR);
  }
  if (Fault fault = size_fault("its sluice_plugin", plugin->struct_size,
                               SLUICE_SIZE_UP_TO(sluice_plugin, components))) {
    return fault;
  }
  if (Fault fault = missing({{"id", plugin->id != nullptr},
                             {"version", plugin->version != nullptr},
                             {"components", plugin->components != nullptr}})) {
    return fault;
  }
  return components_fault(*plugin);
}

}  // namespace sluice::core
