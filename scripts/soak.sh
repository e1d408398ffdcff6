#!/usr/bin/env bash
# Long runs whose figures go into a release's notes: see --help.
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sluice_help "${1-}" "usage: scripts/soak.sh
scripts/test.sh at full length; the long tests of the layers message to pipeline at ten times that length in
the release build; then the kill loop over and over, in the build with the sanitizers and in the release
build. Takes an hour or more.
SLUICE_TEST_SCALE=N multiplies the length of the long tests (default 1); SLUICE_SOAK_ROUNDS=N is the
number of kill loops in each build (default 20). The last line is 'N passed, N failed' of the long tests and
the loops.
Exit: 0 all passed, 1 some failed."

# Layers whose long tests grow with SLUICE_TEST_SCALE: random runs, races, wake-ups.
LONG_TESTS=(message queue topic service pipeline)

main() {
  export SLUICE_TEST_SCALE="${SLUICE_TEST_SCALE:-1}"
  local rounds="${SLUICE_SOAK_ROUNDS:-20}" folder name round passed=0 failed=0
  "$SLUICE_ROOT/scripts/test.sh" || failed=1

  local release="$SLUICE_ROOT/build/soak"
  sluice_configure "$release" -Dbuildtype=release -Dfault_points=true
  sluice_build "$release"
  local scale
  scale="$(awk "BEGIN { print 10 * $SLUICE_TEST_SCALE }")"
  for name in "${LONG_TESTS[@]}"; do
    local begin="$SECONDS"
    if SLUICE_TEST_SCALE="$scale" SLUICE_BUILD_ROOT="$release" SLUICE_SOURCE_ROOT="$SLUICE_ROOT" \
      "$release/tests/test_$name" --gtest_brief=1 >"$release/soak.log" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      cat "$release/soak.log"
    fi
    printf 'long tests of %s, scale %s: %d s\n' "$name" "$scale" $((SECONDS - begin))
  done
  for folder in "$SLUICE_ROOT/build/test" "$release"; do
    for ((round = 1; round <= rounds; ++round)); do
      local begin="$SECONDS"
      # A seed of its own for each round: it is printed, and makes a failure come again.
      if SLUICE_BUILD_ROOT="$folder" SLUICE_SOURCE_ROOT="$SLUICE_ROOT" "$folder/tests/test_end_to_end" \
        --gtest_filter='*Crash*' --gtest_random_seed="$round" --gtest_shuffle --gtest_brief=1 >"$folder/soak.log" 2>&1; then
        passed=$((passed + 1))
      else
        failed=$((failed + 1))
        cat "$folder/soak.log"
      fi
      printf '%s: kill loop %d of %d, %d s\n' "${folder#"$SLUICE_ROOT"/}" "$round" "$rounds" $((SECONDS - begin))
    done
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}

main
