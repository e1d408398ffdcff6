#include "support/ledger.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace sluice::test {
namespace {

constexpr std::size_t kFaultsMax = 20;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    }
    table[i] = value;
  }
  return table;
}

}  // namespace

std::uint32_t crc32(std::span<const std::uint8_t> bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_table();
  std::uint32_t crc = ~0u;
  for (std::uint8_t byte : bytes) {
    crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

std::string stamped_body(std::uint32_t producer, std::uint64_t sequence, std::size_t payload_bytes, std::uint32_t attempt) {
  std::string body(Stamp::kBytes + payload_bytes, '\0');
  std::uint64_t state = (sequence + 1) * 0x9e3779b97f4a7c15 + producer;
  for (std::size_t i = Stamp::kBytes; i < body.size(); ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    body[i] = static_cast<char>(state >> 56);
  }
  std::uint32_t crc = crc32({reinterpret_cast<const std::uint8_t*>(body.data()) + Stamp::kBytes, payload_bytes});
  std::memcpy(body.data(), &producer, 4);
  std::memcpy(body.data() + 4, &attempt, 4);
  std::memcpy(body.data() + 8, &sequence, 8);
  std::memcpy(body.data() + 16, &crc, 4);
  return body;
}

std::optional<Stamp> read_stamp(std::span<const std::uint8_t> body) {
  if (body.size() < Stamp::kBytes) {
    return std::nullopt;
  }
  Stamp stamp;
  std::memcpy(&stamp.producer, body.data(), 4);
  std::memcpy(&stamp.attempt, body.data() + 4, 4);
  std::memcpy(&stamp.sequence, body.data() + 8, 8);
  std::memcpy(&stamp.crc, body.data() + 16, 4);
  if (crc32(body.subspan(Stamp::kBytes)) != stamp.crc) {
    return std::nullopt;
  }
  return stamp;
}

void Ledger::complain(std::string text) {
  if (faults_.size() < kFaultsMax) {
    faults_.push_back(std::move(text));
  }
}

void Ledger::issued(std::uint32_t producer, std::uint64_t sequence) {
  std::lock_guard lock(mutex_);
  entries_[{producer, sequence}].branches.resize(branches_);
}

void Ledger::acknowledged(std::uint32_t producer, std::uint64_t sequence) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find({producer, sequence});
  if (found == entries_.end()) {
    return complain(fmt::format("I2: {}/{} was acknowledged but never issued", producer, sequence));
  }
  if (++found->second.acknowledged != 1) {
    complain(fmt::format("I1: {}/{} was acknowledged again", producer, sequence));
  }
  for (const Branch& branch : found->second.branches) {
    if (branch.done == 0) {
      complain(fmt::format("I1: {}/{} was acknowledged before its end in every branch", producer, sequence));
    }
  }
}

void Ledger::leased(std::uint32_t branch, std::span<const std::uint8_t> body, std::uint32_t receive_count) {
  std::optional<Stamp> stamp = read_stamp(body);
  std::lock_guard lock(mutex_);
  if (!stamp || !entries_.contains({stamp->producer, stamp->sequence})) {
    return complain("I2: something was delivered that was not issued, or not whole");
  }
  Branch& at = entries_[{stamp->producer, stamp->sequence}].branches[branch];
  if (at.open++ != 0) {
    complain(fmt::format("I4: {}/{} has two leases in branch {}", stamp->producer, stamp->sequence, branch));
  }
  if (receive_count != at.receive_count + 1) {
    complain(fmt::format("I5: {}/{}: receive count {} after {}", stamp->producer, stamp->sequence, receive_count, at.receive_count));
  }
  at.receive_count = receive_count;
}

void Ledger::ended(std::uint32_t branch, std::span<const std::uint8_t> body, End end) {
  std::optional<Stamp> stamp = read_stamp(body);
  std::lock_guard lock(mutex_);
  if (!stamp || !entries_.contains({stamp->producer, stamp->sequence})) {
    return complain("I2: something ended that was not issued, or not whole");
  }
  ++ends_[end];
  Branch& at = entries_[{stamp->producer, stamp->sequence}].branches[branch];
  at.open -= at.open != 0 ? 1 : 0;
  at.done += end == End::deleted || end == End::dead_lettered ? 1 : 0;
}

std::uint64_t Ledger::issued_count() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

std::uint64_t Ledger::ends(End end) const {
  std::lock_guard lock(mutex_);
  auto found = ends_.find(end);
  return found != ends_.end() ? found->second : 0;
}

std::vector<std::string> Ledger::judge(bool drained, std::uint64_t duplicates_max) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> faults = faults_;
  std::uint64_t duplicates = 0;
  for (const auto& [key, entry] : entries_) {
    for (std::uint32_t branch = 0; branch < branches_; ++branch) {
      std::uint32_t done = entry.branches[branch].done;
      duplicates += done > 1 ? done - 1 : 0;
      if (drained && done == 0 && faults.size() < kFaultsMax) {
        faults.push_back(fmt::format("I1: {}/{} never came to its end in branch {}", key.first, key.second, branch));
      }
    }
    if (drained && entry.acknowledged == 0 && faults.size() < kFaultsMax) {
      faults.push_back(fmt::format("I1: {}/{} was never acknowledged", key.first, key.second));
    }
  }
  if (duplicates > duplicates_max) {
    faults.push_back(fmt::format("I3: {} duplicates where {} are allowed", duplicates, duplicates_max));
  }
  return faults;
}

}  // namespace sluice::test
