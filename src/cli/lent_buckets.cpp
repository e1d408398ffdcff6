#include "cli/lent_buckets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "config/diagnostics.hpp"

namespace sluice::core {

Result<LentBuckets> LentBuckets::open(PipelineDescription&& pipeline,
                                      const std::vector<std::string>& references) {
  LentBuckets lent;
  for (const std::string& reference : references) {
    Result<void> added = lent.add(pipeline, reference);
    if (!added)
      return std::unexpected(added.error());
  }
  return lent;
}

Result<void> LentBuckets::add(PipelineDescription& pipeline, const std::string& reference) {
  if (references_.contains(reference))
    return {};
  std::vector<std::string> known;
  for (BucketDescription& bucket : pipeline.buckets) {
    const AccessPointDescription whole{"", "", sluice_bucket_ref::all};
    const AccessPointDescription* point = reference == bucket.name ? &whole : nullptr;
    known.push_back(bucket.name);
    for (const AccessPointDescription& candidate : bucket.access_points) {
      known.push_back(bucket.name + "/" + candidate.name);
      if (reference == known.back())
        point = &candidate;
    }
    if (point == nullptr)
      continue;
    auto instance = instances_.find(bucket.name);
    if (instance == instances_.end()) {
      Result<Instance> created = Instance::create(std::move(bucket.options));
      if (!created)
        return fail(created.error().code,
                    fmt::format("bucket {}: {}", in_quotes(bucket.name), created.error().message));
      instance = instances_.emplace(bucket.name, std::move(*created)).first;
    }
    references_[reference] = std::make_unique<sluice_bucket_ref>(
        sluice_bucket_ref{&instance->second.functions<sluice_bucket>(), instance->second.self(),
                          bucket.name, point->name, point->prefix, point->allow});
    return {};
  }
  return fail(
      Errc::config,
      fmt::format("{}: {} names no bucket{}", pipeline.config_path, in_quotes(reference),
                  reference.size() > 200 ? "" : did_you_mean(nearest_name(reference, known))));
}

sluice_bucket_ref* LentBuckets::find(std::string_view reference) const {
  const auto found = references_.find(reference);
  return found == references_.end() ? nullptr : found->second.get();
}

}  // namespace sluice::core
