// What {worker} stands for in templates.
#pragma once

#include <string>
#include <string_view>

namespace sluice::support {

/// "SERVICE-N": the Nth instance of this stage that the service has had in this process. `stage`
/// tells apart stages of one type in one service: whatever of their options does. [control]
std::string worker_name(std::string_view service, std::string_view stage);

}  // namespace sluice::support
