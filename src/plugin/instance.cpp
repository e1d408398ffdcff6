#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "plugin/host.hpp"
#include "plugin/host_calls.hpp"

namespace sluice::core {

namespace {

Errc code_of(int32_t status) {
  switch (status) {
    case SLUICE_BAD_OPTION:
      return Errc::config;
    case SLUICE_UNAVAILABLE:
      return Errc::unavailable;
    case SLUICE_NOT_FOUND:
      return Errc::missing_input;
    case SLUICE_IO:
      return Errc::io;
    default:
      return Errc::internal;
  }
}

/// Calls the component's create(); `*texts` gathers what it says against its options and in the
/// end.
int32_t call_create(const sluice_config& config, void** self, std::string* texts) {
  const auto add = [&](std::string_view text) {
    *texts += fmt::format("{}{}", texts->empty() ? "" : "; ", text);
  };
  const sluice_component& component = *config.component->descriptor;
  int32_t status = SLUICE_FATAL;
  sluice_str error{};
  try {
    const ComponentScope scope(config.name.c_str());
    status = component.create(&host(), &config, self, &error);
  } catch (...) {  // a plugin that breaks the contract
    add("its create let an exception out");
    return SLUICE_FATAL;
  }
  if (status != SLUICE_OK && error.size > 0) {
    add(view(error));
  }
  if (status != SLUICE_OK && texts->empty()) {
    add(fmt::format("it does not start: {}", status_text(status)));
  }
  return status;
}

}  // namespace

Result<Instance> Instance::create(std::unique_ptr<sluice_config> config) {
  assert(config != nullptr && config->component != nullptr);
  std::string texts;
  const auto outer = std::exchange(config->on_error, nullptr);
  config->on_error = [&](std::string_view pointer, std::string_view text) {
    texts += fmt::format("{}option \"{}\": {}", texts.empty() ? "" : "; ",
                         pointer.substr(pointer.empty() ? 0 : 1), text);
    if (outer) {
      outer(pointer, text);
    }
  };
  void* self = nullptr;
  const int32_t status = call_create(*config, &self, &texts);
  config->on_error = outer;
  if (status != SLUICE_OK) {
    const sluice_component& component = *config->component->descriptor;
    host_calls::finish_log(config->name);
    return fail(code_of(status), fmt::format("{} \"{}\" ({}): {}", component.kind, config->name,
                                             component.type, texts));
  }
  return Instance(std::move(config), self);
}

Instance::Instance(std::unique_ptr<sluice_config> config, void* self)
    : config_(std::move(config)), self_(self) {}

Instance::Instance(Instance&& other) noexcept
    : config_(std::move(other.config_)), self_(std::exchange(other.self_, nullptr)) {}

Instance& Instance::operator=(Instance&& other) noexcept {
  if (this != &other) {
    const Instance former(std::move(*this));  // destroyed at the end of this block
    config_ = std::move(other.config_);
    self_ = std::exchange(other.self_, nullptr);
  }
  return *this;
}

Instance::~Instance() {
  if (config_ == nullptr) {  // moved from
    return;
  }
  {
    const ComponentScope scope(config_->name.c_str());
    config_->component->descriptor->destroy(self_);
  }
  guarded([&]() -> int32_t {
    host_calls::finish_log(config_->name);
    return SLUICE_OK;
  });
}

void Instance::cancel() const {
  if (const auto cancel = config_->component->descriptor->cancel; cancel != nullptr) {
    cancel(self_);
  }
}

}  // namespace sluice::core
