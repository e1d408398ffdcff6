// The plugin in plain C (upper.c), loaded and run as the engine does it.
#include <gtest/gtest.h>

#include <filesystem>

#include "abi/temporary_folder.hpp"
#include "plugin/fakes.hpp"
#include "plugin/host.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {
namespace {

namespace fs = std::filesystem;

class Loading : public testing::Test {
 protected:
  Loading() { fs::copy_file(built("upper"), folder_.path() / "upper.so"); }
  Registry registry(std::vector<std::string> shipped = {}) {
    return Registry({folder_.path().string()}, std::move(shipped));
  }
  Instance create(Registry& from, std::string_view kind, std::string_view type,
                  std::string_view options) {
    auto component = from.find(kind, type);
    EXPECT_TRUE(component.has_value()) << component.error().message;
    Completed made = complete(**component, options);
    EXPECT_NE(made.config, nullptr);
    auto instance = Instance::create(std::move(made.config));
    EXPECT_TRUE(instance.has_value());
    return std::move(*instance);
  }
  TemporaryFolder folder_;
};

TEST_F(Loading, a_stage_in_plain_c_is_found_created_and_run) {
  Registry plugins = registry();
  const Instance upper = create(plugins, "stage", "upper", R"({"limit":"5B"})");
  const std::string texts[] = {"hello", "too long", ""};
  sluice_message messages[3] = {};
  const sluice_message* pointers[3];
  for (int i = 0; i < 3; ++i) {
    messages[i].struct_size = sizeof messages[i];
    messages[i].body = reinterpret_cast<const uint8_t*>(texts[i].data());
    messages[i].body_size = texts[i].size();
    pointers[i] = &messages[i];
  }
  const sluice_batch batch{sizeof batch, 3, 0, pointers};
  RecordingOut out;
  EXPECT_EQ(upper.functions<sluice_stage>().process(upper.self(), &batch, &out), SLUICE_OK);
  EXPECT_EQ(out.bodies, (std::vector<std::string>{"HELLO", ""}));
  EXPECT_EQ(out.parents, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(out.calls, (std::vector<std::string>{"reserve", "commit", "settle 1 2 -1 too_long",
                                                 "reserve", "commit"}));
}

TEST_F(Loading, a_source_in_plain_c_emits_until_it_is_exhausted_or_cancelled) {
  Registry plugins = registry();
  const Instance source = create(plugins, "source", "count_up", R"({"count":3})");
  const auto& functions = source.functions<sluice_source>();
  RecordingOut out;
  EXPECT_EQ(functions.run(source.self(), &out), SLUICE_END);
  EXPECT_EQ(out.bodies, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(out.calls.back(), "exhausted");
  functions.settled(source.self(), 0, SLUICE_OK);
  out.status = SLUICE_CANCELLED;
  EXPECT_EQ(functions.run(source.self(), &out), SLUICE_CANCELLED);
}

TEST_F(Loading, the_plugins_own_check_is_asked) {
  Registry plugins = registry();
  const Completed made = complete(**plugins.find("source", "count_up"), R"({"count":13})");
  EXPECT_EQ(made.config, nullptr);
  EXPECT_EQ(made.errors, std::vector<std::string>{"/count must not be 13"});
}

TEST_F(Loading, a_component_is_found_in_a_library_of_another_name) {
  Registry plugins = registry();
  const auto found = plugins.find("source", "count_up");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ((*found)->library, (folder_.path() / "upper.so").string());
  EXPECT_STREQ((*found)->plugin->id, "org.example.upper");
  EXPECT_EQ(*plugins.find("source", "count_up"), *found);
}

TEST_F(Loading, an_unknown_type_is_a_config_error_with_the_nearest_name) {
  Registry plugins = registry({"image_resize"});
  const auto upper = plugins.find("stage", "uper");
  EXPECT_EQ(upper.error().code, Errc::config);
  EXPECT_EQ(upper.error().message, "no plugin offers stage \"uper\": did you mean \"upper\"?");
  const auto resize = plugins.find("stage", "image_resise");
  EXPECT_EQ(resize.error().code, Errc::config);
  EXPECT_NE(resize.error().message.find("did you mean \"image_resize\"?"), std::string::npos);
  const auto hostile = plugins.find("stage", "../../etc/passwd");
  EXPECT_EQ(hostile.error().code, Errc::config);
}

TEST_F(Loading, a_type_of_another_kind_is_a_config_error_that_says_so) {
  Registry plugins = registry();
  const auto found = plugins.find("bucket", "upper");
  EXPECT_EQ(found.error().code, Errc::config);
  EXPECT_EQ(found.error().message, "\"upper\" is a stage, not a bucket");
}

TEST_F(Loading, a_shipped_type_that_nobody_offers_is_a_missing_plugin) {
  Registry plugins = registry({"image_resize"});
  const auto found = plugins.find("stage", "image_resize");
  EXPECT_EQ(found.error().code, Errc::unavailable);
  EXPECT_NE(found.error().message.find("image_resize.so: missing"), std::string::npos)
      << found.error().message;
  EXPECT_NE(found.error().message.find(folder_.path().string()), std::string::npos);
}

TEST_F(Loading, all_lists_each_component_once_with_the_first_folder_before_the_second) {
  TemporaryFolder second;
  fs::copy_file(built("upper"), second.path() / "upper.so");
  Registry plugins({second.path().string(), folder_.path().string()}, {});
  std::vector<Error> failures;
  const auto all = plugins.all(&failures);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(failures.empty());
  EXPECT_STREQ(all[0]->descriptor->type, "count_up");
  EXPECT_EQ(all[1], *plugins.find("stage", "upper"));
  EXPECT_EQ(all[1]->library, (second.path() / "upper.so").string());
}

TEST_F(Loading, a_folder_that_is_not_there_is_named) {
  Registry plugins({"/nonexistent/plugins", folder_.path().string()}, {});
  std::vector<Error> failures;
  EXPECT_EQ(plugins.all(&failures).size(), 2u);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_NE(failures[0].message.find("/nonexistent/plugins: No such file"), std::string::npos);
}

TEST(PluginFolders, those_of_the_command_line_come_first) {
  const auto folders = plugin_folders({"/usr", "/tmp"});
  ASSERT_TRUE(folders);
  ASSERT_GE(folders->size(), 2u);
  EXPECT_EQ((*folders)[0], "/usr");
  EXPECT_EQ((*folders)[1], "/tmp");
}

TEST(PluginFolders, one_of_the_command_line_that_is_not_there_is_unavailable) {
  const auto folders = plugin_folders({"/nonexistent/plugins"});
  ASSERT_FALSE(folders);
  EXPECT_EQ(folders.error().code, Errc::unavailable);
  EXPECT_NE(folders.error().message.find("/nonexistent/plugins: No such file"), std::string::npos);
}

}  // namespace
}  // namespace sluice::core
