# shellcheck shell=bash
# package.sh - what cpack made, on a Debian that has nothing else; sourced after debian.sh.
: "${tmp:?source testlib.sh first}" "${debian_of[*]:?source debian.sh first}"
place=

# package_install CODENAME FILE...: $debian is a bare Debian with these packages, in a
# folder of the test's.  What apt fetches is kept for the next run.
package_install() {
    local archives=var/cache/apt/archives kept bare
    debian_bare "$1"
    bare=$place/bare
    kept=$place/archives
    shift
    debian=$tmp/bare
    cp -a --one-file-system "$bare" "$debian"
    mkdir -p "$kept" "$debian/packages"
    cp "$@" "$debian/packages"
    find "$kept" -name '*.deb' -exec cp -t "$debian/$archives" {} +
    debian_install "${@/#*\///packages/}"
    find "$debian/$archives" -name '*.deb' -exec cp -u -t "$kept" {} +
    rm -rf "${debian:?}/$archives"/*.deb
    # shellcheck disable=SC2016 # for dpkg-query
    passed "Debian ${debian_of[$codename]}: installed are $(inside dpkg-query -W -f '${Package} ${Version}, ' h5swim redis-server | sed 's/, $//')"
}

# package_jobs DATA OUT: the jobs of the quickstart on DATA in $debian, by the installed
# command and an ordinary user; results in OUT.
package_jobs() {
    local winds=/data/monthly_navy_winds.nc
    mkdir -p "$debian/data" "$2"
    cp "$1"/*.nc "$debian/data"
    mkdir -m 1777 "$debian/results"
    package_job wind_speed speed "inputs.u.file=$winds" "inputs.v.file=$winds"
    package_job wind_climatology mean "inputs.x.file=$winds"
    package_job relief_slope slope "inputs.height.file=/data/etopo5.nc"
    cp "$debian"/results/*.nc "$2"
}

# package_job JOB PORT SETTING...
package_job() {
    local job=$1 port=$2 setting settings=()
    shift 2
    for setting in "$@"; do settings+=(--set "$setting"); done
    inside setpriv --reuid 4711 --regid 4711 --clear-groups env HOME=/results \
        h5swim run "/src/jobs/$job.yaml" -n 2 --quiet "${settings[@]}" \
        --set "outputs.$port.file=/results/$job.nc" >"$tmp/out" 2>&1 ||
        fail "$job with the installed command: $(cat "$tmp/out")"
}

# package_try CODENAME FOLDER: the packages of FOLDER install on such a Debian, h5swim comes
# to the bits of the command of the tree, and goes without a trace.
package_try() {
    local job
    package_install "$1" "$2"/h5swim_*.deb
    data=$(data_dir)
    package_jobs "$data" "$tmp/results"
    for job in wind_speed:WSPD wind_climatology:UWND relief_slope:SLOPE; do
        run_job "${job%:*}" "$tmp/ours.nc" -n 2 --overwrite
        compare "$tmp/ours.nc" "${job#*:}" "$tmp/results/${job%:*}.nc" "${job#*:}"
    done
    passed "the installed command comes to the same bits"
    # With MPI it is much more to fetch: what it depends on is there, and is what is here.
    cp "$2"/h5swim-openmpi_*.deb "$debian/packages"
    inside sh -c 'apt-get install -s --no-install-recommends /packages/h5swim-openmpi_*.deb' \
        >"$tmp/out" 2>&1 || fail "h5swim-openmpi: $(tail -n 5 "$tmp/out")"
    package_remove h5swim
}

# package_remove PACKAGE...: nothing of h5swim is left behind.
package_remove() {
    inside dpkg --purge "$@" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
    [ -z "$(find "$debian/usr" "$debian/etc" -name '*h5swim*' ! -path '*/dpkg/*')" ] ||
        fail "left after dpkg --purge: $(find "$debian/usr" "$debian/etc" -name '*h5swim*')"
}
