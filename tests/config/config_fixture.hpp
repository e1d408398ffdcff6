// Loading texts with the test components.
#pragma once

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace sluice::core {

inline std::string test_plugin_folder() {
  const char* root = std::getenv("SLUICE_BUILD_ROOT");
  return std::string(root == nullptr ? "." : root) + "/tests/config";
}

/// Where the project's own plugins are.
inline std::string shipped_plugin_folder() {
  const char* root = std::getenv("SLUICE_BUILD_ROOT");
  return std::string(root == nullptr ? "." : root) + "/plugins";
}

/// One load with everything it needs; the registry lives as long as the result.
struct Loaded {
  explicit Loaded(const std::string& text, const std::vector<std::string>& sets = {},
                  std::map<std::string, std::string> environment = {},
                  const std::string& plugins = test_plugin_folder())
      : registry({plugins}, {"image_resize"}) {
    std::vector<Override> overrides;
    for (const std::string& set : sets)
      overrides.push_back(*parse_override(set));
    result = parse_pipeline(
        text, "/configs/test.json", overrides,
        [=](const std::string& name) -> std::optional<std::string> {
          const auto found = environment.find(name);
          return found == environment.end() ? std::nullopt : std::optional(found->second);
        },
        registry, diagnostics);
  }
  std::string text() const { return render(diagnostics, false); }
  const PipelineDescription& pipeline() const { return *result; }

  Registry registry;
  Diagnostics diagnostics;
  Result<PipelineDescription> result = fail(Errc::internal, "not loaded");
};

/// A whole pipeline without a fault. Line 1 is "{".
inline const std::string kGoodConfig = R"({
  "name": "good",
  "buckets": { "graphics": { "type": "test_bucket", "path": "graphics",
                             "access_points": { "design": { "prefix": "icons/", "allow": ["get", "list"] } } } },
  "sources": { "uploads": { "type": "test_watch", "bucket": "graphics", "prefix": "icons/", "publish_to": "new" } },
  "topics": { "new": {} },
  "queues": { "small": { "subscriptions": [ { "topic": "new" } ] },
              "large": { "subscriptions": [ { "topic": "new" } ], "redrive_policy": { "max_receive_count": 3, "dead_letter_queue": "broken" } },
              "broken": {} },
  "services": { "small": { "queue": "small", "stages": [ { "type": "test_shape", "width": 16 }, { "type": "test_sink", "bucket": "graphics" } ] },
                "large": { "queue": "large", "stages": [ { "type": "test_sink", "bucket": "graphics/design" } ] } }
})";

}  // namespace sluice::core
