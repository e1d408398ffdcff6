#include "support/uuid.hpp"

#include <algorithm>
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>

namespace sluice::support {

const Uuid kNameSpace = {0xbd, 0x1c, 0x57, 0xa0, 0xf9, 0x1e, 0x56, 0x64,
                         0xb2, 0x4f, 0xa9, 0x0f, 0x58, 0xed, 0x97, 0x39};

namespace {

Uuid bytes_of(const boost::uuids::uuid& id) {
  Uuid result;
  std::copy(id.begin(), id.end(), result.begin());
  return result;
}

boost::uuids::uuid boost_of(std::span<const std::uint8_t, 16> id) {
  boost::uuids::uuid result;
  std::copy(id.begin(), id.end(), result.begin());
  return result;
}

}  // namespace

Uuid uuid5(const Uuid& name_space, std::string_view name) {
  boost::uuids::name_generator_sha1 generator(boost_of(name_space));
  return bytes_of(generator(name.data(), name.size()));
}

Uuid uuid4() {
  return bytes_of(boost::uuids::random_generator()());
}

std::string to_text(std::span<const std::uint8_t, 16> id) {
  return boost::uuids::to_string(boost_of(id));
}

}  // namespace sluice::support
