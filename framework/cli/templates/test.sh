#!/usr/bin/env bash
# Tests the kernel @NAME@: alone, on made data; then the job, on data whose result is
# known.  H5SWIM names the command if it is not in the PATH.
# shellcheck disable=SC2154 # the lines about the data set inputs and want
set -euo pipefail
cd "$(dirname "$0")"
h5swim=${H5SWIM:-h5swim}

"$h5swim" kernel test @NAME@.c

# The job.  HDF5's own tools make its input and show its outputs.
if ! command -v h5import >/dev/null || ! command -v h5dump >/dev/null; then
    echo "the job was not tested: that wants h5import and h5dump (apt install hdf5-tools)"
    exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

@DATA@
files=()
while read -r input dataset shape values; do
    echo "$values" > "$dir/values.txt"
    h5import "$dir/values.txt" -d "$shape" -p "$dataset" -t TEXTFP -s 32 -o "$dir/$input.h5"
    files+=(--set "inputs.$input.file=$dir/$input.h5" --set "inputs.$input.dataset=$dataset")
done <<<"$inputs"
while read -r output _; do
    files+=(--set "outputs.$output.file=$dir/output.h5")
done <<<"$want"
"$h5swim" run @NAME@.yaml --quiet "${files[@]}"
while read -r output dataset values; do
    got=$(h5dump -d "/$dataset" -y -w 1 -m %g -O /dev/null -o "$dir/got.txt" "$dir/output.h5" >/dev/null &&
        tr -s ' ,\n' ' ' < "$dir/got.txt" | sed 's/^ //; s/ $//')
    if [ "$got" != "$values" ]; then
        printf '%s\n' "the job computes  $got" "it should be      $values" "in output $output"
        exit 1
    fi
done <<<"$want"
echo "@NAME@: kernel and job are well"
