// The buckets of a configuration, lent to a stage that runs alone. [main-thread]
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/description.hpp"
#include "plugin/host.hpp"

namespace sluice::core {

class LentBuckets {
 public:
  /// Makes a reference to each bucket or access point of `references`; only the buckets named are
  /// started. REQUIRES: the description outlives nothing here; it is taken apart.
  static Result<LentBuckets> open(PipelineDescription&& pipeline,
                                  const std::vector<std::string>& references);

  /// nullptr: not among the references.
  sluice_bucket_ref* find(std::string_view reference) const;

 private:
  Result<void> add(PipelineDescription& pipeline, const std::string& reference);

  std::map<std::string, Instance, std::less<>> instances_;  ///< by bucket
  std::map<std::string, std::unique_ptr<sluice_bucket_ref>, std::less<>> references_;
};

}  // namespace sluice::core
