#include "base/id.hpp"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#define XXH_INLINE_ALL  // short keys: the call would cost more than the hash
#include <xxhash.h>

#include <algorithm>

#include "base/random.hpp"

namespace sluice::core {
namespace {

boost::uuids::uuid to_boost(const Uuid& id) {
  boost::uuids::uuid result;
  std::copy(id.bytes.begin(), id.bytes.end(), result.begin());
  return result;
}

Uuid from_boost(const boost::uuids::uuid& id) {
  Uuid result;
  std::copy(id.begin(), id.end(), result.bytes.begin());
  return result;
}

}  // namespace

std::size_t UuidHash::operator()(const Uuid& id) const {
  return XXH3_64bits_withSeed(id.bytes.data(), id.bytes.size(), hash_seed());
}

Uuid uuid5(const Uuid& name_space, std::string_view name) {
  boost::uuids::name_generator_sha1 generator(to_boost(name_space));
  return from_boost(generator(name.data(), name.size()));
}

Uuid uuid7(std::int64_t wall_ms, std::uint64_t high, std::uint64_t low) {
  Uuid id;
  for (int i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(wall_ms >> (40 - 8 * i));
  }
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | ((high >> 8) & 0x0f));
  id.bytes[7] = static_cast<std::uint8_t>(high);
  for (int i = 0; i < 8; ++i) {
    id.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

std::string to_text(const Uuid& id) { return boost::uuids::to_string(to_boost(id)); }

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) {
    return std::nullopt;
  }
  try {
    return from_boost(boost::uuids::string_generator()(text.begin(), text.end()));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace sluice::core
