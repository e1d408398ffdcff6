#!/usr/bin/env bash
# What the other scripts share: packages, builds, where things lie. Called by itself, it installs.
set -euo pipefail

SLUICE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# How many compilers run at once.
SLUICE_JOBS="${SLUICE_JOBS:-$(nproc)}"

# One list; docs/dependencies.md has the reason of each.
BUILD_PACKAGES=(g++ meson ninja-build pkgconf ccache git
  libfmt-dev libspdlog-dev libsimdjson-dev nlohmann-json3-dev libcli11-dev libconcurrentqueue-dev libboost1.81-dev
  libssl-dev libhwy-dev libjpeg62-turbo-dev libspng-dev libdeflate-dev zlib1g-dev libxxhash-dev libsqlite3-dev
  prometheus-cpp-dev)
TEST_PACKAGES=(libgtest-dev librapidcheck-dev graphviz faketime)
FUZZ_PACKAGES=(libfuzzer-14-dev)
BENCH_PACKAGES=(libbenchmark-dev libvips-dev libzimg-dev libtbb-dev)

die() {  # die EXIT TEXT
  printf '%s: error: %s\n' "$(basename "$0")" "$2" >&2
  exit "$1"
}

# Prints its second argument and ends if the first is --help; refuses any other word.
sluice_help() {
  case "${1-}" in
    '') ;;
    -h | --help) printf '%s\n' "$2"; exit 0 ;;
    *) die 64 "unknown word '$1' (see --help)" ;;
  esac
}

missing_packages() {
  local package
  for package in "$@"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || printf '%s\n' "$package"
  done
}

# Installs those of the named packages that are not there. Does nothing, and needs no network, if all are.
sluice_packages() {
  local id='' version=''
  if [[ -r /etc/os-release ]]; then
    # shellcheck disable=SC1091
    id="$(. /etc/os-release && printf '%s' "${ID-}")"
    # shellcheck disable=SC1091
    version="$(. /etc/os-release && printf '%s' "${VERSION_ID-}")"
  fi
  if [[ "$id" != debian || "$version" != 12 ]]; then
    die 69 "this script installs packages on Debian 12 only, and this is ${id:-unknown} ${version}.
Install what is named so in Debian 12, by hand:
  $*
(g++ 12 or newer, meson 1.0.1 or newer), then:
  meson setup build/release --buildtype=release -Db_lto=true && ninja -C build/release"
  fi
  local missing=()
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then return; fi

  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die 69 "these packages are missing, and there is no sudo to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  printf 'installing: %s\n' "${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  { "${apt[@]}" update && "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"; } </dev/null >/dev/null ||
    die 69 "apt-get cannot install: ${missing[*]} (its words stand above)"
}

# sluice_configure FOLDER OPTION...: makes the build folder, or gives an existing one these options.
sluice_configure() {
  local folder="$1"
  shift
  if [[ -f "$folder/build.ninja" ]]; then
    meson configure "$folder" "$@"
  else
    meson setup "$folder" "$SLUICE_ROOT" "$@"
  fi >"$SLUICE_ROOT/build/configure.log" 2>&1 || {
    cat "$SLUICE_ROOT/build/configure.log" >&2
    die 70 "meson cannot configure '$folder'"
  }
}

# sluice_build FOLDER TARGET...: no target means all.
sluice_build() {
  local folder="$1"
  shift
  printf 'building %s\n' "${folder#"$SLUICE_ROOT"/}${*:+ ($# targets)}"
  ninja -C "$folder" -j "$SLUICE_JOBS" --quiet "$@"
}

# The program, all plugins and all benches, in build/release.
sluice_build_release() {
  sluice_configure "$SLUICE_ROOT/build/release" -Dbuildtype=release -Db_lto=true -Dtests=false -Dbenchmarks=true
  sluice_build "$SLUICE_ROOT/build/release"
}

mkdir -p "$SLUICE_ROOT/build"

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  sluice_help "${1-}" "usage: scripts/setup.sh
Installs the Debian packages that building, testing and measuring need, those that are missing.
Exit: 0 all there, 69 not Debian 12 (then it names them) or not installable."
  sluice_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
fi
