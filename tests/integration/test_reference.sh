#!/usr/bin/env bash
# The three jobs against CDO and numpy, and against themselves in other processes and
# other blocks.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"

# Float rounding, in representable numbers: of the square root of a sum; of a mean, which
# CDO may sum in another order; of a gradient computed from other, equal formulas.
wind_ulps=1
mean_ulps=1
slope_ulps=1

winds_like_cdo() {
    run_job wind_speed "$tmp/$1_speed.nc" -n 2
    cdo -s -f nc4 expr,'WSPD=sqrt(UWND*UWND+VWND*VWND)' \
        "$data/monthly_navy_winds.nc" "$tmp/$1_cdo_speed.nc"
    compare "$tmp/$1_speed.nc" WSPD "$tmp/$1_cdo_speed.nc" WSPD $wind_ulps
    run_job wind_climatology "$tmp/$1_mean.nc" -n 2
    cdo -s -f nc4 ymonmean -selname,UWND \
        "$data/monthly_navy_winds.nc" "$tmp/$1_cdo_mean.nc"
    compare "$tmp/$1_mean.nc" UWND "$tmp/$1_cdo_mean.nc" UWND $mean_ulps
}

slope_like_numpy() {
    run_job relief_slope "$tmp/$1_slope.nc" -n 2
    "$python" "$support/reference_slope.py" "$data/etopo5.nc" ROSE ETOPO05_Y ETOPO05_X \
        "$tmp/$1_numpy_slope.nc"
    compare "$tmp/$1_slope.nc" SLOPE "$tmp/$1_numpy_slope.nc" SLOPE $slope_ulps
}

data=$(data_dir)
winds_like_cdo real
slope_like_numpy real

# The real data have no holes: the same with holes, and with missing rows.
mkdir "$tmp/holes"
cp "$data"/*.nc "$tmp/holes/"
"$python" "$support/make_holes.py" "$tmp/holes/monthly_navy_winds.nc" UWND VWND
"$python" "$support/make_holes.py" "$tmp/holes/etopo5.nc" ROSE
data=$tmp/holes
winds_like_cdo holes
slope_like_numpy holes

# The same bits however many processes, and whatever the blocks.
for job in wind_speed:WSPD wind_climatology:UWND relief_slope:SLOPE; do
    for n in 1 4; do
        run_job "${job%:*}" "$tmp/n$n.nc" -n "$n" --overwrite
    done
    compare "$tmp/n1.nc" "${job#*:}" "$tmp/n4.nc" "${job#*:}"
done
run_job wind_speed "$tmp/b1.nc" -n 2 --set 'outputs.speed.chunks=[12, 73, 144]'
run_job wind_speed "$tmp/b2.nc" -n 2 --set 'outputs.speed.chunks=[5, 20, 50]' \
    --set 'block=[10, 40, 50]'
compare "$tmp/b1.nc" WSPD "$tmp/b2.nc" WSPD
run_job relief_slope "$tmp/b3.nc" -n 2 --set 'outputs.slope.chunks=[270, 540]'
run_job relief_slope "$tmp/b4.nc" -n 2 --set 'outputs.slope.chunks=[100, 333]' \
    --set 'block=[300, 666]'
compare "$tmp/b3.nc" SLOPE "$tmp/b4.nc" SLOPE
compare "$tmp/b3.nc" SLOPE "$tmp/holes_slope.nc" SLOPE

# Other programs open the results, with names, units and coordinates.
winds=$data/monthly_navy_winds.nc
relief=$data/etopo5.nc
"$python" "$support/check_open.py" "$tmp/real_speed.nc" WSPD M/S "wind speed" \
    TIME="$winds" FNOCY="$winds" FNOCX="$winds"
"$python" "$support/check_open.py" "$tmp/real_mean.nc" UWND M/S "ZONAL WIND" \
    month FNOCY="$winds" FNOCX="$winds"
"$python" "$support/check_open.py" "$tmp/real_slope.nc" SLOPE 1 \
    "slope (gradient magnitude)" ETOPO05_Y="$relief" ETOPO05_X="$relief"
ncdump -h "$tmp/real_mean.nc" >"$tmp/header"
for line in 'float UWND(month, FNOCY, FNOCX) ;' \
    'UWND:cell_methods = "TIME: mean within years TIME: mean over years" ;'; do
    grep -qF "$line" "$tmp/header" || fail "ncdump does not show: $line"
done
for file in real_speed real_mean real_slope; do
    expect_status 0 cdo -s sinfo "$tmp/$file.nc"
    grep -q degrees_north "$tmp/out" || fail "cdo sees no latitudes in $file.nc"
done
