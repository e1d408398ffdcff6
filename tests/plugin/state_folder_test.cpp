#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

namespace fs = std::filesystem;

class StateFolder : public testing::Test {
 protected:
  StateFolder() {
    std::string name = (fs::temp_directory_path() / "sluice-state-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~StateFolder() override { fs::remove_all(root_); }

  /// The folder of component `name`, or the status in parentheses.
  std::string folder_of(const std::string& name, const char* kind = "source") {
    fake_.descriptor.kind = kind;
    sluice_config config;
    config.component = &fake_.component;
    config.name = name;
    config.state_root = root_ / "state";
    sluice_str path{};
    const int32_t status = host().state_folder(&config, &path);
    return status == SLUICE_OK ? std::string(view(path)) : "(" + std::to_string(status) + ")";
  }
  FakeComponent fake_;
  fs::path root_;
};

TEST_F(StateFolder, is_made_with_its_parents_for_the_owner_only) {
  const std::string folder = folder_of("uploads");
  EXPECT_EQ(folder, (root_ / "state/components/uploads").string());
  struct stat status {};
  for (const fs::path& made : {fs::path(folder), root_ / "state"}) {
    ASSERT_EQ(::stat(made.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u) << made;
  }
  EXPECT_EQ(folder_of("uploads"), folder);
}

TEST_F(StateFolder, of_components_of_one_name_are_apart) {
  EXPECT_EQ(folder_of("icons", "bucket"), (root_ / "state/components/icons@bucket-fake").string());
  EXPECT_NE(folder_of("icons", "source"), folder_of("icons", "bucket"));
  EXPECT_NE(folder_of("icons@bucket-fake", "source"), folder_of("icons", "bucket"));
}

TEST_F(StateFolder, a_hostile_name_stays_below_the_state_folder) {
  const fs::path components = root_ / "state/components";
  for (const std::string& name :
       {std::string(".."), std::string("."), std::string("../../x"), std::string("a/b"),
        std::string("a\0b", 3), std::string("/etc"), std::string("%2E")}) {
    EXPECT_EQ(fs::path(folder_of(name)).parent_path(), components) << name;
  }
  EXPECT_NE(folder_of("%2E."), folder_of(".."));
  EXPECT_EQ(folder_of(""), "(" + std::to_string(SLUICE_INVALID) + ")");
  EXPECT_EQ(folder_of(std::string(300, 'x')), "(" + std::to_string(SLUICE_INVALID) + ")");
}

TEST_F(StateFolder, that_cannot_be_made_is_unavailable_with_its_path) {
  std::ofstream(root_ / "state") << "a file";
  EXPECT_EQ(folder_of("uploads"), "(" + std::to_string(SLUICE_UNAVAILABLE) + ")");
  EXPECT_NE(view(host().last_error()).find("state/components/uploads"), std::string::npos);
}

TEST_F(StateFolder, is_not_found_where_the_pipeline_has_none) {
  sluice_config config;
  config.component = &fake_.component;
  sluice_str path{};
  EXPECT_EQ(host().state_folder(&config, &path), SLUICE_NOT_FOUND);
}

}  // namespace
}  // namespace sluice::core
