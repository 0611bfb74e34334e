# shellcheck shell=bash
# install-packages.sh - sourced by jobs/quickstart and tests/run.

# What it takes to build h5swim and to run it.
# shellcheck disable=SC2034 # used by those who source this
SWIM_BUILD_PACKAGES=(gcc libc6-dev make cmake pkgconf libhdf5-dev libhiredis-dev libssl-dev
    libfyaml-dev libjansson-dev libdeflate-dev libxxhash-dev libudunits2-dev libbsd-dev
    libopenmpi-dev openmpi-bin redis-server)
case $(dpkg --print-architecture 2>/dev/null) in
amd64 | arm64) SWIM_BUILD_PACKAGES+=(libisal-dev) ;;
esac
# shellcheck disable=SC2034
SWIM_DATA_PACKAGES=(netcdf-bin ferret-datasets)

# Print those of the packages that are not installed, one a line.
packages_missing() {
    local package
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null) in
        installed*) ;;
        *) printf '%s\n' "$package" ;;
        esac
    done
}

# install_packages PROGRAM PACKAGE...: install what is missing when this user may, else
# say how and return 1.
install_packages() {
    local program=$1 missing as_root=()
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        printf '%s: this is no Debian: install what these packages hold, then use --no-install: %s\n' \
            "$program" "$*" >&2
        return 1
    fi
    mapfile -t missing < <(packages_missing "$@")
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            printf '%s: packages are missing and this user may not install them; as root:\n' \
                "$program" >&2
            printf '    apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
    printf '%s: installing %s\n' "$program" "${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q \
        -o DPkg::Lock::Timeout=120 ||
        printf '%s: apt-get update failed, trying with the lists there are\n' "$program" >&2
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}"; then
        printf '%s: apt-get install --no-install-recommends %s: failed, see above\n' \
            "$program" "${missing[*]}" >&2
        return 1
    fi
}
