#!/usr/bin/env bash
# Debian 13: HDF5 1.14, Open MPI 5, hiredis 1.2, OpenSSL 3.5, Redis 8, and Valkey.  The tree is
# built there and its unit tests run, those of the locks with both servers.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$(dirname "$0")/../support/locklib.sh"
# shellcheck source=jobs/install-packages.sh
. "$SWIM_SOURCE/jobs/install-packages.sh"

if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
    printf 'SKIPPED: Debian 13 was NOT tested: that needs root and debootstrap\n'
    exit 77
fi
mirror=${SWIM_DEBIAN_MIRROR:-http://deb.debian.org/debian}
root=$tmp/trixie
if ! debootstrap --variant=minbase trixie "$root" "$mirror" >"$tmp/debootstrap.log" 2>&1; then
    tail -n 5 "$tmp/debootstrap.log"
    printf 'SKIPPED: Debian 13 was NOT tested: debootstrap cannot get it from %s\n' "$mirror"
    exit 77
fi
on_exit "umount -l $root/proc"
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}
inside apt-get update -q >"$tmp/apt.log" 2>&1 || fail "$(tail -n 5 "$tmp/apt.log")"
inside apt-get install -y -q --no-install-recommends "${SWIM_BUILD_PACKAGES[@]}" git openssl \
    procps hdf5-tools netcdf-bin nco cdo libcmocka-dev python3 python3-h5py python3-netcdf4 \
    python3-numpy python3-pytest python3-tables python3-xarray valkey-server >"$tmp/apt.log" 2>&1 ||
    fail "$(tail -n 5 "$tmp/apt.log")"
mkdir "$root/root/h5swim"
git -C "$SWIM_SOURCE" -c safe.directory="$SWIM_SOURCE" ls-files -z |
    (cd "$SWIM_SOURCE" && xargs -0 tar cf - ) | tar xf - -C "$root/root/h5swim"
inside sh -c 'cd /root/h5swim && cmake --preset release -DSWIM_TESTS=ON -DSWIM_WERROR=ON &&
    cmake --build build --parallel 2' >"$tmp/build.log" 2>&1 ||
    fail "it does not build: $(grep -E 'error|warning' "$tmp/build.log" | head -n 5)"
passed "it builds without a warning"
inside sh -c 'cd /root/h5swim && ctest --test-dir build -L "^unit$" --output-on-failure' \
    >"$tmp/unit.log" 2>&1 || fail "$(tail -n 60 "$tmp/unit.log")"
passed "unit tests: $(grep 'tests passed' "$tmp/unit.log")"
inside sh -c 'cd /root/h5swim && ctest --test-dir build -R "^integration[.]exec" \
    --output-on-failure' >"$tmp/exec.log" 2>&1 || fail "$(tail -n 60 "$tmp/exec.log")"
passed "h5swim exec and the plug-in: $(grep 'tests passed' "$tmp/exec.log")"
inside sh -c 'cd /root/h5swim && SWIM_TEST_SERVER=valkey-server ctest --test-dir build \
    -R "^unit[.]lock" --output-on-failure' >"$tmp/valkey.log" 2>&1 ||
    fail "$(tail -n 60 "$tmp/valkey.log")"
passed "locks by $(inside valkey-server --version | cut -d' ' -f1-3): $(grep 'tests passed' "$tmp/valkey.log")"
