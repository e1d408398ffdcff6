#include "support/test_storage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::test {

using core::Errc;
using core::fail;
using core::Result;

/// Counts down to a failure that stays.
static bool strikes(std::uint64_t& in, bool& failing) {
  if (in != 0 && --in == 0) {
    failing = true;
  }
  return failing;
}

std::uint64_t TestStorage::Disk::used() const {
  std::uint64_t sum = 0;
  for (const auto& [path, node] : files) {
    sum += node->bytes.size();
  }
  return sum;
}

class TestStorage::File final : public core::AppendFile {
 public:
  File(std::shared_ptr<Disk> disk, std::string path, std::shared_ptr<Node> node)
      : disk_(std::move(disk)),
        path_(std::move(path)),
        node_(std::move(node)) {}

  std::uint64_t size() const override {
    std::lock_guard lock(disk_->mutex);
    return node_->bytes.size();
  }
  const std::string& path() const override { return path_; }
  Result<void> append(std::string_view bytes) override {
    std::lock_guard lock(disk_->mutex);
    if (strikes(disk_->append_fails_in, disk_->append_fails)) {
      node_->bytes += bytes.substr(0, bytes.size() / 2);
      return fail(Errc::io, fmt::format("cannot write '{}': told to fail", path_));
    }
    const std::uint64_t room = disk_->room();
    node_->bytes += bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
    if (room < bytes.size()) {
      return fail(Errc::io, fmt::format("cannot write '{}': no space left on device", path_));
    }
    disk_->calls.push_back("append " + path_);
    return {};
  }
  Result<void> sync() override {
    std::lock_guard lock(disk_->mutex);
    if (strikes(disk_->sync_fails_in, disk_->sync_fails)) {
      return fail(Errc::io, fmt::format("cannot sync '{}': told to fail", path_));
    }
    node_->durable.resize(node_->in_common);
    node_->durable.append(node_->bytes, node_->in_common);
    node_->in_common = node_->bytes.size();
    disk_->calls.push_back("sync " + path_);
    return {};
  }
  Result<std::string> read(std::uint64_t offset, std::size_t bytes_max) override {
    std::lock_guard lock(disk_->mutex);
    return offset >= node_->bytes.size() ? std::string() : node_->bytes.substr(offset, bytes_max);
  }
  Result<void> truncate(std::uint64_t size) override {
    std::lock_guard lock(disk_->mutex);
    if (strikes(disk_->truncate_fails_in, disk_->truncate_fails)) {
      return fail(Errc::io, fmt::format("cannot truncate '{}': told to fail", path_));
    }
    node_->bytes.resize(size);
    node_->in_common = std::min(node_->in_common, size);
    return {};
  }

 private:
  std::shared_ptr<Disk> disk_;
  std::string path_;
  std::shared_ptr<Node> node_;
};

class TestStorage::Lock final : public core::FolderLock {
 public:
  Lock(std::shared_ptr<Disk> disk, std::string path)
      : disk_(std::move(disk)),
        path_(std::move(path)) {}
  ~Lock() override {
    std::lock_guard lock(disk_->mutex);
    disk_->locks.erase(path_);
  }

 private:
  std::shared_ptr<Disk> disk_;
  std::string path_;
};

void TestStorage::arm(std::uint64_t Disk::*knob, std::uint64_t value) {
  std::lock_guard lock(disk_->mutex);
  (*disk_).*knob = value;
}

void TestStorage::cut_power(std::uint64_t torn_bytes) {
  std::lock_guard lock(disk_->mutex);
  disk_->append_fails_in = disk_->sync_fails_in = disk_->truncate_fails_in = 0;
  disk_->append_fails = disk_->sync_fails = disk_->truncate_fails = false;
  for (auto& [path, node] : disk_->files) {
    const bool was_cut = node->in_common < node->durable.size();  // which is lost, too
    const std::uint64_t kept = std::min<std::uint64_t>(node->bytes.size(), node->durable.size() + torn_bytes);
    node->bytes = was_cut ? node->durable : node->bytes.substr(0, std::max<std::uint64_t>(kept, node->durable.size()));
    node->durable = node->bytes;
    node->in_common = node->bytes.size();
  }
}

std::string TestStorage::content(const std::string& path) const {
  std::lock_guard lock(disk_->mutex);
  auto found = disk_->files.find(path);
  return found != disk_->files.end() ? found->second->bytes : std::string();
}

std::string TestStorage::durable_content(const std::string& path) const {
  std::lock_guard lock(disk_->mutex);
  auto found = disk_->files.find(path);
  return found != disk_->files.end() ? found->second->durable : std::string();
}

void TestStorage::put(const std::string& path, std::string content) {
  std::lock_guard lock(disk_->mutex);
  disk_->files[path] = std::make_shared<Node>(Node{content, content, content.size()});
}

std::vector<std::string> TestStorage::calls() const {
  std::lock_guard lock(disk_->mutex);
  return disk_->calls;
}

Result<void> TestStorage::make_folders(const std::string&) { return {}; }

bool TestStorage::exists(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  return disk_->files.contains(path);
}

Result<std::unique_ptr<core::AppendFile>> TestStorage::open_append(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  std::shared_ptr<Node>& node = disk_->files[path];
  if (node == nullptr) {
    node = std::make_shared<Node>();
  }
  return std::make_unique<File>(disk_, path, node);
}

Result<void> TestStorage::replace(const std::string& from, const std::string& to) {
  std::lock_guard lock(disk_->mutex);
  auto found = disk_->files.find(from);
  if (found == disk_->files.end()) {
    return fail(Errc::io, fmt::format("cannot rename '{}': no such file", from));
  }
  disk_->files[to] = found->second;
  disk_->files.erase(from);
  disk_->calls.push_back("replace " + to);
  return {};
}

std::uint64_t TestStorage::room(const std::string&) {
  std::lock_guard lock(disk_->mutex);
  return disk_->room();
}

Result<void> TestStorage::remove(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  disk_->files.erase(path);
  return {};
}

bool TestStorage::folder_is_locked(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  return disk_->locks.contains(path);
}

Result<std::unique_ptr<core::FolderLock>> TestStorage::lock_folder(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  if (!disk_->locks.insert(path).second) {
    return fail(Errc::cannot_create, fmt::format("folder '{}' is in use", path));
  }
  return std::make_unique<Lock>(disk_, path);
}

}  // namespace sluice::test
