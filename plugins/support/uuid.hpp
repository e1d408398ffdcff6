// UUIDs as plugins need them: derived from names (version 5) and random (version 4).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::support {

/// 16 bytes in network order, as sluice_message::id.
using Uuid = std::array<std::uint8_t, 16>;

/// bd1c57a0-f91e-5664-b24f-a90f58ed9739: the name space of all ids that the project derives
/// (DESIGN §2.5).
extern const Uuid kNameSpace;

/// Version 5 (RFC 9562): SHA-1 of `name_space` and `name`. [any]
Uuid uuid5(const Uuid& name_space, std::string_view name);

/// Version 4, from the system's random numbers. [any]
Uuid uuid4();

/// "bd1c57a0-f91e-5664-b24f-a90f58ed9739"
std::string to_text(std::span<const std::uint8_t, 16> id);

}  // namespace sluice::support
