// The buckets and tables of a configuration, lent to a stage that runs alone or to the command line
// itself. [main-thread]
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/description.hpp"
#include "plugin/host.hpp"

namespace sluice::core {

class LentComponents {
 public:
  /// Makes what `references` name, a bucket, an access point or a table each; nothing else of the
  /// pipeline is started. REQUIRES: the description outlives nothing here; it is taken apart.
  static Result<LentComponents> open(PipelineDescription&& pipeline,
                                     const std::vector<OptionReference>& references);

  /// nullptr: not among the references.
  sluice_bucket_ref* bucket(std::string_view reference) const;
  sluice_table_ref* table(std::string_view name) const;

 private:
  Result<void> add_bucket(PipelineDescription& pipeline, const std::string& reference);
  Result<void> add_table(PipelineDescription& pipeline, const std::string& name);

  std::map<std::string, Instance, std::less<>> buckets_, tables_;
  std::map<std::string, std::unique_ptr<sluice_bucket_ref>, std::less<>> bucket_refs_;
  std::map<std::string, std::unique_ptr<sluice_table_ref>, std::less<>> table_refs_;
};

}  // namespace sluice::core
