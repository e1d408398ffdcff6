// The main job on real folders: S1.1 to S1.5 of the first example system, by the shipped config.
#include "end_to_end/pipeline.hpp"

namespace sluice::test {
namespace {

using Icons = Pipeline;

std::set<std::string> results_of(const std::string& name) {
  return {"icons-size-16/" + name, "icons-size-32/" + name, "icons-size-64/" + name};
}

TEST_F(Icons, one_put_gives_exactly_three_results) {
  put("icons/a.png", icon_png());

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  std::set<std::string> expected = results_of("a.png");
  expected.insert("icons/a.png");
  EXPECT_EQ(keys(""), expected);
}

TEST_F(Icons, an_event_told_twice_still_gives_three_results_of_the_same_content) {
  put("icons/a.png", icon_png());
  run(icons_until_idle());
  std::map<std::string, std::string> once;
  for (const std::string& key : results_of("a.png"))
    once[key] = read_file(bucket() / key);

  const Ended ended = run(icons_until_idle(
      {"--set", "/state=" + file("other-state"), "--set",
       R"(/sources/again={"type":"bucket_events","bucket":"graphics","prefix":"icons/","publish_to":"new-icons"})"}));

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary_of(ended)["services"]["resize-16"]["processed"], 2);
  EXPECT_EQ(results(), 3U);
  for (const auto& [key, bytes] : once)
    EXPECT_TRUE(read_file(bucket() / key) == bytes) << key;
}

class Names : public Pipeline, public testing::WithParamInterface<const char*> {};

TEST_P(Names, are_kept_letter_by_letter) {
  put(std::string("icons/") + GetParam(), icon_png());

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  for (const std::string& key : results_of(GetParam()))
    EXPECT_NE(size_of(key), PixelSize{}) << key;
  EXPECT_EQ(results(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Table, Names,
                         testing::Values("a/b c+d.png", "100%25 {key}.png",
                                         "\xc3\xa4\xe6\x97\xa5 \xf0\x9f\x98\x80.png",
                                         "deep/er/and/deeper/x.png", "-rf *.png",
                                         "quote\"back\\slash\nline.png", "not utf-8 \xff\xfe.png",
                                         ".hidden"));

struct Sizes {
  const char* name;
  bool jpeg;
  PixelSize in, out16, out32, out64;
};

class Scaling : public Pipeline, public testing::WithParamInterface<Sizes> {};

TEST_P(Scaling, fits_into_the_square_and_comes_out_as_png) {
  const Sizes& sizes = GetParam();
  const auto [width, height] = sizes.in;
  put("icons/x", sizes.jpeg ? photo_jpeg(width, height) : photo_png(width, height));

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(size_of("icons-size-16/x"), sizes.out16);
  EXPECT_EQ(size_of("icons-size-32/x"), sizes.out32);
  EXPECT_EQ(size_of("icons-size-64/x"), sizes.out64);
}

// S1.3; the odd ratios by Pillow's thumbnail(): 100x33 at 16 -> 16x5, at 64 -> 64x21.
INSTANTIATE_TEST_SUITE_P(
    Table, Scaling,
    testing::Values(Sizes{"wide", false, {96, 48}, {16, 8}, {32, 16}, {64, 32}},
                    Sizes{"tall", false, {48, 96}, {8, 16}, {16, 32}, {32, 64}},
                    Sizes{"smaller_than_asked_stays", false, {20, 10}, {16, 8}, {20, 10}, {20, 10}},
                    Sizes{"one_pixel", false, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
                    Sizes{"a_line_keeps_one_pixel", false, {200, 1}, {16, 1}, {32, 1}, {64, 1}},
                    Sizes{"odd_ratio", false, {100, 33}, {16, 5}, {32, 11}, {64, 21}},
                    Sizes{"jpeg", true, {1600, 1200}, {16, 12}, {32, 24}, {64, 48}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(Icons, objects_elsewhere_and_the_results_cause_nothing) {
  put("other/x.png", icon_png());
  put("x.png", icon_png());
  put("icons-old/x.png", icon_png());
  put("icons/a.png", icon_png());

  EXPECT_EQ(summary_of(run(icons_until_idle()))["sources"]["uploads"]["events"], 1);
  const Json again = summary_of(run(icons_until_idle()));

  EXPECT_EQ(again["sources"]["uploads"]["events"], 0);
  EXPECT_EQ(results(), 3U);
}

TEST_F(Icons, a_body_that_is_no_event_is_counted_and_makes_nothing) {
  const Ended ended = run(icons_until_idle(
      {"--set", R"(/sources/uploads={"type":"generate","count":100,"publish_to":"new-icons"})"}));

  const Json summary = summary_of(ended);
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(summary["sources"]["uploads"]["acknowledged"], 100);
  EXPECT_EQ(summary["services"]["resize-32"]["ignored"], 100);
  EXPECT_EQ(summary["services"]["resize-32"]["processed"], 100);
  EXPECT_EQ(summary["dead_letters"], 0);
  EXPECT_EQ(keys(""), std::set<std::string>{});
}

TEST_F(Icons, a_thousand_icons_become_three_thousand_results) {
  const int count = scaled(1000, 100);
  for (int i = 0; i < count; ++i)
    put("icons/" + std::to_string(i) + ".png", icon_png(static_cast<std::uint64_t>(i)));

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  for (const int side : kSides)
    EXPECT_EQ(results(side), static_cast<std::size_t>(count)) << side;
  expect_conservation(summary_of(ended));
}

std::string truncated(std::string bytes) {
  bytes.resize(bytes.size() / 2);
  return bytes;
}

/// A header that promises more pixels than any memory holds.
std::string bomb() {
  std::string png = icon_png();
  for (const std::size_t at : {16U, 20U})
    png.replace(at, 4, std::string("\x00\x01\x86\xa0", 4));
  return png;
}

TEST_F(Icons, damaged_and_hostile_images_are_dead_lettered_at_once_and_the_rest_goes_on) {
  const std::map<std::string, std::string> bad{
      {"icons/empty.png", ""},        {"icons/truncated.png", truncated(icon_png())},
      {"icons/bomb.png", bomb()},     {"icons/truncated.jpg", truncated(photo_jpeg(800, 600))},
      {"icons/text.png", "no image"}, {"icons/zeros.jpg", std::string(100'000, '\0')}};
  for (const auto& [key, bytes] : bad)
    put(key, bytes);
  put("icons/good.png", icon_png());

  const Ended ended = run(icons_until_idle());

  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(results(), 3U);
  EXPECT_EQ(summary_of(ended)["dead_letters"], 3 * bad.size());
  for (const int side : kSides) {
    std::set<std::string> dead;
    for (const Json& letter : dead_letters("resize-" + std::to_string(side) + "-dead")) {
      dead.insert(letter["attributes"]["s3.key"]["value"].get<std::string>());
      EXPECT_EQ(letter["receive_count"], 1) << letter;
      EXPECT_EQ(letter["dead_letter"]["stage"], "image_resize") << letter;
      EXPECT_FALSE(letter["dead_letter"]["reason"].get<std::string>().empty()) << letter;
    }
    EXPECT_EQ(dead.size(), bad.size()) << side;
  }
}

TEST_F(Icons, a_changed_image_is_done_again_and_an_old_one_is_not) {
  put("icons/a.png", icon_png(1));
  put("icons/b.png", icon_png(1));
  run(icons_until_idle());
  const std::string before = read_file(bucket() / "icons-size-32/a.png");
  put("icons/a.png", icon_png(2, 97));  // another size: another etag, however coarse the clock

  const Json summary = summary_of(run(icons_until_idle()));

  EXPECT_EQ(summary["sources"]["uploads"]["events"], 1);
  EXPECT_FALSE(read_file(bucket() / "icons-size-32/a.png") == before);
}

}  // namespace
}  // namespace sluice::test
