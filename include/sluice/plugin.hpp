// sluice/plugin.hpp: C++20 over sluice/plugin.h. Header only; nothing here crosses the ABI.
//
// Write a class, name its options, export it:
//
//   class Upper {                                     // a stage: one instance per worker
//    public:
//     explicit Upper(const sluice::Config& config);   // throw sluice::Failure on bad options
//     void process(const sluice::Batch& batch, sluice::Out& out);
//   };
//   const sluice_component kUpper = sluice::stage<Upper>("upper", "Makes bodies upper case.", 0, kOptions);
//   SLUICE_PLUGIN("org.example.upper", "1.0.0", &kUpper)
//
// Exceptions end at the trampolines. Out of process(), Failure(SLUICE_FATAL) stops the engine and
// Failure(SLUICE_CANCELLED) says that the stage was told to stop; anything else that is thrown
// makes every message of the batch a retry with the exception's text as its reason, so one that
// always throws ends in the dead letters after max_receive_count. Its neighbours in the batch go
// with it: a stage that can tell which message is to blame catches, and calls retry() or reject()
// for it alone. Out of every other function Failure gives its status and text, and any other
// exception SLUICE_FATAL with its what().
//
// Classes by kind (thread tags as in plugin.h):
//   stage   process(const Batch&, Out&)
//   source  int32_t run(Out&); optional: void settled(uint64_t cookie, int32_t worst), void finish(), void cancel()
//   bucket  open, begin, remove, list, watch, see bucket() below
//   table   put, get, list, see table() below
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

inline sluice_str str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(sluice_str text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

/// What a component throws to end a call with a status and a text.
class Failure : public std::exception {
 public:
  Failure(int32_t status, std::string text) : status_(status), text_(std::move(text)) {}
  int32_t status() const { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  int32_t status_;
  std::string text_;
};

namespace detail {
inline const sluice_host*& host_slot() {
  static const sluice_host* host = nullptr;
  return host;
}
inline std::string& error_slot() {
  static thread_local std::string text;
  return text;
}
/// Runs `body`; turns every exception into a status (`unforeseen`, unless it is a Failure) and
/// leaves its text in *error.
template <class Body>
int32_t guarded(sluice_str* error, Body&& body, int32_t unforeseen = SLUICE_FATAL) noexcept {
  int32_t status = unforeseen;
  try {
    return body();
  } catch (const Failure& failure) {
    status = failure.status();
    try { error_slot() = failure.what(); } catch (...) {}
  } catch (const std::exception& exception) {
    try { error_slot() = exception.what(); } catch (...) {}
  } catch (...) {
    try { error_slot() = "unknown exception"; } catch (...) {}
  }
  if (error != nullptr) *error = str(error_slot());
  return status;
}
}  // namespace detail

/// The host's table. Valid from the first check or create on.
inline const sluice_host& host() { return *detail::host_slot(); }

/// Throws what the host call that answered `status` said of it, unless that is OK.
inline void check(int32_t status) {
  if (status != SLUICE_OK) throw Failure(status, std::string(view(host().last_error())));
}

/// Bytes read, 0 at the end. Throws Failure.
inline std::size_t read(sluice_reader* reader, std::span<uint8_t> into) {
  uint64_t got = 0;
  const int32_t status = host().read(reader, into.data(), into.size(), &got);
  if (status == SLUICE_END) return 0;
  check(status);
  return got;
}

/// A body of an object, read forward. Closes itself.
class Reader {
 public:
  Reader(sluice_reader* reader, uint64_t size) : reader_(reader), size_(size) {}
  uint64_t size() const { return size_; }  ///< UINT64_MAX if unknown.
  /// Bytes read, 0 at the end. Throws Failure.
  std::size_t read(std::span<uint8_t> into) { return sluice::read(reader_.get(), into); }
  /// Gives the reader away, for an emission.
  sluice_reader* release() { return reader_.release(); }

 private:
  struct Close { void operator()(sluice_reader* reader) const { host().close(reader); } };
  std::unique_ptr<sluice_reader, Close> reader_;
  uint64_t size_;
};

/// An object being written; aborts unless committed.
class Writer {
 public:
  explicit Writer(sluice_writer* writer) : writer_(writer) {}
  Writer(Writer&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
  Writer& operator=(Writer&&) = delete;
  ~Writer() { if (writer_ != nullptr) host().object_abort(writer_); }
  void write(std::span<const uint8_t> bytes) { check(host().write(writer_, bytes.data(), bytes.size())); }
  void commit() { check(host().object_commit(std::exchange(writer_, nullptr))); }

 private:
  sluice_writer* writer_;
};

/// A bucket of the pipeline, perhaps behind an access point. Any thread.
class Bucket {
 public:
  Bucket() = default;
  explicit Bucket(sluice_bucket_ref* ref) : ref_(ref) {}
  explicit operator bool() const { return ref_ != nullptr; }
  sluice_bucket_ref* get() const { return ref_; }
  std::string_view name() const { return view(host().reference_name(ref_)); }
  Reader open(std::string_view key, std::string_view if_match = {}, uint64_t offset = 0) const {
    sluice_reader* reader = nullptr;
    uint64_t size = 0;
    check(host().object_open(ref_, str(key), str(if_match), offset, &reader, &size));
    return Reader(reader, size);
  }
  Writer create(std::string_view key, std::string_view content_type = {}) const {
    sluice_writer* writer = nullptr;
    check(host().object_create(ref_, str(key), str(content_type), &writer));
    return Writer(writer);
  }
  void remove(std::string_view key) const { check(host().object_delete(ref_, str(key))); }

 private:
  sluice_bucket_ref* ref_ = nullptr;
};

/// What is put where: whatever stands there; where no item with its key is; where one is.
enum class PutMode : int32_t { upsert = 0, insert = 1, update = 2 };

/// A table of the pipeline. Any thread. The end of plugin.h has the rules of items, keys and statuses.
class Table {
 public:
  Table() = default;
  explicit Table(sluice_table_ref* ref) : ref_(ref) {}
  explicit operator bool() const { return ref_ != nullptr; }
  sluice_table_ref* ref() const { return ref_; }
  /// Calls failed(uint32_t item, int32_t status, std::string_view reason) for each that was not put.
  /// Throws Failure where the call could not be made.
  template <class Failed>
  void put(std::span<const std::string_view> items, PutMode mode, Failed&& failed) const {
    std::vector<sluice_str> texts;
    for (const std::string_view item : items) texts.push_back(str(item));
    std::vector<const sluice_str*> pointers;
    for (const sluice_str& text : texts) pointers.push_back(&text);
    std::vector<int32_t> status(items.size(), SLUICE_FATAL);
    std::vector<std::string> reasons(items.size());
    const auto keep = [](void* user, uint32_t item, sluice_str text) {
      auto& kept = *static_cast<std::vector<std::string>*>(user);
      try { if (item < kept.size()) kept[item] = view(text); } catch (...) {}
    };
    const auto count = static_cast<uint32_t>(items.size());
    const int32_t answer =
        host().table_put(ref_, count, pointers.data(), static_cast<int32_t>(mode), status.data(), &reasons, keep);
    if (answer != SLUICE_OK) throw Failure(answer, std::string(view(host().last_error())));
    for (uint32_t i = 0; i < count; ++i) {
      if (status[i] != SLUICE_OK) failed(i, status[i], std::string_view(reasons[i]));
    }
  }
  /// The item, nothing if there is none with this key. Throws Failure.
  std::optional<std::string> get(std::string_view key_json) const {
    std::string found;
    const auto keep = [](void* user, sluice_str json) {
      try { *static_cast<std::string*>(user) = view(json); } catch (...) {}
    };
    const int32_t status = host().table_get(ref_, str(key_json), &found, keep);
    if (status == SLUICE_NOT_FOUND) return std::nullopt;
    check(status);
    return found;
  }
  /// Calls each(std::string_view item, std::string_view token). True: there is more. Throws Failure.
  template <class Each>
  bool list(uint32_t limit, std::string_view next_token, Each&& each) const {
    struct Call {
      Each& each;
      std::exception_ptr thrown;
    } call{each, nullptr};
    const auto tell = [](void* user, sluice_str json, sluice_str token) {
      auto& to = *static_cast<Call*>(user);
      if (to.thrown) return;
      try { to.each(view(json), view(token)); } catch (...) { to.thrown = std::current_exception(); }
    };
    const int32_t status = host().table_list(ref_, limit, str(next_token), &call, tell);
    if (call.thrown) std::rethrow_exception(call.thrown);
    if (status == SLUICE_END) return false;
    check(status);
    return true;
  }

 private:
  sluice_table_ref* ref_ = nullptr;
};

/// Validated, complete options of one instance.
class Config {
 public:
  explicit Config(const sluice_config* config) : config_(config) {}
  const sluice_config* get() const { return config_; }
  std::string_view name() const { return view(host().component_name(config_)); }
  std::optional<std::string_view> find_text(const char* name) const {
    sluice_str text{};
    if (host().option_text(config_, name, &text) != SLUICE_OK) return std::nullopt;
    return view(text);
  }
  std::optional<int64_t> find_integer(const char* name) const {
    int64_t value = 0;
    if (host().option_integer(config_, name, &value) != SLUICE_OK) return std::nullopt;
    return value;
  }
  std::optional<double> find_number(const char* name) const {
    double value = 0;
    if (host().option_number(config_, name, &value) != SLUICE_OK) return std::nullopt;
    return value;
  }
  std::optional<std::string_view> find_json(const char* name) const {
    sluice_str json{};
    if (host().option_json(config_, name, &json) != SLUICE_OK) return std::nullopt;
    return view(json);
  }
  /// REQUIRES: the option is required or has a default.
  std::string_view text(const char* name) const { return need(find_text(name), name); }
  int64_t integer(const char* name) const { return need(find_integer(name), name); }
  double number(const char* name) const { return need(find_number(name), name); }
  bool boolean(const char* name) const { return integer(name) != 0; }
  Bucket bucket(const char* name) const { return Bucket(host().bucket(config_, name)); }
  Table table(const char* name) const { return Table(host().table(config_, name)); }
  std::string_view state_folder() const {
    sluice_str path{};
    check(host().state_folder(config_, &path));
    return view(path);
  }
  void error(const char* name, std::string_view text) const { host().option_error(config_, name, str(text)); }
  void log(int32_t level, std::string_view text) const { host().log(config_, level, str(text)); }

 private:
  template <class T>
  static T need(std::optional<T> value, const char* name) {
    if (!value) throw Failure(SLUICE_BAD_OPTION, std::string("option '") + name + "' is missing");
    return *value;
  }
  const sluice_config* config_;
};

/// A received message; borrowed.
class Message {
 public:
  explicit Message(const sluice_message* message) : message_(message) {}
  const sluice_message* operator->() const { return message_; }
  const sluice_message* get() const { return message_; }
  std::span<const uint8_t> body() const { return {message_->body, message_->body == nullptr ? 0 : message_->body_size}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(message_->body), body().size()}; }
  bool streamed() const { return message_->reader != nullptr; }
  const sluice_attribute* find(std::string_view name) const {
    for (uint32_t i = 0; i < message_->attribute_count; ++i) {
      if (view(message_->attributes[i]->name) == name) return message_->attributes[i];
    }
    return nullptr;
  }
  std::optional<std::string_view> attribute(std::string_view name) const {
    const sluice_attribute* found = find(name);
    if (found == nullptr) return std::nullopt;
    return view(found->value);
  }

 private:
  const sluice_message* message_;
};

class Batch {
 public:
  explicit Batch(const sluice_batch* batch) : batch_(batch) {}
  uint32_t size() const { return batch_->count; }
  Message operator[](uint32_t index) const { return Message(batch_->messages[index]); }
  const sluice_batch* get() const { return batch_; }

 private:
  const sluice_batch* batch_;
};

inline sluice_attribute attribute(std::string_view name, std::string_view value, uint32_t type = SLUICE_STRING) {
  return {sizeof(sluice_attribute), type, str(name), str(value)};
}

/// An option as its author writes it down; sluice_option has the meaning of each field.
struct Option {
  const char* name;
  const char* type;
  const char* default_json = nullptr;
  bool required = false;
  const char* minimum = nullptr;
  const char* maximum = nullptr;
  const char* choices = nullptr;
  const char* help;
};

/// constexpr sluice_option kMarks = sluice::option({.name = "marks", .type = "int", .help = "How many marks."});
constexpr sluice_option option(const Option& from) {
  return {sizeof(sluice_option), from.name, from.type, from.default_json, from.required ? 1u : 0u,
          from.minimum, from.maximum, from.choices, from.help};
}

/// An emission with its fields at zero.
inline sluice_emission emission(uint32_t parent = 0) {
  sluice_emission result{};
  result.struct_size = sizeof result;
  result.parent = parent;
  return result;
}

/// Where results go, inside process() or run().
class Out {
 public:
  explicit Out(sluice_out* out) : out_(out) {}
  sluice_out* get() const { return out_; }
  [[nodiscard]] int32_t emit(const sluice_emission& emission) { return host().emit(out_, &emission); }
  [[nodiscard]] int32_t emit(uint32_t parent, std::span<const uint8_t> body) {
    sluice_emission result = emission(parent);
    result.body = body.data();
    result.body_size = body.size();
    return host().emit(out_, &result);
  }
  int32_t flush() { return host().flush(out_); }
  int32_t exhausted() { return host().exhausted(out_); }
  int32_t progress(uint32_t index, uint64_t done, uint64_t total) { return host().progress(out_, index, done, total); }
  bool cancelled() { return host().progress(out_, 0, 0, 0) == SLUICE_CANCELLED; }
  void reject(uint32_t index, std::string_view reason, std::string_view detail = {}) {
    host().settle(out_, index, SLUICE_REJECT, -1, str(reason), str(detail));
  }
  void retry(uint32_t index, std::string_view reason, std::string_view detail = {}, int64_t after_ms = -1) {
    host().settle(out_, index, SLUICE_RETRY, after_ms, str(reason), str(detail));
  }
  void ignore(uint32_t index) { host().ignore(out_, index); }

 private:
  static sluice_emission emission(uint32_t parent) { return sluice::emission(parent); }
  sluice_out* out_;
};

namespace detail {

template <class T>
int32_t check_trampoline(const sluice_host* host, const sluice_config* config) {
  if (host_slot() != host) host_slot() = host;  // instances may be at work: a configuration is read again
  if constexpr (requires { T::check(Config(config)); }) {
    return guarded(nullptr, [&]() -> int32_t { return T::check(Config(config)) ? SLUICE_OK : SLUICE_BAD_OPTION; });
  } else {
    return SLUICE_OK;
  }
}

template <class T>
int32_t create_trampoline(const sluice_host* host, const sluice_config* config, void** self, sluice_str* error) {
  if (host_slot() != host) host_slot() = host;  // as above: workers are added while others work
  return guarded(error, [&]() -> int32_t {
    *self = new T(Config(config));
    return SLUICE_OK;
  });
}

template <class T>
void destroy_trampoline(void* self) { delete static_cast<T*>(self); }

template <class T>
void cancel_trampoline(void* self) {
  if constexpr (requires(T& object) { object.cancel(); }) static_cast<T*>(self)->cancel();
}

/// Every message of the batch becomes visible again; `text` stands in its dead letter if it keeps
/// failing.
inline void retry_batch(const sluice_batch* batch, sluice_out* out, sluice_str text) {
  const sluice_str reason = text.size != 0 ? text : str("an exception without a text");
  host().log(nullptr, SLUICE_LOG_WARNING, reason);
  for (uint32_t i = 0; i < batch->count; ++i)
    host().settle(out, i, SLUICE_RETRY, -1, reason, sluice_str{});
}

template <class T>
int32_t process_trampoline(void* self, const sluice_batch* batch, sluice_out* out) {
  sluice_str error{};
  const auto body = [&]() -> int32_t {
    Out wrapped(out);
    static_cast<T*>(self)->process(Batch(batch), wrapped);
    return SLUICE_OK;
  };
  const int32_t status = guarded(&error, body, SLUICE_RETRY);
  if (status == SLUICE_FATAL)
    host().log(nullptr, SLUICE_LOG_ERROR, error);
  if (status == SLUICE_OK || status == SLUICE_FATAL || status == SLUICE_CANCELLED)
    return status;
  retry_batch(batch, out, error);
  return SLUICE_OK;
}

template <class T>
int32_t run_trampoline(void* self, sluice_out* out) {
  sluice_str error{};
  int32_t status = guarded(&error, [&]() -> int32_t {
    Out wrapped(out);
    return static_cast<T*>(self)->run(wrapped);
  });
  if (error.size != 0) host().log(nullptr, SLUICE_LOG_ERROR, error);
  return status;
}

template <class T>
void settled_trampoline(void* self, uint64_t cookie, int32_t worst) {
  if constexpr (requires(T& object) { object.settled(cookie, worst); }) {
    guarded(nullptr, [&]() -> int32_t {
      static_cast<T*>(self)->settled(cookie, worst);
      return SLUICE_OK;
    });
  }
}

template <class T>
int32_t finish_trampoline(void* self, sluice_str* error) {
  return guarded(error, [&]() -> int32_t {
    if constexpr (requires(T& object) { object.finish(); }) static_cast<T*>(self)->finish();
    return SLUICE_OK;
  });
}

template <class T>
inline const sluice_stage kStageFunctions = {sizeof(sluice_stage), process_trampoline<T>};
template <class T>
inline const sluice_source kSourceFunctions = {sizeof(sluice_source), run_trampoline<T>, settled_trampoline<T>,
                                               finish_trampoline<T>};

template <class T>
sluice_component component(const char* kind, const char* type, const char* help, uint32_t flags,
                           const sluice_option* const* options, const void* functions) {
  return {sizeof(sluice_component), flags, kind, type, help, options, check_trampoline<T>, create_trampoline<T>,
          destroy_trampoline<T>, cancel_trampoline<T>, functions};
}

}  // namespace detail

/// A stage of class T. `options` ends with NULL and lives for ever. T may have `static bool check(const Config&)`.
template <class T>
sluice_component stage(const char* type, const char* help, uint32_t flags, const sluice_option* const* options) {
  return detail::component<T>("stage", type, help, flags, options, &detail::kStageFunctions<T>);
}

/// A source of class T.
template <class T>
sluice_component source(const char* type, const char* help, uint32_t flags, const sluice_option* const* options) {
  return detail::component<T>("source", type, help, flags, options, &detail::kSourceFunctions<T>);
}

/// A bucket of class T with nested classes T::Reader, T::Writer and T::Watch:
///   std::unique_ptr<Reader> open(key, if_match, offset, uint64_t* size);  Reader: size_t read(span), 0 at the end
///   std::unique_ptr<Writer> begin(key, content_type);  Writer: write(span), commit(); its destructor aborts
///   void remove(key);
///   int32_t list(prefix, after, each);  each: int32_t(std::string_view key, uint64_t size, etag, int64_t modified_ms)
///   std::unique_ptr<Watch> watch(prefix, poll_interval_ms);  Watch: int32_t next(wait_ms, each), void cancel()
/// Errors are thrown as Failure.
namespace detail {

struct Each {
  void* user;
  sluice_object_fn function;
  int32_t operator()(std::string_view key, uint64_t size, std::string_view etag, int64_t modified_ms) const {
    return function(user, str(key), size, str(etag), modified_ms);
  }
};

template <class T>
struct BucketTrampolines {
  using R = typename T::Reader;
  using W = typename T::Writer;
  using N = typename T::Watch;
  static int32_t open(void* self, sluice_str key, sluice_str if_match, uint64_t offset, void** reader, uint64_t* size,
                      sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      std::unique_ptr<R> opened = static_cast<T*>(self)->open(view(key), view(if_match), offset, size);
      *reader = opened.release();
      return SLUICE_OK;
    });
  }
  static int32_t read(void* reader, uint8_t* into, uint64_t capacity, uint64_t* got, sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      *got = static_cast<R*>(reader)->read(std::span<uint8_t>(into, capacity));
      return *got == 0 && capacity != 0 ? SLUICE_END : SLUICE_OK;
    });
  }
  static void close(void* reader) { delete static_cast<R*>(reader); }
  static int32_t begin(void* self, sluice_str key, sluice_str content_type, void** writer, sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      std::unique_ptr<W> begun = static_cast<T*>(self)->begin(view(key), view(content_type));
      *writer = begun.release();
      return SLUICE_OK;
    });
  }
  static int32_t write(void* writer, const uint8_t* bytes, uint64_t size, sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      static_cast<W*>(writer)->write(std::span<const uint8_t>(bytes, size));
      return SLUICE_OK;
    });
  }
  static int32_t commit(void* writer, sluice_str* error) {
    std::unique_ptr<W> owned(static_cast<W*>(writer));
    return guarded(error, [&]() -> int32_t {
      owned->commit();
      return SLUICE_OK;
    });
  }
  static void abort(void* writer) { delete static_cast<W*>(writer); }
  static int32_t remove(void* self, sluice_str key, sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      static_cast<T*>(self)->remove(view(key));
      return SLUICE_OK;
    });
  }
  static int32_t list(void* self, sluice_str prefix, sluice_str after, void* user, sluice_object_fn each,
                      sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      return static_cast<T*>(self)->list(view(prefix), view(after), Each{user, each});
    });
  }
  static int32_t watch_open(void* self, sluice_str prefix, int64_t poll_interval_ms, void** watch, sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      std::unique_ptr<N> opened = static_cast<T*>(self)->watch(view(prefix), poll_interval_ms);
      *watch = opened.release();
      return SLUICE_OK;
    });
  }
  static int32_t watch_next(void* watch, int64_t wait_ms, void* user, sluice_object_fn each, sluice_str* error) {
    return guarded(error, [&]() -> int32_t { return static_cast<N*>(watch)->next(wait_ms, Each{user, each}); });
  }
  static void watch_cancel(void* watch) { static_cast<N*>(watch)->cancel(); }
  static void watch_close(void* watch) { delete static_cast<N*>(watch); }
  static constexpr sluice_bucket kFunctions = {sizeof(sluice_bucket), open, read, close, begin, write, commit, abort,
                                               remove, list, watch_open, watch_next, watch_cancel, watch_close};
};

}  // namespace detail

template <class T>
sluice_component bucket(const char* type, const char* help, uint32_t flags, const sluice_option* const* options) {
  return detail::component<T>("bucket", type, help, flags, options, &detail::BucketTrampolines<T>::kFunctions);
}

/// The items of a put, as JSON texts.
class PutItems {
 public:
  PutItems(uint32_t count, const sluice_str* const* items) : count_(count), items_(items) {}
  uint32_t size() const { return count_; }
  std::string_view operator[](uint32_t item) const { return view(*items_[item]); }

 private:
  uint32_t count_;
  const sluice_str* const* items_;
};

/// What becomes of them: put, unless it is said that one failed.
class PutResult {
 public:
  PutResult(int32_t* status, void* user, void (*reason)(void* user, uint32_t item, sluice_str text))
      : status_(status), user_(user), reason_(reason) {}
  void fail(uint32_t item, int32_t status, std::string_view reason) {
    status_[item] = status;
    if (reason_ != nullptr) reason_(user_, item, str(reason));
  }

 private:
  int32_t* status_;
  void* user_;
  void (*reason_)(void* user, uint32_t item, sluice_str text);
};

/// Takes each(item, token) of a list.
class EachItem {
 public:
  EachItem(void* user, void (*item)(void* user, sluice_str json, sluice_str token)) : user_(user), item_(item) {}
  void operator()(std::string_view json, std::string_view token) const { item_(user_, str(json), str(token)); }

 private:
  void* user_;
  void (*item_)(void* user, sluice_str json, sluice_str token);
};

/// A table of class T; its functions are called by several threads at once:
///   void put(const PutItems& items, PutMode mode, PutResult& result);  throws: nothing was put, each item fails so
///   std::optional<std::string> get(std::string_view key_json);
///   bool list(uint32_t limit, std::string_view next_token, const EachItem& each);  true: there is more
/// Errors are thrown as Failure.
namespace detail {

template <class T>
struct TableTrampolines {
  static int32_t put(void* self, uint32_t count, const sluice_str* const* items, int32_t mode, int32_t* status,
                     void* user, void (*reason)(void* user, uint32_t item, sluice_str text)) {
    sluice_str error{};
    PutResult result(status, user, reason);
    const int32_t answer = guarded(&error, [&]() -> int32_t {
      for (uint32_t i = 0; i < count; ++i) status[i] = SLUICE_OK;
      static_cast<T*>(self)->put(PutItems(count, items), static_cast<PutMode>(mode), result);
      return SLUICE_OK;
    });
    for (uint32_t i = 0; answer != SLUICE_OK && i < count; ++i) result.fail(i, answer, view(error));
    return SLUICE_OK;
  }
  static int32_t get(void* self, sluice_str key_json, void* user, void (*item)(void* user, sluice_str json),
                     sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      const std::optional<std::string> found = static_cast<T*>(self)->get(view(key_json));
      if (!found) return SLUICE_NOT_FOUND;
      item(user, str(*found));
      return SLUICE_OK;
    });
  }
  static int32_t list(void* self, uint32_t limit, sluice_str next_token, void* user,
                      void (*item)(void* user, sluice_str json, sluice_str token), sluice_str* error) {
    return guarded(error, [&]() -> int32_t {
      return static_cast<T*>(self)->list(limit, view(next_token), EachItem(user, item)) ? SLUICE_OK : SLUICE_END;
    });
  }
  static constexpr sluice_table kFunctions = {sizeof(sluice_table), put, get, list};
};

}  // namespace detail

template <class T>
sluice_component table(const char* type, const char* help, uint32_t flags, const sluice_option* const* options) {
  return detail::component<T>("table", type, help, flags, options, &detail::TableTrampolines<T>::kFunctions);
}

}  // namespace sluice

/// Defines the entry point. Arguments after the version: pointers to components that live for ever.
#define SLUICE_PLUGIN(plugin_id, plugin_version, ...)                                                     \
  extern "C" SLUICE_EXPORT const sluice_plugin* sluice_plugin_entry_v1(void) {                            \
    static const sluice_component* const components[] = {__VA_ARGS__, nullptr};                           \
    static const sluice_plugin plugin = {sizeof(sluice_plugin), SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR,       \
                                         plugin_id, plugin_version, components};                          \
    return &plugin;                                                                                       \
  }
