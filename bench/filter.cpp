// bench/filter: events against all filter policies of a topic, events per second of one thread.
//
//   filter/KIND/N/sluice       N policies of a kind compiled into one matcher; JSON bodies of some
//   590 bytes,
//                              parsed and matched. `build_ms` is the time that compiling them took,
//                              `memory_mib` the heap that the matcher holds, the policies in it
//                              included
//   filter/attributes/N/sluice  messages of three attributes (String, Number, String.Array), N
//   policies of one or two keys
//                              of the first two; filter/array-attribute/N/sluice: of the third
//   filter/KIND/N/walk         a bare simdjson On-Demand walk of the same bodies that reads the
//   fields which the
//                              policies name, and does nothing with them. It looks at each member
//                              of the objects on the way, since a name may come twice, and what is
//                              behind must be JSON
//   filter/KIND/N/walk-early   the same, which looks for each field by its path and stops there
//
// KIND: exact, prefix, suffix, ignore-case, numeric, cidr, anything-but (beside an exact key), wide
// (anything-but that nearly every event passes), wildcard (*/TEAM/*.EXT), mixed (three to five
// keys). About one policy in the number of distinct values takes an event.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "filter/compiled_filter.hpp"
#include "filter/message_fields.hpp"
#include "filter/parse_policy.hpp"
#include "main.hpp"

namespace sluice::core {
namespace {

constexpr std::size_t kEvents = 1024;

/// The same numbers in each run.
class Dice {
 public:
  std::uint64_t below(std::uint64_t end) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % end;
  }

 private:
  std::uint64_t state_ = 0x853C49E6748FEA9B;
};

std::string team(std::uint64_t number) {
  return fmt::format("team-{:05}", number);
}
std::string_view extension(std::uint64_t number) {
  static constexpr std::array<std::string_view, 8> kAll{"png", "jpg", "csv", "json",
                                                        "txt", "pdf", "xml", "log"};
  return kAll[number % kAll.size()];
}

/// Some 590 bytes; what policies name lies among what they do not.
std::string event(Dice& dice, std::uint64_t distinct) {
  return fmt::format(
      R"({{"version":"0","id":"{:08x}-89ab-cdef-0123-456789abcdef","source":"app.{}","account":"123456789012","time":"2026-03-01T12:{:02}:{:02}Z",)"
      R"("region":"eu-central-1","resources":["arn:aws:s3:::uploads-{:05}"],"detail":{{"bucket":{{"name":"uploads","owner":"team"}},)"
      R"("object":{{"key":"in/{}/report-{:06}.{}","size":{},"etag":"d41d8cd98f00b204e9800998ecf8427e","version-id":"null"}},)"
      R"("request-id":"C3D13FE58DE4C810","requester":"{}","source-ip-address":"10.{}.{}.{}","reason":"PutObject","status":"{}",)"
      R"("tier":"{}","price":{}.{:02},"customer":{{"id":"c-{:06}","plan":"{}"}}}}}})",
      dice.below(1u << 31), dice.below(distinct), dice.below(60), dice.below(60),
      dice.below(distinct), team(dice.below(distinct)), dice.below(1000000),
      extension(dice.below(8)), dice.below(1000000), dice.below(1000000000000), dice.below(256),
      dice.below(256), dice.below(256), dice.below(2) == 0 ? "ok" : "late", dice.below(4),
      dice.below(1000), dice.below(100), dice.below(distinct),
      dice.below(2) == 0 ? "free" : "paid");
}

struct Kind {
  std::function<std::string(std::uint64_t number, Dice& dice)> policy;
  std::vector<std::vector<std::string>> fields;  ///< paths that its policies name
};

const std::map<std::string, Kind>& kinds() {
  static const std::vector<std::string> kSource{"source"}, kKey{"detail", "object", "key"},
      kPrice{"detail", "price"}, kIp{"detail", "source-ip-address"}, kStatus{"detail", "status"},
      kTier{"detail", "tier"}, kPlan{"detail", "customer", "plan"};
  static const std::map<std::string, Kind> kAll{
      {"exact",
       {[](auto n, Dice&) { return fmt::format(R"({{"source":["app.{}"]}})", n); }, {kSource}}},
      {"prefix",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"detail":{{"object":{{"key":[{{"prefix":"in/{}/"}}]}}}}}})",
                             team(n));
        },
        {kKey}}},
      {"suffix",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"detail":{{"object":{{"key":[{{"suffix":"{:05}.{}"}}]}}}}}})", n,
                             extension(n));
        },
        {kKey}}},
      {"ignore-case",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"source":[{{"equals-ignore-case":"APP.{}"}}]}})", n);
        },
        {kSource}}},
      {"numeric",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"detail":{{"price":[{{"numeric":[">=",{}.5,"<",{}.5]}}]}}}})",
                             n % 1000, n % 1000 + 1);
        },
        {kPrice}}},
      {"cidr",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"detail":{{"source-ip-address":[{{"cidr":"10.{}.{}.0/24"}}]}}}})",
                             n / 256 % 256, n % 256);
        },
        {kIp}}},
      {"anything-but",
       {[](auto n, Dice&) {
          return fmt::format(
              R"({{"source":["app.{}"],"detail":{{"status":[{{"anything-but":["late"]}}]}}}})", n);
        },
        {kSource, kStatus}}},
      {"wide",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"source":[{{"anything-but":["app.{}"]}}]}})", n);
        },
        {kSource}}},
      {"wildcard",
       {[](auto n, Dice&) {
          return fmt::format(R"({{"detail":{{"object":{{"key":[{{"wildcard":"*/{}/*.{}"}}]}}}}}})",
                             team(n), extension(n));
        },
        {kKey}}},
      {"mixed",
       {[](auto n, Dice& dice) {
          return fmt::format(
              R"({{"source":["app.{}",{{"prefix":"app.{}"}}],"detail":{{"status":["{}"],"tier":["{}"],"price":[{{"numeric":[">",{}]}}],"customer":{{"plan":["{}"]}}}}}})",
              n, n % 10, dice.below(2) == 0 ? "ok" : "late", dice.below(4), dice.below(1000),
              dice.below(2) == 0 ? "free" : "paid");
        },
        {kSource, kStatus, kTier, kPrice, kPlan}}},
  };
  return kAll;
}

std::vector<std::string> events(std::uint64_t distinct) {
  Dice dice;
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kEvents; ++i) {
    all.push_back(event(dice, distinct));
    all.back().reserve(all.back().size() + kBodyPadding);
  }
  return all;
}

std::size_t heap_bytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

/// nullptr: skipped with an error. Sets the counters about building.
std::shared_ptr<const CompiledFilter> compile(benchmark::State& state,
                                              const std::vector<std::string>& texts,
                                              FilterScope scope) {
  const std::size_t before = heap_bytes();
  std::vector<FilterPolicy> policies;
  policies.reserve(texts.size());
  for (const std::string& text : texts) {
    auto policy = parse_policy(text, scope, FilterProfile::extended);
    if (!policy) {
      state.SkipWithError(policy.error().text.c_str());
      return nullptr;
    }
    policies.push_back(std::move(*policy));
  }
  const auto begin = std::chrono::steady_clock::now();
  auto compiled = CompiledFilter::compile(std::move(policies));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  if (!compiled) {
    state.SkipWithError(compiled.error().text.c_str());
    return nullptr;
  }
  state.counters["build_ms"] = took.count();
  state.counters["memory_mib"] = static_cast<double>(heap_bytes() - before) / (1 << 20);
  return *compiled;
}

void run_sluice(benchmark::State& state, const Kind& kind, std::uint64_t count) {
  Dice dice;
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < count; ++i) {
    texts.push_back(kind.policy(i, dice));
  }
  const auto filter = compile(state, texts, FilterScope::message_body);
  if (filter == nullptr) {
    return;
  }
  FilterScratch scratch(*filter);
  FieldReader reader;
  const std::vector<std::string> all = events(std::max<std::uint64_t>(count, 10));
  std::size_t matched = 0, next = 0;
  for (auto _ : state) {
    const std::string& body = all[next++ % kEvents];
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
    if (reader.read_body({bytes, body.size()}, filter->paths(), scratch,
                         body.capacity() - body.size()) &&
        filter->match(scratch)) {
      matched += scratch.matched.size();
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["matches"] =
      benchmark::Counter(static_cast<double>(matched) / static_cast<double>(state.iterations()));
}

/// Messages as the engine holds them: attributes sorted by name, pointers to them.
class AttributeMessages {
 public:
  explicit AttributeMessages(std::uint64_t distinct) {
    Dice dice;
    for (std::size_t i = 0; i < kEvents; ++i) {
      add("event", SLUICE_STRING, fmt::format("order-{}", dice.below(distinct)));
      add("price", SLUICE_NUMBER, fmt::format("{}.{:02}", dice.below(1000), dice.below(100)));
      add("teams", SLUICE_STRING_ARRAY,
          fmt::format(R"(["{}","{}"])", team(dice.below(distinct)), team(dice.below(distinct))));
      pointers_.push_back({&all_[all_.size() - 3], &all_[all_.size() - 2], &all_[all_.size() - 1]});
    }
  }
  std::span<const sluice_attribute* const> operator[](std::size_t i) const { return pointers_[i]; }

 private:
  void add(std::string_view name, std::uint32_t type, std::string value) {
    const std::string& kept = values_.emplace_back(std::move(value));
    all_.push_back(
        {sizeof(sluice_attribute), type, {name.data(), name.size()}, {kept.data(), kept.size()}});
  }

  std::deque<std::string> values_;
  std::deque<sluice_attribute> all_;
  std::vector<std::array<const sluice_attribute*, 3>> pointers_;
};

void run_attributes(benchmark::State& state, std::uint64_t count, bool array) {
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < count; ++i) {
    texts.push_back(
        array        ? fmt::format(R"({{"teams":["{}"]}})", team(i))
        : i % 2 == 0 ? fmt::format(R"({{"event":["order-{}"]}})", i)
                     : fmt::format(R"({{"event":["order-{}"],"price":[{{"numeric":[">=",{}]}}]}})",
                                   i, i % 1000));
  }
  const auto filter = compile(state, texts, FilterScope::message_attributes);
  if (filter == nullptr) {
    return;
  }
  FilterScratch scratch(*filter);
  FieldReader reader;
  const AttributeMessages all(count);
  std::size_t matched = 0, next = 0;
  for (auto _ : state) {
    reader.read_attributes(all[next++ % kEvents], filter->paths(), scratch);
    if (filter->match(scratch)) {
      matched += scratch.matched.size();
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["matches"] =
      benchmark::Counter(static_cast<double>(matched) / static_cast<double>(state.iterations()));
}

void read_leaf(simdjson::ondemand::value& value) {
  std::string_view text;
  double number = 0;
  if (value.get_string().get(text) != simdjson::SUCCESS &&
      value.get_double().get(number) != simdjson::SUCCESS) {
    return;
  }
  benchmark::DoNotOptimize(text);
  benchmark::DoNotOptimize(number);
}

void walk_early(simdjson::ondemand::document& document, const Kind& kind) {
  for (const std::vector<std::string>& path : kind.fields) {
    simdjson::ondemand::value value;
    bool good = document[path[0]].get(value) == simdjson::SUCCESS;
    for (std::size_t i = 1; good && i < path.size(); ++i) {
      good = value[path[i]].get(value) == simdjson::SUCCESS;
    }
    if (good) {
      read_leaf(value);
    }
  }
}

/// Names of members that lead on to fields.
struct Names {
  std::vector<std::pair<std::string, Names>> below;
};

Names names_of(const Kind& kind) {
  Names root;
  for (const std::vector<std::string>& path : kind.fields) {
    Names* at = &root;
    for (const std::string& name : path) {
      auto found = std::ranges::find(at->below, name, &std::pair<std::string, Names>::first);
      at =
          found != at->below.end() ? &found->second : &at->below.emplace_back(name, Names{}).second;
    }
  }
  return root;
}

void walk_object(simdjson::ondemand::object object, const Names& names) {
  for (auto field : object) {
    const simdjson::ondemand::raw_json_string key = field.key();
    for (const auto& [name, below] : names.below) {
      if (!key.unsafe_is_equal(name)) {
        continue;
      }
      simdjson::ondemand::value value = field.value();
      simdjson::ondemand::object inner;
      if (below.below.empty()) {
        read_leaf(value);
      } else if (value.get_object().get(inner) == simdjson::SUCCESS) {
        walk_object(inner, below);
      }
      break;
    }
  }
}

void run_walk(benchmark::State& state, const Kind& kind, std::uint64_t count, bool early) {
  std::vector<simdjson::padded_string> all;
  for (const std::string& each : events(std::max<std::uint64_t>(count, 10))) {
    all.emplace_back(each);
  }
  const Names names = names_of(kind);
  simdjson::ondemand::parser parser;
  std::size_t next = 0;
  for (auto _ : state) {
    simdjson::ondemand::document document;
    if (parser.iterate(all[next++ % kEvents]).get(document) != simdjson::SUCCESS) {
      continue;
    }
    if (early) {
      walk_early(document, kind);
      continue;
    }
    simdjson::ondemand::object object;
    if (document.get_object().get(object) == simdjson::SUCCESS) {
      walk_object(object, names);
    }
  }
  state.SetItemsProcessed(state.iterations());
}

void add_all() {
  for (const std::uint64_t count : {10u, 1000u}) {
    for (const bool array : {false, true}) {
      const std::string name =
          fmt::format("filter/{}/{}/sluice", array ? "array-attribute" : "attributes", count);
      benchmark::RegisterBenchmark(name.c_str(), run_attributes, count, array)->UseRealTime();
    }
  }
  for (const auto& [name, kind] : kinds()) {
    for (const std::uint64_t count : {1u, 100u, 1000u, 10000u}) {
      const std::string prefix = fmt::format("filter/{}/{}/", name, count);
      benchmark::RegisterBenchmark((prefix + "sluice").c_str(), run_sluice, kind, count)
          ->UseRealTime();
      benchmark::RegisterBenchmark((prefix + "walk").c_str(), run_walk, kind, count, false)
          ->UseRealTime();
      benchmark::RegisterBenchmark((prefix + "walk-early").c_str(), run_walk, kind, count, true)
          ->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace sluice::core

int main(int count, char** arguments) {
  return run_benches(count, arguments, sluice::core::add_all);
}
