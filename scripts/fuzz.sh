#!/usr/bin/env bash
# Hostile input, made by libFuzzer: see --help.
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sluice_help "${1-}" "usage: scripts/fuzz.sh
Builds the fuzz targets in build/fuzz, under AddressSanitizer and UndefinedBehaviorSanitizer, and runs each of
them on what it found before (build/fuzz/corpus), on the policies and messages of the conformance file where there
is one, and on what libFuzzer makes of these. An input that breaks something is left in build/fuzz as crash-*, oom-* or
timeout-*, and shown. The last line is 'N passed, N failed'.
SLUICE_FUZZ_SECONDS=N is the time of each target (default 20).
Exit: 0 all passed, 1 some failed, 69 packages, 70 build."

# TARGET DICTIONARY, which stands below tests.
FUZZ_TARGETS=('fuzz_parse_policy filter/policy.dict' 'fuzz_match filter/policy.dict' 'fuzz_letters queue/letters.dict')
CONFORMANCE="$SLUICE_ROOT/../shared/conformance/filter-policies.jsonl"

# write_seeds FOLDER: each case of the conformance file as each target reads it, behind the byte that chooses scope,
# profile or type.
write_seeds() {
  python3 - "$CONFORMANCE" "$1" <<'PYTHON'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[2])
types = ["String", "Number", "String.Array", "Binary"]
for line in open(sys.argv[1], encoding="utf-8"):
    case = json.loads(line)
    in_body = case["scope"] == "MessageBody"
    choice = in_body + 2 * (case["profile"] != "sns")
    (folder / "fuzz_parse_policy" / case["id"]).write_bytes(bytes([choice]) + case["policy"].encode())
    message, value, kind = case["message"], "", 0
    if in_body:
        value = message.get("body", "")
    for attribute in message.get("attributes", {}).values() if not in_body else ():
        value, kind = attribute["value"], types.index(attribute["type"])
    text = case["policy"].replace("\n", " ") + "\n" + value
    (folder / "fuzz_match" / case["id"]).write_bytes(bytes([in_body + 2 * kind]) + text.encode(errors="replace"))
PYTHON
}

main() {
  local folder="$SLUICE_ROOT/build/fuzz" seconds="${SLUICE_FUZZ_SECONDS:-20}" entry name dictionary passed=0 failed=0
  sluice_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${FUZZ_PACKAGES[@]}"
  sluice_configure "$folder" -Dbuildtype=debugoptimized -Db_ndebug=false -Db_lundef=false -Db_sanitize=address,undefined
  for entry in "${FUZZ_TARGETS[@]}"; do mkdir -p "$folder/seeds/${entry% *}"; done
  if [[ -r "$CONFORMANCE" ]]; then write_seeds "$folder/seeds"; fi

  # See scripts/test.sh.
  export ASAN_OPTIONS="intercept_tls_get_addr=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
  export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
  for entry in "${FUZZ_TARGETS[@]}"; do
    read -r name dictionary <<<"$entry"
    sluice_build "$folder" "tests/$name"
    mkdir -p "$folder/corpus/$name"
    printf 'running %s for %s s\n' "$name" "$seconds"
    if "$folder/tests/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
      -dict="$SLUICE_ROOT/tests/$dictionary" -artifact_prefix="$folder/" \
      "$folder/corpus/$name" "$folder/seeds/$name" >"$folder/$name.log" 2>&1; then
      passed=$((passed + 1))
      tail -n 1 "$folder/$name.log"
    else
      failed=$((failed + 1))
      tail -n 100 "$folder/$name.log"
    fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}

main
