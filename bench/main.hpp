// What every bench binary does around its cases.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

/// Registers the cases with `add_all` and runs those that the command line asks for. Defaults that
/// it overrides: peers take turns, short runs. The process's exit code.
inline int run_benches(int count, char** arguments, void (*add_all)()) {
  std::string interleave = "--benchmark_enable_random_interleaving=true",
              short_runs = "--benchmark_min_time=0.2";
  std::vector<char*> all(arguments, arguments + count);
  all.insert(all.begin() + 1, {interleave.data(), short_runs.data()});
  auto all_count = static_cast<int>(all.size());
  all.push_back(nullptr);
  benchmark::Initialize(&all_count, all.data());
  if (benchmark::ReportUnrecognizedArguments(all_count, all.data())) {
    return 64;
  }
  add_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
