// Bytes in, resized bytes out: the whole way of one picture.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "image_resize/fault.hpp"
#include "image_resize/settings.hpp"

namespace sluice::image_resize {

/// One finished output. `bytes` are valid only inside the call that hands it over.
struct Encoded {
  std::size_t index;  ///< in Settings::boxes
  std::uint32_t width;
  std::uint32_t height;
  Format format;
  std::span<const std::uint8_t> bytes;
};

/// Takes an output; false ends the work with Code::cancelled.
struct Sink {
  bool (*take)(void* user, const Encoded& output);
  void* user;
};

/// Decoder, scaler and encoders of one worker; keeps their memory from picture to picture. One thread.
class Resizer {
 public:
  Resizer();
  ~Resizer();
  Resizer(const Resizer&) = delete;
  Resizer& operator=(const Resizer&) = delete;

  /// Nothing reaches `sink` before the whole picture was decoded without a fault. The same bytes and
  /// settings give the same output on every machine. Never throws: std::bad_alloc becomes
  /// Code::out_of_memory.
  Result<void> run(std::span<const std::uint8_t> bytes, const Settings& settings, const Sink& sink,
                   const Watch& watch = {});

 private:
  struct State;
  Result<void> try_run(std::span<const std::uint8_t> bytes, const Settings& settings, const Sink& sink,
                       const Watch& watch);
  std::unique_ptr<State> state_;
};

/// JPEG or PNG by the first bytes; nullopt: neither.
std::optional<Format> sniff(std::span<const std::uint8_t> bytes);

}  // namespace sluice::image_resize
