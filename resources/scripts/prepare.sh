# SPDX-License-Identifier: Apache-2.0
# Sourced by ./run and ./check: installs what is missing (Debian 12) and builds. Touches nothing but apt and this checkout.

BUILD_PACKAGES=(
    g++ cmake ninja-build ccache pkg-config git
    qt6-base-dev libqt6opengl6-dev qt6-charts-dev qt6-svg-dev libqt6sql6-sqlite libxkbcommon-dev
    libdnnl-dev libsentencepiece-dev libpcre2-dev libutf8proc-dev
    libexpected-dev nlohmann-json3-dev libfmt-dev libcli11-dev libxxhash-dev zlib1g-dev
    bubblewrap util-linux python3 python3-numpy fonts-dejavu-core
)

say() { printf '%s\n' "quantscope: $*" >&2; }

# install_missing PACKAGE...: one apt call for what dpkg does not have; silent when nothing is missing.
install_missing() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        say "these Debian packages are missing, and there is no apt-get here to install them: ${missing[*]}"
        return 1
    fi
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "not root and no sudo; as root, run: apt-get install ${missing[*]}"; return 1; }
        sudo=(sudo)
    fi
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    local log
    log=$(mktemp)
    if ! { "${sudo[@]}" apt-get -q update &&
           "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
               install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "apt-get failed; its log is $log"
        return 1
    fi
    rm -f "$log"
}

# build TARGET...: the preset that ./run and ./check use. No target: everything, tests included.
build() { build_preset release "$@"; }

# build_preset PRESET TARGET...: configures once, then builds only what changed.
build_preset() {
    local preset=$1 targets=() target jobs
    shift
    for target in "$@"; do targets+=(--target "$target"); done
    # A compiler of ours takes up to 1 GiB: no more jobs than memory carries.
    jobs=$(awk -v cores="$(nproc)" '/MemAvailable/ { n = int($2 / 1048576); print n < 1 ? 1 : (n < cores ? n : cores) }' /proc/meminfo)
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >&2 || return
    cmake --build --preset "$preset" --parallel "$jobs" "${targets[@]}" >&2
}
