#!/usr/bin/env bash
# What README.md shows is what the tree holds, and it runs.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

readme=$SWIM_SOURCE/README.md

# LANGUAGE: the blocks of that language, one after the other.
blocks() { "$python" "$support/blocks.py" "$readme" "$1"; }

blocks yaml | sed '/^kernels:/,$d' >"$tmp/wind_speed.yaml"
cmp "$tmp/wind_speed.yaml" "$SWIM_SOURCE/jobs/wind_speed.yaml"
blocks yaml | sed -n '/^kernels:/,$p' >"$tmp/kernels.yaml"
sed -n '/^kernels:/,/^inputs:/{/^inputs:/d;p}' "$SWIM_SOURCE/jobs/wind_speed_year.yaml" |
    cmp - "$tmp/kernels.yaml"
# A kernel, and a part of an example.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$support "$python" - "$readme" "$tmp/wind_speed.c" "$SWIM_SOURCE" <<'PY' || fail "its C code is not that of the tree"
import sys
from blocks import of_language
kernel, example = of_language(sys.argv[1], "c")
assert kernel == open(sys.argv[3] + "/kernels/wind_speed.c").read(), kernel
assert example in open(sys.argv[3] + "/tests/examples/h5pyswmr.c").read(), example
open(sys.argv[2], "w").write(kernel)
PY

# Each program that the commands name is there.
blocks sh >"$tmp/commands"
bash -n "$tmp/commands"
for word in jobs/quickstart tests/run jobs/wind_speed.yaml; do
    grep -q "$word" "$tmp/commands" || fail "README does not name $word"
    [ -e "$SWIM_SOURCE/$word" ] || fail "no $word"
done

# The kernel as somebody would use it who copied both: compiled from source.
data=$(data_dir)
export XDG_CACHE_HOME=$tmp/cache
settings=(--set "inputs.u.file=$data/monthly_navy_winds.nc"
    --set "inputs.v.file=$data/monthly_navy_winds.nc" --quiet)
expect_status 0 "$h5swim" run "$tmp/wind_speed.yaml" -n 2 "${settings[@]}" \
    --set kernel=./wind_speed.c --set outputs.speed.file=source.nc
expect_status 0 "$h5swim" run "$tmp/wind_speed.yaml" -n 2 "${settings[@]}" \
    --set outputs.speed.file=built.nc
compare "$tmp/source.nc" WSPD "$tmp/built.nc" WSPD
