// A plugin built as its author does: with the compiler, pkg-config, and nothing else of ours.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

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

/// The stage `reverse` (reverse.cpp), built as its author would, over two bodies.
class Reverse : public OutOfTree {
 protected:
  void SetUp() override {
    build("c++ -std=c++20", "reverse.cpp", "reverse.so");
    plugins_.reset(new Registry(registry()));
    const auto found = plugins_->find("stage", "reverse");
    ASSERT_TRUE(found.has_value()) << found.error().message;
    auto instance = Instance::create(complete(**found, R"({"reject":"no"})").config);
    ASSERT_TRUE(instance.has_value()) << instance.error().message;
    stage_.emplace(std::move(*instance));
  }
  int32_t process(std::string_view one, std::string_view two) {
    const auto message = [](std::string_view body) {
      return sluice_message{.struct_size = sizeof(sluice_message),
                            .body = reinterpret_cast<const uint8_t*>(body.data()),
                            .body_size = body.size()};
    };
    const sluice_message first = message(one), second = message(two);
    const sluice_message* messages[] = {&first, &second};
    const sluice_batch batch{sizeof batch, 2, 0, messages};
    return stage_->functions<sluice_stage>().process(stage_->self(), &batch, &out_);
  }
  RecordingOut out_;

 private:
  std::unique_ptr<Registry> plugins_;
  std::optional<Instance> stage_;
};

TEST_F(Reverse, a_plugin_in_cpp20_builds_over_the_wrapper_and_runs) {
  EXPECT_EQ(process("abc", "no"), SLUICE_OK);
  EXPECT_EQ(out_.bodies, std::vector<std::string>{"cba"});
  EXPECT_EQ(out_.calls.back(), "settle 1 2 -1 unwanted");
}

TEST_F(Reverse, a_fatal_failure_comes_back_as_that_status_and_not_as_an_exception) {
  out_.status = SLUICE_CANCELLED;  // the stage throws Failure(SLUICE_FATAL)
  EXPECT_EQ(process("abc", "no"), SLUICE_FATAL);
}

TEST_F(Reverse, any_other_exception_makes_each_message_of_the_batch_a_retry_with_its_text) {
  EXPECT_EQ(process("abc", "throw"), SLUICE_OK);
  EXPECT_EQ(out_.calls, (std::vector<std::string>{"emit", "settle 0 1 -1 the author's bug",
                                                  "settle 1 1 -1 the author's bug"}));
}

}  // namespace
}  // namespace sluice::core
