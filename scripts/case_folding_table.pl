#!/usr/bin/env perl
# Writes src/filter/case_folding_table.hpp to stdout (clang-format packs it): the simple foldings
# (statuses C and S of CaseFolding.txt) of the Unicode version that this perl knows, as runs of equal
# distance and step.
use strict;
use warnings;
use Unicode::UCD qw(casefold);

my @runs;    # [first, last, step, distance]
for my $code (0x80 .. 0x1FFFF) {
  next if $code >= 0xD800 && $code <= 0xDFFF;
  my $folding = casefold($code) or next;
  next if $folding->{simple} eq '';
  my $distance = hex($folding->{simple}) - $code;
  my $run = $runs[-1];
  my $step = defined $run ? $code - $run->[1] : 0;
  if (defined $run && $run->[3] == $distance && $step <= 2 && ($run->[0] == $run->[1] || $step == $run->[2])) {
    @$run[1, 2] = ($code, $step);
  } else {
    push @runs, [$code, $code, 1, $distance];
  }
}

print <<"END";
// Simple case folding beyond ASCII, Unicode @{[Unicode::UCD::UnicodeVersion()]} (CaseFolding.txt, statuses C and S).
// Written by scripts/case_folding_table.pl; do not edit.
#pragma once

#include <cstdint>

namespace sluice::core {

/// Every `step`th code point from `first` to `last` folds to itself plus `distance`.
struct FoldingRun {
  std::uint32_t first, last;
  std::uint8_t step;
  std::int32_t distance;
};

/// In ascending order.
inline constexpr FoldingRun kFoldingRuns[] = {
END
printf "    {0x%04X, 0x%04X, %d, %d},\n", @$_ for @runs;
print "};\n\n}  // namespace sluice::core\n";
