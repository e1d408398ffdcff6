// The table that every plugin gets: options, logging, results. Objects and tables stand in
// host_objects.cpp and host_tables.cpp.
#include "plugin/host.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "base/log.hpp"
#include "base/log_limit.hpp"
#include "message/message_json.hpp"
#include "plugin/host_calls.hpp"
#include "plugin/out.hpp"

namespace sluice::core {

namespace {

using Value = sluice_config::Value;

std::atomic<Clock*> host_clock{nullptr};
thread_local const char* current_component = nullptr;

Clock& clock() {
  Clock* set = host_clock.load(std::memory_order_acquire);  // pairs with set_host_clock's release
  return set != nullptr ? *set : system_clock();
}

// --- Logging -------------------------------------------------------------------------------------

constexpr std::uint32_t kLogLinesPerSecond = 20;
constexpr std::size_t kLogTextMax = 4096;

/// Never destroyed: plugins may log while the process ends.
LogLimit& log_limit() {
  static LogLimit& limit = *new LogLimit(kLogLinesPerSecond);
  return limit;
}

std::string_view speaker(const sluice_config* config) {
  if (config != nullptr) {
    return config->name;
  }
  return current_component != nullptr ? current_component : "plugin";
}

void tell_left_out(std::string_view component, std::uint64_t left_out) {
  if (left_out > 0) {
    log_warning(component, "{} more log lines were left out", left_out);
  }
}

LogLevel level_of(int32_t level) {
  switch (level) {
    case SLUICE_LOG_DEBUG:
      return LogLevel::debug;
    case SLUICE_LOG_INFO:
      return LogLevel::info;
    case SLUICE_LOG_WARNING:
      return LogLevel::warning;
    default:
      return LogLevel::error;
  }
}

void call_log(const sluice_config* config, int32_t level, sluice_str text) {
  const LogLevel wanted = level_of(level);
  if (!log_enabled(wanted)) {
    return;
  }
  guarded([&]() -> int32_t {
    const std::string_view component = speaker(config);
    const LogLimit::Verdict verdict = log_limit().judge(component, clock().steady_ns());
    tell_left_out(component, verdict.left_out);
    if (verdict.pass) {
      const bool cut = view(text).size() > kLogTextMax;
      log(wanted, component,
          cut ? std::string(view(text).substr(0, kLogTextMax)) + "..." : view(text));
    }
    return SLUICE_OK;
  });
}

// --- Options -------------------------------------------------------------------------------------

const Value* find_value(const sluice_config* config, const char* name) {
  if (config == nullptr || name == nullptr) {
    return nullptr;
  }
  const auto found = config->values.find(std::string_view(name));
  return found == config->values.end() ? nullptr : &found->second;
}

int32_t call_option_text(const sluice_config* config, const char* name, sluice_str* text) {
  const Value* value = find_value(config, name);
  if (value == nullptr) {
    return SLUICE_NOT_FOUND;
  }
  *text = str(value->text);
  return SLUICE_OK;
}

/// Answers for an option that is there, but of a type that has no number: the plugin's own mistake.
int32_t no_number(const sluice_config& config, const char* name) {
  return guarded([&] {
    return failed(SLUICE_INVALID, fmt::format("option \"{}\" of {} \"{}\" is no number", name,
                                              config.component->descriptor->kind,
                                              config.component->descriptor->type));
  });
}

int32_t call_option_integer(const sluice_config* config, const char* name, int64_t* value) {
  const Value* found = find_value(config, name);
  if (found == nullptr) {
    return SLUICE_NOT_FOUND;
  }
  if (!found->integer) {
    return no_number(*config, name);
  }
  *value = *found->integer;
  return SLUICE_OK;
}

int32_t call_option_number(const sluice_config* config, const char* name, double* value) {
  const Value* found = find_value(config, name);
  if (found == nullptr) {
    return SLUICE_NOT_FOUND;
  }
  if (!found->number && !found->integer) {
    return no_number(*config, name);
  }
  *value = found->number ? *found->number : static_cast<double>(*found->integer);
  return SLUICE_OK;
}

int32_t call_option_json(const sluice_config* config, const char* name, sluice_str* json) {
  const Value* value = find_value(config, name);
  if (value == nullptr) {
    return SLUICE_NOT_FOUND;
  }
  *json = str(value->json);
  return SLUICE_OK;
}

void call_option_error(const sluice_config* config, const char* name, sluice_str text) {
  guarded([&]() -> int32_t {
    if (config != nullptr && config->on_error) {
      config->on_error(name == nullptr ? std::string() : fmt::format("/{}", name), view(text));
    } else {  // outside of check and create: nobody listens, but it is not lost
      call_log(config, SLUICE_LOG_WARNING, text);
    }
    return SLUICE_OK;
  });
}

sluice_bucket_ref* call_bucket(const sluice_config* config, const char* name) {
  sluice_bucket_ref* found = nullptr;
  guarded([&]() -> int32_t {
    const Value* value = find_value(config, name);
    found = value != nullptr && config->bucket ? config->bucket(value->text) : nullptr;
    return SLUICE_OK;
  });
  return found;
}

sluice_table_ref* call_table(const sluice_config* config, const char* name) {
  sluice_table_ref* found = nullptr;
  guarded([&]() -> int32_t {
    const Value* value = find_value(config, name);
    found = value != nullptr && config->table ? config->table(value->text) : nullptr;
    return SLUICE_OK;
  });
  return found;
}

sluice_str call_component_name(const sluice_config* config) {
  return str(speaker(config));
}

sluice_str call_reference_name(const sluice_bucket_ref* ref) {
  return ref == nullptr ? sluice_str{} : str(ref->bucket);
}

// --- Results: to the sluice_out behind the handle ------------------------------------------------

/// Version 1.0's emission; later fields are read only where struct_size covers them.
constexpr std::uint32_t kEmissionSizeMin =
    offsetof(sluice_emission, attributes) + sizeof(sluice_emission::attributes);

/// Why an emission goes to no receiver.
struct Refusal {
  int32_t status = SLUICE_OK;
  const char* text = "";
};

bool is_null(sluice_str text) {
  return text.data == nullptr && text.size != 0;
}

/// `bodiless`: its body fields are not looked at.
Refusal refusal_of(const sluice_emission& emission, bool bodiless) {
  if (emission.struct_size < kEmissionSizeMin) {
    return {SLUICE_INVALID,
            "an emission without its struct_size: set it to sizeof(sluice_emission)"};
  }
  if (!bodiless && emission.reader == nullptr && emission.body == nullptr &&
      emission.body_size != 0) {
    return {SLUICE_INVALID, "an emission with a body_size, but its body is NULL"};
  }
  if (is_null(emission.group_id) || is_null(emission.deduplication_id)) {
    return {SLUICE_INVALID,
            "an emission with a group or deduplication id that is NULL, but has a size"};
  }
  constexpr std::int64_t kDelayMaxMs = 900'000;  // SQS: DelaySeconds, 15 minutes
  if (emission.struct_size >= sizeof emission && emission.delay_ms > kDelayMaxMs) {
    return {SLUICE_INVALID, "an emission with a delay_ms over 900000, which is 15 minutes"};
  }
  if (emission.attribute_count > kAttributesMax) {
    return {SLUICE_TOO_LARGE, "an emission with more than 64 attributes"};
  }
  if (emission.attribute_count != 0 && emission.attributes == nullptr) {
    return {SLUICE_INVALID, "an emission with an attribute_count, but its attributes are NULL"};
  }
  for (std::uint32_t i = 0; i < emission.attribute_count; ++i) {
    const sluice_attribute* attribute = emission.attributes[i];
    if (attribute == nullptr || attribute->struct_size < sizeof(sluice_attribute) ||
        is_null(attribute->name) || is_null(attribute->value)) {
      return {SLUICE_INVALID,
              "an emission with an attribute that is NULL, lacks its struct_size, or has a name or "
              "value that is NULL"};
    }
  }
  return {};
}

/// As this version has it: fields that an older plugin does not know are 0.
sluice_emission whole(const sluice_emission& emission) {
  sluice_emission result{};
  std::memcpy(&result, &emission, std::min<std::size_t>(emission.struct_size, sizeof result));
  result.struct_size = sizeof result;
  return result;
}

void release_body(const sluice_emission* emission) {
  constexpr std::uint32_t kUpToOwner =
      offsetof(sluice_emission, owner) + sizeof(sluice_emission::owner);
  if (emission != nullptr && emission->struct_size >= kUpToOwner && emission->release != nullptr) {
    emission->release(emission->owner);
  }
}

/// `forward` with an emission that a receiver can read, on a receiver that is there.
template <class Forward>
int32_t with_emission(sluice_out* out, const sluice_emission* emission, Forward&& forward) {
  Refusal refusal{SLUICE_INVALID, "no emission, or no receiver for it"};
  if (out != nullptr && emission != nullptr) {
    refusal = refusal_of(*emission, false);
  }
  if (refusal.status != SLUICE_OK) {
    release_body(emission);
    return guarded([&] { return failed(refusal.status, refusal.text); });
  }
  return guarded([&] { return forward(*out, whole(*emission)); });
}

int32_t call_emit(sluice_out* out, const sluice_emission* emission) {
  return with_emission(out, emission, [](sluice_out& to, const sluice_emission& what) {
    return to.emit(what, true);
  });
}

int32_t call_try_emit(sluice_out* out, const sluice_emission* emission) {
  return with_emission(out, emission, [](sluice_out& to, const sluice_emission& what) {
    return to.emit(what, false);
  });
}

/// `forward` on a receiver that is there.
template <class Forward>
int32_t on(sluice_out* out, Forward&& forward) {
  if (out == nullptr) {
    return SLUICE_INVALID;
  }
  return guarded([&] { return forward(*out); });
}

int32_t call_reserve(sluice_out* out, uint64_t body_size, uint8_t** body) {
  return body == nullptr ? SLUICE_INVALID
                         : on(out, [&](sluice_out& to) { return to.reserve(body_size, body); });
}

int32_t call_commit(sluice_out* out, uint64_t body_size, const sluice_emission* emission) {
  return on(out, [&](sluice_out& to) {
    if (is_plain(emission)) {
      return to.commit(body_size, emission);
    }
    const Refusal refusal = refusal_of(*emission, true);
    if (refusal.status != SLUICE_OK) {
      return failed(refusal.status, refusal.text);
    }
    const sluice_emission all = whole(*emission);
    return to.commit(body_size, &all);
  });
}

int32_t call_flush(sluice_out* out) {
  return on(out, [](sluice_out& to) { return to.flush(); });
}

int32_t refuse_reason() {
  return failed(SLUICE_INVALID, "a reason or detail that is NULL, but has a size");
}

int32_t call_reject_part(sluice_out* out, const sluice_emission* part, sluice_str reason,
                         sluice_str detail) {
  return with_emission(out, part, [&](sluice_out& to, const sluice_emission& what) {
    if (is_null(reason) || is_null(detail)) {
      release_body(part);
      return refuse_reason();
    }
    return to.reject_part(what, reason, detail);
  });
}

int32_t call_settle(sluice_out* out, uint32_t index, int32_t status, int64_t retry_after_ms,
                    sluice_str reason, sluice_str detail) {
  return on(out, [&](sluice_out& to) {
    return is_null(reason) || is_null(detail)
               ? refuse_reason()
               : to.settle(index, status, retry_after_ms, reason, detail);
  });
}

int32_t call_progress(sluice_out* out, uint32_t index, uint64_t done, uint64_t total) {
  return on(out, [&](sluice_out& to) { return to.progress(index, done, total); });
}

int32_t call_ignore(sluice_out* out, uint32_t index) {
  return on(out, [&](sluice_out& to) { return to.ignore(index); });
}

int32_t call_exhausted(sluice_out* out) {
  return on(out, [](sluice_out& to) { return to.exhausted(); });
}

const void* call_interface(const char*) {
  return nullptr;
}  // version 1.0 has no optional parts
int64_t call_now_ms() {
  return clock().wall_ms();
}
sluice_str call_last_error() {
  return str(last_error_text());
}

const sluice_host kHost = {
    .struct_size = sizeof(sluice_host),
    .abi_minor = SLUICE_ABI_MINOR,
    .interface = call_interface,
    .log = call_log,
    .now_ms = call_now_ms,
    .option_text = call_option_text,
    .option_integer = call_option_integer,
    .option_number = call_option_number,
    .option_json = call_option_json,
    .option_error = call_option_error,
    .bucket = call_bucket,
    .table = call_table,
    .component_name = call_component_name,
    .reference_name = call_reference_name,
    .state_folder = host_calls::state_folder,
    .emit = call_emit,
    .try_emit = call_try_emit,
    .reserve = call_reserve,
    .commit = call_commit,
    .flush = call_flush,
    .reject_part = call_reject_part,
    .settle = call_settle,
    .progress = call_progress,
    .ignore = call_ignore,
    .exhausted = call_exhausted,
    .last_error = call_last_error,
    .read = host_calls::read,
    .close = host_calls::close,
    .object_open = host_calls::object_open,
    .object_create = host_calls::object_create,
    .write = host_calls::write,
    .object_commit = host_calls::object_commit,
    .object_abort = host_calls::object_abort,
    .object_delete = host_calls::object_delete,
    .object_list = host_calls::object_list,
    .watch_open = host_calls::watch_open,
    .watch_next = host_calls::watch_next,
    .watch_cancel = host_calls::watch_cancel,
    .watch_close = host_calls::watch_close,
    .table_put = host_calls::table_put,
    .table_get = host_calls::table_get,
    .table_list = host_calls::table_list,
};

}  // namespace

void host_calls::finish_log(std::string_view component) {
  tell_left_out(component, log_limit().finish(component));
}

const sluice_host& host() {
  return kHost;
}

void set_host_clock(Clock& clock) {
  host_clock.store(&clock, std::memory_order_release);
}

ComponentScope::ComponentScope(const char* name)
    : former_(std::exchange(current_component, name)) {}
ComponentScope::~ComponentScope() {
  current_component = former_;
}

}  // namespace sluice::core
