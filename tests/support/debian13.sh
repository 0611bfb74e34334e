# shellcheck shell=bash
# debian13.sh - Debian 13 in a folder of the build tree, for the tests that build and run
# the tree there; sourced after testlib.sh.  What is mounted is seen by these commands
# alone, and who is left running inside ends with the command.
: "${tmp:?source testlib.sh first}"
# shellcheck source=jobs/install-packages.sh
. "$SWIM_SOURCE/jobs/install-packages.sh"

debian13_skip() {
    printf 'SKIPPED: Debian 13 was NOT tested: %s\n' "$*"
    exit 77
}

# Where Debian comes from: as on this host.
debian13_mirror() {
    # shellcheck disable=SC2016 # for apt-get
    [ -n "${SWIM_DEBIAN_MIRROR:-}" ] ||
        SWIM_DEBIAN_MIRROR=$(apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' \
            'Created-By: Packages' | sed -n 's/^Debian main //p' | head -n 1)
    [ -n "$SWIM_DEBIAN_MIRROR" ] ||
        debian13_skip "apt knows no mirror of Debian: set SWIM_DEBIAN_MIRROR to its URL"
}

# apart COMMAND...: with mounts and processes of its own.
apart() {
    unshare --mount --pid --fork --kill-child -- "$@"
}

# inside COMMAND...: in Debian 13, the source tree at /src.  The shell stays, as the
# process that takes leave of orphans.
inside() {
    # shellcheck disable=SC2016 # for the shell that is run
    apart sh -ec 'root=$1 source=$2; shift 2
        mount -t proc proc "$root/proc"
        mkdir -p "$root/src"
        mount --bind "$source" "$root/src"
        mount -o remount,bind,ro "$root/src"
        chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
            DEBIAN_FRONTEND=noninteractive ${SWIM_LONG:+SWIM_LONG=1} \
            ${SWIM_TEST_SERVER:+SWIM_TEST_SERVER="$SWIM_TEST_SERVER"} "$@"
        exit $?' sh "$debian13" "$SWIM_SOURCE" "$@"
}

# What the network cannot give is no fault of the tree; all else is.
debian13_make() {
    local log=$tmp/debian13.log
    debian13_mirror
    apart debootstrap --variant=minbase trixie "$debian13" "$SWIM_DEBIAN_MIRROR" >"$log" 2>&1 || {
        tail -n 5 "$log"
        debian13_skip "debootstrap cannot make it from $SWIM_DEBIAN_MIRROR"
    }
    cp /etc/resolv.conf "$debian13/etc/resolv.conf"
    # It can be made again: nothing of it need be on the disk, nor in any language.
    printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' \
        'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' \
        >"$debian13/etc/dpkg/dpkg.cfg.d/test"
    inside apt-get update -q >"$log" 2>&1 || debian13_skip "apt-get update: $(tail -n 1 "$log")"
    inside apt-get install -s -q --no-install-recommends "$@" >"$log" 2>&1 ||
        fail "$(tail -n 5 "$log")"
    inside apt-get install -d -y -q --no-install-recommends "$@" >"$log" 2>&1 ||
        debian13_skip "apt-get install: $(tail -n 1 "$log")"
    inside apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 ||
        fail "$(tail -n 5 "$log")"
    inside apt-get clean
}

# debian13_open NAME PACKAGE...: a Debian 13 with these packages, made unless a whole one
# is there from an earlier run.  It has its name only when it is whole.
debian13_open() {
    local place=$SWIM_BUILD/debian13/$1 packages
    shift
    packages=$(printf '%s\n' "$@" | sort)
    if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
        debian13_skip "that needs root and debootstrap"
    fi
    apart true 2>"$tmp/apart" || debian13_skip "no mounts can be had here: $(cat "$tmp/apart")"
    mkdir -p "$place"
    exec {debian13_lock}>"$place/lock"
    flock "$debian13_lock"
    if [ -e "$place/trixie" ] && [ "$(cat "$place/packages" 2>/dev/null)" = "$packages" ]; then
        debian13=$place/trixie
        return
    fi
    rm -rf --one-file-system "$place/trixie" "$place/part" "$place/packages"
    debian13=$place/part
    debian13_make "$@"
    printf '%s\n' "$packages" >"$place/packages"
    mv "$place/part" "$place/trixie"
    debian13=$place/trixie
}

# The tree is built at /build, or what changed since the last time; other tests, which may
# measure time, go first.
debian13_build() {
    # shellcheck disable=SC2016 # for the shell that is run
    inside sh -c 'cmake -S /src -B /build -DCMAKE_BUILD_TYPE=Release -DSWIM_TESTS=ON \
        -DSWIM_WERROR=ON && nice cmake --build /build --parallel 2' >"$tmp/build.log" 2>&1 ||
        fail "it does not build: $(grep -E -A 5 'error|warning' "$tmp/build.log" | head -n 20)"
    passed "it builds without a warning"
}

# debian13_ctest WHAT OPTION...: those tests pass there, and some there are.
debian13_ctest() {
    local what=$1
    shift
    inside ctest --test-dir /build --no-tests=error --output-on-failure "$@" >"$tmp/ctest.log" 2>&1 ||
        fail "$what: $(tail -n 60 "$tmp/ctest.log")"
    passed "$what: $(grep 'tests passed' "$tmp/ctest.log")"
}
