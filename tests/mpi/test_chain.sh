#!/usr/bin/env bash
# Two ranks of MPI make the same bits of a chain of kernels as one process.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

data=$(data_dir)
mkdir "$tmp/work"
cd "$tmp/work"
export SWIM_SERVER_IDLE_S=5
cat >chain.yaml <<YAML
kernels:
  - kernel: wind_speed
  - {kernel: slope, edges: {COADSX: wrap, COADSY: nearest}}
  - {kernel: rolling_mean, params: {length: 5}}
inputs:
  u: {file: $data/monthly_navy_winds.nc, dataset: UWND}
  v: {file: $data/monthly_navy_winds.nc, dataset: VWND}
outputs: {mean: {file: one.nc, dataset: MEAN}}
YAML
"$python" - "$data" <<'PY' >axes
import h5py, sys
d = h5py.File(sys.argv[1] + "/monthly_navy_winds.nc")["UWND"]
print(d.dims[2][0].name.strip("/"), d.dims[1][0].name.strip("/"))
PY
read -r x y <axes
sed -i "s/COADSX/$x/; s/COADSY/$y/" chain.yaml
expect_status 0 "$h5swim" run chain.yaml --quiet
expect_status 0 mpirun -n 2 --oversubscribe "$h5swim" run chain.yaml --quiet \
    --set outputs.mean.file=two.nc --set 'block=[12, 20, 50]'
compare one.nc MEAN two.nc MEAN
passed "two ranks of MPI run a chain"
