#include "plugin/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/spelling.hpp"
#include "plugin/host.hpp"
#include "plugin/option_table.hpp"

namespace sluice::core {

namespace {

/// A hostile configuration must cost no time and no text without bound: a longer name is shown cut
/// and has no nearest, and only so many have.
constexpr std::size_t kNameShownMax = 100;
constexpr std::size_t kHintsMax = 100;

/// RFC 6901 §3.
std::string pointer_to(std::string_view name) {
  std::string pointer = "/";
  for (const char c : name) {
    pointer += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
  }
  return pointer;
}

template <class Visit>
void for_each_option(const sluice_component& component, Visit&& visit) {
  for (auto* option = component.options; option != nullptr && *option != nullptr; ++option) {
    visit(**option);
  }
}

/// Counts what it passes on.
class Reports {
 public:
  explicit Reports(const OptionErrors& errors) : errors_(errors) {}
  void add(std::string_view pointer, std::string text) {
    ++count_;
    errors_(pointer, std::move(text));
  }
  std::size_t count() const { return count_; }

 private:
  const OptionErrors& errors_;
  std::size_t count_ = 0;
};

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Returns the required options that are missing, and that unknown ones were most likely meant to
/// be: that was reported.
std::vector<std::string_view> report_unknown(const Component& component, const Json& values,
                                             const std::vector<std::string_view>& reserved,
                                             Reports& reports) {
  std::vector<std::string_view> known = reserved;
  for_each_option(*component.descriptor,
                  [&](const sluice_option& option) { known.push_back(option.name); });
  std::size_t hints = 0;
  std::vector<std::string_view> meant;
  for (const JsonMember& member : values.members) {
    if (contains(known, member.name)) {
      continue;
    }
    const std::string_view shown = std::string_view(member.name).substr(0, kNameShownMax);
    const bool whole = shown.size() == member.name.size();
    const std::string_view nearest =
        whole && hints++ < kHintsMax ? nearest_name(shown, std::span<const std::string_view>(known))
                                     : std::string_view();
    const sluice_option* near = find_option(*component.descriptor, nearest);
    const bool lacks_it =
        near != nullptr && near->required != 0 && values.find(nearest) == nullptr;
    if (lacks_it) {
      meant.push_back(nearest);
    }
    const std::string lacks =
        lacks_it ? fmt::format(", and its option \"{}\" is missing", nearest) : std::string();
    reports.add(pointer_to(member.name),
                fmt::format("{} \"{}\" has no option {}{}{}{}", component.descriptor->kind,
                            component.descriptor->type, json_quote(shown), whole ? "" : "...",
                            lacks, did_you_mean(nearest)));
  }
  return meant;
}

/// Fills in one option, given or by default.
void complete(const sluice_option& option, const Json* given, sluice_config& config,
              const OptionContext& context, Reports& reports) {
  std::optional<Json> by_default;
  if (given == nullptr && option.default_json != nullptr) {
    if (auto parsed = parse_json(option.default_json)) {
      by_default = std::move(*parsed);
    }
  }
  const Json* value = given != nullptr ? given : by_default ? &*by_default : nullptr;
  if (value == nullptr) {
    if (option.required != 0) {
      reports.add("", fmt::format("option \"{}\" is missing", option.name));
    }
    return;
  }
  sluice_config::Value completed;
  if (auto fault = read_option(option, *value, context.base_folder, &completed)) {
    reports.add(pointer_to(option.name), fmt::format("\"{}\" {}", option.name, *fault));
    return;
  }
  config.values.emplace(option.name, std::move(completed));
}

/// The component's own word on what its table cannot say.
void run_check(sluice_config& config, Reports& reports) {
  const auto check = config.component->descriptor->check;
  if (check == nullptr) {
    return;
  }
  config.on_error = [&](std::string_view pointer, std::string_view text) {
    reports.add(pointer, std::string(text));
  };
  const std::size_t before = reports.count();
  int32_t status = SLUICE_FATAL;
  try {
    const ComponentScope scope(config.name.c_str());
    status = check(&host(), &config);
  } catch (...) {  // a plugin that breaks the contract
    reports.add("", "the plugin's check let an exception out");
  }
  config.on_error = nullptr;
  if (status != SLUICE_OK && reports.count() == before) {
    reports.add("", fmt::format("the options are refused by {} \"{}\" without a reason (status {})",
                                config.component->descriptor->kind,
                                config.component->descriptor->type, status));
  }
}

}  // namespace

std::unique_ptr<sluice_config> complete_options(const Component& component,
                                                const OptionContext& context, const Json* values,
                                                const std::vector<std::string_view>& reserved,
                                                const OptionErrors& errors) {
  assert(values == nullptr || values->type == Json::Type::object);
  auto config = std::make_unique<sluice_config>();
  config->component = &component;
  config->name = context.name;
  config->state_root = context.state_root;
  Reports reports(errors);
  std::vector<std::string_view> meant;
  if (values != nullptr) {
    meant = report_unknown(component, *values, reserved, reports);
  }
  for_each_option(*component.descriptor, [&](const sluice_option& option) {
    if (contains(meant, option.name)) {
      return;
    }
    const bool skipped = values == nullptr || contains(reserved, option.name);
    complete(option, skipped ? nullptr : values->find(option.name), *config, context, reports);
  });
  if (reports.count() == 0) {
    run_check(*config, reports);
  }
  return reports.count() == 0 ? std::move(config) : nullptr;
}

std::vector<OptionReference> option_references(const sluice_config& config) {
  std::vector<OptionReference> references;
  for_each_option(*config.component->descriptor, [&](const sluice_option& option) {
    const auto type = option_type(option.type);
    const auto value = config.values.find(option.name);
    if (value == config.values.end()) {
      return;
    }
    if (type == OptionType::bucket || type == OptionType::table) {
      references.push_back({type == OptionType::bucket ? OptionReference::Kind::bucket
                                                       : OptionReference::Kind::table,
                            pointer_to(option.name), value->second.text});
    }
  });
  return references;
}

const sluice_option* find_option(const sluice_component& component, std::string_view name) {
  const sluice_option* found = nullptr;
  for_each_option(component, [&](const sluice_option& option) {
    found = name == option.name ? &option : found;
  });
  return found;
}

Json option_from_text(const sluice_option& option, std::string_view text) {
  const auto type = option_type(option.type);
  const auto parsed = parse_json(text);
  const bool wanted =
      parsed && (type == OptionType::json ||
                 (type == OptionType::boolean && parsed->type == Json::Type::boolean) ||
                 ((type == OptionType::integer || type == OptionType::number) &&
                  parsed->type == Json::Type::number));
  return wanted ? *parsed : Json{.type = Json::Type::string, .text = std::string(text)};
}

}  // namespace sluice::core
