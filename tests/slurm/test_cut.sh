#!/usr/bin/env bash
# A node that is cut off from the lock server and from Slurm, but not from the file system,
# while a job is at work on it: for less than a lease, and nothing happens; for longer, and
# its rank writes nothing after its lease, while the job goes on elsewhere.
# --long: until Slurm finds the node silent by itself.
# shellcheck source=tests/support/testlib.sh
. "${SWIM_SOURCE:?}/tests/support/testlib.sh"
# shellcheck source=tests/support/locklib.sh
. "$support/locklib.sh"
export HOSTS_DIR=$tmp/hosts
# shellcheck source=tests/support/hosts.sh
. "$support/hosts.sh"
# shellcheck source=tests/support/slurm.sh
. "$support/slurm.sh"
# shellcheck source=tests/support/slurmlib.sh
. "$support/slurmlib.sh"

slurm_or_skip
if ! why=$(hosts_possible); then
    printf 'SKIPPED: nodes that are cut off were NOT tested: %s\n' "${why//$'\n'/: }"
    exit 77
fi
export slurm_hosts=yes slurm_timeout=10
hosts_up 3
slurm_up 3 4

# A lock server for all, as redis.sbatch leaves it.
mkdir -m 700 "$tmp/home" "$tmp/work" "$tmp/home/server"
export SWIM_SERVER_DIR=$tmp/home/server H5SWIM_LOCK_SERVER=$tmp/home/lock-server
(umask 077 && on_hub "$h5swim" serve start --tcp "$(hosts_address hub):6379" \
    >"$H5SWIM_LOCK_SERVER" 2>"$tmp/err") || fail "$(cat "$tmp/err")"
# shellcheck disable=SC2016 # when the test ends
on_exit 'on_hub "$h5swim" serve stop --force >/dev/null 2>&1'
# shellcheck disable=SC1090 # just written
. "$H5SWIM_LOCK_SERVER"

cd "$tmp/work"
export SWIM_CACHE_DIR=$tmp/cache SWIM_LEASE_MS=4000
slow_job_under_slurm 100 where
few+=(--nodes=2)
both_at_work() { [ "$(blocks_there 1)" -ge 4 ] && [ "$(blocks_there 2)" -ge 4 ]; }

begin
slurm_until 30 both_at_work || slurm_fail "n1 and n2 are not at work: $(cat "$job_out")"
hosts_break drop h2
sleep 1
hosts_mend drop h2
kept=$(blocks_there)
look_at_result "cut off for less than a lease"
[ "$(slurm_restarts "$job")" = Restarts=0 ] || fail "the job was requeued"

# --- for longer, until Slurm gives the node up

on_h2() {
    local pid
    for pid in $(run_pids); do
        if [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink "/proc/$(hosts_pid h2)/ns/net")" ]; then
            echo "$pid"
        fi
    done
}
done_on_h3() { [ "$(blocks_there 3)" -ge 4 ]; }
nobody_on_h2() { [ -z "$(on_h2)" ]; }
n2_resumed() { # by us, or by itself: whichever of Slurm's messages comes first
    on_hub scontrol update nodename=n2 state=resume 2>/dev/null ||
        ! on_hub sinfo -h -n n2 -o %T | grep -q '^down'
}

begin
slurm_until 30 both_at_work || slurm_fail "n1 and n2 are not at work: $(cat "$job_out")"
hosts_break drop h2
sleep 5 # the lease, and what was asked for before its end: nothing may happen from here on
kept=$(blocks_there 2)
if [ $# -eq 0 ]; then # as Slurm does after SlurmdTimeout
    on_hub scontrol update nodename=n2 state=down reason=silent
fi
slurm_until 60 restarted || slurm_fail "the job is not requeued: $(cat "$job_out")"
slurm_until 60 done_on_h3 || slurm_fail "the job does not go on elsewhere: $(cat "$job_out")"
[ "$(blocks_there 2)" = "$kept" ] || fail "the rank that is cut off has committed blocks"
expect_status 0 "$h5swim" check out.h5
left=$(on_h2 | wc -l)
look_at_output "cut off for longer"
passed "cut off for longer, $left processes there: $kept of their blocks kept, the result is right"
[ "$(blocks_there 2)" = "$kept" ] || fail "the rank that is cut off has committed blocks"
# Only now: to Slurm the old step on n2 and the new one elsewhere are one, by their number.
before=$(cksum <out.h5)
hosts_mend drop h2
slurm_until 60 n2_resumed || slurm_fail "n2 stays down"
slurm_until 60 nobody_on_h2 || slurm_fail "on the node that was cut off are left: $(on_h2)"
[ "$before" = "$(cksum <out.h5)" ] || fail "the rank that was cut off has written to the output"
passed "the node is back: its rank leaves and writes nothing"
