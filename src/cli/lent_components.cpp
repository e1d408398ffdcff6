#include "cli/lent_components.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "config/diagnostics.hpp"

namespace sluice::core {
namespace {

std::unexpected<Error> no_such(const PipelineDescription& pipeline, std::string_view kind,
                               const std::string& name, const std::vector<std::string>& known) {
  return fail(Errc::config,
              fmt::format("{}: {} names no {}{}", pipeline.config_path, in_quotes(name), kind,
                          name.size() > 200 ? "" : did_you_mean(nearest_name(name, known))));
}

Result<Instance> create(std::string_view kind, const std::string& name,
                        std::unique_ptr<sluice_config> options) {
  Result<Instance> created = Instance::create(std::move(options));
  if (!created)
    return fail(created.error().code,
                fmt::format("{} {}: {}", kind, in_quotes(name), created.error().message));
  return created;
}

}  // namespace

Result<LentComponents> LentComponents::open(PipelineDescription&& pipeline,
                                            const std::vector<OptionReference>& references) {
  LentComponents lent;
  for (const OptionReference& reference : references) {
    Result<void> added = reference.kind == OptionReference::Kind::bucket
                             ? lent.add_bucket(pipeline, reference.text)
                             : lent.add_table(pipeline, reference.text);
    if (!added)
      return std::unexpected(added.error());
  }
  return lent;
}

Result<void> LentComponents::add_bucket(PipelineDescription& pipeline,
                                        const std::string& reference) {
  if (bucket_refs_.contains(reference))
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
    auto instance = buckets_.find(bucket.name);
    if (instance == buckets_.end()) {
      Result<Instance> created = create("bucket", bucket.name, std::move(bucket.options));
      if (!created)
        return std::unexpected(created.error());
      instance = buckets_.emplace(bucket.name, std::move(*created)).first;
    }
    bucket_refs_[reference] = std::make_unique<sluice_bucket_ref>(
        sluice_bucket_ref{&instance->second.functions<sluice_bucket>(), instance->second.self(),
                          bucket.name, point->name, point->prefix, point->allow});
    return {};
  }
  return no_such(pipeline, "bucket", reference, known);
}

Result<void> LentComponents::add_table(PipelineDescription& pipeline, const std::string& name) {
  if (table_refs_.contains(name))
    return {};
  std::vector<std::string> known;
  for (TableDescription& table : pipeline.tables) {
    known.push_back(table.name);
    if (table.name != name)
      continue;
    Result<Instance> created = create("table", name, std::move(table.options));
    if (!created)
      return std::unexpected(created.error());
    const auto instance = tables_.emplace(name, std::move(*created)).first;
    table_refs_[name] = std::make_unique<sluice_table_ref>(sluice_table_ref{
        &instance->second.functions<sluice_table>(), instance->second.self(), name});
    return {};
  }
  return no_such(pipeline, "table", name, known);
}

sluice_bucket_ref* LentComponents::bucket(std::string_view reference) const {
  const auto found = bucket_refs_.find(reference);
  return found == bucket_refs_.end() ? nullptr : found->second.get();
}

sluice_table_ref* LentComponents::table(std::string_view name) const {
  const auto found = table_refs_.find(name);
  return found == table_refs_.end() ? nullptr : found->second.get();
}

}  // namespace sluice::core
