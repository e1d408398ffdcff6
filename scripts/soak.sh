#!/usr/bin/env bash
# Long runs whose figures go into a release's notes: see --help.
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sluice_help "${1-}" "usage: scripts/soak.sh
scripts/test.sh at full length; the long tests of the layers message to pipeline at ten times that length in
the release build; then the kill loop over and over, in the build with the sanitizers and in the release
build. Takes an hour or more.
SLUICE_TEST_SCALE=N multiplies the length of the long tests (default 1); SLUICE_SOAK_ROUNDS=N is the
number of kill loops in each build (default 20). Each loop has a seed, and says what became of its messages.
SLUICE_SOAK_SEED=N (1 to 99999) is the first loop's, the others count on from it; by default it is taken from
the time. To repeat one loop, give its seed and SLUICE_SOAK_ROUNDS=1. (Of the long tests, those that draw
their cases say at a failure what to put into RC_PARAMS.) The last line is 'N passed, N failed' of the long
tests and the loops.
Exit: 0 all passed, 1 some failed, 64 usage."

# Layers whose long tests grow with SLUICE_TEST_SCALE: random runs, races, wake-ups.
LONG_TESTS=(message queue topic service pipeline)

# What gtest takes for a seed.
SEED_MAX=99999

main() {
  export SLUICE_TEST_SCALE="${SLUICE_TEST_SCALE:-1}"
  local rounds="${SLUICE_SOAK_ROUNDS:-20}" folder name round passed=0 failed=0
  local first_seed="${SLUICE_SOAK_SEED:-$(($(date +%s) % SEED_MAX + 1))}"
  [[ "$first_seed" =~ ^[1-9][0-9]{0,4}$ ]] || die 64 "SLUICE_SOAK_SEED is '$first_seed', not 1 to $SEED_MAX"
  printf 'SLUICE_SOAK_SEED=%d\n' "$first_seed"
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
      local begin="$SECONDS" seed=$(((first_seed + round - 2) % SEED_MAX + 1))
      if SLUICE_BUILD_ROOT="$folder" SLUICE_SOURCE_ROOT="$SLUICE_ROOT" "$folder/tests/test_end_to_end" \
        --gtest_filter='*Crash*' --gtest_random_seed="$seed" --gtest_shuffle --gtest_brief=1 >"$folder/soak.log" 2>&1; then
        passed=$((passed + 1))
      else
        failed=$((failed + 1))
        cat "$folder/soak.log"
      fi
      printf '%s: kill loop %d of %d, seed %d, %d s\n' "${folder#"$SLUICE_ROOT"/}" "$round" "$rounds" "$seed" \
        $((SECONDS - begin))
      sed -n 's/^figures: /  /p' "$folder/soak.log"
    done
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}

main
