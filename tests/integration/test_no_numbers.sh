#!/usr/bin/env bash
# Enumerations, booleans, texts and compounds: copied as they are, refused by what
# computes.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

cd "$tmp"
"$python" - <<'PY'
import h5py
import numpy as np
rng = np.random.default_rng(9)
shape = 23, 31
with h5py.File("in.h5", "w") as f:
    x = f.create_dataset("x", data=np.arange(31.0))
    x.make_scale("x")
    kind = h5py.enum_dtype({"calm": 0, "breeze": 3, "storm": 9}, basetype="i2")
    f["kinds"] = kind
    pair = np.dtype([("low", "i1"), ("high", ">i2"), ("mark", "S1")])
    sets = {
        "bool": rng.random(shape) < 0.5,
        "enum": np.array([0, 3, 9], "i2")[rng.integers(0, 3, shape)],
        "complex": (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8"),
        "wide": rng.normal(size=shape) + 1j * rng.normal(size=shape),
        "text": np.array([b"ab", b"c", b"efgh", b""])[rng.integers(0, 4, shape)].astype("S4"),
        "pair": np.array([(-1, 300, b"a"), (7, -2, b"z")], pair)[rng.integers(0, 2, shape)],
    }
    for name, values in sets.items():
        d = f.create_dataset(name, data=values, chunks=(5, 8), compression="gzip",
                             dtype=f["kinds"] if name == "enum" else None,
                             fillvalue=9 if name == "enum" else None)
        d.attrs["long_name"] = name
        d.attrs.create("_FillValue", values[0, 0], dtype=d.dtype)
        d.attrs["checked"] = True
        d.dims[1].attach_scale(x)
    f.create_dataset("flat", data=sets["enum"], dtype=kind)
    f.create_dataset("one", data=np.bool_(True))
    f.create_dataset("three", data=np.full((4, 5), b"abc", "S3"))
    f.create_dataset("words", data=["a", "bc"], dtype=h5py.string_dtype())
    f.create_dataset("links", data=[f["x"].ref, f["bool"].ref], dtype=h5py.ref_dtype)
PY

# job KERNEL INPUT OUTPUT DATASET FILE [SETTING...]
job() {
    printf '%s\n' "kernel: $1" 'inputs:' "  $2: {file: in.h5, dataset: $4}" 'outputs:' \
        "  $3: {file: $5, dataset: $4}" >job.yaml
    local setting settings=()
    for setting in "${@:6}"; do settings+=(--set "$setting"); done
    expect_status "${expected:-0}" "$h5swim" run job.yaml -n 2 --quiet --record none "${settings[@]}"
}

for name in bool enum complex wide text pair flat one; do
    job recompress x y $name $name.h5 'outputs.y.filters={shuffle: true, deflate: 4}'
done
"$python" - <<'PY'
import h5py
with h5py.File("in.h5") as f:
    for name in "bool", "enum", "complex", "wide", "text", "pair", "flat", "one":
        a, b = f[name], h5py.File(name + ".h5")[name]
        assert a.dtype == b.dtype and a.shape == b.shape, (name, a.dtype, b.dtype)
        assert a.id.get_type().equal(b.id.get_type()), name
        assert a[()].tobytes() == b[()].tobytes(), name
        assert a.fillvalue == b.fillvalue, (name, b.fillvalue)
        assert name in ("flat", "one") or b.attrs["long_name"] == name.encode(), dict(b.attrs)
        for mark in a.attrs.keys() & {"_FillValue", "checked"}:
            assert b.attrs[mark] == a.attrs[mark], (name, mark)
            assert b.attrs.get_id(mark).get_type().equal(a.attrs.get_id(mark).get_type()), name
        assert name in ("flat", "one") or (b.dims[1][0][:] == f["x"][:]).all(), name
    enum = h5py.File("enum.h5")["enum"]
    assert h5py.check_enum_dtype(enum.dtype)["storm"] == 9
    assert enum.chunks == (5, 8) and enum.compression_opts == 4 and enum.shuffle
PY
passed "what is no number is copied with its type, fill value and attributes"

expected=2
for name in three words links; do
    job recompress x y $name no.h5
    expect_line "/$name in .* is of a .*: h5repack takes the others"
done
job recompress x y enum no.h5 outputs.y.layout=sharded
expect_line 'elements that are no numbers, which cannot be sharded'
job recompress x y enum no.h5 outputs.y.type=int16
expect_line 'leave out "type"'
for name in bool enum complex text words links; do
    job cast x y $name no.h5 params.type=int16
    expect_line "/$name in .*in.h5 is of an? .*; kernels that compute take integers"
    job minmax_mean_std x mean $name no.h5 inputs.x.raw=true
    expect_line "/$name in .*in.h5 is of an? .*; kernels that compute take integers"
done
[ ! -e no.h5 ] || fail "an output of what was refused"
passed "what computes refuses it in one line"
