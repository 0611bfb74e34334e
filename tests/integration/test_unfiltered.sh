#!/usr/bin/env bash
# Outputs that no filter changes, which kernels write where the writer takes them: the
# same values as with filters, for whole rows and others, several outputs, and last chunks
# that are not full.
# shellcheck source=tests/support/testlib.sh
. "$(dirname "$0")/../support/testlib.sh"

mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_SERVER_IDLE_S=5
"$python" - <<'PY'
import h5py, numpy as np
a = (np.arange(103 * 37) % 1000 - 500).astype("i4")
with h5py.File("in.h5", "w") as f:
    for name, shape in {"line": (103 * 37,), "rows": (103, 37), "cube": (103, 1, 37)}.items():
        d = f.create_dataset(name, data=a.reshape(shape), chunks=(10,) + shape[1:])
        d.attrs["_FillValue"] = np.int32(7)
PY
printf '%s\n' "kernel: $support/kernels/pair.c" 'inputs: {a: {file: in.h5, dataset: rows}}' \
    'outputs:' '  twice: {file: twice.h5, dataset: T}' '  positive: {file: positive.h5, dataset: P}' >pair.yaml
"$h5swim" run pair.yaml --dry-run >/dev/null # compiles

# both SET DATASET CHUNKS...: plain and filtered, the same.
both() {
    local set=$1 chunks=$2
    shift 2
    for how in '{}' '{shuffle: true, deflate: 1}'; do
        expect_status 0 "$h5swim" run pair.yaml -n 2 --readers 2 --quiet --overwrite \
            --set "inputs.a.dataset=$set" --set "outputs.twice.filters=$how" --set "outputs.positive.filters=$how" \
            --set "outputs.twice.chunks=$chunks" --set "outputs.positive.chunks=$chunks" "$@"
        [ "$how" != '{}' ] || for name in twice positive; do mv $name.h5 plain_$name.h5; done
    done
    compare plain_twice.h5 T twice.h5 T
    compare plain_positive.h5 P positive.h5 P
}
both line '[50]' --set 'block=[100]'
both line '[5000]'
both rows '[10, 37]' --set 'block=[20, 37]'
both rows '[7, 37]'
both rows '[10, 20]' --set 'block=[20, 37]' # not whole rows
both rows '[10, 37]' --set 'block=[3, 37]'
both cube '[4, 1, 37]' --set 'block=[8, 1, 37]'
passed "outputs without filters have the values of those with"

# A last chunk that is not full holds fill values behind the end, and no other block's.
"$h5swim" run pair.yaml -n 1 --readers 1 --quiet --overwrite --set 'outputs.twice.filters={}' \
    --set 'outputs.twice.chunks=[10, 37]' --set 'outputs.twice.fill=-5' --set 'block=[20, 37]'
"$python" - <<'PY' || fail "the rest of the last chunk"
import h5py, numpy as np
with h5py.File("twice.h5") as f:
    raw = np.frombuffer(f["T"].id.read_direct_chunk((100, 0))[1], "i8").reshape(10, 37)
    assert (raw[:3] == f["T"][100:]).all() and (raw[3:] == -5).all(), raw
PY
passed "a last chunk is filled up"
