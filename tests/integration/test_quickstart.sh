#!/usr/bin/env bash
# The quickstart from another directory, into a name with spaces and quotes, twice.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

quickstart=$SWIM_SOURCE/jobs/quickstart
expect_status 2 "$quickstart" --no-such-option
expect_line "unknown option --no-such-option"
expect_status 0 "$quickstart" --help

# It builds into build/ of the source tree.
if [ "$(realpath "$SWIM_BUILD")" != "$(realpath "$SWIM_SOURCE/build")" ]; then
    echo "not run: $SWIM_BUILD is not $SWIM_SOURCE/build"
    exit 0
fi

dir="$tmp/it's here: #1"
mkdir "$dir"
cd "$dir"
for _ in first again; do
    expect_status 0 "$quickstart" --no-install results
    for job in wind_speed wind_climatology relief_slope; do
        grep -q "^== $job ==" "$tmp/out" || fail "says nothing of $job"
    done
    if [ "$(id -u)" -eq 0 ] && [[ $(mpirun --version) == *'Open MPI'* ]]; then
        grep -q 'mpirun --allow-run-as-root -n 2' "$tmp/out" || fail "its mpirun refuses root"
    fi
    for file in wind_speed climatology slope; do
        expect_status 0 ncdump -h "$dir/results/$file.nc"
    done
done
