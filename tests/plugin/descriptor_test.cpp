#include <gtest/gtest.h>

#include "plugin/fakes.hpp"
#include "plugin/library.hpp"

namespace sluice::core {
namespace {

/// A sound plugin of one component, for the test to spoil.
struct FakePlugin {
  FakeComponent fake;
  const sluice_component* components[3] = {&fake.descriptor, nullptr, nullptr};
  sluice_plugin plugin{sizeof(sluice_plugin),
                       SLUICE_ABI_MAJOR,
                       SLUICE_ABI_MINOR,
                       "org.example.fake",
                       "1.0",
                       components};
  std::string fault() const { return descriptor_fault(&plugin).value_or("sound"); }
};

template <class Change>
void expect_fault(Change change, std::string_view says) {
  FakePlugin made;
  change(made);
  EXPECT_NE(made.fault().find(says), std::string::npos) << made.fault();
}

TEST(Descriptor, a_sound_one_passes_also_of_a_newer_minor_version) {
  FakePlugin made;
  EXPECT_EQ(made.fault(), "sound");
  made.plugin.abi_minor = 9;
  made.plugin.struct_size += 64;
  made.fake.descriptor.struct_size += 64;
  made.fake.descriptor.flags = 1u << 20;
  EXPECT_EQ(made.fault(), "sound");
}

TEST(Descriptor, the_version_is_told_before_anything_else_is_judged) {
  expect_fault(
      [](FakePlugin& p) {
        p.plugin.abi_major = 2;
        p.plugin.struct_size = 8;
        p.plugin.id = nullptr;
      },
      "is built for plugin ABI 2.1, this sluice speaks 1.1");
  expect_fault([](FakePlugin& p) { p.plugin.struct_size = 4; }, "struct_size 4");
  expect_fault([](FakePlugin& p) { p.plugin.struct_size = sizeof(sluice_plugin) - 8; },
               "struct_size");
  expect_fault([](FakePlugin& p) { p.plugin.struct_size = 1u << 30; }, "struct_size");
  EXPECT_EQ(descriptor_fault(nullptr), "sluice_plugin_entry_v1 answered NULL");
}

TEST(Descriptor, every_missing_part_is_named) {
  expect_fault([](FakePlugin& p) { p.plugin.id = nullptr; }, "id is NULL");
  expect_fault([](FakePlugin& p) { p.plugin.components = nullptr; }, "components is NULL");
  expect_fault([](FakePlugin& p) { p.components[0] = nullptr; }, "offers no component");
  expect_fault([](FakePlugin& p) { p.components[1] = p.components[0]; },
               "\"fake\" is declared twice");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.create = nullptr; },
               "component \"fake\": its create is NULL");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.destroy = nullptr; }, "its destroy is NULL");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.help = nullptr; }, "its help is NULL");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.functions = nullptr; },
               "its functions is NULL");
  expect_fault([](FakePlugin& p) { p.fake.stage.process = nullptr; }, "its process is NULL");
  expect_fault([](FakePlugin& p) { p.fake.stage.struct_size = 4; },
               "sluice_stage has struct_size 4");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.struct_size = 16; },
               "sluice_component has struct_size 16");
}

TEST(Descriptor, names_and_flags_are_of_their_form) {
  expect_fault([](FakePlugin& p) { p.fake.descriptor.kind = "sink"; }, "\"sink\" is none of");
  expect_fault([](FakePlugin& p) { p.fake.descriptor.kind = nullptr; }, "is none of");
  for (const char* type : {"", "Upper", "a-b", "a/b", "../x"}) {
    expect_fault([&](FakePlugin& p) { p.fake.descriptor.type = type; }, "[a-z0-9_]+");
  }
  expect_fault([](FakePlugin& p) { p.fake.descriptor.flags = 1u << 20; },
               "flags 0x100000 hold unknown ones");
  expect_fault(
      [](FakePlugin& p) {
        p.fake.options = {option("type", "string")};
        p.fake.table = {&p.fake.options[0], nullptr};
        p.fake.descriptor.options = p.fake.table.data();
      },
      "a name that the host uses itself");
}

TEST(Descriptor, a_bucket_watches_wholly_or_not_at_all) {
  sluice_bucket functions = kFakeBucket;
  const auto as_bucket = [&](FakePlugin& p) {
    p.fake.descriptor.kind = "bucket";
    p.fake.descriptor.functions = &functions;
  };
  expect_fault(as_bucket, "sound");
  functions.watch_next = nullptr;
  expect_fault(as_bucket, "some of its watch functions");
  functions.watch_open = nullptr;
  functions.watch_cancel = functions.watch_close = nullptr;
  expect_fault(as_bucket, "sound");
  functions.list = nullptr;
  expect_fault(as_bucket, "its list is NULL");
}

}  // namespace
}  // namespace sluice::core
