// A folder with a bucket, the pipeline of configs/icons.json or one of the test's own over it, and
// what a user then finds.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "end_to_end/process.hpp"

namespace sluice::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

struct PixelSize {
  std::uint32_t width = 0, height = 0;
  bool operator==(const PixelSize&) const = default;
};
inline void PrintTo(const PixelSize& size, std::ostream* out) {
  *out << size.width << "x" << size.height;
}

std::string icon_png(std::uint64_t seed = 1, std::uint32_t side = 96);
std::string photo_png(std::uint32_t width, std::uint32_t height);
std::string photo_jpeg(std::uint32_t width, std::uint32_t height);
/// Of a PNG's header; 0x0 if it is none, or is not whole.
PixelSize png_size(const std::string& png);

/// A bucket "graphics" and a state folder of their own.
class Pipeline : public testing::Test {
 protected:
  Pipeline();

  void put(const std::string& key, const std::string& bytes) const {
    put_file(bucket() / key, bytes);
  }
  /// `sluice run configs/icons.json` on the bucket; `more` words follow, for example
  /// "--until-idle".
  Command icons(const Words& more = {}) const;
  Command icons_until_idle(Words more = {}) const;
  /// `sluice run` of a configuration with this text, in which @ stands for the test's folder.
  Command own(const std::string& config, const Words& more = {}) const;
  /// Words that put a probe (test_stages.cpp) with these options before the stages of resize-16.
  static Words probe_16(const Json& options);

  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path bucket() const { return folder() / "graphics"; }
  std::string file(const std::string& name) const { return (folder() / name).string(); }
  /// Keys below a prefix; temporary files are none.
  std::set<std::string> keys(const std::string& prefix) const;
  std::size_t results(int side) const;
  std::size_t results() const { return results(16) + results(32) + results(64); }
  PixelSize size_of(const std::string& key) const { return png_size(read_file(bucket() / key)); }
  /// The lines of a dead-letter queue's file.
  std::vector<Json> dead_letters(const std::string& queue) const;
  std::vector<std::string> lines(const std::string& name) const;

 private:
  TemporaryFolder folder_;
};

constexpr int kSides[] = {16, 32, 64};

/// The last line of stdout, the summary. Throws if it is none, which fails the test.
Json summary_of(const Ended& ended);
/// Invariant 1 (DESIGN §7) of every queue.
void expect_conservation(const Json& summary);

}  // namespace sluice::test
