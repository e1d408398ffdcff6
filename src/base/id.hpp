// Message ids: UUIDs, and the ones the design derives from names (DESIGN §2.5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::core {

/// 16 bytes in network order (RFC 9562).
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const Uuid&, const Uuid&) = default;
};

/// For hash maps. Ids may come from outside: nobody can choose some that collide.
struct UuidHash {
  std::size_t operator()(const Uuid& id) const;
};

/// Version 5: SHA-1 of namespace and name.
Uuid uuid5(const Uuid& name_space, std::string_view name);

/// Version 7 from a wall time and 74 random bits, of which `high` gives 12 and `low` 62.
Uuid uuid7(std::int64_t wall_ms, std::uint64_t high, std::uint64_t low);

/// "bd1c57a0-f91e-5664-b24f-a90f58ed9739"
std::string to_text(const Uuid& id);
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace sluice::core
