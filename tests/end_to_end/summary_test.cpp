// `--summary json` to the letter of DESIGN §5.
#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

using Summary = Pipeline;
using Names = std::set<std::string>;

Names names_of(const Json& object) {
  Names names;
  for (const auto& [name, value] : object.items())
    names.insert(name);
  return names;
}

TEST_F(Summary, has_exactly_the_keys_that_are_promised) {
  put("icons/a.png", icon_png());
  const Json summary = summary_of(run(icons_until_idle()));

  EXPECT_EQ(names_of(summary), (Names{"pipeline", "seconds", "exit", "dead_letters", "sources",
                                      "queues", "services"}));
  EXPECT_EQ(names_of(summary["sources"]), Names{"uploads"});
  EXPECT_EQ(names_of(summary["sources"]["uploads"]), (Names{"events", "acknowledged"}));
  EXPECT_EQ(names_of(summary["queues"]),
            (Names{"resize-16", "resize-32", "resize-64", "resize-16-dead", "resize-32-dead",
                   "resize-64-dead"}));
  EXPECT_EQ(names_of(summary["queues"]["resize-16"]),
            (Names{"sent", "moved_in", "received", "deleted", "visible", "in_flight", "delayed",
                   "moved_to_dead_letter", "expired", "dropped", "purged"}));
  EXPECT_EQ(names_of(summary["services"]), (Names{"resize-16", "resize-32", "resize-64"}));
  EXPECT_EQ(names_of(summary["services"]["resize-16"]),
            (Names{"processed", "retried", "rejected", "stale", "ignored", "workers_max"}));
}

TEST_F(Summary, counts_good_and_damaged_pictures_where_they_belong) {
  for (int i = 0; i < 10; ++i)
    put("icons/good" + std::to_string(i), icon_png());
  for (int i = 0; i < 4; ++i)
    put("icons/bad" + std::to_string(i), "damaged");

  const Json summary = summary_of(run(icons_until_idle()));

  expect_conservation(summary);
  EXPECT_EQ(summary["pipeline"], "icons");
  EXPECT_EQ(summary["exit"], 0);
  EXPECT_EQ(summary["dead_letters"], 12);
  EXPECT_EQ(summary["sources"]["uploads"], (Json{{"events", 14}, {"acknowledged", 14}}));
  for (const int side : kSides) {
    const std::string name = "resize-" + std::to_string(side);
    const Json& queue = summary["queues"][name];
    EXPECT_EQ(queue["sent"], 14);
    EXPECT_EQ(queue["received"], 14);
    EXPECT_EQ(queue["deleted"], 10);
    EXPECT_EQ(queue["moved_to_dead_letter"], 4);
    EXPECT_EQ(summary["queues"][name + "-dead"]["moved_in"], 4);
    EXPECT_EQ(summary["queues"][name + "-dead"]["visible"], 4);
    EXPECT_EQ(summary["services"][name]["processed"], 10);
    EXPECT_EQ(summary["services"][name]["rejected"], 4);
    EXPECT_EQ(summary["services"][name]["workers_max"], 2);
  }
}

TEST_F(Summary, dead_letters_of_earlier_runs_are_counted_as_moved_in) {
  put("icons/bad", "damaged");
  run(icons_until_idle());

  const Json summary = summary_of(run(icons_until_idle()));

  expect_conservation(summary);
  EXPECT_EQ(summary["dead_letters"], 3);
  EXPECT_EQ(summary["queues"]["resize-16-dead"]["moved_in"], 1);
  EXPECT_EQ(summary["queues"]["resize-16-dead"]["visible"], 1);
  EXPECT_EQ(summary["sources"]["uploads"]["events"], 0);
}

}  // namespace
}  // namespace sluice::test
