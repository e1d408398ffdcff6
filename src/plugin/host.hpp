// The host's side of the ABI: its function table, and the objects behind the ABI's opaque handles
// for buckets. Data of other components passes here and nowhere else, so access points hold.
#pragma once

#include <sluice/plugin.h>

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "plugin/options.hpp"

/// A bucket as one user sees it: the whole, or an access point of it. Constant after construction.
struct sluice_bucket_ref {
  enum Action : unsigned { get = 1, put = 2, remove = 4, list = 8, all = 15 };
  const sluice_bucket* functions = nullptr;
  void* self = nullptr;
  std::string bucket;        ///< name in the pipeline
  std::string access_point;  ///< empty: the whole bucket
  std::string prefix;        ///< keys are below it; every key passed must begin with it
  unsigned allow = all;
};

struct sluice_table_ref {
  const sluice_table* functions = nullptr;
  void* self = nullptr;
  std::string table;
};

namespace sluice::core {

/// The one table. [any]
const sluice_host& host();

/// now_ms() answers from this clock (default: the system's). [control], before any instance lives.
void set_host_clock(Clock& clock);

/// A created component. Destroys itself; movable. [control]
class Instance {
 public:
  /// Calls create(). Errors: config 78, unavailable 69, missing_input 66, internal 70, with the plugin's text.
  static Result<Instance> create(std::unique_ptr<sluice_config> config);
  Instance(Instance&& other) noexcept;
  Instance& operator=(Instance&& other) noexcept;
  ~Instance();

  void* self() const { return self_; }
  const Component& component() const { return *config_->component; }
  const sluice_config& config() const { return *config_; }
  /// The struct of its kind. REQUIRES: T is that struct.
  template <class T>
  const T& functions() const {
    return *static_cast<const T*>(component().descriptor->functions);
  }
  void cancel() const;  ///< [any]

 private:
  Instance(std::unique_ptr<sluice_config> config, void* self);
  std::unique_ptr<sluice_config> config_;
  void* self_ = nullptr;
};

/// Names the component that runs on this thread, for log lines of plugins. Restores the former name.
class ComponentScope {
 public:
  explicit ComponentScope(const char* name);  ///< borrowed for the scope
  ~ComponentScope();
  ComponentScope(const ComponentScope&) = delete;
  ComponentScope& operator=(const ComponentScope&) = delete;

 private:
  const char* former_;
};

/// Reads all of `reader` into memory: SLUICE_OK, SLUICE_TOO_LARGE over `bytes_max`, or the reader's error.
int32_t read_all(sluice_reader& reader, uint64_t bytes_max, std::string* body);

/// A reader over bytes in memory, for `sluice stage` and tests. The bytes are copied.
sluice_reader* memory_reader(std::string body);

/// A reader over an open file descriptor (owned), for `sluice stage FILE`.
sluice_reader* file_reader(int descriptor);

}  // namespace sluice::core
