// A plugin built as its author does: with the compiler, pkg-config, and nothing else of ours.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "abi/temporary_folder.hpp"
#include "plugin/fakes.hpp"
#include "plugin/host.hpp"
#include "plugin/registry.hpp"

namespace sluice::core {
namespace {

/// Compiles tests/abi/`source` in a folder of its own; what the compiler says is part of a failure.
class OutOfTree : public testing::Test {
 protected:
  void build(const std::string& compiler, const std::string& source, const std::string& library) {
    const auto file = folder_from_environment("SLUICE_SOURCE_ROOT") / "tests/abi" / source;
    const std::string command =
        "cd '" + folder_.path().string() + "' && PKG_CONFIG_PATH='" +
        (folder_from_environment("SLUICE_BUILD_ROOT") / "meson-uninstalled").string() +
        "' && export PKG_CONFIG_PATH && " + "flags=$(pkg-config --cflags sluice) && " + compiler +
        " $flags -Wall -Wextra -Wpedantic -Werror -fPIC -shared '" + file.string() + "' -o " +
        library + " 2>&1";
    std::string said;
    FILE* output = ::popen(command.c_str(), "r");
    ASSERT_NE(output, nullptr);
    for (int c; (c = std::fgetc(output)) != EOF;) {
      said += static_cast<char>(c);
    }
    ASSERT_EQ(::pclose(output), 0) << command << "\n" << said;
  }
  Registry registry() const { return Registry({folder_.path().string()}, {}); }
  TemporaryFolder folder_;
};

TEST_F(OutOfTree, a_plugin_in_c11_builds_with_pkg_config_alone_and_loads) {
  build("cc -std=c11", "upper.c", "upper.so");
  Registry plugins = registry();
  const auto found = plugins.find("stage", "upper");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_NE(complete(**found, "{}").config, nullptr);
}

TEST_F(OutOfTree, a_plugin_in_cpp20_builds_over_the_wrapper_and_runs) {
  build("c++ -std=c++20", "reverse.cpp", "reverse.so");
  Registry plugins = registry();
  const auto found = plugins.find("stage", "reverse");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  auto instance = Instance::create(complete(**found, R"({"reject":"no"})").config);
  ASSERT_TRUE(instance.has_value()) << instance.error().message;
  sluice_message good{.struct_size = sizeof(sluice_message),
                      .body = reinterpret_cast<const uint8_t*>("abc"),
                      .body_size = 3};
  sluice_message bad{.struct_size = sizeof(sluice_message),
                     .body = reinterpret_cast<const uint8_t*>("no"),
                     .body_size = 2};
  const sluice_message* messages[] = {&good, &bad};
  const sluice_batch batch{sizeof batch, 2, 0, messages};
  RecordingOut out;
  EXPECT_EQ(instance->functions<sluice_stage>().process(instance->self(), &batch, &out), SLUICE_OK);
  EXPECT_EQ(out.bodies, std::vector<std::string>{"cba"});
  EXPECT_EQ(out.calls.back(), "settle 1 2 -1 unwanted");
  out.status = SLUICE_CANCELLED;  // the stage throws Failure: no exception comes back, but a status
  EXPECT_EQ(instance->functions<sluice_stage>().process(instance->self(), &batch, &out),
            SLUICE_FATAL);
}

}  // namespace
}  // namespace sluice::core
