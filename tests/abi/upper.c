/* A plugin in plain C: the stage `upper` makes bodies upper case, the source `count_up` emits
 * numbers. Built by the tests inside the tree and, as its users would, outside of it. */
#include <ctype.h>
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const sluice_host* host;

static sluice_str text(const char* of) {
  sluice_str result = {of, strlen(of)};
  return result;
}

/* --- stage upper --- */

typedef struct upper {
  int64_t limit;  /* bodies longer than this are rejected */
} upper;

static int32_t upper_create(const sluice_host* given, const sluice_config* config, void** self, sluice_str* error) {
  upper* made = malloc(sizeof *made);
  host = given;
  if (made == NULL) {
    *error = text("out of memory");
    return SLUICE_UNAVAILABLE;
  }
  host->option_integer(config, "limit", &made->limit);
  *self = made;
  return SLUICE_OK;
}

static void upper_destroy(void* self) { free(self); }

static int32_t upper_process(void* self, const sluice_batch* batch, sluice_out* out) {
  const upper* stage = self;
  for (uint32_t i = 0; i < batch->count; ++i) {
    const sluice_message* message = batch->messages[i];
    const sluice_emission emission = {.struct_size = sizeof emission, .parent = i};
    uint8_t* body = NULL;
    int32_t status;
    if (message->body_size > (uint64_t)stage->limit) {
      host->settle(out, i, SLUICE_REJECT, -1, text("too_long"), text(""));
      continue;
    }
    status = host->reserve(out, message->body_size, &body);
    if (status != SLUICE_OK) {
      return status;
    }
    for (uint64_t at = 0; at < message->body_size; ++at) {
      body[at] = (uint8_t)toupper(message->body[at]);
    }
    status = host->commit(out, message->body_size, &emission);
    if (status != SLUICE_OK) {
      return status;
    }
  }
  return SLUICE_OK;
}

static const sluice_option upper_limit = {
    sizeof(sluice_option), "limit", "size", "\"8KiB\"", 0, "\"1B\"", "\"8KiB\"", NULL,
    "Longer bodies are rejected."};
static const sluice_option* const upper_options[] = {&upper_limit, NULL};
static const sluice_stage upper_functions = {sizeof(sluice_stage), upper_process};
static const sluice_component upper_component = {
    sizeof(sluice_component), 0, "stage", "upper", "Makes ASCII bodies upper case.", upper_options, NULL,
    upper_create, upper_destroy, NULL, &upper_functions};

/* --- source count_up --- */

typedef struct counter {
  int64_t count;
  uint64_t settled;
} counter;

static int32_t counter_check(const sluice_host* given, const sluice_config* config) {
  int64_t count = 0;
  if (given->option_integer(config, "count", &count) == SLUICE_OK && count == 13) {
    given->option_error(config, "count", text("must not be 13"));
    return SLUICE_BAD_OPTION;
  }
  return SLUICE_OK;
}

static int32_t counter_create(const sluice_host* given, const sluice_config* config, void** self, sluice_str* error) {
  counter* made = calloc(1, sizeof *made);
  host = given;
  if (made == NULL) {
    *error = text("out of memory");
    return SLUICE_UNAVAILABLE;
  }
  host->option_integer(config, "count", &made->count);
  *self = made;
  return SLUICE_OK;
}

static void counter_destroy(void* self) { free(self); }

static int32_t counter_run(void* self, sluice_out* out) {
  const counter* source = self;
  for (int64_t i = 0; i < source->count; ++i) {
    char body[32];
    sluice_emission emission;
    int32_t status;
    memset(&emission, 0, sizeof emission);
    emission.struct_size = sizeof emission;
    emission.body = (const uint8_t*)body;
    emission.body_size = (uint64_t)snprintf(body, sizeof body, "%lld", (long long)i);
    emission.cookie = (uint64_t)i;
    status = host->emit(out, &emission);
    if (status != SLUICE_OK) {
      return status;
    }
  }
  host->flush(out);
  host->exhausted(out);
  return SLUICE_END;
}

static void counter_settled(void* self, uint64_t cookie, int32_t worst) {
  (void)cookie;
  (void)worst;
  ((counter*)self)->settled += 1;
}

static const sluice_option counter_count = {
    sizeof(sluice_option), "count", "int", NULL, 1, "0", "1000000", NULL, "How many messages."};
static const sluice_option* const counter_options[] = {&counter_count, NULL};
static const sluice_source counter_functions = {sizeof(sluice_source), counter_run, counter_settled, NULL};
static const sluice_component counter_component = {
    sizeof(sluice_component), 0, "source", "count_up", "Emits the numbers from 0 on.", counter_options,
    counter_check, counter_create, counter_destroy, NULL, &counter_functions};

/* --- entry --- */

static const sluice_component* const components[] = {&upper_component, &counter_component, NULL};
static const sluice_plugin plugin = {
    sizeof(sluice_plugin), SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR, "org.example.upper", "1.0.0", components};

SLUICE_EXPORT const sluice_plugin* sluice_plugin_entry_v1(void);
const sluice_plugin* sluice_plugin_entry_v1(void) { return &plugin; }
