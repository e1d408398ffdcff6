// A message outside of any chunk: what `sluice stage` gives to its stage and takes from it.
#pragma once

#include <sluice/plugin.h>

#include <map>
#include <string>
#include <vector>

#include "base/id.hpp"

namespace sluice::core {

/// Owns its bytes.
struct StageMessage {
  struct Attribute {
    std::uint32_t type;  ///< SLUICE_STRING ...
    std::string value;
  };
  Uuid id;
  std::string body;
  std::map<std::string, Attribute, std::less<>> attributes;
  std::string group_id;
  std::int64_t sent_ms = 0;  ///< wall clock
  std::uint32_t receive_count = 0;
};

/// It as the ABI shows it. Borrows the message.
class StageMessageView {
 public:
  explicit StageMessageView(const StageMessage& message);
  StageMessageView(const StageMessageView&) = delete;
  StageMessageView& operator=(const StageMessageView&) = delete;
  /// The body is `reader` instead, of `size` bytes (UINT64_MAX: unknown). Borrowed.
  void stream(sluice_reader* reader, std::uint64_t size);
  const sluice_message& get() const { return view_; }

 private:
  sluice_message view_{};
  std::vector<sluice_attribute> attributes_;
  std::vector<const sluice_attribute*> pointers_;
};

}  // namespace sluice::core
