// Where a running engine answers: a file in its state folder, for the commands that look for it.
#pragma once

#include <optional>
#include <string>

#include "base/listen_address.hpp"

namespace sluice::core {

/// Where an engine answers, and which one: another may get its address after it was killed.
struct EngineAddress {
  ListenAddress address;
  std::string instance;  ///< as its /healthz says
};

/// Written while it lives, removed after. An engine without an admin address removes what an
/// earlier one left.
class AddressFile {
 public:
  /// `address`: nullopt: there is none.
  AddressFile(const std::string& state, const std::optional<EngineAddress>& address);
  ~AddressFile();
  AddressFile(const AddressFile&) = delete;
  AddressFile& operator=(const AddressFile&) = delete;

 private:
  std::string path_;
};

/// nullopt: there is none, or it cannot be read.
std::optional<EngineAddress> read_address_file(const std::string& state);

}  // namespace sluice::core
