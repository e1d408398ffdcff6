/* sluice/plugin.h: the plugin contract, ABI version 1. C11; also valid C++20.
 *
 * A plugin is a shared library that exports one symbol, `sluice_plugin_entry_v1`. It returns a static
 * descriptor (`sluice_plugin`) that lists components: stages, sources, buckets and tables. The host
 * reads a component's options and flags as data, then calls its functions.
 *
 * Thread tags. Every function below carries one:
 *   [control]  the host's control thread, one call at a time, at start and stop and as workers come
 *              and go; check() also while instances are at work, when the configuration is read again
 *   [worker]   the thread that serves this instance now; never two calls at once for one instance
 *   [source]   the source's own thread
 *   [any]      any thread, also several at the same time
 *
 * Rules that hold everywhere:
 *   - What is passed in is borrowed until the call returns, unless a line says otherwise.
 *   - Every struct that may grow begins with `struct_size`, set by whoever fills it. It grows at its
 *     end only; read a field only if struct_size covers it. Arrays of structs never cross, arrays of
 *     pointers do, so both sides may be of different minor versions.
 *   - No C++ exception, errno, FILE* or allocator crosses. Strings are pointer and length.
 *   - Error texts that a component returns stay valid until the next call into it on that thread.
 *   - Libraries stay loaded until the process ends.
 *
 * Life of an instance: check* -> create -> (process | run | bucket calls)* -> [cancel] -> destroy.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_MAJOR 1
#define SLUICE_ABI_MINOR 1

/* Bytes, not ended by NUL. Never grows. `data` may be NULL when size is 0. */
typedef struct sluice_str {
  const char* data;
  uint64_t size;
} sluice_str;

/* Results. int32_t wherever they cross. */
enum {
  SLUICE_OK = 0,
  SLUICE_RETRY = 1,          /* the message becomes visible again later */
  SLUICE_REJECT = 2,         /* the message goes to the dead-letter queue now */
  SLUICE_PENDING = 3,        /* reserved: needs "sluice.async/1" */
  SLUICE_END = 10,           /* nothing follows */
  SLUICE_CANCELLED = 11,     /* the host stops: return at once */
  SLUICE_WOULD_BLOCK = 12,   /* nothing could be done without waiting */
  SLUICE_NOT_FOUND = 13,     /* no such object, item, option */
  SLUICE_DENIED = 14,        /* an access point or the service forbids it */
  SLUICE_CONFLICT = 15,      /* a condition (If-Match, insert-only) does not hold */
  SLUICE_TOO_LARGE = 16,     /* over a limit */
  SLUICE_UNAVAILABLE = 17,   /* try again later: endpoint down, disk full, busy */
  SLUICE_BAD_OPTION = 18,    /* configuration is wrong; exit code 78 */
  SLUICE_STALE = 19,         /* the lease has expired: without effect */
  SLUICE_FATAL = 20,         /* this component cannot go on */
  SLUICE_INVALID = 21,       /* an argument can never be right (a key that leaves the root) */
  SLUICE_IO = 22             /* the state folder cannot be read or written: the engine stops, exit code 74 */
};

/* Attribute types, as in SQS; a string array's value is a JSON array of strings. */
enum { SLUICE_STRING = 1, SLUICE_NUMBER = 2, SLUICE_STRING_ARRAY = 3, SLUICE_BINARY = 4 };

/* Component flags. */
enum {
  SLUICE_BLOCKS = 1 << 0,    /* may wait for a disk or a network: its workers get threads of their own */
  SLUICE_SPLITS = 1 << 1,    /* emits without bound per message; implies BLOCKS; must be the last stage */
  SLUICE_STREAMS = 1 << 2,   /* takes bodies as readers */
  SLUICE_SINK = 1 << 3,      /* emits nothing */
  SLUICE_MAY_RETRY = 1 << 4, /* may answer SLUICE_RETRY */
  SLUICE_REPEATS = 1 << 5    /* source: what was not settled is emitted again after a restart */
};

enum { SLUICE_LOG_DEBUG = 0, SLUICE_LOG_INFO = 1, SLUICE_LOG_WARNING = 2, SLUICE_LOG_ERROR = 3 };

typedef struct sluice_out sluice_out;               /* one process() or run(): where results go */
typedef struct sluice_reader sluice_reader;         /* a body that is not in memory; one reader, forward only */
typedef struct sluice_writer sluice_writer;         /* an object being written; nothing is visible before commit */
typedef struct sluice_watch sluice_watch;           /* new and changed objects of a bucket */
typedef struct sluice_bucket_ref sluice_bucket_ref; /* a bucket, or "bucket/access point", of the pipeline */
typedef struct sluice_table_ref sluice_table_ref;   /* a table of the pipeline */
typedef struct sluice_config sluice_config;         /* validated, complete options of one component */

typedef struct sluice_attribute {
  uint32_t struct_size;
  uint32_t type;             /* SLUICE_STRING ... */
  sluice_str name, value;    /* UTF-8; the value of a SLUICE_BINARY is any bytes */
} sluice_attribute;

/* A received message. Valid until process() returns. */
typedef struct sluice_message {
  uint32_t struct_size;
  uint32_t receive_count;    /* 1 on the first delivery */
  uint8_t id[16];            /* UUID, network byte order */
  int64_t sent_ms;           /* wall clock, milliseconds since 1970 */
  const uint8_t* body;       /* NULL: the body is streamed through `reader` */
  uint64_t body_size;        /* of a streamed body: its size, UINT64_MAX if unknown */
  sluice_reader* reader;     /* set only for stages that declare SLUICE_STREAMS */
  sluice_str group_id;
  uint32_t attribute_count;
  const sluice_attribute* const* attributes; /* sorted by name, bytewise */
} sluice_message;

typedef struct sluice_batch {
  uint32_t struct_size;
  uint32_t count;
  int64_t lease_until_ms;    /* wall clock: when the host takes these messages back */
  const sluice_message* const* messages;
} sluice_batch;

/* A new message. Zero all fields, set struct_size, then fill what is needed. */
typedef struct sluice_emission {
  uint32_t struct_size;
  uint32_t parent;           /* index in the batch; sources: 0 */
  const uint8_t* body;       /* copied, unless `release` is set */
  uint64_t body_size;
  void (*release)(void* owner); /* [any] set: the host keeps body and calls release(owner) exactly once, also when emit fails */
  void* owner;
  sluice_reader* reader;     /* set: the body is streamed to the next stage, never into a queue. On OK the host owns and
                                closes it once the received message is settled; the next stage runs after process() returned */
  uint64_t cookie;           /* sources: comes back in settled() */
  const uint8_t* id;         /* 16 bytes; NULL: derived from the parent (stages) or new (sources) */
  sluice_str group_id, deduplication_id; /* at most 128 bytes each; the group id is UTF-8 */
  uint32_t attribute_count;
  const sluice_attribute* const* attributes; /* any order; added to, or over, the parent's */
  /* Since 1.1. From a source or a last stage: how long it stays hidden in each queue, at most 900000. 0: the queue's own
     delay; < 0: none. */
  int64_t delay_ms;
} sluice_emission;

/* Told for each object. Returns SLUICE_OK to go on; anything else ends the call with that status. */
typedef int32_t (*sluice_object_fn)(void* user, sluice_str key, uint64_t size, sluice_str etag, int64_t modified_ms);

/* What the host offers. One table for the life of the process. */
typedef struct sluice_host {
  uint32_t struct_size;
  uint32_t abi_minor;
  /* [any] An optional part by name, for example "sluice.async/1"; NULL: not there. */
  const void* (*interface)(const char* id);
  void (*log)(const sluice_config*, int32_t level, sluice_str text); /* [any] names the component; for rare events */
  int64_t (*now_ms)(void);                                           /* [any] wall clock (a test's clock in tests) */

  /* Options [control], in check and create. `name` is the option's name. A duration is a number of
   * milliseconds, a size a number of bytes, a bool 0 or 1; defaults are filled in. NOT_FOUND: not given
   * and no default. Texts live as long as the config. */
  int32_t (*option_text)(const sluice_config*, const char* name, sluice_str* text);
  int32_t (*option_integer)(const sluice_config*, const char* name, int64_t* value);
  int32_t (*option_number)(const sluice_config*, const char* name, double* value);
  int32_t (*option_json)(const sluice_config*, const char* name, sluice_str* json);
  /* Reports what is wrong with an option; the host adds file, line and column. Answer BAD_OPTION after it. */
  void (*option_error)(const sluice_config*, const char* name, sluice_str text);
  /* The bucket or table that an option of that type names; NULL in check() and where the option is not given. */
  sluice_bucket_ref* (*bucket)(const sluice_config*, const char* name);
  sluice_table_ref* (*table)(const sluice_config*, const char* name);
  sluice_str (*component_name)(const sluice_config*);  /* its name in the pipeline ("uploads"; a stage: its service) */
  sluice_str (*reference_name)(const sluice_bucket_ref*); /* [any] the bucket's name in the pipeline, without access point */
  /* This component's own folder below `state`, made by the host; valid for the config's life. */
  int32_t (*state_folder)(const sluice_config*, sluice_str* path);

  /* Results [worker] or [source], inside process() or run().
   * emit: never waits on the CPU pool; waits for credit where the worker has a thread of its own, and in
   *   sources. CANCELLED: return at once. TOO_LARGE: 65th emission of one parent without SPLITS, a body
   *   over the host's limit, over 64 attributes (the parent's included). INVALID: no such parent, bad
   *   attribute, an attribute or group id that must be UTF-8 and is not, a NULL that has a size or count.
   * try_emit: WOULD_BLOCK instead of waiting.
   * reserve, commit: a body written in place. reserve gives room for body_size bytes (at most 8192),
   *   valid until the next call on `out`; commit emits it (`emission` NULL: no other field is set;
   *   otherwise its body fields are ignored). INVALID: nothing is reserved, or less.
   * flush: publishes what was emitted, and closes the open cookie. Publishing is implied (without
   *   closing a cookie) when 64 messages are gathered or the slab is full, and when process() or run()
   *   returns. A source MUST call it before it waits for input. Flushing after each emit is cheap. */
  int32_t (*emit)(sluice_out*, const sluice_emission*);
  int32_t (*try_emit)(sluice_out*, const sluice_emission*);
  int32_t (*reserve)(sluice_out*, uint64_t body_size, uint8_t** body);
  int32_t (*commit)(sluice_out*, uint64_t body_size, const sluice_emission*);
  int32_t (*flush)(sluice_out*);
  /* This part alone goes to the dead letters with its reason; its parent goes on. Counts as an emission, and waits
   * where emit may, while many parts are not stored yet. */
  int32_t (*reject_part)(sluice_out*, const sluice_emission*, sluice_str reason, sluice_str detail);
  /* The outcome of message `index`; default OK. The worst of all calls counts: REJECT over RETRY is
   * RETRY, since a retry may still repair it. retry_after_ms: -1 visible again at the lease's own
   * deadline (as SQS without delete), >= 0 from now. `reason` is a short code or sentence, never empty
   * for REJECT; `detail` may be empty. Both are copied. */
  int32_t (*settle)(sluice_out*, uint32_t index, int32_t status, int64_t retry_after_ms, sluice_str reason, sluice_str detail);
  /* Long work tells how far it is (units of its own; total 0: unknown). Extends the lease, but not past the service's
   * ack_deadline. CANCELLED: stop. STALE: the lease is gone, the result will not count. Sources: CANCELLED to stop. */
  int32_t (*progress)(sluice_out*, uint32_t index, uint64_t done, uint64_t total);
  /* Message `index` was none of this stage's business: ok, emits nothing, counted as ignored. */
  int32_t (*ignore)(sluice_out*, uint32_t index);
  /* Sources: all that is there for now was emitted and flushed. `--until-idle` waits for this (or END). */
  int32_t (*exhausted)(sluice_out*);

  /* Data of other components [any], may wait. Errors leave a text that last_error returns on this thread. */
  sluice_str (*last_error)(void);
  int32_t (*read)(sluice_reader*, uint8_t* into, uint64_t capacity, uint64_t* got); /* END (got 0) after the last byte */
  void (*close)(sluice_reader*);
  /* if_match: an etag, CONFLICT when it differs; empty: whatever is there. NOT_FOUND, DENIED, INVALID, UNAVAILABLE. */
  int32_t (*object_open)(sluice_bucket_ref*, sluice_str key, sluice_str if_match, uint64_t offset, sluice_reader**, uint64_t* size);
  int32_t (*object_create)(sluice_bucket_ref*, sluice_str key, sluice_str content_type, sluice_writer**);
  int32_t (*write)(sluice_writer*, const uint8_t*, uint64_t);
  int32_t (*object_commit)(sluice_writer*);  /* ends the writer, also when it fails */
  void (*object_abort)(sluice_writer*);      /* ends the writer; nothing becomes visible */
  int32_t (*object_delete)(sluice_bucket_ref*, sluice_str key);
  /* Keys under prefix, after `after`, in bytewise order. */
  int32_t (*object_list)(sluice_bucket_ref*, sluice_str prefix, sluice_str after, void* user, sluice_object_fn each);
  /* First every object under prefix, then each that is completed. The bucket does scan, notification,
   * overflow and polling, and may repeat an object. watch_next: OK: told some; WOULD_BLOCK: wait_ms
   * passed; END: all that is there was told and none is being written (it may be called again);
   * CANCELLED: watch_cancel was called. */
  int32_t (*watch_open)(sluice_bucket_ref*, sluice_str prefix, int64_t poll_interval_ms, sluice_watch**);
  int32_t (*watch_next)(sluice_watch*, int64_t wait_ms, void* user, sluice_object_fn each);
  void (*watch_cancel)(sluice_watch*);       /* [any] a waiting watch_next returns CANCELLED soon after */
  void (*watch_close)(sluice_watch*);
  /* Items are JSON objects; the end of this file has the rules of tables. mode 0: upsert, 1: insert only, 2: update */
  /* only. status[i] is set for each item, `reason` called for each that is not OK. table_list: OK: there is more; END. */
  int32_t (*table_put)(sluice_table_ref*, uint32_t count, const sluice_str* const* items_json, int32_t mode,
                       int32_t* status, void* user, void (*reason)(void* user, uint32_t item, sluice_str text));
  int32_t (*table_get)(sluice_table_ref*, sluice_str key_json, void* user, void (*item)(void* user, sluice_str json));
  int32_t (*table_list)(sluice_table_ref*, uint32_t limit, sluice_str next_token, void* user,
                        void (*item)(void* user, sluice_str json, sluice_str token));
} sluice_host;

/* An option as data: the host validates, completes and documents it. */
typedef struct sluice_option {
  uint32_t struct_size;
  const char* name;          /* snake_case */
  const char* type;          /* string int float bool duration size enum json secret template bucket table, or
                                path: made absolute by the host, relative to the config file */
  const char* default_json;  /* as it would stand in the config ("\"75s\""); NULL: no default */
  uint32_t required;         /* 1: must be given */
  const char* minimum;       /* of int, float, duration, size, as it would stand in the config; NULL: none */
  const char* maximum;
  const char* choices;       /* enum: words separated by spaces */
  const char* help;          /* one or two sentences, units included; never NULL or empty */
} sluice_option;

typedef struct sluice_component {
  uint32_t struct_size;
  uint32_t flags;            /* SLUICE_BLOCKS ... */
  const char* kind;          /* "stage" "source" "bucket" "table" */
  const char* type;          /* its name in a config: [a-z0-9_]+ */
  const char* help;          /* first sentence: what it does; then contract and limits; never NULL */
  const sluice_option* const* options; /* ended by NULL */
  /* [control] Checks what the option table cannot say (option_error for each fault); touches nothing
   * outside: `sluice validate` calls it. May be NULL. OK or BAD_OPTION. */
  int32_t (*check)(const sluice_host*, const sluice_config*);
  /* [control] A stage is created once per worker. BAD_OPTION (78), UNAVAILABLE (69), NOT_FOUND (66),
   * IO (74) or FATAL with a text. `config` lives as long as the instance. */
  int32_t (*create)(const sluice_host*, const sluice_config*, void** self, sluice_str* error);
  void (*destroy)(void* self); /* [control] */
  void (*cancel)(void* self);  /* [any] process and run return soon after. May be NULL */
  const void* functions;     /* the struct of its kind, below */
} sluice_component;

typedef struct sluice_stage {
  uint32_t struct_size;
  /* [worker] Handles the whole batch; outcomes by settle(). OK, or FATAL (stops the engine, exit 70), or
   * CANCELLED; where nobody cancelled it, that is a RETRY of the whole batch. */
  int32_t (*process)(void* self, const sluice_batch*, sluice_out*);
} sluice_stage;

typedef struct sluice_source {
  uint32_t struct_size;
  /* [source] Emits until cancelled (CANCELLED) or exhausted (END); UNAVAILABLE, IO, INVALID
   * (data that it cannot go on with, exit 65) or FATAL stop the engine.
   * Emissions of one cookie follow one another and are one origin, closed by an emission with another
   * cookie, by flush, or by run's return; never settled before. */
  int32_t (*run)(void* self, sluice_out*);
  /* [any] Once per cookie: all descendants are at their end. worst: OK, or REJECT if one was
   * dead-lettered. Must not call back into `out`. May be NULL. */
  void (*settled)(void* self, uint64_t cookie, int32_t worst);
  /* [control] Once, after run returned and after the last settled(): keep what they told and is not
   * kept yet. OK, or IO with a text. May be NULL. */
  int32_t (*finish)(void* self, sluice_str* error);
} sluice_source;

/* All [any], may wait; semantics as the host calls of the same name. */
typedef struct sluice_bucket {
  uint32_t struct_size;
  int32_t (*open)(void* self, sluice_str key, sluice_str if_match, uint64_t offset, void** reader, uint64_t* size, sluice_str* error);
  int32_t (*read)(void* reader, uint8_t* into, uint64_t capacity, uint64_t* got, sluice_str* error);
  void (*close)(void* reader);
  int32_t (*begin)(void* self, sluice_str key, sluice_str content_type, void** writer, sluice_str* error);
  int32_t (*write)(void* writer, const uint8_t*, uint64_t, sluice_str* error);
  int32_t (*commit)(void* writer, sluice_str* error);
  void (*abort)(void* writer);
  int32_t (*remove)(void* self, sluice_str key, sluice_str* error);
  int32_t (*list)(void* self, sluice_str prefix, sluice_str after, void* user, sluice_object_fn each, sluice_str* error);
  /* All NULL where the bucket cannot watch. */
  int32_t (*watch_open)(void* self, sluice_str prefix, int64_t poll_interval_ms, void** watch, sluice_str* error);
  int32_t (*watch_next)(void* watch, int64_t wait_ms, void* user, sluice_object_fn each, sluice_str* error);
  void (*watch_cancel)(void* watch);
  void (*watch_close)(void* watch);
} sluice_bucket;

/* All [any], may wait; semantics as the host calls of the same name. */
typedef struct sluice_table {
  uint32_t struct_size;
  int32_t (*put)(void* self, uint32_t count, const sluice_str* const* items_json, int32_t mode, int32_t* status,
                 void* user, void (*reason)(void* user, uint32_t item, sluice_str text));
  int32_t (*get)(void* self, sluice_str key_json, void* user, void (*item)(void* user, sluice_str json), sluice_str* error);
  int32_t (*list)(void* self, uint32_t limit, sluice_str next_token, void* user,
                  void (*item)(void* user, sluice_str json, sluice_str token), sluice_str* error);
} sluice_table;

typedef struct sluice_plugin {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor; /* SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR of the header it was built with */
  const char* id;            /* "org.example.thing" */
  const char* version;       /* "1.2.3" */
  const sluice_component* const* components; /* ended by NULL */
} sluice_plugin;

#if defined(__GNUC__)
#define SLUICE_EXPORT __attribute__((visibility("default")))
#else
#define SLUICE_EXPORT
#endif
typedef const sluice_plugin* (*sluice_plugin_entry_v1_fn)(void);
/* The one exported symbol: const sluice_plugin* sluice_plugin_entry_v1(void). [control], may be called more than once. */

#ifdef __cplusplus
}
#endif

/* Tables. An item is a JSON object whose members are columns; a column that it leaves out is null. Its key is the members
 * that the table's options name. An item is put as a whole.
 *   put   mode 0 puts an item in the place of the one with its key, or anew; 1 only where there is none, 2 only where
 *         there is one, else its status is CONFLICT. Items are put in their order: of two with one key the later wins.
 *         INVALID, TOO_LARGE, DENIED: this item can never be put. UNAVAILABLE: it can be put again later (busy, full, not
 *         there). FATAL: nothing can be put any more (damaged). One bad item does not fail its neighbours. What is OK is
 *         kept when the call returns. The call itself answers OK; where it does not, nothing was put, and the host gives
 *         each item that status.
 *   get   key_json is an object of the key's columns or, where the key is one column, its value; a string stands for
 *         a value of any type then. `item` is called once. NOT_FOUND: there is no such item.
 *   list  tells at most `limit` items (at least 1 is asked for) behind next_token, or from the beginning where it is
 *         empty, in an order that does not change. The `token` of an item leads on behind it. OK: there is more, also where
 *         fewer than `limit` were told; END: that was all. INVALID: next_token is none of this table's.
 * The callbacks are called before the function returns, on its thread; they must not call the table. */
#endif
