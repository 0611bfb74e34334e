#!/usr/bin/env bash
# Tests the kernel @NAME@: alone, on made data; then the job, on data whose result is
# known.  H5SWIM names the command if it is not in the PATH.
set -euo pipefail
cd "$(dirname "$0")"
h5swim=${H5SWIM:-h5swim}

"$h5swim" kernel test @NAME@.c

# The job.  HDF5's own tools make its input and show its output.
if ! command -v h5import >/dev/null || ! command -v h5dump >/dev/null; then
    echo "the job was not tested: that wants h5import and h5dump (apt install hdf5-tools)"
    exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Change these with the kernel: the input, its shape, and 2 * x + 1 of it.
input='1 2 3 4
5 6 7 8
9 10 11 12'
shape=3,4
want='3 5 7 9 11 13 15 17 19 21 23 25'

echo "$input" > "$dir/input.txt"
h5import "$dir/input.txt" -d "$shape" -p X -t TEXTFP -s 32 -o "$dir/input.h5"
"$h5swim" run @NAME@.yaml --quiet --set "inputs.x.file=$dir/input.h5" \
    --set "outputs.y.file=$dir/output.h5"
got=$(h5dump -d /Y -y -w 1 -m %g -O /dev/null -o "$dir/got.txt" "$dir/output.h5" >/dev/null &&
    tr -s ' ,\n' ' ' < "$dir/got.txt" | sed 's/^ //; s/ $//')
if [ "$got" != "$want" ]; then
    printf '%s\n' "the job computes  $got" "it should be      $want"
    exit 1
fi
echo "@NAME@: kernel and job are well"
