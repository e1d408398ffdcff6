// Whether access points allow what is done through them, and whether results come back as inputs.
#include <fmt/format.h>

#include <algorithm>

#include "config/bucket_use.hpp"
#include "config/loader.hpp"
#include "config/topology.hpp"

namespace sluice::core {
namespace {

std::string_view bucket_of(std::string_view reference) {
  return reference.substr(0, reference.find('/'));
}

std::string_view name_of(sluice_bucket_ref::Action action) {
  const auto found = std::find_if(kActions.begin(), kActions.end(),
                                  [&](const ActionName& name) { return name.bit == action; });
  return found == kActions.end() ? std::string_view() : found->name;
}

}  // namespace

const AccessPointDescription* Loader::find_access_point(std::string_view reference) const {
  for (const BucketDescription& bucket : result_.buckets) {
    for (const AccessPointDescription& point : bucket.access_points) {
      if (reference == bucket.name + "/" + point.name)
        return &point;
    }
  }
  return nullptr;
}

void Loader::check_access(const sluice_config& options, const ObjectReader& fields) {
  const BucketUse* use = find_bucket_use(*options.component->descriptor);
  const std::string reference = use == nullptr ? "" : option_text(options, use->option);
  const AccessPointDescription* point = find_access_point(reference);
  if (point == nullptr)
    return;
  const std::string who = fmt::format("{}: access point {}", fields.who(), in_quotes(reference));
  if ((point->allow & use->action) == 0) {
    const std::string_view right = name_of(use->action);
    reporter_.error(fields.offset(use->option),
                    fmt::format("{} does not allow \"{}\", which {} {} needs: add \"{}\" to its "
                                "\"allow\", or name another",
                                who, right, use->kind, use->type, right));
    return;
  }
  if (use->keys.empty())
    return;
  const bool makes_keys = use->action == sluice_bucket_ref::put;
  const std::string text = option_text(options, use->keys);
  const TemplateEnds ends = makes_keys ? template_ends(text) : TemplateEnds{text, "", "", false};
  // A prefix, or what a template begins with, may be shorter than the access point's.
  const bool open = !makes_keys || !ends.first.empty();
  if (ends.start.starts_with(point->prefix) || (open && point->prefix.starts_with(ends.start)))
    return;
  reporter_.error(fields.offset(use->keys),
                  fmt::format("{} is limited to prefix {}, and no key of {} lies below it", who,
                              in_quotes(point->prefix), in_quotes(text)));
}

void Loader::note_put(const sluice_config& options, const ObjectReader& fields) {
  const BucketUse* use = find_bucket_use(*options.component->descriptor);
  if (use == nullptr || use->action != sluice_bucket_ref::put)
    return;
  puts_.push_back({result_.services.size() - 1, fields.who(), option_text(options, use->option),
                   option_text(options, use->keys), fields.offset(use->keys)});
}

/// Whether what `put` writes is what `source` watches for.
bool Loader::is_watched(const Put& put, const SourceDescription& source) const {
  const BucketUse* use = find_bucket_use(*source.options->component->descriptor);
  if (use == nullptr)
    return false;
  const std::string reference = option_text(*source.options, use->option);
  if (bucket_of(reference) != bucket_of(put.bucket))
    return false;
  return stays_below(template_ends(put.key), watched_prefix(source),
                     option_text(*source.options, "suffix"));
}

std::string Loader::watched_prefix(const SourceDescription& source) const {
  std::string prefix = option_text(*source.options, "prefix");
  const AccessPointDescription* point =
      find_access_point(option_text_of_type(*source.options, "bucket"));
  return point != nullptr && point->prefix.size() > prefix.size() ? point->prefix : prefix;
}

/// A result that is an input again, directly or by way of other sources, keeps the pipeline busy
/// for ever. REQUIRES: no errors.
void Loader::check_feedback() {
  std::vector<std::vector<std::uint32_t>> next = next_queues(result_, Edges::all);
  for (const Put& put : puts_) {
    for (const SourceDescription& source : result_.sources) {
      if (!is_watched(put, source))
        continue;
      const std::vector<std::uint32_t> queues = queues_of(result_, source.publish_to);
      std::vector<std::uint32_t>& after = next[result_.services[put.service].queue];
      after.insert(after.end(), queues.begin(), queues.end());
    }
  }
  for (const Put& put : puts_) {
    for (const SourceDescription& source : result_.sources) {
      const std::vector<std::uint32_t> reached =
          reached_queues(next, queues_of(result_, source.publish_to));
      if (!is_watched(put, source) ||
          !std::binary_search(reached.begin(), reached.end(), result_.services[put.service].queue))
        continue;
      reporter_.warning(
          put.offset,
          fmt::format("{}: {} lies where source {} watches (bucket {}, prefix {}): every result is "
                      "an input again, without end; write to a key outside of it",
                      put.who, in_quotes(put.key), in_quotes(source.name),
                      in_quotes(bucket_of(put.bucket)), in_quotes(watched_prefix(source))));
    }
  }
}

}  // namespace sluice::core
