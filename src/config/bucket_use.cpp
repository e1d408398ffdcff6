#include "config/bucket_use.hpp"

namespace sluice::core {
namespace {

constexpr BucketUse kUses[] = {
    {"source", "bucket_events", "bucket", sluice_bucket_ref::list, "prefix"},
    {"stage", "object_get", "bucket", sluice_bucket_ref::get, ""},
    {"stage", "object_put", "bucket", sluice_bucket_ref::put, "key"},
};

/// Behind the brace that closes the one at `at`: {uuid5:TEXT} holds names itself.
std::size_t end_of_name(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '{')
      ++depth;
    if (text[at] == '}' && --depth == 0)
      return at + 1;
  }
  return at;
}

}  // namespace

const BucketUse* find_bucket_use(const sluice_component& component) {
  for (const BucketUse& use : kUses) {
    if (use.kind == component.kind && use.type == component.type)
      return &use;
  }
  return nullptr;
}

TemplateEnds template_ends(std::string_view text) {
  TemplateEnds ends;
  for (std::size_t at = 0; at < text.size();) {
    const bool doubled = at + 1 < text.size() && text[at] == text[at + 1];
    if (text[at] == '{' && !doubled) {
      const std::size_t behind = end_of_name(text, at);
      if (ends.first.empty()) {
        ends.start = ends.end;
        ends.first = text.substr(at + 1, behind - at - 2);
        ends.slash_follows = behind < text.size() && text[behind] == '/';
      }
      ends.end.clear();
      at = behind;
    } else {
      ends.end += text[at];
      at += doubled && (text[at] == '{' || text[at] == '}') ? 2 : 1;
    }
  }
  if (ends.first.empty())
    ends.start = ends.end;
  return ends;
}

bool stays_below(const TemplateEnds& ends, std::string_view prefix, std::string_view suffix) {
  const bool whole_folder = prefix.empty() || prefix.back() == '/';
  const bool own_key =
      ends.start.empty() &&
      (ends.first == "key" || (ends.first == "key_dir" && ends.slash_follows && whole_folder));
  if (!own_key && !ends.start.starts_with(prefix))
    return false;
  const bool known = ends.end.size() >= suffix.size() || ends.first.empty();
  return known ? ends.end.ends_with(suffix) : suffix.ends_with(ends.end);
}

}  // namespace sluice::core
