#!/usr/bin/env bash
# cpack makes packages that are in order, install on a Debian 12 that has nothing else, and
# run the jobs of the quickstart there, with the bits of the tree's own command.
# debian13.main does the same with those that it builds.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"
# shellcheck source=tests/support/debian.sh
. "$(dirname "$0")/../support/debian.sh"
# shellcheck source=tests/support/package.sh
. "$(dirname "$0")/../support/package.sh"

codename=bookworm
grep -qx "VERSION_CODENAME=$codename" /etc/os-release || debian_skip "this host is none"
cpack --config "$SWIM_BUILD/CPackConfig.cmake" -B "$tmp/packages" >"$tmp/out" 2>&1 ||
    fail "cpack: $(cat "$tmp/out")"
h5swim_deb=$(echo "$tmp"/packages/h5swim_*.deb)
[ -e "$h5swim_deb" ] || fail "no h5swim_VERSION_ARCHITECTURE.deb: $(ls "$tmp/packages")"

# What it needs is said, and no MPI is needed.
dpkg-deb -f "$h5swim_deb" Depends >"$tmp/depends"
for package in libc6 libhdf5-103-1 libhiredis0.14 libfyaml0 redis-server; do
    grep -q "$package" "$tmp/depends" || fail "not in Depends: $package, but $(cat "$tmp/depends")"
done
if grep -q mpi "$tmp/depends"; then fail "it needs an MPI: $(cat "$tmp/depends")"; fi
dpkg-deb -c "$h5swim_deb" >"$tmp/files"
for file in usr/bin/h5swim usr/lib/libh5swim.so.0 usr/lib/h5swim/kernels/slope.so \
    usr/include/h5swim/kernel.h usr/lib/pkgconfig/h5swim.pc usr/share/doc/h5swim/copyright \
    usr/share/bash-completion/completions/h5swim usr/share/zsh/vendor-completions/_h5swim; do
    grep -qE "\./$file( |\$)" "$tmp/files" || fail "not in the package: $file"
done
if grep 'usr/share/man/.*[^/]$' "$tmp/files" | grep -v '[.]gz$'; then
    fail "manual pages are not compressed"
fi
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning --suppress-tags-from-file \
        "$SWIM_SOURCE/framework/packaging/lintian-suppressed" "$tmp"/packages/*.deb >"$tmp/out" 2>&1 ||
        fail "lintian: $(cat "$tmp/out")"
    passed "lintian has nothing to say"
fi

package_try $codename "$tmp/packages"
