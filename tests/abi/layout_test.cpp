// plugin.h must mean the same in C and C++, and version 1 must never change what it has.
#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <string_view>

#include "abi/layout.h"

namespace {

/// Version 1.0 on 64-bit Linux (LP64). Rows may be added at the end of a struct, with its new size;
/// no offset may ever change.
// clang-format off
constexpr layout_row kVersion1[] = {
    {"sluice_str", 0, 16}, {"sluice_str.data", 0, 8}, {"sluice_str.size", 8, 8},
    {"sluice_attribute", 0, 40}, {"sluice_attribute.struct_size", 0, 4},
    {"sluice_attribute.type", 4, 4}, {"sluice_attribute.name", 8, 16},
    {"sluice_attribute.value", 24, 16},
    {"sluice_message", 0, 88}, {"sluice_message.struct_size", 0, 4},
    {"sluice_message.receive_count", 4, 4}, {"sluice_message.id", 8, 16},
    {"sluice_message.sent_ms", 24, 8}, {"sluice_message.body", 32, 8},
    {"sluice_message.body_size", 40, 8}, {"sluice_message.reader", 48, 8},
    {"sluice_message.group_id", 56, 16}, {"sluice_message.attribute_count", 72, 4},
    {"sluice_message.attributes", 80, 8},
    {"sluice_batch", 0, 24}, {"sluice_batch.struct_size", 0, 4}, {"sluice_batch.count", 4, 4},
    {"sluice_batch.lease_until_ms", 8, 8}, {"sluice_batch.messages", 16, 8},
    {"sluice_emission", 0, 120}, {"sluice_emission.struct_size", 0, 4},
    {"sluice_emission.parent", 4, 4}, {"sluice_emission.body", 8, 8},
    {"sluice_emission.body_size", 16, 8}, {"sluice_emission.release", 24, 8},
    {"sluice_emission.owner", 32, 8}, {"sluice_emission.reader", 40, 8},
    {"sluice_emission.cookie", 48, 8}, {"sluice_emission.id", 56, 8},
    {"sluice_emission.group_id", 64, 16}, {"sluice_emission.deduplication_id", 80, 16},
    {"sluice_emission.attribute_count", 96, 4}, {"sluice_emission.attributes", 104, 8},
    {"sluice_emission.delay_ms", 112, 8},  // since 1.1
    {"sluice_host", 0, 328}, {"sluice_host.struct_size", 0, 4}, {"sluice_host.abi_minor", 4, 4},
    {"sluice_host.interface", 8, 8}, {"sluice_host.log", 16, 8}, {"sluice_host.now_ms", 24, 8},
    {"sluice_host.option_text", 32, 8}, {"sluice_host.option_integer", 40, 8},
    {"sluice_host.option_number", 48, 8}, {"sluice_host.option_json", 56, 8},
    {"sluice_host.option_error", 64, 8}, {"sluice_host.bucket", 72, 8},
    {"sluice_host.table", 80, 8}, {"sluice_host.component_name", 88, 8},
    {"sluice_host.reference_name", 96, 8}, {"sluice_host.state_folder", 104, 8},
    {"sluice_host.emit", 112, 8}, {"sluice_host.try_emit", 120, 8}, {"sluice_host.reserve", 128, 8},
    {"sluice_host.commit", 136, 8}, {"sluice_host.flush", 144, 8},
    {"sluice_host.reject_part", 152, 8}, {"sluice_host.settle", 160, 8},
    {"sluice_host.progress", 168, 8}, {"sluice_host.ignore", 176, 8},
    {"sluice_host.exhausted", 184, 8}, {"sluice_host.last_error", 192, 8},
    {"sluice_host.read", 200, 8}, {"sluice_host.close", 208, 8},
    {"sluice_host.object_open", 216, 8}, {"sluice_host.object_create", 224, 8},
    {"sluice_host.write", 232, 8}, {"sluice_host.object_commit", 240, 8},
    {"sluice_host.object_abort", 248, 8}, {"sluice_host.object_delete", 256, 8},
    {"sluice_host.object_list", 264, 8}, {"sluice_host.watch_open", 272, 8},
    {"sluice_host.watch_next", 280, 8}, {"sluice_host.watch_cancel", 288, 8},
    {"sluice_host.watch_close", 296, 8}, {"sluice_host.table_put", 304, 8},
    {"sluice_host.table_get", 312, 8}, {"sluice_host.table_list", 320, 8},
    {"sluice_option", 0, 72}, {"sluice_option.struct_size", 0, 4}, {"sluice_option.name", 8, 8},
    {"sluice_option.type", 16, 8}, {"sluice_option.default_json", 24, 8},
    {"sluice_option.required", 32, 4}, {"sluice_option.minimum", 40, 8},
    {"sluice_option.maximum", 48, 8}, {"sluice_option.choices", 56, 8},
    {"sluice_option.help", 64, 8},
    {"sluice_component", 0, 80}, {"sluice_component.struct_size", 0, 4},
    {"sluice_component.flags", 4, 4}, {"sluice_component.kind", 8, 8},
    {"sluice_component.type", 16, 8}, {"sluice_component.help", 24, 8},
    {"sluice_component.options", 32, 8}, {"sluice_component.check", 40, 8},
    {"sluice_component.create", 48, 8}, {"sluice_component.destroy", 56, 8},
    {"sluice_component.cancel", 64, 8}, {"sluice_component.functions", 72, 8},
    {"sluice_stage", 0, 16}, {"sluice_stage.struct_size", 0, 4}, {"sluice_stage.process", 8, 8},
    {"sluice_source", 0, 32}, {"sluice_source.struct_size", 0, 4}, {"sluice_source.run", 8, 8},
    {"sluice_source.settled", 16, 8}, {"sluice_source.finish", 24, 8},
    {"sluice_bucket", 0, 112}, {"sluice_bucket.struct_size", 0, 4}, {"sluice_bucket.open", 8, 8},
    {"sluice_bucket.read", 16, 8}, {"sluice_bucket.close", 24, 8}, {"sluice_bucket.begin", 32, 8},
    {"sluice_bucket.write", 40, 8}, {"sluice_bucket.commit", 48, 8}, {"sluice_bucket.abort", 56, 8},
    {"sluice_bucket.remove", 64, 8}, {"sluice_bucket.list", 72, 8},
    {"sluice_bucket.watch_open", 80, 8}, {"sluice_bucket.watch_next", 88, 8},
    {"sluice_bucket.watch_cancel", 96, 8}, {"sluice_bucket.watch_close", 104, 8},
    {"sluice_table", 0, 32}, {"sluice_table.struct_size", 0, 4}, {"sluice_table.put", 8, 8},
    {"sluice_table.get", 16, 8}, {"sluice_table.list", 24, 8},
    {"sluice_plugin", 0, 32}, {"sluice_plugin.struct_size", 0, 4},
    {"sluice_plugin.abi_major", 4, 2}, {"sluice_plugin.abi_minor", 6, 2},
    {"sluice_plugin.id", 8, 8}, {"sluice_plugin.version", 16, 8},
    {"sluice_plugin.components", 24, 8},
};
// clang-format on

TEST(Layout, is_the_same_in_c11_and_cpp20) {
  size_t c_count = 0, cpp_count = 0;
  const layout_row* c = layout_in_c(&c_count);
  const layout_row* cpp = layout_in_cpp(&cpp_count);
  ASSERT_EQ(c_count, cpp_count);
  for (size_t i = 0; i < c_count; ++i) {
    EXPECT_STREQ(c[i].name, cpp[i].name);
    EXPECT_EQ(c[i].offset, cpp[i].offset) << c[i].name;
    EXPECT_EQ(c[i].size, cpp[i].size) << c[i].name;
  }
}

TEST(Layout, of_version_1_has_not_changed) {
  if (sizeof(void*) != 8) {
    GTEST_SKIP() << "the table is that of 64-bit Linux";
  }
  size_t count = 0;
  const layout_row* rows = layout_in_cpp(&count);
  ASSERT_EQ(count, std::size(kVersion1));
  for (size_t i = 0; i < count; ++i) {
    EXPECT_STREQ(rows[i].name, kVersion1[i].name);
    EXPECT_EQ(rows[i].offset, kVersion1[i].offset) << rows[i].name;
    EXPECT_EQ(rows[i].size, kVersion1[i].size) << rows[i].name;
  }
}

TEST(Layout, every_struct_that_may_grow_begins_with_its_size) {
  size_t count = 0;
  const layout_row* rows = layout_in_cpp(&count);
  int structs = 0;
  for (size_t i = 0; i + 1 < count; ++i) {
    const std::string_view name = rows[i].name;
    if (name.find('.') == std::string_view::npos && name != "sluice_str") {
      EXPECT_EQ(std::string(rows[i + 1].name), std::string(name) + ".struct_size");
      EXPECT_EQ(rows[i + 1].size, 4u) << name;
      ++structs;
    }
  }
  EXPECT_EQ(structs, 12);
}

TEST(Layout, results_and_flags_have_their_numbers_for_ever) {
  EXPECT_EQ(SLUICE_OK, 0);
  EXPECT_EQ(SLUICE_RETRY, 1);
  EXPECT_EQ(SLUICE_REJECT, 2);
  EXPECT_EQ(SLUICE_END, 10);
  EXPECT_EQ(SLUICE_INVALID, 21);
  EXPECT_EQ(SLUICE_IO, 22);
  EXPECT_EQ(SLUICE_BLOCKS | SLUICE_SPLITS | SLUICE_STREAMS | SLUICE_SINK | SLUICE_MAY_RETRY |
                SLUICE_REPEATS,
            63);
  EXPECT_EQ(SLUICE_BINARY, 4);
  EXPECT_EQ(SLUICE_LOG_ERROR, 3);
  EXPECT_EQ(SLUICE_ABI_MAJOR, 1);
}

}  // namespace
