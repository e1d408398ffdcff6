/* The publisher and the stage of bench/fanout, as a plugin in C: what the engine runs there goes
 * through the ABI like any plugin's. */
#ifndef SLUICE_BENCH_FANOUT_PARTS_H
#define SLUICE_BENCH_FANOUT_PARTS_H
#include <stdint.h>

enum { FANOUT_BODY = 256 };

/* Shared by the bench and the plugin; found by its symbol. Its source waits for `round` to change,
 * emits `messages` bodies, flushing after each `batch`, and sets `settled_messages` as it hears of them. */
struct fanout_control {
  _Atomic uint32_t round;           /* futex: the bench adds 1 and wakes */
  _Atomic uint32_t finished_round;  /* futex: the plugin sets it when all of a round is settled */
  _Atomic uint32_t stop;
  uint64_t messages;
  uint64_t batch;
  _Atomic uint64_t checksum;        /* what the stages read; keeps the reads alive */
  int64_t begin_ns, end_ns;         /* CLOCK_MONOTONIC: first emission, last settled */
  uint32_t threads;                 /* how many settle; more than one count together */
  /* A round of hand-overs, where `latencies` is not NULL: each message alone, some time after the one before it was
   * received. */
  uint32_t* latencies;              /* ns from before the emission to the stage, `messages` of them */
  uint32_t pause_ns;                /* between two, by a timer from 50 us on, else awake */
  _Atomic uint64_t received;
};

#endif
