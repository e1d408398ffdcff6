#include <gtest/gtest.h>

#include "plugin/fakes.hpp"

namespace sluice::core {
namespace {

/// What the fake's create() answers, and what is called. One test at a time.
struct Script {
  int32_t status = SLUICE_OK;
  std::string error;
  bool option_error = false;
  bool throws = false;
  int created = 0, destroyed = 0, cancelled = 0;
};
Script script;

int32_t scripted_create(const sluice_host* host, const sluice_config* config, void** self,
                        sluice_str* error) {
  ++script.created;
  if (script.throws) {
    throw std::string("surprise");
  }
  if (script.option_error) {
    host->option_error(config, "path", str("is not a folder"));
  }
  *self = &script;
  *error = str(script.error);
  return script.status;
}

class InstanceTest : public testing::Test {
 protected:
  InstanceTest() {
    script = {};
    fake_.descriptor.create = scripted_create;
    fake_.descriptor.destroy = [](void* self) { ++static_cast<Script*>(self)->destroyed; };
    fake_.descriptor.cancel = [](void* self) { ++static_cast<Script*>(self)->cancelled; };
  }
  Result<Instance> create() {
    auto config = std::make_unique<sluice_config>();
    config->component = &fake_.component;
    config->name = "resize-16";
    return Instance::create(std::move(config));
  }
  FakeComponent fake_;
};

TEST_F(InstanceTest, is_created_cancelled_and_destroyed_once) {
  {
    auto instance = create();
    ASSERT_TRUE(instance.has_value());
    Instance moved = std::move(*instance);
    moved.cancel();
    EXPECT_EQ(moved.self(), &script);
    EXPECT_EQ(&moved.functions<sluice_stage>(), &fake_.stage);
    EXPECT_EQ(moved.config().name, "resize-16");
  }
  EXPECT_EQ(script.created, 1);
  EXPECT_EQ(script.cancelled, 1);
  EXPECT_EQ(script.destroyed, 1);
}

TEST_F(InstanceTest, assignment_destroys_what_was_there) {
  auto first = create();
  auto second = create();
  *first = std::move(*second);
  EXPECT_EQ(script.destroyed, 1);
}

TEST_F(InstanceTest, a_status_of_create_becomes_its_exit_code) {
  const std::pair<int32_t, Errc> cases[] = {
      {SLUICE_BAD_OPTION, Errc::config},       {SLUICE_UNAVAILABLE, Errc::unavailable},
      {SLUICE_NOT_FOUND, Errc::missing_input}, {SLUICE_FATAL, Errc::internal},
      {SLUICE_RETRY, Errc::internal},          {-7, Errc::internal}};
  for (const auto& [status, code] : cases) {
    script.status = status;
    script.error = "no such folder";
    const auto instance = create();
    ASSERT_FALSE(instance.has_value());
    EXPECT_EQ(instance.error().code, code) << status;
    EXPECT_EQ(instance.error().message, "stage \"resize-16\" (fake): no such folder");
  }
  EXPECT_EQ(script.destroyed, 0);
}

TEST_F(InstanceTest, option_errors_of_create_are_part_of_its_text) {
  script.status = SLUICE_BAD_OPTION;
  script.option_error = true;
  EXPECT_EQ(create().error().message,
            "stage \"resize-16\" (fake): option \"path\": is not a folder");
}

TEST_F(InstanceTest, a_silent_failure_and_an_exception_have_a_text_too) {
  script.status = SLUICE_UNAVAILABLE;
  EXPECT_EQ(create().error().message, "stage \"resize-16\" (fake): it does not start: unavailable");
  script.throws = true;
  EXPECT_EQ(create().error().message,
            "stage \"resize-16\" (fake): its create let an exception out");
  EXPECT_EQ(create().error().code, Errc::internal);
}

}  // namespace
}  // namespace sluice::core
