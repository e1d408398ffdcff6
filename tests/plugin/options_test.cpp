#include "plugin/options.hpp"

#include <gtest/gtest.h>

#include "plugin/fakes.hpp"
#include "plugin/option_table.hpp"

namespace sluice::core {
namespace {

/// One option of each type.
std::vector<sluice_option> all_types() {
  std::vector<sluice_option> options;
  for (const char* type : {"string", "int", "float", "bool", "duration", "size", "enum", "json",
                           "secret", "template", "bucket", "table", "path"}) {
    sluice_option entry = option(type, type);
    entry.choices = std::string_view(type) == "enum" ? "inside  cover fill" : nullptr;
    options.push_back(entry);
  }
  return options;
}

struct Good {
  const char* option;
  const char* json;
  std::string_view text;
  std::optional<std::int64_t> integer;
  std::optional<double> number;
};

TEST(Options, good_values_of_every_type_are_taken) {
  const FakeComponent fake(all_types());
  const Good goods[] = {{"string", R"("a\nb")", "a\nb", {}, {}},
                        {"int", "-5", "-5", -5, -5.0},
                        {"int", "1e2", "1e2", 100, 100.0},
                        {"float", "2.5", "2.5", {}, 2.5},
                        {"float", "3", "3", {}, 3.0},
                        {"bool", "true", "true", 1, {}},
                        {"bool", "false", "false", 0, {}},
                        {"duration", R"("75s")", "75s", 75'000, {}},
                        {"size", R"("256KiB")", "256KiB", 262'144, {}},
                        {"enum", R"("cover")", "cover", {}, {}},
                        {"json", R"({ "a" : [1] })", R"({"a":[1]})", {}, {}},
                        {"json", "null", "null", {}, {}},
                        {"secret", R"("s3cret")", "s3cret", {}, {}},
                        {"template", R"("out/{key}")", "out/{key}", {}, {}},
                        {"bucket", R"("graphics")", "graphics", {}, {}},
                        {"bucket", R"("graphics/design")", "graphics/design", {}, {}},
                        {"table", R"("users")", "users", {}, {}},
                        {"path", R"("rules.json")", "/etc/pipelines/rules.json", {}, {}},
                        {"path", R"("/srv/x")", "/srv/x", {}, {}}};
  for (const Good& good : goods) {
    const Completed result =
        complete(fake.component, std::string("{\"") + good.option + "\":" + good.json + "}");
    ASSERT_NE(result.config, nullptr) << good.option << good.json << result.errors.front();
    const sluice_config::Value& value = result.config->values.at(good.option);
    EXPECT_EQ(value.text, good.text);
    EXPECT_EQ(value.integer, good.integer) << good.option << good.json;
    EXPECT_EQ(value.number, good.number) << good.option << good.json;
  }
}

struct Bad {
  const char* option;
  const char* json;
  std::string_view error;
};

TEST(Options, bad_values_of_every_type_are_reported_at_their_pointer) {
  const FakeComponent fake(all_types());
  const Bad bads[] = {
      {"string", "5", "must be a string, not 5"},
      {"int", "2.5", "must be a whole number, not 2.5"},
      {"int", R"("5")", "must be a whole number, not \"5\""},
      {"int", "99999999999999999999", "does not fit 64 bits: 99999999999999999999"},
      {"float", "true", "must be a number, not true"},
      {"bool", "1", "must be true or false, not 1"},
      {"duration", "75", "must be a duration in quotes, such as \"75s\", not 75"},
      {"duration", R"("75")", "is no duration: \"75\" needs a unit: ms, s, m, h or d"},
      {"size", R"("1MB")", "is no size: \"1MB\" has unit \"MB\": did you mean \"MiB\"?"},
      {"enum", R"("covr")",
       "must be one of inside, cover, fill, not \"covr\": did you mean \"cover\"?"},
      {"secret", "12345", "must be a string"},
      {"template", R"("{kee}")", "has an unknown name \"{kee}\": did you mean \"key\"?"},
      {"bucket", R"("")", "must be the name of a bucket, or bucket/access point, not \"\""},
      {"bucket", R"("a/b/c")",
       "must be the name of a bucket, or bucket/access point, not \"a/b/c\""},
      {"table", R"("a/b")", "must be the name of a table, not \"a/b\""},
      {"path", R"("")", "must not be empty"},
      {"path", R"("a\u0000b")", "must not hold a NUL character"},
      {"string", "[1]", "must be a string, not an array"},
      {"string", "null", "must be a string, not null"}};
  for (const Bad& bad : bads) {
    const Completed result =
        complete(fake.component, std::string("{\"") + bad.option + "\":" + bad.json + "}");
    EXPECT_EQ(result.config, nullptr) << bad.option << bad.json;
    ASSERT_EQ(result.errors.size(), 1u) << bad.option << bad.json;
    EXPECT_EQ(result.errors[0],
              std::string("/") + bad.option + " \"" + bad.option + "\" " + std::string(bad.error));
  }
}

TEST(Options, bounds_hold_for_numbers_durations_and_sizes_quoted_or_not) {
  struct Case {
    const char *type, *minimum, *maximum, *low, *high, *inside;
  };
  const Case cases[] = {{"int", "1", "10000", "0", "10001", "1"},
                        {"float", "0.5", "1", "0.49", "1.01", "1.0"},
                        {"duration", "\"10ms\"", "\"1h\"", "\"9ms\"", "\"61m\"", "\"60m\""},
                        {"size", "1KiB", "1MiB", "\"1023B\"", "\"2MiB\"", "\"1024KiB\""}};
  for (const Case& c : cases) {
    sluice_option bounded = option("value", c.type);
    bounded.minimum = c.minimum;
    bounded.maximum = c.maximum;
    const FakeComponent fake({bounded});
    const auto with = [&](const char* json) {
      return complete(fake.component, std::string("{\"value\":") + json + "}");
    };
    EXPECT_NE(with(c.inside).config, nullptr) << c.type;
    EXPECT_EQ(with(c.low).errors.at(0),
              std::string("/value \"value\" must be at least ") + c.minimum + ", not " + c.low);
    EXPECT_EQ(with(c.high).errors.at(0),
              std::string("/value \"value\" must be at most ") + c.maximum + ", not " + c.high);
  }
}

TEST(Options, every_fault_is_reported_at_once) {
  sluice_option bucket = option("bucket", "bucket");
  bucket.required = 1;
  const FakeComponent fake({option("width", "int"), option("height", "int"), bucket});
  const Completed result =
      complete(fake.component, R"({"widht":1,"height":"x","a/b~c":0,"queue":"q"})", {"queue"});
  EXPECT_EQ(result.config, nullptr);
  const std::vector<std::string> expected = {
      "/widht stage \"fake\" has no option \"widht\": did you mean \"width\"?",
      "/a~1b~0c stage \"fake\" has no option \"a/b~c\"",
      "/height \"height\" must be a whole number, not \"x\"", " option \"bucket\" is missing"};
  EXPECT_EQ(result.errors, expected);
}

TEST(Options, a_name_of_any_length_costs_a_short_error) {
  const FakeComponent fake({option("width", "int")});
  const std::string name(1 << 20, 'w');
  const Completed result = complete(fake.component, "{\"" + name + "\":1}");
  ASSERT_EQ(result.errors.size(), 1U);
  const std::string text = result.errors[0].substr(result.errors[0].find(' '));
  EXPECT_LT(text.size(), 200U);
  EXPECT_NE(text.find("www\"..."), std::string::npos) << text;
}

TEST(Options, of_many_unknown_names_only_the_first_have_a_nearest) {
  const FakeComponent fake({option("width", "int")});
  std::string text = "{\"widht\":1";
  for (int i = 0; i < 200; ++i) {
    text += ",\"width" + std::to_string(i) + "\":1";
  }
  const Completed result = complete(fake.component, text + "}");
  ASSERT_EQ(result.errors.size(), 201U);
  EXPECT_NE(result.errors.front().find("did you mean"), std::string::npos);
  EXPECT_EQ(result.errors.back().find("did you mean"), std::string::npos);
}

TEST(Options, defaults_are_filled_in_and_absent_options_stay_absent) {
  sluice_option timeout = option("timeout", "duration");
  timeout.default_json = "\"75s\"";
  sluice_option folder = option("folder", "path");
  folder.default_json = "\"out\"";
  const FakeComponent fake({timeout, folder, option("fit", "string")});
  const Completed result = complete(fake.component, "{}");
  ASSERT_NE(result.config, nullptr);
  EXPECT_EQ(result.config->values.at("timeout").integer, 75'000);
  EXPECT_EQ(result.config->values.at("folder").text, "/etc/pipelines/out");
  EXPECT_FALSE(result.config->values.contains("fit"));
}

TEST(Options, a_secret_is_never_shown_in_an_error) {
  const FakeComponent fake({option("password", "secret")});
  EXPECT_EQ(complete(fake.component, R"({"password":12345})").errors.at(0).find("12345"),
            std::string::npos);
}

TEST(Options, references_are_listed_for_the_caller_to_resolve) {
  const FakeComponent fake(
      {option("from", "bucket"), option("into", "table"), option("other", "bucket")});
  const Completed result = complete(fake.component, R"({"from":"graphics/design","into":"users"})");
  const auto references = option_references(*result.config);
  ASSERT_EQ(references.size(), 2u);
  EXPECT_EQ(references[0].pointer, "/from");
  EXPECT_EQ(references[0].text, "graphics/design");
  EXPECT_EQ(references[1].kind, OptionReference::Kind::table);
}

TEST(Options, the_component_itself_checks_what_its_table_cannot_say) {
  FakeComponent fake({option("width", "int")});
  fake.descriptor.check = [](const sluice_host* host, const sluice_config* config) -> int32_t {
    int64_t width = 0;
    if (host->option_integer(config, "width", &width) == SLUICE_OK && width % 2 != 0) {
      host->option_error(config, "width", str("must be even"));
      return SLUICE_BAD_OPTION;
    }
    return SLUICE_OK;
  };
  EXPECT_NE(complete(fake.component, R"({"width":4})").config, nullptr);
  const Completed odd = complete(fake.component, R"({"width":5})");
  EXPECT_EQ(odd.config, nullptr);
  EXPECT_EQ(odd.errors, std::vector<std::string>{"/width must be even"});
}

TEST(Options, a_check_that_refuses_without_a_word_or_throws_is_reported) {
  FakeComponent fake;
  fake.descriptor.check = [](const sluice_host*, const sluice_config*) -> int32_t {
    return SLUICE_BAD_OPTION;
  };
  EXPECT_NE(complete(fake.component, "{}").errors.at(0).find("without a reason"),
            std::string::npos);
  fake.descriptor.check = [](const sluice_host*, const sluice_config*) -> int32_t { throw 1; };
  EXPECT_NE(complete(fake.component, "{}").errors.at(0).find("exception"), std::string::npos);
}

TEST(Options, a_command_lines_text_becomes_the_json_that_the_option_takes) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"int", "16", "16"},        {"int", "x", "\"x\""},          {"bool", "true", "true"},
      {"bool", "1", "\"1\""},     {"string", "16", "\"16\""},     {"json", "[1]", "[1]"},
      {"json", "abc", "\"abc\""}, {"duration", "75s", "\"75s\""}, {"float", "2.5", "2.5"}};
  for (const auto& [type, text, json] : cases) {
    EXPECT_EQ(to_text(option_from_text(option("x", type), text)), json) << type << " " << text;
  }
}

TEST(Options, an_unsound_option_table_is_refused) {
  const auto fault = [](auto change) {
    sluice_option entry = option("width", "int");
    change(entry);
    const FakeComponent fake({entry});
    return option_table_fault(fake.descriptor.options).value_or("sound");
  };
  EXPECT_EQ(fault([](auto&) {}), "sound");
  EXPECT_NE(fault([](auto& o) { o.struct_size = 8; }).find("struct_size 8"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.name = "Width"; }).find("snake_case"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.type = "integer"; }).find("\"integer\" is unknown"),
            std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.type = nullptr; }).find("is unknown"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.help = nullptr; }).find("no help"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.choices = "a b"; }).find("is no enum"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.type = "enum"; }).find("without choices"), std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.minimum = "x"; }).find("is no int"), std::string::npos);
  EXPECT_NE(fault([](auto& o) {
              o.minimum = "2";
              o.maximum = "1";
            }).find("above"),
            std::string::npos);
  EXPECT_NE(fault([](auto& o) {
              o.default_json = "0";
              o.minimum = "1";
            }).find("default must be"),
            std::string::npos);
  EXPECT_NE(fault([](auto& o) { o.default_json = "{"; }).find("no JSON"), std::string::npos);
  EXPECT_NE(fault([](auto& o) {
              o.default_json = "1";
              o.required = 1;
            }).find("required"),
            std::string::npos);
}

}  // namespace
}  // namespace sluice::core
