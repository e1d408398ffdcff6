// Objects of buckets for components: every call passes its access point here, every handle of a
// bucket is wrapped here, and every error's text is copied here before the bucket forgets it.
#include <fmt/format.h>

#include <memory>

#include "base/json.hpp"
#include "plugin/access_point.hpp"
#include "plugin/host.hpp"
#include "plugin/host_calls.hpp"

struct sluice_writer {
  const sluice_bucket* functions;
  void* handle;
};

struct sluice_watch {
  const sluice_bucket* functions;
  void* handle;
  std::string prefix;  ///< what the watcher may see
};

namespace sluice::core::host_calls {

namespace {

class BucketReader final : public sluice_reader {
 public:
  explicit BucketReader(const sluice_bucket& functions) : functions_(functions) {}
  ~BucketReader() override {
    if (handle_ != nullptr) {
      functions_.close(handle_);
    }
  }
  void** place() { return &handle_; }

 private:
  int32_t read_some(uint8_t* into, uint64_t capacity, uint64_t* got) override {
    sluice_str error{};
    const int32_t status = functions_.read(handle_, into, capacity, got, &error);
    return status == SLUICE_OK || status == SLUICE_END
               ? status
               : failed_in(status, error, "cannot read the object");
  }

  const sluice_bucket& functions_;
  void* handle_ = nullptr;
};

/// Passes on only what lies below the prefix, whatever the bucket tells.
struct Filter {
  std::string_view prefix;
  void* user;
  sluice_object_fn each;

  static int32_t call(void* filter, sluice_str key, uint64_t size, sluice_str etag,
                      int64_t modified_ms) {
    const auto& self = *static_cast<const Filter*>(filter);
    return view(key).starts_with(self.prefix) ? self.each(self.user, key, size, etag, modified_ms)
                                              : SLUICE_OK;
  }
};

int32_t no_argument() {
  return failed(SLUICE_INVALID, "a host call was given NULL where it needs an object");
}

/// The bucket answered `status`: keeps its text, or makes one.
int32_t told(int32_t status, sluice_str error, const sluice_bucket_ref& ref, std::string_view what,
             std::string_view key) {
  if (status == SLUICE_OK) {
    return SLUICE_OK;
  }
  return failed_in(
      status, error,
      fmt::format("{}: cannot {} {}", reference_text(ref), what, json_quote(key.substr(0, 300))));
}

int32_t no_handle(const sluice_bucket_ref& ref) {
  return failed(SLUICE_FATAL, fmt::format("{} answered OK without a handle", reference_text(ref)));
}

}  // namespace

int32_t read(sluice_reader* reader, uint8_t* into, uint64_t capacity, uint64_t* got) {
  return guarded([&] {
    return reader == nullptr || got == nullptr || (into == nullptr && capacity > 0)
               ? no_argument()
               : reader->read(into, capacity, got);
  });
}

void close(sluice_reader* reader) {
  delete reader;
}

int32_t object_open(sluice_bucket_ref* ref, sluice_str key, sluice_str if_match, uint64_t offset,
                    sluice_reader** reader, uint64_t* size) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || reader == nullptr || is_torn(key) || is_torn(if_match)) {
      return no_argument();
    }
    if (const int32_t status = check_key(*ref, sluice_bucket_ref::get, view(key));
        status != SLUICE_OK) {
      return status;
    }
    auto opened = std::make_unique<BucketReader>(*ref->functions);
    sluice_str error{};
    uint64_t known = UINT64_MAX;
    const int32_t status =
        ref->functions->open(ref->self, key, if_match, offset, opened->place(), &known, &error);
    if (status != SLUICE_OK) {
      *opened->place() = nullptr;  // not ours unless it was opened
      return told(status, error, *ref, "open", view(key));
    }
    if (*opened->place() == nullptr) {
      return no_handle(*ref);
    }
    if (size != nullptr) {
      *size = known;
    }
    *reader = opened.release();
    return SLUICE_OK;
  });
}

int32_t object_create(sluice_bucket_ref* ref, sluice_str key, sluice_str content_type,
                      sluice_writer** writer) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || writer == nullptr || is_torn(key) || is_torn(content_type)) {
      return no_argument();
    }
    if (const int32_t status = check_key(*ref, sluice_bucket_ref::put, view(key));
        status != SLUICE_OK) {
      return status;
    }
    auto begun = std::make_unique<sluice_writer>(sluice_writer{ref->functions, nullptr});
    sluice_str error{};
    const int32_t status =
        ref->functions->begin(ref->self, key, content_type, &begun->handle, &error);
    if (status != SLUICE_OK) {
      return told(status, error, *ref, "write", view(key));
    }
    if (begun->handle == nullptr) {
      return no_handle(*ref);
    }
    *writer = begun.release();
    return SLUICE_OK;
  });
}

int32_t write(sluice_writer* writer, const uint8_t* bytes, uint64_t size) {
  return guarded([&]() -> int32_t {
    if (writer == nullptr || (bytes == nullptr && size > 0)) {
      return no_argument();
    }
    sluice_str error{};
    const int32_t status = writer->functions->write(writer->handle, bytes, size, &error);
    return status == SLUICE_OK ? SLUICE_OK : failed_in(status, error, "cannot write the object");
  });
}

int32_t object_commit(sluice_writer* writer) {
  return guarded([&]() -> int32_t {
    if (writer == nullptr) {
      return no_argument();
    }
    const std::unique_ptr<sluice_writer> owned(writer);
    sluice_str error{};
    const int32_t status = owned->functions->commit(owned->handle, &error);
    return status == SLUICE_OK ? SLUICE_OK : failed_in(status, error, "cannot commit the object");
  });
}

void object_abort(sluice_writer* writer) {
  const std::unique_ptr<sluice_writer> owned(writer);
  if (owned != nullptr) {
    owned->functions->abort(owned->handle);
  }
}

int32_t object_delete(sluice_bucket_ref* ref, sluice_str key) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || is_torn(key)) {
      return no_argument();
    }
    if (const int32_t status = check_key(*ref, sluice_bucket_ref::remove, view(key));
        status != SLUICE_OK) {
      return status;
    }
    sluice_str error{};
    return told(ref->functions->remove(ref->self, key, &error), error, *ref, "delete", view(key));
  });
}

int32_t object_list(sluice_bucket_ref* ref, sluice_str prefix, sluice_str after, void* user,
                    sluice_object_fn each) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || each == nullptr || is_torn(prefix) || is_torn(after)) {
      return no_argument();
    }
    std::string effective;
    const int32_t allowed = check_prefix(*ref, sluice_bucket_ref::list, view(prefix), &effective);
    if (allowed != SLUICE_OK) {
      return allowed;
    }
    Filter filter{effective, user, each};
    sluice_str error{};
    return told(
        ref->functions->list(ref->self, str(effective), after, &filter, Filter::call, &error),
        error, *ref, "list", effective);
  });
}

int32_t watch_open(sluice_bucket_ref* ref, sluice_str prefix, int64_t poll_interval_ms,
                   sluice_watch** watch) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || watch == nullptr || is_torn(prefix)) {
      return no_argument();
    }
    auto opened = std::make_unique<sluice_watch>(sluice_watch{ref->functions, nullptr, {}});
    const int32_t allowed =
        check_prefix(*ref, sluice_bucket_ref::list, view(prefix), &opened->prefix);
    if (allowed != SLUICE_OK) {
      return allowed;
    }
    if (ref->functions->watch_open == nullptr) {
      return failed(SLUICE_INVALID,
                    fmt::format("{} is of a type that cannot be watched", reference_text(*ref)));
    }
    sluice_str error{};
    const int32_t status = ref->functions->watch_open(ref->self, str(opened->prefix),
                                                      poll_interval_ms, &opened->handle, &error);
    if (status != SLUICE_OK) {
      return told(status, error, *ref, "watch", opened->prefix);
    }
    if (opened->handle == nullptr) {
      return no_handle(*ref);
    }
    *watch = opened.release();
    return SLUICE_OK;
  });
}

int32_t watch_next(sluice_watch* watch, int64_t wait_ms, void* user, sluice_object_fn each) {
  return guarded([&]() -> int32_t {
    if (watch == nullptr || each == nullptr) {
      return no_argument();
    }
    Filter filter{watch->prefix, user, each};
    sluice_str error{};
    const int32_t status =
        watch->functions->watch_next(watch->handle, wait_ms, &filter, Filter::call, &error);
    const bool no_error = status == SLUICE_OK || status == SLUICE_WOULD_BLOCK ||
                          status == SLUICE_END || status == SLUICE_CANCELLED;
    return no_error ? status : failed_in(status, error, "cannot watch the bucket");
  });
}

void watch_cancel(sluice_watch* watch) {
  if (watch != nullptr) {
    watch->functions->watch_cancel(watch->handle);
  }
}

void watch_close(sluice_watch* watch) {
  const std::unique_ptr<sluice_watch> owned(watch);
  if (owned != nullptr) {
    owned->functions->watch_close(owned->handle);
  }
}

}  // namespace sluice::core::host_calls
