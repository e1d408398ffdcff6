#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

sluice_emission emission(std::string_view body) {
  sluice_emission result{};
  result.struct_size = sizeof result;
  result.body = reinterpret_cast<const uint8_t*>(body.data());
  result.body_size = body.size();
  return result;
}

TEST(Host, its_table_is_complete) {
  EXPECT_EQ(host().struct_size, sizeof(sluice_host));
  EXPECT_EQ(host().abi_minor, SLUICE_ABI_MINOR);
  // After the two numbers there are function pointers only.
  const auto* entry = reinterpret_cast<const unsigned char*>(&host().interface);
  const auto* end = reinterpret_cast<const unsigned char*>(&host()) + sizeof(sluice_host);
  for (; entry != end; entry += sizeof(void*)) {
    void* function = nullptr;
    std::memcpy(&function, entry, sizeof function);
    EXPECT_NE(function, nullptr);
  }
}

TEST(Host, an_unknown_interface_is_not_there) {
  EXPECT_EQ(host().interface("sluice.async/1"), nullptr);
}

TEST(Host, results_reach_their_receiver) {
  RecordingOut out;
  const sluice_emission one = emission("one");
  uint8_t* place = nullptr;
  host().emit(&out, &one);
  host().try_emit(&out, &one);
  host().reserve(&out, 5, &place);
  std::memcpy(place, "place", 5);
  host().commit(&out, 4, nullptr);
  host().reject_part(&out, &one, str("bad row"), str(""));
  host().settle(&out, 3, SLUICE_RETRY, 250, str("busy"), str(""));
  host().progress(&out, 1, 5, 10);
  host().ignore(&out, 2);
  host().exhausted(&out);
  host().flush(&out);
  EXPECT_EQ(out.calls,
            (std::vector<std::string>{"emit", "try_emit", "reserve", "commit",
                                      "reject_part bad row", "settle 3 1 250 busy",
                                      "progress 1 5/10", "ignore 2", "exhausted", "flush"}));
  EXPECT_EQ(out.bodies, (std::vector<std::string>{"one", "one", "plac"}));
}

TEST(Host, the_receivers_answer_comes_back) {
  RecordingOut out;
  out.status = SLUICE_CANCELLED;
  const sluice_emission one = emission("one");
  EXPECT_EQ(host().emit(&out, &one), SLUICE_CANCELLED);
  EXPECT_EQ(host().progress(&out, 0, 0, 0), SLUICE_CANCELLED);
}

TEST(Host, an_emission_of_a_plugin_that_knows_no_delays_has_none) {
  RecordingOut out;
  sluice_emission old = emission("one");
  old.delay_ms = 5;  // what lies behind it in the plugin's memory
  old.struct_size = offsetof(sluice_emission, delay_ms);
  EXPECT_EQ(host().emit(&out, &old), SLUICE_OK);
  old.struct_size = sizeof old;
  EXPECT_EQ(host().emit(&out, &old), SLUICE_OK);
  EXPECT_EQ(out.delays, (std::vector<int64_t>{0, 5}));
}

TEST(Host, a_delay_is_at_most_fifteen_minutes) {
  RecordingOut out;
  sluice_emission late = emission("one");
  late.delay_ms = 900'001;
  EXPECT_EQ(host().emit(&out, &late), SLUICE_INVALID);
  late.delay_ms = 900'000;
  EXPECT_EQ(host().emit(&out, &late), SLUICE_OK);
}

TEST(Host, an_emission_without_its_size_is_invalid_and_its_body_released_once) {
  RecordingOut out;
  int released = 0;
  sluice_emission broken = emission("one");
  broken.struct_size = offsetof(sluice_emission, delay_ms) - 8;
  broken.owner = &released;
  broken.release = [](void* owner) { ++*static_cast<int*>(owner); };
  EXPECT_EQ(host().emit(&out, &broken), SLUICE_INVALID);
  EXPECT_EQ(released, 1);
  broken.struct_size = sizeof broken;
  EXPECT_EQ(host().emit(nullptr, &broken), SLUICE_INVALID);
  EXPECT_EQ(released, 2);
  EXPECT_EQ(host().emit(&out, nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().emit(&out, &broken), SLUICE_OK);
  EXPECT_EQ(released, 3);
}

/// An emission that is sound but for what `spoil` does to it.
template <class Spoil>
void expect_refused(int32_t status, Spoil spoil) {
  RecordingOut out;
  int released = 0;
  const sluice_attribute name{sizeof name, SLUICE_STRING, str("name"), str("value")};
  const sluice_attribute* attributes[65];
  std::ranges::fill(attributes, &name);
  sluice_emission made = emission("one");
  made.attribute_count = 1;
  made.attributes = attributes;
  made.owner = &released;
  made.release = [](void* owner) { ++*static_cast<int*>(owner); };
  spoil(made, attributes);
  for (auto call : {host().emit, host().try_emit}) {
    EXPECT_EQ(call(&out, &made), status);
    EXPECT_NE(view(host().last_error()).find("an emission with"), std::string::npos);
  }
  EXPECT_EQ(host().reject_part(&out, &made, str("reason"), {}), status);
  EXPECT_EQ(released, 3) << "each refusal lets go of the body";
  if (made.body != nullptr) {
    EXPECT_EQ(host().commit(&out, 1, &made), status);
  }
  EXPECT_EQ(out.calls, std::vector<std::string>{});
}

TEST(Host, an_emission_that_points_nowhere_is_refused_and_its_body_released) {
  using Attributes = const sluice_attribute**;
  static constexpr sluice_str kNowhere = {nullptr, 4};
  expect_refused(SLUICE_INVALID, [](sluice_emission& e, Attributes) { e.body = nullptr; });
  expect_refused(SLUICE_INVALID, [](sluice_emission& e, Attributes) { e.attributes = nullptr; });
  expect_refused(SLUICE_INVALID, [](sluice_emission& e, Attributes) { e.group_id = kNowhere; });
  expect_refused(SLUICE_INVALID,
                 [](sluice_emission& e, Attributes) { e.deduplication_id = kNowhere; });
  expect_refused(SLUICE_INVALID, [](sluice_emission&, Attributes of) { of[0] = nullptr; });
  static sluice_attribute bad{sizeof bad, SLUICE_STRING, kNowhere, str("value")};
  expect_refused(SLUICE_INVALID, [](sluice_emission&, Attributes of) { of[0] = &bad; });
  static sluice_attribute empty{sizeof empty, SLUICE_STRING, str("name"), kNowhere};
  expect_refused(SLUICE_INVALID, [](sluice_emission&, Attributes of) { of[0] = &empty; });
  expect_refused(SLUICE_TOO_LARGE, [](sluice_emission& e, Attributes) { e.attribute_count = 65; });
}

TEST(Host, a_reason_that_points_nowhere_is_refused) {
  RecordingOut out;
  const sluice_emission one = emission("one");
  const sluice_str nowhere = {nullptr, 4};
  EXPECT_EQ(host().settle(&out, 0, SLUICE_REJECT, -1, nowhere, {}), SLUICE_INVALID);
  EXPECT_EQ(host().settle(&out, 0, SLUICE_REJECT, -1, str("r"), nowhere), SLUICE_INVALID);
  EXPECT_EQ(host().reject_part(&out, &one, nowhere, {}), SLUICE_INVALID);
  EXPECT_NE(view(host().last_error()).find("a reason or detail"), std::string::npos);
  EXPECT_EQ(out.calls, std::vector<std::string>{});
}

TEST(Host, calls_without_a_receiver_are_invalid) {
  uint8_t* place = nullptr;
  EXPECT_EQ(host().flush(nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().reserve(nullptr, 1, &place), SLUICE_INVALID);
  EXPECT_EQ(host().settle(nullptr, 0, SLUICE_OK, 0, {}, {}), SLUICE_INVALID);
}

TEST(Host, options_are_read_by_their_type) {
  const FakeComponent fake({option("width", "int"), option("timeout", "duration"),
                            option("fit", "string"), option("from", "bucket"),
                            option("extra", "json")});
  const Completed made =
      complete(fake.component, R"({"width":16,"timeout":"2s","fit":"x","from":"b","extra":[1]})");
  const sluice_config* config = made.config.get();
  int64_t integer = 0;
  double number = 0;
  sluice_str text{};
  EXPECT_EQ(host().option_integer(config, "timeout", &integer), SLUICE_OK);
  EXPECT_EQ(integer, 2'000);
  EXPECT_EQ(host().option_number(config, "width", &number), SLUICE_OK);
  EXPECT_EQ(number, 16.0);
  EXPECT_EQ(host().option_text(config, "fit", &text), SLUICE_OK);
  EXPECT_EQ(view(text), "x");
  EXPECT_EQ(host().option_json(config, "extra", &text), SLUICE_OK);
  EXPECT_EQ(view(text), "[1]");
  EXPECT_EQ(host().option_integer(config, "absent", &integer), SLUICE_NOT_FOUND);
  EXPECT_EQ(host().option_integer(config, "fit", &integer), SLUICE_INVALID);
  EXPECT_EQ(view(host().component_name(config)), "resize");
}

TEST(Host, references_are_resolved_by_the_pipeline_and_null_before) {
  const FakeComponent fake({option("from", "bucket"), option("into", "table")});
  const Completed made = complete(fake.component, R"({"from":"graphics/design"})");
  sluice_bucket_ref ref{.bucket = "graphics"};
  EXPECT_EQ(host().bucket(made.config.get(), "from"), nullptr);
  std::string asked;
  made.config->bucket = [&](std::string_view name) {
    asked = name;
    return &ref;
  };
  EXPECT_EQ(host().bucket(made.config.get(), "from"), &ref);
  EXPECT_EQ(asked, "graphics/design");
  EXPECT_EQ(view(host().reference_name(&ref)), "graphics");
  EXPECT_EQ(host().bucket(made.config.get(), "absent"), nullptr);
  EXPECT_EQ(host().table(made.config.get(), "into"), nullptr);
}

/// Puts answer CONFLICT for the second item; gets fail without a text.
constexpr sluice_table kTable = {
    sizeof(sluice_table),
    [](void*, uint32_t count, const sluice_str* const*, int32_t, int32_t* status, void* user,
       void (*reason)(void*, uint32_t, sluice_str)) -> int32_t {
      for (uint32_t i = 0; i < count; ++i) {
        status[i] = i == 1 ? SLUICE_CONFLICT : SLUICE_OK;
      }
      reason(user, 1, str("is there"));
      return SLUICE_OK;
    },
    [](void*, sluice_str, void*, void (*)(void*, sluice_str), sluice_str*) -> int32_t {
      return SLUICE_NOT_FOUND;
    },
    [](void*, uint32_t, sluice_str, void* user, void (*item)(void*, sluice_str, sluice_str),
       sluice_str*) -> int32_t {
      item(user, str("{}"), str("next"));
      return SLUICE_END;
    }};

TEST(Host, table_calls_reach_the_table) {
  sluice_table_ref ref{&kTable, nullptr, "users"};
  const sluice_str item = str("{}");
  const sluice_str* const items[] = {&item, &item};
  int32_t status[2] = {-1, -1};
  EXPECT_EQ(host().table_put(&ref, 2, items, 0, status, nullptr, nullptr), SLUICE_OK);
  EXPECT_EQ(status[1], SLUICE_CONFLICT);
  EXPECT_EQ(host().table_put(&ref, 2, items, 3, status, nullptr, nullptr), SLUICE_INVALID);
  EXPECT_EQ(host().table_get(&ref, item, nullptr, [](void*, sluice_str) {}), SLUICE_NOT_FOUND);
  EXPECT_EQ(view(host().last_error()), "table \"users\": cannot get an item: not found");
  int told = 0;
  EXPECT_EQ(
      host().table_list(&ref, 10, {}, &told,
                        [](void* user, sluice_str, sluice_str) { ++*static_cast<int*>(user); }),
      SLUICE_END);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(host().table_get(nullptr, item, nullptr, [](void*, sluice_str) {}), SLUICE_INVALID);
}

}  // namespace
}  // namespace sluice::core
