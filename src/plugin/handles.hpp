// The objects behind the ABI's reader, writer and watch handles, and the text that last_error()
// returns. One owner each: who got the handle from the host, until close, commit or abort.
#pragma once

#include <sluice/plugin.h>

#include <string>
#include <string_view>

/// One reader belongs to one thread at a time.
struct sluice_reader {
  sluice_reader() = default;
  virtual ~sluice_reader() = default;
  sluice_reader(const sluice_reader&) = delete;
  sluice_reader& operator=(const sluice_reader&) = delete;

  /// As the host call `read`. After the first END it answers END for ever.
  int32_t read(uint8_t* into, uint64_t capacity, uint64_t* got);

 protected:
  /// OK and 1..capacity bytes, END, or an error with its text in set_last_error(). REQUIRES:
  /// capacity > 0.
  virtual int32_t read_some(uint8_t* into, uint64_t capacity, uint64_t* got) = 0;

 private:
  bool ended_ = false;
};

namespace sluice::core {

/// Keeps `text` for last_error() on this thread.
void set_last_error(std::string text);
std::string_view last_error_text();

/// `set_last_error(text)`, then `status`: for `return failed(SLUICE_DENIED, "...")`.
int32_t failed(int32_t status, std::string text);

/// Keeps a component's error text, or a sentence made of `what` and the status where it gave none.
int32_t failed_in(int32_t status, sluice_str error, std::string_view what);

/// "not found", "denied", ...: a status for people.
std::string_view status_text(int32_t status);

}  // namespace sluice::core
