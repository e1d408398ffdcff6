// Components whose behaviour a test writes down in place: no library, no options.
#pragma once

#include <sluice/plugin.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/host.hpp"

namespace sluice::test {

inline sluice_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string text(sluice_str from) { return {from.data == nullptr ? "" : from.data, from.size}; }
inline std::string body_of(const sluice_message& message) {
  return {reinterpret_cast<const char*>(message.body), message.body_size};
}
inline sluice_emission emission(std::uint32_t parent, std::string_view body) {
  sluice_emission made{};
  made.struct_size = sizeof made;
  made.parent = parent;
  made.body = reinterpret_cast<const std::uint8_t*>(body.data());
  made.body_size = body.size();
  return made;
}
inline int32_t emit(sluice_out* out, std::uint32_t parent, std::string_view body, std::uint64_t cookie = 0) {
  sluice_emission made = emission(parent, body);
  made.cookie = cookie;
  return core::host().emit(out, &made);
}

/// A stage or source that calls what the test gave it. Outlives all instances.
class Script {
 public:
  using Process = std::function<int32_t(const sluice_batch& batch, sluice_out* out)>;
  using Run = std::function<int32_t(sluice_out* out)>;
  using Settled = std::function<void(std::uint64_t cookie, int32_t worst)>;

  static std::unique_ptr<Script> stage(std::string type, std::uint32_t flags, Process process) {
    auto script = std::unique_ptr<Script>(new Script(std::move(type), flags, "stage"));
    script->process_ = std::move(process);
    return script;
  }
  static std::unique_ptr<Script> source(std::string type, std::uint32_t flags, Run run, Settled settled = {},
                                        std::function<void()> cancel = {}) {
    auto script = std::unique_ptr<Script>(new Script(std::move(type), flags, "source"));
    script->run_ = std::move(run);
    script->settled_ = std::move(settled);
    script->cancel_ = std::move(cancel);
    return script;
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  /// Options of one use of it in a pipeline, under that name.
  std::unique_ptr<sluice_config> config(std::string name) const {
    auto made = std::make_unique<sluice_config>();
    made->component = &component_;
    made->name = std::move(name);
    return made;
  }
  core::Instance instance(std::string name = "test") const { return std::move(*core::Instance::create(config(std::move(name)))); }

 private:
  Script(std::string type, std::uint32_t flags, const char* kind)
      : type_(std::move(type)) {
    descriptor_.struct_size = sizeof descriptor_;
    descriptor_.flags = flags;
    descriptor_.kind = kind;
    descriptor_.type = type_.c_str();
    descriptor_.help = "A test's script.";
    descriptor_.options = kNoOptions;
    descriptor_.create = [](const sluice_host*, const sluice_config* config, void** self, sluice_str*) -> int32_t {
      *self = static_cast<const Part*>(config->component)->owner;
      return SLUICE_OK;
    };
    descriptor_.destroy = [](void*) {};
    descriptor_.cancel = [](void* self) {
      if (auto* script = static_cast<Script*>(self); script->cancel_) {
        script->cancel_();
      }
    };
    descriptor_.functions = std::string_view(kind) == "stage" ? static_cast<const void*>(&kStage) : &kSource;
    component_.descriptor = &descriptor_;
    component_.library = "test";
    component_.owner = this;
  }
  /// The component knows its script by address: it is the base of its part.
  struct Part : core::Component {
    Script* owner = nullptr;
  };

  static constexpr const sluice_option* kNoOptions[] = {nullptr};
  static const sluice_stage kStage;
  static const sluice_source kSource;

  std::string type_;
  sluice_component descriptor_{};
  Part component_{};
  Process process_;
  Run run_;
  Settled settled_;
  std::function<void()> cancel_;
};

inline const sluice_stage Script::kStage = {
    sizeof(sluice_stage), [](void* self, const sluice_batch* batch, sluice_out* out) -> int32_t {
      return static_cast<Script*>(self)->process_(*batch, out);
    }};

inline const sluice_source Script::kSource = [] {
  sluice_source made{};
  made.struct_size = sizeof made;
  made.run = [](void* self, sluice_out* out) -> int32_t { return static_cast<Script*>(self)->run_(out); };
  made.settled = [](void* self, std::uint64_t cookie, int32_t worst) {
    if (auto* script = static_cast<Script*>(self); script->settled_) {
      script->settled_(cookie, worst);
    }
  };
  return made;
}();

/// A list that threads write to.
template <class T>
class Record {
 public:
  void add(T item) {
    std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }
  std::vector<T> all() const {
    std::lock_guard lock(mutex_);
    return items_;
  }
  std::size_t size() const { return all().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<T> items_;
};

}  // namespace sluice::test
