// The explorer: runs a small scenario under every schedule of its threads, one atomic operation at a
// time, and says which schedule broke a rule.
//
// The threads are fibers on one OS thread. Before each atomic operation a fiber announces it and
// hands over; the scheduler picks whose operation comes next, performs it, and lets that fiber run on
// to its next one. What lies between two operations is a thread's own. All choices are recorded, and
// the scenario is run again from its start for each other choice that can make a difference.
//
// Reduction: of schedules that differ only in the order of independent operations (of other words,
// or loads of the same one) one is run (Abdulla, Aronsson, Jonsson, Sagonas, "Optimal dynamic partial
// order reduction", POPL 2014: source sets and sleep sets). Reduction::none runs all of them; the
// tests compare the two.
//
// Store buffers: with `store_buffer` = n > 0, up to n stores of a thread that are weaker than seq_cst
// stand in a queue of its own before they reach memory, in order; its loads see them, read-modify-
// writes, seq_cst stores, fences and futex calls wait until it is empty (x86's TSO). Each arrival in
// memory is a step like any other, of the "process" behind the thread.
//
// Mutexes: a thread comes to its lock as soon as nobody has the mutex; to lock and to unlock are steps that wait for
// the store buffer, as glibc's are on x86. Two locks of one mutex are tried in both orders. Where everybody is left
// waiting for one, that is a deadlock.
//
// Parking: futex_wait puts the fiber to sleep until a futex_wake, whatever its timeout; when every
// fiber that is left sleeps, a wake-up was lost.
//
// Fairness: a thread that spins until another goes on would spin for ever in some schedule. After
// `patience` steps in a row another thread that can go on comes before it; so a scenario is explored
// exhaustively as long as no thread has so many steps between two parkings.
//
// Mutations make operations of the product weaker than they are written; a scenario that
// finds nothing wrong then proves nothing.
//
// Thread safety: one exploration at a time, on one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sluice::explore {

/// What the product's operations are turned into.
enum class Weaken : std::uint8_t {
  nothing,
  compare_exchange,  ///< a look and a store: not atomic
  fetch,             ///< fetch_add and its like: a load and a store
  exchange,          ///< a load and a store that may stay in the buffer
  wake,              ///< futex_wake wakes nobody
  fence,             ///< a fence orders nothing
  lock               ///< a mutex shuts nobody out
};

enum class Reduction : std::uint8_t { source_sets, none };

struct Options {
  std::uint32_t store_buffer = 0;  ///< stores per thread; 0: sequentially consistent
  Weaken weaken = Weaken::nothing;
  Reduction reduction = Reduction::source_sets;
  bool begins_parked = false;     ///< threads that the product started run until they park before the others begin
  std::uint32_t patience = 300;   ///< steps of a thread in a row, while another waits
  std::uint64_t schedules_max = 600'000;  ///< more is a failure: not exhaustive
};

/// One run of the scenario.
class Trial {
 public:
  /// Runs the bodies as threads, to their end. Once per run; objects they share live outside.
  void threads(std::vector<std::function<void()>> bodies);
  /// What must hold; the first failure ends the exploration.
  void expect(bool holds, const char* rule);
};

struct Findings {
  std::uint64_t schedules = 0;  ///< run to their end, no two of them equivalent
  std::uint64_t steps = 0;      ///< operations, repeated ones included
  std::string violation;        ///< empty: none
  std::string schedule;         ///< of the violation; replay() takes it
};

using Scenario = std::function<void(Trial&)>;

/// Every schedule, until one breaks a rule.
Findings explore(const Scenario& scenario, const Options& options = {});
/// The one schedule that explore() named; prints each operation.
Findings replay(const Scenario& scenario, const Options& options, const std::string& schedule);

// What the doors of the product call (shadow/base/atomic.hpp, futex.cpp, ...).

/// Tells shared words apart; they count from 1 in each run.
using WordNumber = std::uint32_t;
WordNumber number_word();

/// How an operation meets others.
enum class Access : std::uint8_t { load, store, update, fence, lock, unlock };

/// True within a thread of a run: the operation is a step.
bool in_thread();
const Options& options();
/// Waits for this thread's turn to perform the operation.
void step(Access access, WordNumber word, const char* what);
/// The current thread's own newest store there that is not in memory yet; nullptr: none.
const std::uint64_t* buffered(const void* address);
/// The step before was a store: it goes to the buffer.
void buffer(WordNumber word, void* address, std::uint64_t value, void (*write)(void* address, std::uint64_t value));
bool buffers_stores();
/// The word is gone: stores of it that are not in memory yet never arrive.
void forget(const void* address);

/// The current thread sleeps until wake_threads() of the word. After a step of the word.
void sleep_on(WordNumber word);
void wake_threads(WordNumber word, int count);

/// The mutex at this address, by the current thread.
void lock(const void* mutex);
bool try_lock(const void* mutex);
void unlock(const void* mutex);

/// A thread that the product itself starts. Within a scenario, before threads(); it runs with them.
void add_thread(std::function<void()> body);

}  // namespace sluice::explore
