// Components made in the test itself: an option table, a bucket in memory, a receiver of results.
#pragma once

#include <sluice/plugin.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "plugin/host.hpp"
#include "plugin/options.hpp"
#include "plugin/out.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {

inline std::string_view view(sluice_str text) {
  return {text.data == nullptr ? "" : text.data, text.size};
}
inline sluice_str str(std::string_view text) {
  return {text.data(), text.size()};
}

/// An option with all else at zero.
inline sluice_option option(const char* name, const char* type) {
  return {.struct_size = sizeof(sluice_option), .name = name, .type = type, .help = "Help."};
}

/// A component of one's own, with its option table; functions are set by the test.
struct FakeComponent {
  sluice_stage stage{
      .struct_size = sizeof(sluice_stage),
      .process = [](void*, const sluice_batch*, sluice_out*) -> int32_t { return SLUICE_OK; }};
  std::vector<sluice_option> options;
  std::vector<const sluice_option*> table;
  sluice_component descriptor{.struct_size = sizeof(sluice_component),
                              .kind = "stage",
                              .type = "fake",
                              .help = "Does nothing.",
                              .create = [](const sluice_host*, const sluice_config*, void**,
                                           sluice_str*) -> int32_t { return SLUICE_OK; },
                              .destroy = [](void*) {}};
  Component component{&descriptor, nullptr, "fake.so"};

  explicit FakeComponent(std::vector<sluice_option> own = {}) : options(std::move(own)) {
    for (const sluice_option& entry : options) {
      table.push_back(&entry);
    }
    table.push_back(nullptr);
    descriptor.options = table.data();
    descriptor.functions = &stage;
  }
  FakeComponent(const FakeComponent&) = delete;
  FakeComponent& operator=(const FakeComponent&) = delete;
};

/// A completed config and what was reported, each as "POINTER TEXT".
struct Completed {
  std::unique_ptr<sluice_config> config;
  std::vector<std::string> errors;
};

inline Completed complete(const Component& component, std::string_view values,
                          const std::vector<std::string_view>& reserved = {}) {
  Completed result;
  const auto json = parse_json(values);
  result.config =
      complete_options(component, {"resize", "/etc/pipelines", ""}, json ? &*json : nullptr,
                       reserved, [&](std::string_view pointer, std::string text) {
                         result.errors.push_back(std::string(pointer) + " " + text);
                       });
  return result;
}

/// Objects in memory. Counts the handles that are open; `fail_with` makes every call fail.
struct FakeBucket {
  std::map<std::string, std::string> objects;
  std::vector<std::string> calls;  ///< "open KEY", ...
  int handles = 0;
  int32_t fail_with = SLUICE_OK;
  std::string text;        ///< the error that goes with fail_with
  uint64_t overclaim = 0;  ///< added to what read() says it got
};

struct FakeHandle {
  FakeBucket* bucket;
  std::string key, body;
  std::size_t at = 0;
};

inline int32_t begun(FakeBucket& bucket, std::string call, void** handle, FakeHandle made,
                     sluice_str* error) {
  bucket.calls.push_back(std::move(call));
  if (bucket.fail_with != SLUICE_OK) {
    *error = str(bucket.text);
    return bucket.fail_with;
  }
  ++bucket.handles;
  *handle = new FakeHandle(std::move(made));
  return SLUICE_OK;
}

inline void ended(void* handle) {
  const std::unique_ptr<FakeHandle> owned(static_cast<FakeHandle*>(handle));
  --owned->bucket->handles;
}

inline int32_t fake_open(void* self, sluice_str key, sluice_str, uint64_t offset, void** reader,
                         uint64_t* size, sluice_str* error) {
  auto& bucket = *static_cast<FakeBucket*>(self);
  const std::string name(view(key));
  if (bucket.fail_with == SLUICE_OK && !bucket.objects.contains(name)) {
    bucket.calls.push_back("open " + name);
    return SLUICE_NOT_FOUND;
  }
  *size = bucket.objects[name].size();
  return begun(bucket, "open " + name, reader, {&bucket, name, bucket.objects[name].substr(offset)},
               error);
}

inline int32_t fake_read(void* reader, uint8_t* into, uint64_t capacity, uint64_t* got,
                         sluice_str* error) {
  auto& handle = *static_cast<FakeHandle*>(reader);
  if (handle.bucket->fail_with != SLUICE_OK) {
    *error = str(handle.bucket->text);
    return handle.bucket->fail_with;
  }
  *got = handle.body.copy(reinterpret_cast<char*>(into), capacity, handle.at);
  handle.at += *got;
  const bool end = *got == 0;
  *got += handle.bucket->overclaim;
  return end ? SLUICE_END : SLUICE_OK;
}

inline int32_t fake_begin(void* self, sluice_str key, sluice_str, void** writer,
                          sluice_str* error) {
  auto& bucket = *static_cast<FakeBucket*>(self);
  return begun(bucket, "begin " + std::string(view(key)), writer,
               {&bucket, std::string(view(key)), ""}, error);
}

inline int32_t fake_write(void* writer, const uint8_t* bytes, uint64_t size, sluice_str*) {
  static_cast<FakeHandle*>(writer)->body.append(reinterpret_cast<const char*>(bytes), size);
  return SLUICE_OK;
}

inline int32_t fake_commit(void* writer, sluice_str* error) {
  auto& handle = *static_cast<FakeHandle*>(writer);
  FakeBucket& bucket = *handle.bucket;
  if (bucket.fail_with == SLUICE_OK) {
    bucket.objects[handle.key] = handle.body;
  }
  *error = str(bucket.text);
  ended(writer);
  return bucket.fail_with;
}

inline int32_t fake_remove(void* self, sluice_str key, sluice_str*) {
  auto& bucket = *static_cast<FakeBucket*>(self);
  bucket.calls.push_back("remove " + std::string(view(key)));
  return bucket.objects.erase(std::string(view(key))) > 0 ? SLUICE_OK : SLUICE_NOT_FOUND;
}

/// Tells everything, whatever the prefix: the host must not rely on the bucket.
inline int32_t fake_list(void* self, sluice_str prefix, sluice_str, void* user,
                         sluice_object_fn each, sluice_str*) {
  auto& bucket = *static_cast<FakeBucket*>(self);
  bucket.calls.push_back("list " + std::string(view(prefix)));
  for (const auto& [key, body] : bucket.objects) {
    if (const int32_t status = each(user, str(key), body.size(), str("e"), 0);
        status != SLUICE_OK) {
      return status;
    }
  }
  return SLUICE_OK;
}

inline int32_t fake_watch_open(void* self, sluice_str prefix, int64_t, void** watch,
                               sluice_str* error) {
  auto& bucket = *static_cast<FakeBucket*>(self);
  return begun(bucket, "watch " + std::string(view(prefix)), watch, {&bucket, "", ""}, error);
}

inline int32_t fake_watch_next(void* watch, int64_t, void* user, sluice_object_fn each,
                               sluice_str* error) {
  FakeBucket& bucket = *static_cast<FakeHandle*>(watch)->bucket;
  const int32_t status = fake_list(&bucket, str(""), str(""), user, each, error);
  return status == SLUICE_OK ? SLUICE_END : status;
}

inline constexpr sluice_bucket kFakeBucket = {
    sizeof(sluice_bucket), fake_open, fake_read,   ended,     fake_begin,      fake_write,
    fake_commit,           ended,     fake_remove, fake_list, fake_watch_open, fake_watch_next,
    [](void*) {},          ended};

/// Counts what reaches it and answers `status`.
struct RecordingOut final : sluice_out {
  std::vector<std::string> calls;
  std::vector<std::string> bodies;
  std::vector<uint32_t> parents;  ///< of the bodies
  std::vector<int64_t> delays;    ///< of the bodies
  std::string reserved;
  int32_t status = SLUICE_OK;

  int32_t note(std::string call) {
    calls.push_back(std::move(call));
    return status;
  }
  int32_t emit(const sluice_emission& emission, bool may_wait) override {
    bodies.emplace_back(reinterpret_cast<const char*>(emission.body), emission.body_size);
    parents.push_back(emission.parent);
    delays.push_back(emission.delay_ms);
    if (emission.release != nullptr) {
      emission.release(emission.owner);
    }
    return note(may_wait ? "emit" : "try_emit");
  }
  int32_t reserve(uint64_t body_size, uint8_t** body) override {
    reserved.assign(body_size, '\0');
    *body = reinterpret_cast<uint8_t*>(reserved.data());
    return note("reserve");
  }
  int32_t commit(uint64_t body_size, const sluice_emission* emission) override {
    bodies.push_back(reserved.substr(0, body_size));
    parents.push_back(emission == nullptr ? 0 : emission->parent);
    return note("commit");
  }
  int32_t flush() override { return note("flush"); }
  int32_t reject_part(const sluice_emission&, sluice_str reason, sluice_str) override {
    return note("reject_part " + std::string(view(reason)));
  }
  int32_t settle(uint32_t index, int32_t outcome, int64_t after_ms, sluice_str reason,
                 sluice_str) override {
    return note("settle " + std::to_string(index) + " " + std::to_string(outcome) + " " +
                std::to_string(after_ms) + " " + std::string(view(reason)));
  }
  int32_t progress(uint32_t index, uint64_t done, uint64_t total) override {
    return note("progress " + std::to_string(index) + " " + std::to_string(done) + "/" +
                std::to_string(total));
  }
  int32_t ignore(uint32_t index) override { return note("ignore " + std::to_string(index)); }
  int32_t exhausted() override { return note("exhausted"); }
};

}  // namespace sluice::core
