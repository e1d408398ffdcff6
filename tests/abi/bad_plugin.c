/* Plugins that are wrong in one way each; meson.build sets BAD_... for each library. */
#include <sluice/plugin.h>
#include <stddef.h>

#ifdef BAD_UNRESOLVED
int nowhere_to_be_found(void);
#endif

static int32_t create(const sluice_host* host, const sluice_config* config, void** self, sluice_str* error) {
  (void)host, (void)config, (void)error;
  *self = NULL;
  return SLUICE_OK;
}
static void destroy(void* self) { (void)self; }
static int32_t process(void* self, const sluice_batch* batch, sluice_out* out) {
  (void)self, (void)batch, (void)out;
#ifdef BAD_UNRESOLVED
  return nowhere_to_be_found();
#else
  return SLUICE_OK;
#endif
}

static const sluice_stage functions = {sizeof(sluice_stage), process};
static const sluice_component component = {
#ifdef BAD_SHORT_COMPONENT
    24,
#else
    sizeof(sluice_component),
#endif
    0, "stage", "bad", "Is bad.", NULL, NULL, create, destroy, NULL, &functions};
static const sluice_component* const components[] = {&component, NULL};

static const sluice_plugin plugin = {
#ifdef BAD_SHORT_STRUCT
    12,
#else
    sizeof(sluice_plugin),
#endif
#ifdef BAD_MAJOR
    SLUICE_ABI_MAJOR + 1,
#else
    SLUICE_ABI_MAJOR,
#endif
#ifdef NEWER_MINOR
    SLUICE_ABI_MINOR + 1,
#else
    SLUICE_ABI_MINOR,
#endif
    "org.example.bad", "1.0.0", components};

#ifdef BAD_MISSING_SYMBOL
#define ENTRY sluice_plugin_entry_v7
#else
#define ENTRY sluice_plugin_entry_v1
#endif
SLUICE_EXPORT const sluice_plugin* ENTRY(void);
const sluice_plugin* ENTRY(void) {
#ifdef BAD_NULL_ENTRY
  (void)plugin;
  return NULL;
#else
  return &plugin;
#endif
}
