#include "config/load.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/units.hpp"
#include "config/loader.hpp"
#include "config/scaling.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kFileBytesMax = 16 << 20;

/// The whole file. Error: missing_input, or config where it is too large.
Result<std::string> read_file(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) {
    return fail(Errc::missing_input,
                fmt::format("{}: cannot open the configuration: {}", path,
                            std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  std::string text;
  char buffer[1 << 16];
  while (text.size() <= kFileBytesMax) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get());
    text.append(buffer, got);
    if (got < sizeof buffer)
      break;
  }
  if (std::ferror(file.get()) != 0) {
    return fail(Errc::missing_input,
                fmt::format("{}: cannot read the configuration: {}", path,
                            std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  if (text.size() > kFileBytesMax) {
    return fail(Errc::config,
                fmt::format("{}: a configuration of more than 16 MiB is refused", path));
  }
  return text;
}

}  // namespace

Result<PipelineDescription> load_pipeline(const std::string& path,
                                          const std::vector<Override>& overrides,
                                          Registry& registry, Diagnostics& diagnostics) {
  Result<std::string> text = read_file(path);
  if (!text)
    return std::unexpected(text.error());
  return parse_pipeline(std::move(*text), path, overrides, process_environment, registry,
                        diagnostics);
}

Result<PipelineDescription> parse_pipeline(std::string text, const std::string& path,
                                           const std::vector<Override>& overrides,
                                           const Environment& environment, Registry& registry,
                                           Diagnostics& diagnostics) {
  Document document;
  if (document.read(path, std::move(text), overrides, environment, diagnostics)) {
    std::error_code ignored;
    const std::filesystem::path file = std::filesystem::absolute(path, ignored);
    const Reporter reporter{document, diagnostics};
    PipelineDescription result = Loader(reporter, registry, file.parent_path().string()).load();
    if (diagnostics.errors() == 0)
      return result;
  }
  return fail(diagnostics.worst(),
              fmt::format("{}: {}", path, count_text(diagnostics.errors(), "error")));
}

Loader::Loader(const Reporter& reporter, Registry& registry, std::string folder)
    : reporter_(reporter),
      folder_(std::move(folder)),
      top_(reporter, reporter.document.root(), kPipelineShape, "the pipeline"),
      components_(reporter, registry, folder_) {}

PipelineDescription Loader::load() {
  read_top();
  read_topics();
  read_queues();  // they name topics
  if (reporter_.diagnostics.errors() == 0)
    compile_filters();
  read_buckets();
  read_tables();
  read_sources();  // they name buckets, topics, queues
  read_services();
  read_alarms();  // they name topics, queues, services
  keep_dead_letters();
  check_cycles();
  check_dead_letter_cycles();
  if (reporter_.document.is_expanded() && !top_.is_wrong("state"))
    check_state();
  if (reporter_.diagnostics.errors() == 0) {  // warnings about a broken graph would mislead
    check_use();
    check_thresholds();
    check_starts();
    check_dead_letter_retentions();
    check_dead_letter_types();
    check_feedback();
    result_.fixed_part = fixed_part();
  }
  return std::move(result_);
}

void Loader::read_top() {
  result_.config_path = reporter_.document.path();
  result_.drain_timeout_ms = *top_.number("drain_timeout");
  result_.name = top_.text("name");
  const Json* name = top_.find("name");
  if (name == nullptr) {
    result_.name = std::filesystem::path(result_.config_path).stem().string();
    if (!valid_name(result_.name) && !top_.is_wrong("name") &&
        reporter_.document.root().type == Json::Type::object) {
      reporter_.error(
          top_.offset("name"),
          fmt::format(
              "the pipeline lacks the key \"name\", and its file's name {} cannot stand in: "
              "1 to 80 of A-Z a-z 0-9 _ -",
              in_quotes(result_.name)));
    }
  } else if (!valid_name(result_.name)) {
    reporter_.error(name->offset,
                    fmt::format("{} is no name for a pipeline: 1 to 80 of A-Z a-z 0-9 _ -",
                                in_quotes(name->text)));
  }
  const std::string state = top_.text("state");
  result_.state = absolute_path(folder_, state.empty() ? ".sluice/" + result_.name : state);
  components_.set_state(result_.state);
  if (const Json* admin = top_.find("admin"))
    read_admin(*admin);
}

void Loader::read_admin(const Json& object) {
  const ObjectReader fields(reporter_, object, kAdminShape, "admin");
  const Json* listen = fields.find("listen");
  if (listen == nullptr)
    return;
  const Result<ListenAddress> address = parse_listen_address(listen->text);
  if (!address) {
    reporter_.error(listen->offset, fmt::format("{}: {}", fields.who(), address.error().message));
    return;
  }
  result_.admin = *address;
  if (!address->is_loopback()) {
    reporter_.warning(listen->offset,
                      fmt::format("{}: whoever reaches {} can read, redrive and purge the queues: it asks for no password",
                                  fields.who(), in_quotes(listen->text)));
  }
}

bool Loader::is_lost(std::string_view section) const {
  const Json* objects = top_.find(section);
  return objects != nullptr ? objects->members.size() > kObjectsMax : top_.is_wrong(section);
}

const std::vector<JsonMember>& Loader::members(std::string_view section, std::string_view what) {
  const Json* objects = top_.find(section);
  if (objects == nullptr)
    return none_;
  if (objects->members.size() > kObjectsMax) {
    reporter_.error(objects->offset,
                    fmt::format("more than {} {}s are refused", kObjectsMax, what));
    return none_;
  }
  for (const JsonMember& member : objects->members) {
    if (valid_name(member.name))
      continue;
    reporter_.error(member.offset, fmt::format("{} is no name for {} {}: 1 to 80 of A-Z a-z 0-9 _ -",
                                               in_quotes(member.name), what.starts_with('a') ? "an" : "a", what));
  }
  return objects->members;
}

void Loader::read_buckets() {
  const std::vector<JsonMember>& buckets = members("buckets", "bucket");
  if (is_lost("buckets"))
    components_.take_any("bucket");
  for (const JsonMember& member : buckets)
    components_.add_bucket(member.name);
  for (const JsonMember& member : buckets) {
    const ObjectReader fields(reporter_, member.value, kBucketShape,
                              fmt::format("bucket {}", in_quotes(member.name)));
    BucketDescription& bucket = result_.buckets.emplace_back();
    bucket.name = member.name;
    if (const Json* points = fields.find("access_points"))
      read_access_points(bucket, *points);
    bucket.options = components_.read(member.value, kBucketShape, fields, member.name);
  }
}

void Loader::read_access_points(BucketDescription& bucket, const Json& points) {
  for (const JsonMember& member : points.members) {
    if (!valid_name(member.name)) {
      reporter_.error(member.offset,
                      fmt::format("{} is no name for an access point: 1 to 80 of A-Z a-z 0-9 _ -",
                                  in_quotes(member.name)));
    }
    components_.add_bucket(bucket.name + "/" + member.name);
    const ObjectReader fields(
        reporter_, member.value, kAccessPointShape,
        fmt::format("access point {}", in_quotes(bucket.name + "/" + member.name)));
    AccessPointDescription& point = bucket.access_points.emplace_back(
        AccessPointDescription{member.name, fields.text("prefix"), 0});
    const Json* allow = fields.find("allow");
    for (const ActionName& action : kActions) {
      for (std::size_t i = 0; allow != nullptr && i < allow->items.size(); ++i) {
        if (allow->items[i].text == action.name)
          point.allow |= action.bit;
      }
    }
  }
}

void Loader::read_tables() {
  const std::vector<JsonMember>& tables = members("tables", "table");
  if (is_lost("tables"))
    components_.take_any("table");
  for (const JsonMember& member : tables)
    components_.add_table(member.name);
  for (const JsonMember& member : tables) {
    const ObjectReader fields(reporter_, member.value, kTableShape,
                              fmt::format("table {}", in_quotes(member.name)));
    result_.tables.push_back(
        {member.name, components_.read(member.value, kTableShape, fields, member.name)});
  }
}

void Loader::read_sources() {
  for (const JsonMember& member : members("sources", "source")) {
    const ObjectReader fields(reporter_, member.value, kSourceShape,
                              fmt::format("source {}", in_quotes(member.name)));
    SourceDescription source{member.name,
                             components_.read(member.value, kSourceShape, fields, member.name),
                             resolve_target(fields).value_or(Target{Target::Kind::topic, 0})};
    if (source.options != nullptr)
      check_access(*source.options, fields);
    result_.sources.push_back(std::move(source));
  }
}

void Loader::read_services() {
  std::map<std::uint32_t, std::string> serving;
  for (const JsonMember& member : members("services", "service")) {
    const ObjectReader fields(reporter_, member.value, kServiceShape,
                              fmt::format("service {}", in_quotes(member.name)));
    ServiceDescription& service = result_.services.emplace_back();
    service.name = member.name;
    services_.emplace(member.name, static_cast<std::uint32_t>(result_.services.size() - 1));
    service_offsets_.push_back(member.offset);
    service.queue = 0;
    service.batch_size = static_cast<std::uint32_t>(*fields.number("batch_size"));
    service.max_body_bytes = *fields.number("max_body_bytes");
    service.weight = static_cast<std::uint32_t>(*fields.number("weight"));
    service.max_rate_per_1000_s = read_max_rate(fields);
    service.batch_window_ms = *fields.number("batch_window");
    service.visibility_timeout_ms = fields.number_or_most("visibility_timeout").value_or(-1);
    service.ack_deadline_ms = *fields.number("ack_deadline");
    service.publish_to = resolve_target(fields);
    publish_offsets_.push_back(fields.offset("publish_to"));
    std::optional<std::uint32_t> found;
    if (const Json* queue = fields.find("queue")) {
      found = resolve(queues_, *queue, "queue", fields.who());
      service.queue = found.value_or(0);
      if (const auto other = serving.find(service.queue); found && other != serving.end()) {
        reporter_.error(
            queue->offset,
            fmt::format(
                "{}: queue {} has service {} already, and each message goes to one of the two: "
                "give each service a queue of its own",
                fields.who(), in_quotes(queue->text), in_quotes(other->second)));
      }
      if (found)
        serving.emplace(*found, member.name);
    }
    if (const Json* scaling = fields.find("scaling"))
      service.scaling = read_scaling_policy(reporter_, *scaling, fmt::format("scaling of service {}", in_quotes(service.name)));
    else if (fields.is_wrong("scaling"))
      service.scaling = any_scaling_policy();
    read_stages(service, fields);
    if (found)
      check_window(service, fields);
    else
      service.publish_to.reset();  // it leads from no queue
  }
}

/// Messages of 1000 seconds; 0: no limit.
std::uint64_t Loader::read_max_rate(const ObjectReader& fields) {
  const std::optional<double> per_second = fields.real("max_rate");
  if (!per_second)
    return 0;
  const auto rate = static_cast<std::uint64_t>(std::llround(*per_second * 1000));
  if (rate == 0) {
    reporter_.error(fields.offset("max_rate"),
                    fmt::format("{}: a \"max_rate\" below 0.001, one message in 1000 seconds, would let "
                                "nothing pass: give a higher one, or leave it out for no limit",
                                fields.who()));
  }
  return rate;
}

void Loader::read_stages(ServiceDescription& service, const ObjectReader& fields) {
  const Json* stages = fields.find("stages");
  if (stages == nullptr)
    return;
  if (stages->items.empty()) {
    reporter_.error(stages->offset,
                    fmt::format("{} has no stage: it would do nothing", fields.who()));
    return;
  }
  std::vector<std::uint32_t> offsets;
  for (const Json& item : stages->items) {
    const std::string who =
        fmt::format("stage {} of service {}", offsets.size() + 1, in_quotes(service.name));
    const ObjectReader stage(reporter_, item, kStageShape, who);
    offsets.push_back(stage.offset("type"));
    service.stages.push_back(components_.read(item, kStageShape, stage, service.name));
    if (const sluice_config* options = service.stages.back().get()) {
      check_access(*options, stage);
      note_put(*options, stage);
      check_put_items(*options, stage);
    }
  }
  check_chain(service, fields, offsets);
}

}  // namespace sluice::core
