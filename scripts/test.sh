#!/usr/bin/env bash
# Every test: see --help.
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sluice_help "${1-}" "usage: scripts/test.sh
Installs missing Debian packages and runs every test:
  build/test   everything, under AddressSanitizer and UndefinedBehaviorSanitizer, with asserts and fault points
  build/tsan   the layers base to pipeline, under ThreadSanitizer
  build/fuzz   hostile input, some seconds for each target: scripts/fuzz.sh
The last line is 'N passed, N failed'. Exit: 0 all passed, 1 some failed, 69 packages, 70 build.
SLUICE_TEST_SCALE=0.15 shortens the long tests (default 1); SLUICE_FUZZ_SECONDS=N is the time of each fuzz
target (default 8); SLUICE_JOBS=N compiles with N processes."

# Layers whose threads meet, and whose tests need no plugin.
TSAN_TESTS=(base message queue scaling topic service pipeline)

# run_tests FOLDER WORD...: the tests of a build folder, without building; what failed is shown. A suite's timeout is
# for a hang, and made for a scale of 0.15.
run_tests() {
  local folder="$1" longer
  shift
  longer="$(awk "BEGIN { s = ${SLUICE_TEST_SCALE:-1} / 0.15; print (s > 1 ? s : 1) }")"
  meson test -C "$folder" --no-rebuild --print-errorlogs --timeout-multiplier "$longer" "$@" </dev/null || true  # the results say what failed
}

main() {
  local asan="$SLUICE_ROOT/build/test" tsan="$SLUICE_ROOT/build/tsan" name tsan_targets=()
  sluice_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
  rm -f "$asan"/meson-logs/testlog* "$tsan"/meson-logs/testlog*

  # -g1: names and lines for the sanitizers' reports, at a third of the size; packed relocations take another third away.
  local flags='-g1 -fno-omit-frame-pointer'
  local common=(-Dbuildtype=debugoptimized -Db_ndebug=false -Dfault_points=true -Db_lundef=false
    "-Dc_args=$flags" -Dcpp_link_args=-Wl,-z,pack-relative-relocs)
  sluice_configure "$asan" "${common[@]}" "-Dcpp_args=$flags" -Db_sanitize=address,undefined
  # -Wno-tsan: g++ tells of every fence in a library's headers that ThreadSanitizer does not see it.
  sluice_configure "$tsan" "${common[@]}" "-Dcpp_args=$flags -Wno-tsan" -Db_sanitize=thread
  sluice_build "$asan"
  for name in "${TSAN_TESTS[@]}"; do tsan_targets+=("tests/test_$name"); done
  sluice_build "$tsan" "${tsan_targets[@]}"

  # Before g++ 13, what AddressSanitizer takes for glibc's old header of thread-local blocks may be any memory, and
  # the search for leaks then dies on it ("Tracer caught signal 11"): google/sanitizers issue 1322.
  export ASAN_OPTIONS="intercept_tls_get_addr=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
  export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
  export TSAN_OPTIONS="suppressions=$SLUICE_ROOT/tests/tsan.supp:halt_on_error=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
  run_tests "$asan"
  # ThreadSanitizer of g++ 12 needs the addresses that it was built for.
  local wrapper=()
  if setarch --addr-no-randomize true 2>/dev/null; then wrapper=(--wrapper 'setarch --addr-no-randomize'); fi
  run_tests "$tsan" "${wrapper[@]}" "${TSAN_TESTS[@]}"
  # Seconds find what a change breaks at once; scripts/fuzz.sh by itself runs longer.
  local fuzz_log="$SLUICE_ROOT/build/fuzz.log" fuzz_result
  SLUICE_FUZZ_SECONDS="${SLUICE_FUZZ_SECONDS:-8}" "$SLUICE_ROOT/scripts/fuzz.sh" 2>&1 | tee "$fuzz_log" || true  # as above
  fuzz_result="$(tail -n 1 "$fuzz_log")"
  if [[ ! "$fuzz_result" =~ ^[0-9]+\ passed,\ [0-9]+\ failed$ ]]; then fuzz_result='0 passed, 1 failed'; fi
  python3 "$SLUICE_ROOT/scripts/test_results.py" "$asan" "$tsan" "$fuzz_result"
}

main
