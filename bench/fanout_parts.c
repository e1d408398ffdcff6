#include "fanout_parts.h"

#include <linux/futex.h>
#include <sluice/plugin.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

SLUICE_EXPORT struct fanout_control fanout_control;

static const sluice_host* host;
static _Atomic uint64_t settled_messages;

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int32_t create(const sluice_host* given, const sluice_config* config, void** self, sluice_str* error) {
  (void)config;
  (void)error;
  host = given;
  *self = &fanout_control;
  return SLUICE_OK;
}

static void destroy(void* self) { (void)self; }

static void cancel(void* self) {
  (void)self;
  atomic_store(&fanout_control.stop, 1);
  atomic_fetch_add(&fanout_control.round, 1);
  syscall(SYS_futex, &fanout_control.round, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* The cookie is the number of messages of the flush that it stands for. */
static int32_t emit_round(sluice_out* out) {
  uint64_t messages = fanout_control.messages, batch = fanout_control.batch;
  sluice_emission emission;
  memset(&emission, 0, sizeof emission);
  emission.struct_size = sizeof emission;
  emission.cookie = batch;
  settled_messages = 0;
  fanout_control.begin_ns = now_ns();
  for (uint64_t i = 0; i < messages; i += batch) {
    for (uint64_t k = 0; k < batch; ++k) {
      uint8_t* body;
      int32_t status = host->reserve(out, FANOUT_BODY, &body);
      if (status != SLUICE_OK) return status;
      memset(body, (int)(i + k), FANOUT_BODY);
      status = host->commit(out, FANOUT_BODY, &emission);
      if (status != SLUICE_OK) return status;
    }
    int32_t status = host->flush(out);
    if (status != SLUICE_OK) return status;
  }
  return SLUICE_OK;
}

static void pause_for(uint32_t ns) {
  if (ns >= 50000) {
    const struct timespec pause = {0, ns};
    nanosleep(&pause, NULL);
    return;
  }
  const int64_t until = now_ns() + ns;
  while (now_ns() < until) __builtin_ia32_pause();
}

static int32_t emit_handovers(sluice_out* out) {
  sluice_emission emission;
  memset(&emission, 0, sizeof emission);
  emission.struct_size = sizeof emission;
  emission.cookie = 1;
  settled_messages = 0;
  atomic_store(&fanout_control.received, 0);
  fanout_control.begin_ns = now_ns();
  for (uint64_t i = 0; i < fanout_control.messages; ++i) {
    while (atomic_load_explicit(&fanout_control.received, memory_order_acquire) != i) __builtin_ia32_pause();
    pause_for(fanout_control.pause_ns);
    uint8_t* body;
    const int64_t now = now_ns();
    int32_t status = host->reserve(out, FANOUT_BODY, &body);
    if (status != SLUICE_OK) return status;
    memcpy(body, &now, sizeof now);
    status = host->commit(out, FANOUT_BODY, &emission);
    if (status == SLUICE_OK) status = host->flush(out);
    if (status != SLUICE_OK) return status;
  }
  return SLUICE_OK;
}

static int32_t run(void* self, sluice_out* out) {
  (void)self;
  uint32_t seen = 0;
  for (;;) {
    uint32_t round = atomic_load(&fanout_control.round);
    if (atomic_load(&fanout_control.stop) != 0) return SLUICE_CANCELLED;
    if (round == seen) {
      syscall(SYS_futex, &fanout_control.round, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
      continue;
    }
    seen = round;
    int32_t status = fanout_control.latencies != NULL ? emit_handovers(out) : emit_round(out);
    if (status != SLUICE_OK) return status;
  }
}

static void settled(void* self, uint64_t cookie, int32_t worst) {
  (void)self;
  (void)worst;
  uint64_t so_far;
  if (fanout_control.threads > 1) {
    so_far = atomic_fetch_add_explicit(&settled_messages, cookie, memory_order_acq_rel) + cookie;
  } else {
    so_far = atomic_load_explicit(&settled_messages, memory_order_relaxed) + cookie;
    atomic_store_explicit(&settled_messages, so_far, memory_order_relaxed);
  }
  if (so_far != fanout_control.messages) return;
  fanout_control.end_ns = now_ns();
  atomic_store(&fanout_control.finished_round, atomic_load(&fanout_control.round));
  syscall(SYS_futex, &fanout_control.finished_round, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void note_latency(const sluice_message* message) {
  int64_t sent;
  memcpy(&sent, message->body, sizeof sent);
  const uint64_t number = atomic_load_explicit(&fanout_control.received, memory_order_relaxed);
  fanout_control.latencies[number] = (uint32_t)(now_ns() - sent);
  atomic_store_explicit(&fanout_control.received, number + 1, memory_order_release);
}

/* Reads four words of each body, one of each of its lines. */
static int32_t process(void* self, const sluice_batch* batch, sluice_out* out) {
  (void)self;
  (void)out;
  if (fanout_control.latencies != NULL) {
    for (uint32_t i = 0; i < batch->count; ++i) note_latency(batch->messages[i]);
    return SLUICE_OK;
  }
  uint64_t sum = 0;
  for (uint32_t i = 0; i < batch->count; ++i) {
    const uint8_t* body = batch->messages[i]->body;
    for (int line = 0; line < 4; ++line) {
      uint64_t word;
      memcpy(&word, body + 64 * line, sizeof word);
      sum += word;
    }
  }
  atomic_store_explicit(&fanout_control.checksum,
                        atomic_load_explicit(&fanout_control.checksum, memory_order_relaxed) + sum,
                        memory_order_relaxed);
  return SLUICE_OK;
}

static const sluice_option* const no_options[] = {NULL};
static const sluice_source source_functions = {sizeof(sluice_source), run, settled, NULL};
static const sluice_stage stage_functions = {sizeof(sluice_stage), process};
static const sluice_component source_component = {
    sizeof(sluice_component), 0, "source", "fanout_source", "Publishes the bench's messages.", no_options,
    NULL, create, destroy, cancel, &source_functions};
static const sluice_component stage_component = {
    sizeof(sluice_component), SLUICE_SINK, "stage", "fanout_stage", "Reads four words of each message.", no_options,
    NULL, create, destroy, NULL, &stage_functions};
/* The same on threads of its workers' own. */
static const sluice_component waiting_stage_component = {
    sizeof(sluice_component), SLUICE_SINK | SLUICE_BLOCKS, "stage", "fanout_waiting_stage",
    "Reads four words of each message, and says that it may wait.", no_options, NULL, create, destroy, NULL, &stage_functions};
static const sluice_component* const components[] = {&source_component, &stage_component, &waiting_stage_component, NULL};
static const sluice_plugin plugin = {sizeof(sluice_plugin), SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR,
                                     "sluice.bench.fanout", "1.0.0", components};

SLUICE_EXPORT const sluice_plugin* sluice_plugin_entry_v1(void) { return &plugin; }
