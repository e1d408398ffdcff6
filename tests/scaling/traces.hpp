// The decision table and the traces of the first example system (a burst, small bursts, a burst
// under CloudWatch's alarms): a service of one to five workers, target 100, cooldowns of 60 s and
// 30 s.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::test {

/// What a number of visible messages comes to with 1 to 5 workers.
struct TableRow {
  std::uint64_t visible;
  struct Cell {
    double metric;  ///< to one digit behind the point
    std::uint32_t desired;
  };
  std::array<Cell, 5> cells;
};

inline const std::vector<TableRow> kDecisionTable{
    {0, {{{100, 1}, {50, 1}, {50, 2}, {50, 2}, {50, 3}}}},
    {1, {{{116.7, 2}, {109.1, 3}, {106.2, 4}, {104.8, 5}, {103.8, 5}}}},
    {2, {{{133.3, 2}, {118.2, 3}, {112.5, 4}, {109.5, 5}, {107.7, 5}}}},
    {5, {{{183.3, 2}, {145.5, 3}, {131.2, 4}, {123.8, 5}, {119.2, 5}}}},
    {6, {{{200, 2}, {154.5, 4}, {137.5, 5}, {128.6, 5}, {123.1, 5}}}},
    {11, {{{283.3, 3}, {200, 4}, {168.8, 5}, {152.4, 5}, {142.3, 5}}}},
    {12, {{{300, 3}, {209.1, 5}, {175, 5}, {157.1, 5}, {146.2, 5}}}},
    {16, {{{366.7, 4}, {245.5, 5}, {200, 5}, {176.2, 5}, {161.5, 5}}}},
    {24, {{{500, 5}, {318.2, 5}, {250, 5}, {214.3, 5}, {192.3, 5}}}},
    {25, {{{500, 5}, {327.3, 5}, {256.2, 5}, {219, 5}, {196.2, 5}}}},
    {44, {{{500, 5}, {500, 5}, {375, 5}, {309.5, 5}, {269.2, 5}}}},
    {50, {{{500, 5}, {500, 5}, {412.5, 5}, {338.1, 5}, {292.3, 5}}}},
    {104, {{{500, 5}, {500, 5}, {500, 5}, {500, 5}, {500, 5}}}},
    {1000, {{{500, 5}, {500, 5}, {500, 5}, {500, 5}, {500, 5}}}},
};

/// A sample and what was decided on it.
struct TraceRow {
  std::int64_t t;  ///< seconds
  std::uint64_t visible, in_flight;
  std::uint32_t count;
  double metric;  ///< to three digits behind the point
  std::uint32_t desired;
  std::string action;
  std::optional<double> average = {};  ///< of the last minute
  std::string alarm = {};              ///< which one stands
};

struct TraceSummary {
  std::uint64_t total;
  std::int64_t finished_at, ended_at;
  std::uint32_t max_count;
  std::uint64_t scale_outs, scale_ins;
  std::int64_t task_seconds;
};

struct Trace {
  const char* name;
  std::vector<std::array<std::int64_t, 2>> arrivals;
  std::int64_t service_time, batch_size;  ///< seconds, messages
  bool has_alarms;
  std::int64_t spacing;  ///< rows are all those with an action, and some of every so many seconds
  TraceSummary summary;
  std::vector<TraceRow> rows;
};

inline const std::vector<Trace> kTraces{
    {"p1_burst",
     {{{0, 1000}}},
     5,
     5,
     false,
     120,
     {1000, 1001, 1040, 5, 1, 3, 5093},
     {
         {0, 995, 5, 1, 500, 5, "out"},
         {10, 975, 25, 5, 500, 5, ""},
         {120, 875, 25, 5, 500, 5, ""},
         {240, 750, 25, 5, 500, 5, ""},
         {360, 625, 25, 5, 500, 5, ""},
         {480, 500, 25, 5, 500, 5, ""},
         {600, 395, 25, 5, 500, 5, ""},
         {720, 275, 25, 5, 500, 5, ""},
         {840, 150, 25, 5, 500, 5, ""},
         {960, 25, 25, 5, 196.154, 5, ""},
         {970, 25, 25, 5, 196.154, 5, ""},
         {980, 0, 25, 5, 50, 3, "in"},
         {990, 0, 25, 3, 50, 3, ""},
         {1000, 0, 20, 3, 50, 3, ""},
         {1010, 0, 0, 3, 50, 2, "in"},
         {1020, 0, 0, 2, 50, 2, ""},
         {1030, 0, 0, 2, 50, 2, ""},
         {1040, 0, 0, 2, 50, 1, "in"},
     }},
    {"p2_small_bursts",
     {{{0, 9}, {95, 30}}},
     40,
     1,
     false,
     120,
     {39, 361, 390, 5, 3, 4, 1654},
     {
         {0, 8, 1, 1, 233.333, 3, "out"}, {10, 6, 3, 3, 137.5, 3, ""},
         {50, 3, 3, 3, 118.75, 3, ""},    {60, 3, 3, 3, 118.75, 4, "out"},
         {70, 2, 4, 4, 109.524, 4, ""},   {80, 1, 4, 4, 104.762, 4, ""},
         {90, 0, 3, 4, 50, 2, "in"},      {100, 30, 3, 2, 372.727, 5, "out"},
         {110, 27, 5, 5, 203.846, 5, ""}, {120, 26, 5, 5, 200, 5, ""},
         {240, 11, 5, 5, 142.308, 5, ""}, {320, 1, 5, 5, 103.846, 5, ""},
         {330, 0, 5, 5, 50, 3, "in"},     {340, 0, 5, 3, 50, 3, ""},
         {350, 0, 2, 3, 50, 3, ""},       {360, 0, 1, 3, 50, 2, "in"},
         {370, 0, 0, 2, 50, 2, ""},       {380, 0, 0, 2, 50, 2, ""},
         {390, 0, 0, 2, 50, 1, "in"},
     }},
    {"p3_burst_under_alarms",
     {{{0, 1000}}},
     5,
     5,
     true,
     300,
     {1000, 1156, 2160, 5, 1, 3, 9781},
     {
         {0, 995, 5, 1, 500, 1, "", std::nullopt, ""},
         {60, 985, 5, 1, 500, 1, "", 500.0, ""},
         {180, 960, 5, 1, 500, 5, "out", 500.0, "high"},
         {240, 890, 25, 5, 500, 5, "", 500.0, "high"},
         {300, 835, 25, 5, 500, 5, "", 500.0, "high"},
         {600, 535, 25, 5, 500, 5, "", 500.0, "high"},
         {900, 235, 25, 5, 500, 5, "", 500.0, "high"},
         {1200, 0, 0, 5, 50, 5, "", 50.0, ""},
         {1500, 0, 0, 5, 50, 5, "", 50.0, ""},
         {1800, 0, 0, 5, 50, 5, "", 50.0, ""},
         {2040, 0, 0, 5, 50, 3, "in", 50.0, "low"},
         {2100, 0, 0, 3, 50, 2, "in", 50.0, "low"},
         {2160, 0, 0, 2, 50, 1, "in", 50.0, "low"},
     }},
};

}  // namespace sluice::test
