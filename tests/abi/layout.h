/* The layout of plugin.h as a table. layout_c.c fills it in C11, layout_cpp.cpp in C++20; both must
 * agree with each other and with what version 1.0 was on the day it was fixed (layout_test.cpp). */
#ifndef SLUICE_TESTS_ABI_LAYOUT_H
#define SLUICE_TESTS_ABI_LAYOUT_H
#include <stddef.h>
#include <sluice/plugin.h>

typedef struct layout_row {
  const char* name;   /* "sluice_str" or "sluice_str.size" */
  size_t offset;      /* of a struct itself: 0 */
  size_t size;
} layout_row;

#ifdef __cplusplus
extern "C" {
#endif
const layout_row* layout_in_c(size_t* count);
const layout_row* layout_in_cpp(size_t* count);
#ifdef __cplusplus
}
#endif

#define S(type) {#type, 0, sizeof(type)}
#define F(type, field) {#type "." #field, offsetof(type, field), sizeof(((type*)0)->field)}
#define LAYOUT_ROWS \
  S(sluice_str), F(sluice_str, data), F(sluice_str, size), S(sluice_attribute), \
  F(sluice_attribute, struct_size), F(sluice_attribute, type), F(sluice_attribute, name), \
  F(sluice_attribute, value), S(sluice_message), F(sluice_message, struct_size), \
  F(sluice_message, receive_count), F(sluice_message, id), F(sluice_message, sent_ms), \
  F(sluice_message, body), F(sluice_message, body_size), F(sluice_message, reader), \
  F(sluice_message, group_id), F(sluice_message, attribute_count), \
  F(sluice_message, attributes), S(sluice_batch), F(sluice_batch, struct_size), \
  F(sluice_batch, count), F(sluice_batch, lease_until_ms), F(sluice_batch, messages), \
  S(sluice_emission), F(sluice_emission, struct_size), F(sluice_emission, parent), \
  F(sluice_emission, body), F(sluice_emission, body_size), F(sluice_emission, release), \
  F(sluice_emission, owner), F(sluice_emission, reader), F(sluice_emission, cookie), \
  F(sluice_emission, id), F(sluice_emission, group_id), F(sluice_emission, deduplication_id), \
  F(sluice_emission, attribute_count), F(sluice_emission, attributes), F(sluice_emission, delay_ms), S(sluice_host), \
  F(sluice_host, struct_size), F(sluice_host, abi_minor), F(sluice_host, interface), \
  F(sluice_host, log), F(sluice_host, now_ms), F(sluice_host, option_text), \
  F(sluice_host, option_integer), F(sluice_host, option_number), F(sluice_host, option_json), \
  F(sluice_host, option_error), F(sluice_host, bucket), F(sluice_host, table), \
  F(sluice_host, component_name), F(sluice_host, reference_name), F(sluice_host, state_folder), \
  F(sluice_host, emit), F(sluice_host, try_emit), F(sluice_host, reserve), \
  F(sluice_host, commit), F(sluice_host, flush), F(sluice_host, reject_part), \
  F(sluice_host, settle), F(sluice_host, progress), F(sluice_host, ignore), \
  F(sluice_host, exhausted), F(sluice_host, last_error), F(sluice_host, read), \
  F(sluice_host, close), F(sluice_host, object_open), F(sluice_host, object_create), \
  F(sluice_host, write), F(sluice_host, object_commit), F(sluice_host, object_abort), \
  F(sluice_host, object_delete), F(sluice_host, object_list), F(sluice_host, watch_open), \
  F(sluice_host, watch_next), F(sluice_host, watch_cancel), F(sluice_host, watch_close), \
  F(sluice_host, table_put), F(sluice_host, table_get), F(sluice_host, table_list), \
  S(sluice_option), F(sluice_option, struct_size), F(sluice_option, name), \
  F(sluice_option, type), F(sluice_option, default_json), F(sluice_option, required), \
  F(sluice_option, minimum), F(sluice_option, maximum), F(sluice_option, choices), \
  F(sluice_option, help), S(sluice_component), F(sluice_component, struct_size), \
  F(sluice_component, flags), F(sluice_component, kind), F(sluice_component, type), \
  F(sluice_component, help), F(sluice_component, options), F(sluice_component, check), \
  F(sluice_component, create), F(sluice_component, destroy), F(sluice_component, cancel), \
  F(sluice_component, functions), S(sluice_stage), F(sluice_stage, struct_size), \
  F(sluice_stage, process), S(sluice_source), F(sluice_source, struct_size), \
  F(sluice_source, run), F(sluice_source, settled), F(sluice_source, finish), S(sluice_bucket), \
  F(sluice_bucket, struct_size), F(sluice_bucket, open), F(sluice_bucket, read), \
  F(sluice_bucket, close), F(sluice_bucket, begin), F(sluice_bucket, write), \
  F(sluice_bucket, commit), F(sluice_bucket, abort), F(sluice_bucket, remove), \
  F(sluice_bucket, list), F(sluice_bucket, watch_open), F(sluice_bucket, watch_next), \
  F(sluice_bucket, watch_cancel), F(sluice_bucket, watch_close), S(sluice_table), \
  F(sluice_table, struct_size), F(sluice_table, put), F(sluice_table, get), \
  F(sluice_table, list), S(sluice_plugin), F(sluice_plugin, struct_size), \
  F(sluice_plugin, abi_major), F(sluice_plugin, abi_minor), F(sluice_plugin, id), \
  F(sluice_plugin, version), F(sluice_plugin, components)
#endif
