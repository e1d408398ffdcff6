// Who may include whom (DESIGN §3): in src/ a higher layer includes lower ones, layers of the same
// number leave each other alone, and everybody may include <sluice/...>. Plugins include that,
// "support/..." and files of their own room. The contract includes nothing of ours.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, int> kLayers{
    {"base", 0},   {"message", 1}, {"filter", 2}, {"queue", 2},    {"scaling", 2}, {"topic", 3},
    {"plugin", 3}, {"service", 4}, {"config", 4}, {"pipeline", 5}, {"admin", 6},   {"cli", 7}};

struct Include {
  std::string text;  ///< between the quotes or brackets
  bool quoted = false;
  int line = 0;
};

std::vector<Include> includes_of(std::istream& file) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)re");
  std::vector<Include> found;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::smatch match;
    if (std::regex_match(line, match, pattern))
      found.push_back({match[2], match[1] == "\"", number});
  }
  return found;
}

/// What stands before the first '/'; empty if there is none.
std::string first_folder(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// Why a file of layer `layer` may not include it; empty if it may.
std::string fault_in_source(const std::string& layer, const Include& include) {
  const std::string other = first_folder(include.text);
  const auto found = kLayers.find(other);
  if (!include.quoted)
    return found == kLayers.end() ? "" : "our files are included with \"...\"";
  if (found == kLayers.end())
    return "\"...\" names a file of a layer: \"" + layer + "/name.hpp\"";
  if (other == layer || found->second < kLayers.at(layer))
    return "";
  return "layer " + layer + " (" + std::to_string(kLayers.at(layer)) + ") includes " + other +
         " (" + std::to_string(found->second) + ")";
}

/// The same for a file of a plugin's room. A file of the room is named as it is, or with the room.
std::string fault_in_plugin(const fs::path& room, const Include& include) {
  const std::string folder = first_folder(include.text);
  if (!include.quoted) {
    return kLayers.contains(folder) || folder == "support"
               ? "our files are included with \"...\", and none of src/"
               : "";
  }
  const bool is_own =
      fs::exists((folder == room.filename() ? room.parent_path() : room) / include.text);
  const bool leaves = include.text.find("..") != std::string::npos;
  if (!leaves && (folder == "support" || is_own))
    return "";
  return "a plugin includes <sluice/...>, \"support/...\" and its own room";
}

std::string fault_in_contract(const Include& include) {
  if (include.quoted)
    return "the contract is included with <sluice/...>";
  return kLayers.contains(first_folder(include.text)) ? "the contract stands alone" : "";
}

class Includes : public testing::Test {
 protected:
  Includes() {
    const char* root = std::getenv("SLUICE_SOURCE_ROOT");
    root_ = root == nullptr ? "." : root;
  }

  /// Calls `fault(file, include)` for every include below `folder`; each text it answers is a
  /// failure.
  template <class Fault>
  void check(const std::string& folder, Fault&& fault) {
    for (const auto& entry : fs::recursive_directory_iterator(root_ / folder)) {
      const std::string ending = entry.path().extension();
      if (ending != ".cpp" && ending != ".hpp" && ending != ".c" && ending != ".h" &&
          ending != ".in")
        continue;
      ++files_;
      std::ifstream file(entry.path());
      for (const Include& include : includes_of(file)) {
        const std::string text = fault(entry.path(), include);
        EXPECT_EQ(text, "") << entry.path().string() << ":" << include.line << ": " << include.text;
      }
    }
  }

  fs::path root_;
  int files_ = 0;
};

TEST_F(Includes, of_the_engine_point_to_lower_layers) {
  check("src", [&](const fs::path& file, const Include& include) {
    const std::string layer = file.lexically_relative(root_ / "src").begin()->string();
    return kLayers.contains(layer) ? fault_in_source(layer, include)
                                   : "src/" + layer + " has no number: see DESIGN §3";
  });
  EXPECT_GT(files_, 100);
}

TEST_F(Includes, of_plugins_stay_in_the_contract_the_support_and_their_room) {
  check("plugins", [&](const fs::path& file, const Include& include) {
    const fs::path room = root_ / "plugins" / *file.lexically_relative(root_ / "plugins").begin();
    return fault_in_plugin(room, include);
  });
  EXPECT_GT(files_, 40);
}

TEST_F(Includes, of_the_contract_are_its_own_and_the_standard_library) {
  check("include",
        [](const fs::path&, const Include& include) { return fault_in_contract(include); });
  EXPECT_GE(files_, 2);
}

/// The rules themselves, so that a rule that lets everything pass is noticed.
TEST(Rules, refuse_what_points_up_sideways_or_out_of_a_room) {
  EXPECT_EQ(fault_in_source("queue", {"base/json.hpp", true}), "");
  EXPECT_EQ(fault_in_source("queue", {"queue/log.hpp", true}), "");
  EXPECT_EQ(fault_in_source("base", {"sluice/plugin.h", false}), "");
  EXPECT_NE(fault_in_source("base", {"message/chunk.hpp", true}), "");
  EXPECT_NE(fault_in_source("topic", {"plugin/host.hpp", true}), "");
  EXPECT_NE(fault_in_source("queue", {"log.hpp", true}), "");
  EXPECT_NE(fault_in_source("queue", {"service/pool.hpp", false}), "");
  const fs::path room = fs::temp_directory_path() / "no-such-room";
  EXPECT_EQ(fault_in_plugin(room, {"support/text.hpp", true}), "");
  EXPECT_EQ(fault_in_plugin(room, {"sluice/plugin.hpp", false}), "");
  EXPECT_NE(fault_in_plugin(room, {"base/json.hpp", true}), "");
  EXPECT_NE(fault_in_plugin(room, {"base/json.hpp", false}), "");
  EXPECT_NE(fault_in_plugin(room, {"../directory/keys.hpp", true}), "");
  EXPECT_NE(fault_in_contract({"base/json.hpp", false}), "");
}

TEST(Rules, find_every_form_of_an_include) {
  std::istringstream text("#include <a>\n  #  include \"b/c.hpp\"  // why\n// #include \"no\"\n");
  const std::vector<Include> found = includes_of(text);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].text, "a");
  EXPECT_FALSE(found[0].quoted);
  EXPECT_EQ(found[1].text, "b/c.hpp");
  EXPECT_TRUE(found[1].quoted);
  EXPECT_EQ(found[1].line, 2);
}

}  // namespace
