# shellcheck shell=bash
# debian.sh - Debian 12 or 13 in a folder of the build tree, for the tests that build and
# run the tree there, and bare for packages; sourced after testlib.sh.  What is mounted is
# seen by these commands alone, and who is left running inside ends with the command.
: "${tmp:?source testlib.sh first}"
# shellcheck source=jobs/install-packages.sh
. "$SWIM_SOURCE/jobs/install-packages.sh"

# bookworm is Debian 12, trixie 13.
declare -A debian_of=([bookworm]=12 [trixie]=13)

debian_skip() {
    printf 'SKIPPED: Debian %s was NOT tested: %s\n' "${debian_of[$codename]}" "$*"
    exit 77
}

# Where Debian comes from: as on this host.
debian_mirror() {
    # shellcheck disable=SC2016 # for apt-get
    [ -n "${SWIM_DEBIAN_MIRROR:-}" ] ||
        SWIM_DEBIAN_MIRROR=$(apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' \
            'Created-By: Packages' | sed -n 's/^Debian main //p' | head -n 1)
    [ -n "$SWIM_DEBIAN_MIRROR" ] ||
        debian_skip "apt knows no mirror of Debian: set SWIM_DEBIAN_MIRROR to its URL"
}

# apart COMMAND...: with mounts and processes of its own.
apart() {
    unshare --mount --pid --fork --kill-child -- "$@"
}

# inside COMMAND...: in $debian, the source tree at /src.  The shell stays, as the
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
            ${SWIM_ROUNDS:+SWIM_ROUNDS="$SWIM_ROUNDS"} \
            ${SWIM_TEST_SERVER:+SWIM_TEST_SERVER="$SWIM_TEST_SERVER"} "$@"
        exit $?' sh "$debian" "$SWIM_SOURCE" "$@"
}

# What the network cannot give is no fault of the tree; all else is.
debian_make() {
    local log=$tmp/debian.log
    debian_mirror
    apart debootstrap --variant=minbase "$codename" "$debian" "$SWIM_DEBIAN_MIRROR" >"$log" 2>&1 || {
        tail -n 5 "$log"
        debian_skip "debootstrap cannot make it from $SWIM_DEBIAN_MIRROR"
    }
    cp /etc/resolv.conf "$debian/etc/resolv.conf"
    # It can be made again: nothing of it need be on the disk, nor in any language.
    printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' \
        'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' \
        >"$debian/etc/dpkg/dpkg.cfg.d/test"
    # No service is started there.
    printf '#!/bin/sh\nexit 101\n' >"$debian/usr/sbin/policy-rc.d"
    chmod 755 "$debian/usr/sbin/policy-rc.d"
    inside apt-get update -q >"$log" 2>&1 || debian_skip "apt-get update: $(tail -n 1 "$log")"
    inside apt-get clean
}

# debian_install PACKAGE...: names, or files in $debian.
debian_install() {
    local log=$tmp/debian.log
    inside apt-get install -s -q --no-install-recommends "$@" >"$log" 2>&1 ||
        fail "$(tail -n 5 "$log")"
    # A mirror does not keep what its lists of some days ago name.
    # shellcheck disable=SC2016 # for the shell that is run
    inside sh -c 'get="apt-get install -d -y -q --no-install-recommends"
        $get "$@" || { apt-get update -q && $get "$@"; }' sh "$@" >"$log" 2>&1 ||
        debian_skip "apt-get install: $(tail -n 1 "$log")"
    inside apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 ||
        fail "$(tail -n 5 "$log")"
}

# debian_place NAME: $place is a folder of the build tree, which no other test uses meanwhile.
debian_place() {
    place=$SWIM_BUILD/debian${debian_of[$codename]}/$1
    if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
        debian_skip "that needs root and debootstrap"
    fi
    apart true 2>"$tmp/apart" || debian_skip "no mounts can be had here: $(cat "$tmp/apart")"
    mkdir -p "$place"
    exec {debian_lock}>"$place/lock"
    flock "$debian_lock"
}

# debian_bare CODENAME: $place/bare is such a Debian without any other package, made unless
# it is there from an earlier run.  It has its name only when it is whole.
debian_bare() {
    codename=$1
    debian_place bare
    if [ ! -e "$place/bare" ]; then
        rm -rf --one-file-system "$place/part"
        debian=$place/part
        debian_make
        mv "$place/part" "$place/bare"
    fi
    exec {debian_lock}>&-
}

# debian_open CODENAME NAME PACKAGE...: $debian is such a Debian with these packages.
debian_open() {
    local name=$2 bare packages
    debian_bare "$1"
    bare=$place/bare
    shift 2
    packages=$(printf '%s\n' "$@" | sort)
    debian_place "$name"
    if [ ! -e "$place/$codename" ] || [ "$(cat "$place/packages" 2>/dev/null)" != "$packages" ]; then
        rm -rf --one-file-system "${place:?}/$codename" "$place/part" "$place/packages"
        cp -a --one-file-system "$bare" "$place/part"
        debian=$place/part
        debian_install "$@"
        inside apt-get clean
        printf '%s\n' "$packages" >"$place/packages"
        mv "$place/part" "$place/$codename"
    fi
    debian=$place/$codename
}

# The tree is built at /build, or what changed since the last time; other tests, which may
# measure time, go first.
debian_build() {
    # shellcheck disable=SC2016 # for the shell that is run
    inside sh -c 'cmake -S /src -B /build -DCMAKE_BUILD_TYPE=Release -DSWIM_TESTS=ON \
        -DSWIM_WERROR=ON && nice cmake --build /build --parallel 2' >"$tmp/build.log" 2>&1 ||
        fail "it does not build: $(grep -E -A 5 'error|warning' "$tmp/build.log" | head -n 20)"
    passed "it builds without a warning"
}

# debian_ctest WHAT OPTION...: those tests pass there, and some there are.
debian_ctest() {
    local what=$1
    shift
    inside ctest --test-dir /build --no-tests=error --output-on-failure "$@" >"$tmp/ctest.log" 2>&1 ||
        fail "$what: $(tail -n 60 "$tmp/ctest.log")"
    passed "$what: $(grep 'tests passed' "$tmp/ctest.log")"
}
