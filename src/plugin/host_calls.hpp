// The host calls of plugin.h that are more than a line, by subject. Inside src/plugin only:
// everybody else takes host().
#pragma once

#include <sluice/plugin.h>

#include <exception>
#include <new>
#include <string_view>

#include "plugin/handles.hpp"

namespace sluice::core {

inline std::string_view view(sluice_str text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
inline sluice_str str(std::string_view text) {
  return {text.data(), text.size()};
}

/// No bytes, and a size: such a text is refused.
inline bool is_torn(sluice_str text) {
  return text.data == nullptr && text.size != 0;
}

/// Runs `body`; no exception of ours crosses the ABI.
template <class Body>
int32_t guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return SLUICE_UNAVAILABLE;  // setting a text might fail again
  } catch (const std::exception& exception) {
    try {
      set_last_error(exception.what());
    } catch (...) {
    }
  } catch (...) {
  }
  return SLUICE_FATAL;
}

namespace host_calls {

// Objects (host_objects.cpp).
int32_t read(sluice_reader*, uint8_t* into, uint64_t capacity, uint64_t* got);
void close(sluice_reader*);
int32_t object_open(sluice_bucket_ref*, sluice_str key, sluice_str if_match, uint64_t offset,
                    sluice_reader**, uint64_t* size);
int32_t object_create(sluice_bucket_ref*, sluice_str key, sluice_str content_type, sluice_writer**);
int32_t write(sluice_writer*, const uint8_t*, uint64_t);
int32_t object_commit(sluice_writer*);
void object_abort(sluice_writer*);
int32_t object_delete(sluice_bucket_ref*, sluice_str key);
int32_t object_list(sluice_bucket_ref*, sluice_str prefix, sluice_str after, void* user,
                    sluice_object_fn each);
int32_t watch_open(sluice_bucket_ref*, sluice_str prefix, int64_t poll_interval_ms, sluice_watch**);
int32_t watch_next(sluice_watch*, int64_t wait_ms, void* user, sluice_object_fn each);
void watch_cancel(sluice_watch*);
void watch_close(sluice_watch*);

// Tables (host_tables.cpp).
int32_t table_put(sluice_table_ref*, uint32_t count, const sluice_str* const* items_json,
                  int32_t mode, int32_t* status, void* user,
                  void (*reason)(void* user, uint32_t item, sluice_str text));
int32_t table_get(sluice_table_ref*, sluice_str key_json, void* user,
                  void (*item)(void* user, sluice_str json));
int32_t table_list(sluice_table_ref*, uint32_t limit, sluice_str next_token, void* user,
                   void (*item)(void* user, sluice_str json, sluice_str token));

// A component's own folder (state_folder.cpp).
int32_t state_folder(const sluice_config*, sluice_str* path);

/// Lines of `component` that the limit kept back are told of, and its limit starts anew (host.cpp).
void finish_log(std::string_view component);

}  // namespace host_calls
}  // namespace sluice::core
