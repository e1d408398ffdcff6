#!/usr/bin/env bash
# The main job on sample pictures, from nothing: see --help.
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sluice_help "${1-}" "usage: scripts/demo.sh
Installs missing Debian packages, builds the program, all plugins and all benches into build/release,
draws sample pictures, resizes each to 16, 32 and 64 pixels by configs/icons.json, and shows where the
results lie and how long it took. Asks nothing; may be run again.
SLUICE_JOBS=N compiles with N processes (default: all cores)."

# Width and height of a PNG or JPEG file, as 96x48.
pixels() {
  python3 - "$1" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
if data[:8] == b"\x89PNG\r\n\x1a\n":
    print("%dx%d" % struct.unpack(">II", data[16:24]))
else:  # JPEG: segments up to a start of frame
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    print("%dx%d" % struct.unpack(">HH", data[at + 5:at + 9])[::-1])
PYTHON
}

show_results() {  # show_results GRAPHICS
  local graphics="$1" picture name size row
  printf '\n%-16s %-11s %-8s %-8s %-8s\n' sample pixels 16 32 64
  for picture in "$graphics"/icons/*; do
    name="$(basename "$picture")"
    row="$(printf '%-16s %-11s' "$name" "$(pixels "$picture")")"
    for size in 16 32 64; do
      row+="$(printf ' %-8s' "$(pixels "$graphics/icons-size-$size/$name")")"
    done
    printf '%s\n' "$row"
  done
}

main() {
  sluice_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
  sluice_build_release
  local release="$SLUICE_ROOT/build/release" demo="$SLUICE_ROOT/build/demo"
  rm -rf "$demo"
  mkdir -p "$demo/graphics/icons"
  "$release/make_samples" "$demo/graphics/icons" --icons 6 --photos 3

  printf 'running configs/icons.json\n'
  local exit=0
  ICONS_FOLDER="$demo/graphics" "$release/sluice" run "$SLUICE_ROOT/configs/icons.json" --until-idle --summary json \
    --set "/state=$demo/state" >"$demo/summary.json" 2>"$demo/log" </dev/null || exit=$?
  if ((exit != 0)); then
    cat "$demo/log" >&2
    die "$exit" "the run failed with exit code $exit"
  fi

  show_results "$demo/graphics"
  printf '\nresults    %s/icons-size-{16,32,64}/\n' "$demo/graphics"
  python3 - "$demo/summary.json" <<'PYTHON'
import json, sys
summary = json.loads(open(sys.argv[1]).read().splitlines()[-1])
made = sum(service["processed"] for service in summary["services"].values())
seconds = summary["seconds"]
print("measured   %d samples, %d results in %.3f s: %.0f images/s, %d dead letters"
      % (summary["sources"]["uploads"]["events"], made, seconds, made / max(seconds, 0.001), summary["dead_letters"]))
PYTHON
  printf 'program    %s\nbenches    %s/bench/\n' "$release/sluice" "$release"
}

main
