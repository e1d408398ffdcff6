#include "admin/address_file.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/log.hpp"

namespace sluice::core {
namespace {

std::string path_in(const std::string& state) {
  return state + "/admin";
}

}  // namespace

AddressFile::AddressFile(const std::string& state, const std::optional<EngineAddress>& address)
    : path_(path_in(state)) {
  std::remove(path_.c_str());
  if (!address)
    return;
  const std::string fresh = path_ + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  file << to_text(address->address) << '\n' << address->instance << '\n';
  file.close();
  std::error_code error;
  std::filesystem::rename(fresh, path_, error);
  if (!file || error)
    log_warning(
        "",
        "cannot write '{}': the command `sluice queue` will not find the admin address by itself",
        path_);
}

AddressFile::~AddressFile() {
  std::remove(path_.c_str());
}

std::optional<EngineAddress> read_address_file(const std::string& state) {
  std::ifstream file(path_in(state));
  std::string line, instance;
  std::getline(file, line);
  std::getline(file, instance);
  Result<ListenAddress> address = parse_listen_address(line);
  if (!address || instance.empty())
    return std::nullopt;
  return EngineAddress{std::move(*address), std::move(instance)};
}

}  // namespace sluice::core
