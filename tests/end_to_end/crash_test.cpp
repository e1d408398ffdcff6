// kill -9 at any moment: nothing lost, no dead letter twice. Longer with SLUICE_TEST_SCALE.
#include <csignal>
#include <random>

#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

class Crash : public Pipeline {
 protected:
  static constexpr int kGood = 40, kBad = 10;

  void put_pictures() const {
    for (int i = 0; i < kGood; ++i)
      put("icons/good-" + std::to_string(i) + ".png", icon_png(static_cast<std::uint64_t>(i)));
    for (int i = 0; i < kBad; ++i)
      put("icons/bad-" + std::to_string(i) + ".png", "damaged " + std::to_string(i));
  }

  void expect_all_results() const {
    for (const int side : kSides) {
      for (int i = 0; i < kGood; ++i) {
        const std::string key =
            "icons-size-" + std::to_string(side) + "/good-" + std::to_string(i) + ".png";
        const auto edge = static_cast<std::uint32_t>(side);
        EXPECT_EQ(size_of(key), (PixelSize{edge, edge})) << key;
      }
      EXPECT_EQ(results(side), static_cast<std::size_t>(kGood));
    }
  }

  void expect_all_dead_letters_once() const {
    for (const int side : kSides) {
      std::multiset<std::string> ids, keys;
      for (const Json& letter : dead_letters("resize-" + std::to_string(side) + "-dead")) {
        ids.insert(letter["id"].get<std::string>());
        keys.insert(letter["attributes"]["s3.key"]["value"].get<std::string>());
      }
      EXPECT_EQ(keys.size(), static_cast<std::size_t>(kBad)) << side;
      EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size()) << side;
      EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << side;
    }
  }

  /// Runs to the end, and once more: then there is nothing to do.
  void expect_completion() const {
    const Ended ended = run(icons_until_idle());
    EXPECT_EQ(ended.exit, 0) << ended.err;
    EXPECT_EQ(summary_of(ended)["dead_letters"], 3 * kBad);
    expect_conservation(summary_of(ended));
    expect_all_results();
    expect_all_dead_letters_once();
    const Json again = summary_of(run(icons_until_idle()));
    EXPECT_EQ(again["sources"]["uploads"]["events"], 0);
    EXPECT_EQ(again["dead_letters"], 3 * kBad);
  }
};

TEST_F(Crash, kills_at_random_moments_lose_nothing_and_double_no_dead_letter) {
  std::mt19937 random(testing::UnitTest::GetInstance()->random_seed());
  const int rounds = scaled(12, 2);
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    std::filesystem::remove_all(bucket());
    std::filesystem::remove_all(folder() / "state");
    put_pictures();
    for (int kill = 0; kill < 6; ++kill) {
      Process process(icons_until_idle());
      // From before the state folder is there to after the end.
      process.ends_within(std::chrono::milliseconds(random() % (20U << kill)));
      process.send(SIGKILL);
      process.wait();
    }
    expect_completion();
  }
}

TEST_F(Crash, a_kill_at_each_count_of_results_loses_nothing) {
  put_pictures();
  const std::size_t step = 120 / static_cast<std::size_t>(scaled(24, 4));
  for (std::size_t least = 1; least < 3 * kGood; least += step) {
    Process process(icons_until_idle());
    process.until("more results", [&] { return results() >= least; });
    process.send(SIGKILL);
    process.wait();
  }
  expect_completion();
}

/// Kills at a named fault point of the product, in builds that have them.
class CrashAt : public Crash, public testing::WithParamInterface<const char*> {};

TEST_P(CrashAt, loses_nothing_and_doubles_no_dead_letter) {
  put_pictures();
  Command command = icons_until_idle();
  command.environment["SLUICE_DIE_AT"] = GetParam();

  const Ended ended = run(command);
  if (ended.exit == 0)
    GTEST_SKIP() << "this build has no fault points (-Dfault_points=true)";
  EXPECT_EQ(ended.exit, 128 + SIGKILL) << ended.err;
  EXPECT_EQ(run(command).exit, 128 + SIGKILL) << "also with what the first left behind";

  expect_completion();
}

INSTANTIATE_TEST_SUITE_P(Points, CrashAt,
                         testing::Values("dead_letters.before_sync", "dead_letters.after_sync"),
                         [](const auto& row) {
                           std::string name = row.param;
                           name[name.find('.')] = '_';
                           return name;
                         });

TEST_F(Crash, a_torn_last_dead_letter_is_cut_off_and_written_again) {
  put("icons/bad.png", "damaged");
  EXPECT_EQ(run(icons_until_idle()).exit, 0);
  const std::filesystem::path letters = folder() / "state/dead-letters/resize-16-dead.jsonl";
  std::filesystem::resize_file(letters, std::filesystem::file_size(letters) / 2);
  std::filesystem::remove_all(folder() /
                              "state/sources");  // as if it had not been acknowledged yet
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder() / "state")) {
    if (entry.path().filename() == "ledger")
      std::filesystem::resize_file(entry.path(), 0);
  }

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["dead_letters"], 3);
  for (const int side : kSides)
    EXPECT_EQ(dead_letters("resize-" + std::to_string(side) + "-dead").size(), 1U) << side;
}

}  // namespace
}  // namespace sluice::test
