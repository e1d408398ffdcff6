#include "plugin/handles.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "plugin/host.hpp"

int32_t sluice_reader::read(uint8_t* into, uint64_t capacity, uint64_t* got) {
  *got = 0;
  if (ended_) {
    return SLUICE_END;
  }
  if (capacity == 0) {
    return SLUICE_OK;
  }
  const int32_t status = read_some(into, capacity, got);
  ended_ = status == SLUICE_END;
  if (status != SLUICE_OK) {
    *got = 0;
    return status;
  }
  if (*got == 0 || *got > capacity) {  // a bucket that breaks the contract would loop or overrun
    const uint64_t claimed = std::exchange(*got, 0);
    return sluice::core::failed(
        SLUICE_FATAL, fmt::format("a bucket's read answered {} of {} bytes", claimed, capacity));
  }
  return SLUICE_OK;
}

namespace sluice::core {

namespace {

thread_local std::string last_error_slot;

class MemoryReader final : public sluice_reader {
 public:
  explicit MemoryReader(std::string body) : body_(std::move(body)) {}

 private:
  int32_t read_some(uint8_t* into, uint64_t capacity, uint64_t* got) override {
    *got = std::min<uint64_t>(capacity, body_.size() - at_);
    if (*got == 0) {
      return SLUICE_END;
    }
    std::memcpy(into, body_.data() + at_, *got);
    at_ += *got;
    return SLUICE_OK;
  }

  std::string body_;
  std::size_t at_ = 0;
};

class FileReader final : public sluice_reader {
 public:
  explicit FileReader(int descriptor) : descriptor_(descriptor) {}
  ~FileReader() override { ::close(descriptor_); }

 private:
  int32_t read_some(uint8_t* into, uint64_t capacity, uint64_t* got) override {
    constexpr uint64_t kCallMax = uint64_t{1} << 30;  // read(2) takes no more than 2^31 anyway
    ssize_t count;
    do {
      count = ::read(descriptor_, into, std::min(capacity, kCallMax));
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
      return failed(SLUICE_UNAVAILABLE, "cannot read: " + std::generic_category().message(errno));
    }
    *got = static_cast<uint64_t>(count);
    return count == 0 ? SLUICE_END : SLUICE_OK;
  }

  const int descriptor_;
};

}  // namespace

void set_last_error(std::string text) {
  last_error_slot = std::move(text);
}
std::string_view last_error_text() {
  return last_error_slot;
}

int32_t failed(int32_t status, std::string text) {
  set_last_error(std::move(text));
  return status;
}

int32_t failed_in(int32_t status, sluice_str error, std::string_view what) {
  if (error.data != nullptr && error.size > 0) {
    constexpr uint64_t kTextMax = 4096;
    return failed(status, std::string(error.data, std::min(error.size, kTextMax)));
  }
  return failed(status, fmt::format("{}: {}", what, status_text(status)));
}

std::string_view status_text(int32_t status) {
  switch (status) {
    case SLUICE_OK:
      return "ok";
    case SLUICE_RETRY:
      return "to be tried again";
    case SLUICE_REJECT:
      return "rejected";
    case SLUICE_END:
      return "at the end";
    case SLUICE_CANCELLED:
      return "cancelled";
    case SLUICE_WOULD_BLOCK:
      return "nothing to be had without waiting";
    case SLUICE_NOT_FOUND:
      return "not found";
    case SLUICE_DENIED:
      return "denied";
    case SLUICE_CONFLICT:
      return "changed meanwhile";
    case SLUICE_TOO_LARGE:
      return "too large";
    case SLUICE_UNAVAILABLE:
      return "unavailable";
    case SLUICE_BAD_OPTION:
      return "bad option";
    case SLUICE_STALE:
      return "lease expired";
    case SLUICE_FATAL:
      return "fatal";
    case SLUICE_INVALID:
      return "invalid";
    case SLUICE_IO:
      return "input or output failed";
    default:
      return "unknown status";
  }
}

sluice_reader* memory_reader(std::string body) {
  return new MemoryReader(std::move(body));
}
sluice_reader* file_reader(int descriptor) {
  return new FileReader(descriptor);
}

int32_t read_all(sluice_reader& reader, uint64_t bytes_max, std::string* body) {
  constexpr uint64_t kStep = 64 << 10;
  body->clear();
  for (;;) {
    // One byte over the limit is asked for, to tell a body that just fits from a longer one.
    const uint64_t had = body->size();
    const uint64_t step =
        std::min(std::max(kStep, had), bytes_max - had + (bytes_max < UINT64_MAX ? 1 : 0));
    body->resize(had + step);
    uint64_t got = 0;
    const int32_t status = reader.read(reinterpret_cast<uint8_t*>(body->data()) + had, step, &got);
    body->resize(had + got);
    if (status == SLUICE_END) {
      return SLUICE_OK;
    }
    if (status != SLUICE_OK) {
      return status;
    }
    if (body->size() > bytes_max) {
      body->clear();
      return failed(SLUICE_TOO_LARGE, fmt::format("the body is longer than {} bytes", bytes_max));
    }
  }
}

}  // namespace sluice::core
