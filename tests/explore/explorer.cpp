#include "explore/explorer.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "explore/fiber.hpp"

namespace sluice::explore {
namespace {

constexpr std::uint32_t kThreadsMax = 6;
constexpr std::uint32_t kProcesses = 2 * kThreadsMax;  ///< process kThreadsMax + i: thread i's stores reach memory
constexpr std::uint32_t kStepsMax = 4000;              ///< of one run; more is taken for an endless loop
using Mask = std::uint32_t;

constexpr Mask bit(std::uint32_t process) { return Mask{1} << process; }
std::uint32_t lowest(Mask mask) { return static_cast<std::uint32_t>(std::countr_zero(mask)); }

/// How many operations of each process happened before (Mattern, Fidge).
struct Clock {
  std::array<std::uint16_t, kProcesses> seen{};

  void join(const Clock& other) {
    for (std::uint32_t i = 0; i < kProcesses; ++i) {
      seen[i] = std::max(seen[i], other.seen[i]);
    }
  }
};

struct Mutex {
  WordNumber word = 0;
  bool is_held = false;
};

struct Operation {
  Access access = Access::fence;
  WordNumber word = 0;  ///< 0: meets nobody
  const char* what = "";
  const Mutex* mutex = nullptr;  ///< of a lock

  bool meets(const Operation& other) const {
    return word != 0 && word == other.word && (access != Access::load || other.access != Access::load);
  }
};

struct Event {
  std::uint32_t process;
  Operation operation;
  Clock clock;

  bool before(const Clock& later) const { return clock.seen[process] <= later.seen[process]; }
};

/// A choice: what was tried, and what is to be.
struct Choice {
  Mask backtrack = 0, asleep = 0, done = 0;
  Mask unfair = 0;  ///< had its turn for long enough
  std::uint32_t chosen = 0;
};

struct BufferedStore {
  WordNumber word;
  void* address;
  std::uint64_t value;
  void (*write)(void*, std::uint64_t);
  Clock clock;  ///< of the store
};

struct Thread {
  Fiber fiber;
  bool ended = true, sleeps = false;
  WordNumber sleeps_on = 0;
  Operation next;
  std::deque<BufferedStore> buffer;
  std::vector<Clock> arrivals;  ///< of its stores in memory
  std::uint32_t stores = 0;
};

class Explorer {
 public:
  Findings explore(const Scenario& scenario, const Options& chosen);
  Findings replay(const Scenario& scenario, const Options& chosen, const std::string& schedule);

  void run_threads(std::vector<std::function<void()>> bodies);
  void fail(const std::string& rule);
  std::string schedule() const;

  Options options;
  Thread* current = nullptr;
  WordNumber words = 0;
  std::vector<std::function<void()>> added;

  Mutex& mutex_at(const void* address) {
    Mutex& mutex = mutexes_[address];
    mutex.word = mutex.word == 0 ? ++words : mutex.word;
    return mutex;
  }
  void hand_over(const Operation& operation) {
    current->next = operation;
    current->fiber.hand_back();
  }
  void sleep(WordNumber word) {
    current->sleeps = true;
    current->sleeps_on = word;
    hand_over({Access::fence, 0, "woken"});
  }
  void wake(WordNumber word, int count);
  void buffer(const BufferedStore& store);
  void forget(const void* address);

 private:
  void run_once(const Scenario& scenario);
  bool next_schedule();
  Mask enabled() const;
  Operation next_of(std::uint32_t process) const;
  std::uint32_t choose(Mask enabled_now);
  std::uint32_t longest_waiting(Mask among) const;
  Clock meet(std::uint32_t process, const Operation& operation, bool is_new);
  std::size_t last_of(std::uint32_t process, WordNumber word, std::size_t before) const;
  void turn_round(std::size_t at, std::uint32_t process, const Clock& clock);
  void perform(std::uint32_t process, const Operation& operation, const Clock& clock);
  void note_asleep(std::uint32_t process, const Operation& operation);
  void leave_if_failed();
  void go_on(Thread& thread);
  void start_threads(std::vector<std::function<void()>> bodies);

  std::array<Thread, kThreadsMax> threads_;
  std::uint32_t count_ = 0;
  std::map<const void*, Mutex> mutexes_;  ///< by address, as they come to be used
  Fiber scenario_;
  std::vector<Choice> choices_;
  std::vector<Event> events_;
  std::array<Clock, kProcesses> clocks_;
  std::vector<std::uint8_t> taken_;  ///< processes, in this run's order
  std::size_t fresh_from_ = 0;       ///< choices before it were made in an earlier run
  Mask next_asleep_ = 0;
  std::array<std::size_t, kProcesses> last_turn_{};
  std::uint32_t in_row_ = 0;         ///< steps of the process that came last
  bool redundant_ = false;           ///< an equivalent run was there before
  bool prints_ = false;
  const std::string* forced_ = nullptr;
  Findings findings_;
};

Explorer* running = nullptr;

Operation Explorer::next_of(std::uint32_t process) const {
  if (process >= kThreadsMax) {
    return {Access::update, threads_[process - kThreadsMax].buffer.front().word, "reaches memory"};
  }
  Operation next = threads_[process].next;
  if (next.access == Access::store && options.store_buffer != 0) {
    next.word = 0;  // it is the arrival that others meet
  }
  return next;
}

Mask Explorer::enabled() const {
  Mask result = 0;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (!thread.buffer.empty()) {
      result |= bit(kThreadsMax + i);
    }
    if (thread.ended || thread.sleeps) {
      continue;
    }
    const Access access = thread.next.access;
    const bool waits_for_buffer =
        access == Access::load    ? false
        : access == Access::store ? options.store_buffer != 0 && thread.buffer.size() == options.store_buffer
                                  : !thread.buffer.empty();
    const bool waits_for_mutex = access == Access::lock && thread.next.mutex->is_held && options.weaken != Weaken::lock;
    result |= waits_for_buffer || waits_for_mutex ? 0 : bit(i);
  }
  return result;
}

std::uint32_t Explorer::longest_waiting(Mask among) const {
  std::uint32_t best = lowest(among);
  for (Mask left = among; left != 0; left &= left - 1) {
    best = last_turn_[lowest(left)] < last_turn_[best] ? lowest(left) : best;
  }
  return best;
}

/// Who comes next; in a choice that is new, whoever came last goes on.
std::uint32_t Explorer::choose(Mask enabled_now) {
  const std::size_t depth = taken_.size();
  if (forced_ != nullptr) {
    std::uint32_t process = depth < forced_->size() ? static_cast<std::uint32_t>((*forced_)[depth] - 'a') : lowest(enabled_now);
    return (enabled_now & bit(process)) != 0 ? process : lowest(enabled_now);
  }
  if (redundant_) {
    return longest_waiting(enabled_now);
  }
  if (depth < choices_.size()) {
    return choices_[depth].chosen;
  }
  Choice choice;
  choice.asleep = next_asleep_;
  const Mask awake = enabled_now & ~choice.asleep;
  if (awake == 0) {
    redundant_ = true;
    return longest_waiting(enabled_now);
  }
  const std::uint32_t last = taken_.empty() ? 0 : taken_.back();
  choice.chosen = (awake & bit(last)) != 0 ? last : lowest(awake);
  if (in_row_ >= options.patience && (enabled_now & ~bit(last)) != 0) {
    choice.unfair = bit(last);
    const Mask others = awake & ~bit(last);
    if (others == 0) {
      redundant_ = true;
      return longest_waiting(enabled_now);
    }
    choice.chosen = longest_waiting(others);
  }
  choice.backtrack = options.reduction == Reduction::none ? enabled_now : bit(choice.chosen);
  choices_.push_back(choice);
  return choice.chosen;
}

/// The operation's clock; where it races with an earlier one, that one is to be turned round as well.
Clock Explorer::meet(std::uint32_t process, const Operation& operation, bool is_new) {
  Clock clock = clocks_[process];
  if (process >= kThreadsMax) {
    clock.join(threads_[process - kThreadsMax].buffer.front().clock);
  } else if (options.store_buffer != 0) {
    const Thread& thread = threads_[process];
    const bool drained = thread.next.access != Access::load && thread.next.access != Access::store;
    if (drained && !thread.arrivals.empty()) {
      clock.join(thread.arrivals.back());
    } else if (thread.next.access == Access::store && thread.stores >= options.store_buffer) {
      clock.join(thread.arrivals[thread.stores - options.store_buffer]);
    }
  }
  std::vector<std::size_t> races;
  for (std::size_t i = events_.size(); i-- > 0;) {
    const Event& event = events_[i];
    if (event.before(clock) || !event.operation.meets(operation)) {
      continue;
    }
    // A lock can come before the other thread's lock, but not between that and its unlock.
    const bool was_shut_out = operation.access == Access::lock && event.operation.access == Access::unlock &&
                              options.weaken != Weaken::lock;
    const std::size_t race = was_shut_out ? last_of(event.process, operation.word, i) : i;
    if (event.process != process && !events_[race].before(clock)) {
      races.push_back(race);
    }
    clock.join(event.clock);
  }
  ++clock.seen[process];
  if (is_new && options.reduction == Reduction::source_sets) {
    for (std::size_t race : races) {
      turn_round(race, process, clock);
    }
  }
  return clock;
}

/// The last of the events before `before` that is an operation of that process on that word.
std::size_t Explorer::last_of(std::uint32_t process, WordNumber word, std::size_t before) const {
  do {
    --before;
  } while (events_[before].process != process || events_[before].operation.word != word);
  return before;
}

/// `process`'s operation, with `clock`, is to be tried before event `at`: one that can begin the run of
/// what does not depend on `at` must stand in the backtrack set there.
void Explorer::turn_round(std::size_t at, std::uint32_t process, const Clock& clock) {
  std::vector<const Event*> apart;
  Mask met = 0, initials = 0;
  auto consider = [&](std::uint32_t who, const Clock& its) {
    if ((met & bit(who)) == 0) {
      met |= bit(who);
      const bool first = std::ranges::none_of(apart, [&its](const Event* event) { return event->before(its); });
      initials |= first ? bit(who) : 0;
    }
  };
  for (std::size_t i = at + 1; i < events_.size(); ++i) {
    if (!events_[at].before(events_[i].clock)) {
      consider(events_[i].process, events_[i].clock);
      apart.push_back(&events_[i]);
    }
  }
  consider(process, clock);
  Choice& choice = choices_[at];
  initials &= ~choice.unfair;
  if (initials != 0 && (choice.backtrack & initials) == 0) {
    choice.backtrack |= (initials & bit(process)) != 0 ? bit(process) : bit(lowest(initials));
  }
}

/// Those that were tried here and meet nothing of what is done now need not be tried again after it.
void Explorer::note_asleep(std::uint32_t process, const Operation& operation) {
  next_asleep_ = 0;
  if (options.reduction == Reduction::none || redundant_ || forced_ != nullptr) {
    return;
  }
  const Choice& choice = choices_[taken_.size()];
  for (Mask left = (choice.asleep | choice.done) & ~bit(process); left != 0; left &= left - 1) {
    if (!next_of(lowest(left)).meets(operation)) {
      next_asleep_ |= left & -left;
    }
  }
}

void Explorer::perform(std::uint32_t process, const Operation& operation, const Clock& clock) {
  clocks_[process] = clock;
  events_.push_back({process, operation, clock});
  in_row_ = !taken_.empty() && taken_.back() == process ? in_row_ + 1 : 1;
  taken_.push_back(static_cast<std::uint8_t>(process));
  last_turn_[process] = taken_.size();
  ++findings_.steps;
  if (prints_) {
    const std::uint32_t thread = process % kThreadsMax;
    const WordNumber word = operation.word != 0 ? operation.word : process < kThreadsMax ? threads_[thread].next.word : 0;
    std::printf("%4zu  thread %u  %*s%s word %u\n", taken_.size(), thread, static_cast<int>(20 * thread), "", operation.what, word);
  }
  if (process >= kThreadsMax) {
    Thread& thread = threads_[process - kThreadsMax];
    const BufferedStore store = thread.buffer.front();
    thread.buffer.pop_front();
    thread.arrivals.push_back(clock);
    store.write(store.address, store.value);
    return;
  }
  go_on(threads_[process]);
}

void Explorer::start_threads(std::vector<std::function<void()>> bodies) {
  const std::size_t own = bodies.size();
  for (std::function<void()>& body : added) {
    bodies.push_back(std::move(body));
  }
  added.clear();
  count_ = static_cast<std::uint32_t>(bodies.size());
  if (count_ > kThreadsMax) {
    std::abort();
  }
  for (std::uint32_t i = count_; i-- > 0;) {
    Thread& thread = threads_[i];
    thread.sleeps = thread.ended = false;
    thread.buffer.clear();
    thread.arrivals.clear();
    thread.stores = 0;
    thread.fiber.start(std::move(bodies[i]));
    go_on(thread);  // up to its first operation it is alone
    while (options.begins_parked && i >= own && !thread.ended && !thread.sleeps) {
      go_on(thread);
      for (; !thread.buffer.empty(); thread.buffer.pop_front()) {
        thread.buffer.front().write(thread.buffer.front().address, thread.buffer.front().value);
      }
      thread.stores = 0;
    }
  }
}

void Explorer::go_on(Thread& thread) {
  current = &thread;
  thread.fiber.resume();
  thread.ended = thread.fiber.ended();
  current = nullptr;
}

void Explorer::run_threads(std::vector<std::function<void()>> bodies) {
  start_threads(std::move(bodies));
  leave_if_failed();
  while (const Mask enabled_now = enabled()) {
    const std::uint32_t process = choose(enabled_now);
    if ((enabled_now & bit(process)) == 0) {
      fail("it does not go the same way again: something outlives its runs");
    }
    const Operation operation = next_of(process);
    Clock clock;
    if (!redundant_ && forced_ == nullptr) {
      clock = meet(process, operation, taken_.size() + 1 >= fresh_from_);
      note_asleep(process, operation);
    }
    perform(process, operation, clock);
    leave_if_failed();
    if (taken_.size() > kStepsMax) {
      fail("it never ends");
    }
  }
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (!threads_[i].ended && !threads_[i].sleeps) {
      fail("a deadlock: thread " + std::to_string(i) + " waits for a mutex, and nobody is left to unlock it");
    }
    if (!threads_[i].ended) {
      fail("a wake-up was lost: thread " + std::to_string(i) + " sleeps on word " + std::to_string(threads_[i].sleeps_on) +
           " and nobody is left to wake it");
    }
  }
}

void Explorer::wake(WordNumber word, int count) {
  if (options.weaken == Weaken::wake) {
    return;
  }
  const auto waker = static_cast<std::uint32_t>(current - threads_.data());
  for (std::uint32_t i = 0; i < count_ && count > 0; ++i) {
    Thread& thread = threads_[i];
    if (thread.sleeps && thread.sleeps_on == word) {
      thread.sleeps = false;
      clocks_[i].join(clocks_[waker]);
      --count;
    }
  }
}

void Explorer::buffer(const BufferedStore& store) {
  current->buffer.push_back(store);
  current->buffer.back().clock = clocks_[static_cast<std::size_t>(current - threads_.data())];
  ++current->stores;
}

void Explorer::forget(const void* address) {
  for (std::uint32_t i = 0; i < count_; ++i) {
    std::deque<BufferedStore>& buffer = threads_[i].buffer;
    for (BufferedStore& store : buffer) {
      if (store.address == address) {
        store.write = [](void*, std::uint64_t) {};
      }
    }
  }
}

std::string Explorer::schedule() const {
  std::string text;
  for (std::uint8_t process : taken_) {
    text += static_cast<char>('a' + process);
  }
  return text;
}

/// Leaves the run as it stands.
void Explorer::fail(const std::string& rule) {
  findings_.violation = rule;
  findings_.schedule = schedule();
  if (current != nullptr) {
    current->fiber.hand_back();
  }
  leave_if_failed();
}

void Explorer::leave_if_failed() {
  if (!findings_.violation.empty()) {
    scenario_.hand_back();
  }
}

void Explorer::run_once(const Scenario& scenario) {
  events_.clear();
  taken_.clear();
  clocks_ = {};
  next_asleep_ = 0;
  last_turn_ = {};
  in_row_ = 0;
  redundant_ = false;
  words = 0;
  mutexes_.clear();
  count_ = 0;
  scenario_.start([&scenario] {
    Trial trial;
    scenario(trial);
  });
  scenario_.resume();
  findings_.schedules += redundant_ ? 0 : 1;
}

/// Turns to the last choice that has something left to try. False: all was tried.
bool Explorer::next_schedule() {
  for (; !choices_.empty(); choices_.pop_back()) {
    Choice& choice = choices_.back();
    choice.done |= bit(choice.chosen);
    const Mask left = choice.backtrack & ~choice.done & ~choice.asleep & ~choice.unfair;
    if (left != 0) {
      choice.chosen = lowest(left);
      fresh_from_ = choices_.size();
      return true;
    }
  }
  return false;
}

/// An assert of the product: tell how it came to it.
void tell_schedule(int signal_number) {
  const std::string text = "schedule: " + running->schedule() + "\n";
  (void)!write(STDERR_FILENO, text.data(), text.size());
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

Findings Explorer::explore(const Scenario& scenario, const Options& chosen) {
  options = chosen;
  do {
    run_once(scenario);
    if (findings_.schedules > options.schedules_max) {
      findings_.violation = "more schedules than " + std::to_string(options.schedules_max);
    }
  } while (findings_.violation.empty() && next_schedule());
  return findings_;
}

Findings Explorer::replay(const Scenario& scenario, const Options& chosen, const std::string& schedule_text) {
  options = chosen;
  forced_ = &schedule_text;
  prints_ = true;
  run_once(scenario);
  return findings_;
}

template <class Action>
Findings with_explorer(Action action) {
  auto explorer = std::make_unique<Explorer>();
  running = explorer.get();
  auto* before = signal(SIGABRT, tell_schedule);
  Findings findings = action(*explorer);
  signal(SIGABRT, before);
  running = nullptr;
  return findings;
}

}  // namespace

Findings explore(const Scenario& scenario, const Options& options) {
  return with_explorer([&](Explorer& explorer) { return explorer.explore(scenario, options); });
}

Findings replay(const Scenario& scenario, const Options& options, const std::string& schedule) {
  return with_explorer([&](Explorer& explorer) { return explorer.replay(scenario, options, schedule); });
}

void Trial::threads(std::vector<std::function<void()>> bodies) { running->run_threads(std::move(bodies)); }

void Trial::expect(bool holds, const char* rule) {
  if (!holds) {
    running->fail(rule);
  }
}

WordNumber number_word() {
  static WordNumber outside = WordNumber{1} << 30;
  return running == nullptr ? ++outside : ++running->words;
}
bool in_thread() { return running != nullptr && running->current != nullptr; }
const Options& options() {
  static const Options kNone;
  return running != nullptr ? running->options : kNone;
}

void step(Access access, WordNumber word, const char* what) {
  if (in_thread()) {
    running->hand_over({access, word, what});
  }
}

const std::uint64_t* buffered(const void* address) {
  if (!in_thread()) {
    return nullptr;
  }
  const std::deque<BufferedStore>& buffer = running->current->buffer;
  auto found = std::find_if(buffer.rbegin(), buffer.rend(), [address](const BufferedStore& store) { return store.address == address; });
  return found != buffer.rend() ? &found->value : nullptr;
}

bool buffers_stores() { return in_thread() && options().store_buffer != 0; }

void buffer(WordNumber word, void* address, std::uint64_t value, void (*write)(void*, std::uint64_t)) {
  running->buffer({word, address, value, write, {}});
}

void forget(const void* address) {
  if (running != nullptr) {
    running->forget(address);
  }
}

void sleep_on(WordNumber word) { running->sleep(word); }
void wake_threads(WordNumber word, int count) { running->wake(word, count); }

void lock(const void* mutex) {
  Mutex& own = running->mutex_at(mutex);
  running->hand_over({Access::lock, own.word, "lock", &own});
  own.is_held = true;
}

bool try_lock(const void* mutex) {
  Mutex& own = running->mutex_at(mutex);
  running->hand_over({Access::update, own.word, "try_lock"});
  return !std::exchange(own.is_held, true) || options().weaken == Weaken::lock;
}

void unlock(const void* mutex) {
  Mutex& own = running->mutex_at(mutex);
  running->hand_over({Access::unlock, own.word, "unlock"});
  own.is_held = false;
}

void add_thread(std::function<void()> body) { running->added.push_back(std::move(body)); }

}  // namespace sluice::explore
