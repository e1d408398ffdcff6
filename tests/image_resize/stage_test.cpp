// The stage as the host loads it: options, emissions, outcomes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "image_resize/pictures.hpp"
#include "plugin/host.hpp"
#include "plugin/options.hpp"
#include "plugin/out.hpp"
#include "plugin/registry.hpp"
#include "sample_pictures.hpp"

namespace sluice::image_resize::test {
namespace {

std::string text_of(sluice_str text) { return {text.data, text.size}; }

/// Remembers what one process() call did.
struct Received final : sluice_out {
  struct Emission {
    std::uint32_t parent;
    std::string body;
    std::map<std::string, std::pair<std::string, std::uint32_t>> attributes;
  };
  struct Settled {
    std::int32_t status;
    std::string reason, detail;
  };
  std::vector<Emission> emissions;
  std::map<std::uint32_t, Settled> settled;
  std::int32_t emit_status = SLUICE_OK;
  std::int32_t progress_status = SLUICE_OK;

  int32_t emit(const sluice_emission& e, bool) override {
    if (emit_status != SLUICE_OK) return emit_status;
    Emission& emission = emissions.emplace_back(Emission{e.parent, std::string(reinterpret_cast<const char*>(e.body), e.body_size), {}});
    for (std::uint32_t i = 0; i < e.attribute_count; ++i) {
      emission.attributes[text_of(e.attributes[i]->name)] = {text_of(e.attributes[i]->value), e.attributes[i]->type};
    }
    return SLUICE_OK;
  }
  int32_t reserve(uint64_t, uint8_t**) override { return SLUICE_INVALID; }
  int32_t commit(uint64_t, const sluice_emission*) override { return SLUICE_INVALID; }
  int32_t flush() override { return SLUICE_OK; }
  int32_t reject_part(const sluice_emission&, sluice_str, sluice_str) override { return SLUICE_INVALID; }
  int32_t settle(uint32_t index, int32_t status, int64_t, sluice_str reason, sluice_str detail) override {
    settled[index] = {status, text_of(reason), text_of(detail)};
    return SLUICE_OK;
  }
  int32_t progress(uint32_t, uint64_t, uint64_t) override { return progress_status; }
  int32_t ignore(uint32_t) override { return SLUICE_INVALID; }
  int32_t exhausted() override { return SLUICE_INVALID; }
};

class StageTest : public testing::Test {
 protected:
  StageTest() : registry_({std::string(std::getenv("SLUICE_BUILD_ROOT")) + "/plugins"}) {
    auto found = registry_.find("stage", "image_resize");
    if (found) component_ = *found;
  }

  /// Errors are kept in errors_; nullptr then.
  std::unique_ptr<core::Instance> create(const std::string& options) {
    auto json = core::parse_json(options);
    auto config = core::complete_options(*component_, {"resize", "/", ""}, &*json, {},
                                         [this](std::string_view pointer, std::string text) {
      errors_.push_back(std::string(pointer) + ": " + text);
    });
    if (config == nullptr) return nullptr;
    auto instance = core::Instance::create(std::move(config));
    if (!instance) {
      errors_.push_back(instance.error().message);
      return nullptr;
    }
    return std::make_unique<core::Instance>(std::move(*instance));
  }

  std::int32_t process(core::Instance& stage, const std::vector<Bytes>& bodies, Received& out) {
    std::vector<sluice_message> messages(bodies.size());
    std::vector<const sluice_message*> pointers;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      messages[i].struct_size = sizeof(sluice_message);
      messages[i].body = bodies[i].data();
      messages[i].body_size = bodies[i].size();
      pointers.push_back(&messages[i]);
    }
    sluice_batch batch{sizeof(sluice_batch), static_cast<std::uint32_t>(bodies.size()), 0, pointers.data()};
    return stage.functions<sluice_stage>().process(stage.self(), &batch, &out);
  }

  core::Registry registry_;
  const core::Component* component_ = nullptr;
  std::vector<std::string> errors_;
};

Bytes icon() { return samples::to_png(samples::make_icon(4, 96)); }

TEST_F(StageTest, emits_a_message_for_each_size_with_its_attributes) {
  ASSERT_NE(component_, nullptr);
  auto stage = create(R"({"sizes": [16, 32, {"width": 48}]})");
  ASSERT_NE(stage, nullptr) << (errors_.empty() ? "" : errors_[0]);
  Received out;
  ASSERT_EQ(process(*stage, {icon()}, out), SLUICE_OK);
  ASSERT_EQ(out.emissions.size(), 3u);
  EXPECT_TRUE(out.settled.empty());
  EXPECT_EQ(out.emissions[1].attributes["width"], (std::pair<std::string, std::uint32_t>("32", SLUICE_NUMBER)));
  EXPECT_EQ(out.emissions[2].attributes["height"], (std::pair<std::string, std::uint32_t>("48", SLUICE_NUMBER)));
  EXPECT_EQ(out.emissions[0].attributes["content_type"], (std::pair<std::string, std::uint32_t>("image/png", SLUICE_STRING)));
}

TEST_F(StageTest, a_bad_picture_is_rejected_and_the_rest_goes_on) {
  auto stage = create(R"({"width": 16, "height": 16})");
  ASSERT_NE(stage, nullptr);
  Bytes half = icon();
  half.resize(half.size() / 2);
  Received out;
  ASSERT_EQ(process(*stage, {icon(), half, {}, icon()}, out), SLUICE_OK);
  ASSERT_EQ(out.emissions.size(), 2u);
  EXPECT_EQ(out.emissions[0].parent, 0u);
  EXPECT_EQ(out.emissions[1].parent, 3u);
  ASSERT_EQ(out.settled.size(), 2u);
  EXPECT_EQ(out.settled[1].status, SLUICE_REJECT);
  EXPECT_EQ(out.settled[1].reason, "truncated");
  EXPECT_FALSE(out.settled[1].detail.empty());
  EXPECT_EQ(out.settled[2].reason, "unsupported_format");
}

TEST_F(StageTest, what_is_wrong_with_options_is_told_where_it_stands) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "/width: a size is missing"},
      {R"({"sizes": [16], "width": 4})", "/sizes: 'sizes' stands instead"},
      {R"({"sizes": [0]})", "/sizes: 'sizes': a side must be"},
      {R"({"width": 16, "background": "red"})", "/background: 'background': 'red' is no colour"},
      {R"({"width": 0})", "/width"},
      {R"({"width": 16, "filter": "lanczos"})", "/filter"},
      {R"({"width": 16, "quality": 101})", "/quality"},
      {R"({"width": 16, "widht": 3})", "/widht"}};
  for (auto [options, text] : cases) {
    errors_.clear();
    EXPECT_EQ(create(options), nullptr) << options;
    ASSERT_FALSE(errors_.empty()) << options;
    EXPECT_TRUE(errors_[0].starts_with(text)) << options << " gave " << errors_[0];
  }
}

TEST_F(StageTest, options_reach_the_outputs) {
  auto stage = create(R"({"width": 20, "height": 10, "fit": "contain", "background": "#00ff00", "format": "jpeg",
                          "quality": 95, "max_pixels": 10000, "filter": "box", "enlarge": true})");
  ASSERT_NE(stage, nullptr) << (errors_.empty() ? "" : errors_[0]);
  Received out;
  process(*stage, {icon(), samples::to_png(samples::make_icon(4, 128))}, out);
  ASSERT_EQ(out.emissions.size(), 1u);
  const std::string& body = out.emissions[0].body;
  Pixels pixels = decode_jpeg({reinterpret_cast<const std::uint8_t*>(body.data()), body.size()});
  EXPECT_EQ(pixels.width, 20u);
  EXPECT_EQ(pixels.height, 10u);
  EXPECT_GT(pixels.at(0, 5, 1), 200);
  EXPECT_LT(pixels.at(0, 5, 0), 60);
  EXPECT_EQ(out.settled[1].reason, "limit_exceeded");
}

TEST_F(StageTest, cancellation_ends_the_batch) {
  auto stage = create(R"({"width": 16})");
  Received out;
  out.progress_status = SLUICE_CANCELLED;
  EXPECT_EQ(process(*stage, {samples::to_png(samples::make_icon(1, 200))}, out), SLUICE_CANCELLED);
  Received later;
  stage->cancel();
  EXPECT_EQ(process(*stage, {icon()}, later), SLUICE_CANCELLED);
  EXPECT_TRUE(later.emissions.empty());
}

TEST_F(StageTest, a_host_that_takes_no_output_gets_an_outcome) {
  auto stage = create(R"({"width": 16})");
  Received out;
  out.emit_status = SLUICE_TOO_LARGE;
  ASSERT_EQ(process(*stage, {icon()}, out), SLUICE_OK);
  EXPECT_EQ(out.settled[0].status, SLUICE_REJECT);
  EXPECT_EQ(out.settled[0].reason, "limit_exceeded");
  out.emit_status = SLUICE_CANCELLED;
  EXPECT_EQ(process(*stage, {icon()}, out), SLUICE_CANCELLED);
}

}  // namespace
}  // namespace sluice::image_resize::test
