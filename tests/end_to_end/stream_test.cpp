// Bodies larger than memory: streamed from a bucket through a stage.
#include <csignal>
#include <fstream>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

using Stream = Pipeline;

// A sanitizer keeps what is freed for a while, and marks each byte.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kMemoryMax = std::uint64_t{512} << 20;
#else
constexpr std::uint64_t kMemoryMax = std::uint64_t{64} << 20;
#endif

constexpr const char* kConfig = R"({
  "buckets": { "b": { "type": "directory", "path": "@/graphics" } },
  "sources": { "s": { "type": "bucket_events", "bucket": "b", "prefix": "big/", "publish_to": "q" } },
  "queues": { "q": {} },
  "services": { "count": { "queue": "q", "stages": [ { "type": "object_get", "bucket": "b" },
                                                     { "type": "count_bytes", "path": "@/counted" } ] } },
  "state": "@/state"
})";

TEST_F(Stream, a_body_of_1_gib_goes_through_object_get_in_bounded_memory) {
  const std::uint64_t bytes = std::uint64_t{1} << 30;
  put("big/file", "");
  std::filesystem::resize_file(bucket() / "big/file", bytes);  // sparse: takes no disk

  Process process(own(kConfig));
  process.until("the body is counted", [&] { return !lines("counted").empty(); });

  EXPECT_EQ(lines("counted"), std::vector<std::string>{std::to_string(bytes)});
  EXPECT_LT(process.peak_memory_bytes(), kMemoryMax);
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit, 0);
}

TEST_F(Stream, a_body_over_max_body_bytes_is_rejected_where_a_stage_needs_it_in_memory) {
  put("icons/big.png", "");
  std::filesystem::resize_file(bucket() / "icons/big.png", std::uint64_t{1} << 30);

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 3);
  EXPECT_NE(dead_letters("resize-16-dead").at(0)["dead_letter"]["reason"], "");
}

}  // namespace
}  // namespace sluice::test
