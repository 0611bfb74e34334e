# shellcheck shell=bash
# slurm.sh - a Slurm cluster of several nodes on this machine; sourced after testlib.sh
# and a definition of on_exit (locklib.sh has one).
#
# munged, slurmctld and one slurmd for each node n1, n2, ..., all with their state in one
# folder, on free ports of the loopback interface.  They write no cgroup.
#   - Each slurmd has a UTS namespace: Open MPI names its shared memory by host name, job
#     and local rank, and ranks of two nodes must not meet there.
#   - Jobs have numbers of their own in each cluster: Open MPI knows ranks by them, takes
#     connections of such a rank, and all clusters have one network.
#   - Each has a TmpFS: PMIx makes a folder per step in it.
#   - Nodes claim CPUs that need not exist (config_overrides).
#   - The folder is new: sockets that steps of earlier clusters left, with the same numbers,
#     would make steps fail.
#   - Credentials last 5 s: a requeued job waits for so long, two minutes otherwise.
# With slurm_hosts=yes node nI is on host hI of hosts.sh, and the rest on "hub".
# Partition "main" is preempted (requeue) by "urgent".
# Needs root, slurm-wlm and munge.
: "${tmp:?testlib.sh comes first}" "${python:?}"

# Whether that can be here; says why not.
slurm_possible() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "that needs root"
        return 1
    fi
    local command
    for command in munged slurmctld slurmd srun; do
        if ! PATH=$PATH:/usr/sbin command -v "$command" >/dev/null; then
            echo "there is no $command (packages slurm-wlm and munge)"
            return 1
        fi
    done
    unshare --uts true 2>&1 && return 0
    echo "UTS namespaces cannot be had here"
    return 1
}

# N ports in a row that nobody listens at: the first.
slurm_free_ports() {
    "$python" - "$1" <<'END'
import random
import socket
import sys

while True:
    first = random.randrange(20000, 32000)
    sockets = []
    try:
        for port in range(first, first + int(sys.argv[1])):
            sockets.append(socket.socket())
            sockets[-1].bind(("127.0.0.1", port))
    except OSError:
        continue
    print(first)
    break
END
}

# on_hub COMMAND...: where slurmctld is.
on_hub() {
    if [ -n "${slurm_hosts:-}" ]; then (hosts_on hub "$@"); else "$@"; fi
}

slurm_address() { # of node N, 0 for slurmctld
    if [ -z "${slurm_hosts:-}" ]; then
        echo 127.0.0.1
    elif [ "$1" = 0 ]; then
        hosts_address hub
    else
        hosts_address "h$1"
    fi
}

slurm_configure() { # NODES CPUS
    local port i
    port=$(slurm_free_ports "$(($1 + 1))")
    cat <<END
ClusterName=test
FirstJobId=$((RANDOM * 1000 + RANDOM % 1000 + 1))
SlurmctldHost=$(on_hub hostname -s)($(slurm_address 0))
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$slurm_dir/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$slurm_dir/state
SlurmdSpoolDir=$slurm_dir/spool/%n
TmpFS=$slurm_dir/tmp/%n
SlurmctldPidFile=$slurm_dir/run/slurmctld.pid
SlurmdPidFile=$slurm_dir/run/slurmd.%n.pid
SlurmctldLogFile=$slurm_dir/log/slurmctld.log
SlurmdLogFile=$slurm_dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$slurm_dir/log/completed
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=2,bf_yield_sleep=1000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
SlurmdTimeout=${slurm_timeout:-60}
BatchStartTimeout=10
InactiveLimit=0
MinJobAge=600
CompleteWait=0
MailProg=/bin/true
END
    for ((i = 1; i <= $1; i++)); do
        echo "NodeName=n$i NodeHostname=n$i NodeAddr=$(slurm_address "$i") Port=$((port + i)) CPUs=$2" \
            "Boards=1 SocketsPerBoard=1 CoresPerSocket=$2 ThreadsPerCore=1 RealMemory=1000"
    done
    echo "PartitionName=main Nodes=n[1-$1] Default=YES PriorityTier=1 PreemptMode=REQUEUE" \
        "GraceTime=5"
    echo "PartitionName=urgent Nodes=n[1-$1] PriorityTier=10 PreemptMode=OFF"
}

# slurm_up NODES CPUS: until the test ends.
slurm_up() {
    local i
    PATH=$PATH:/usr/sbin
    slurm_dir=$tmp/slurm
    mkdir -p "$slurm_dir"/{munge,state,run,log,spool,tmp}
    chmod 755 "$tmp" "$slurm_dir" "$slurm_dir/munge"
    export SLURM_CONF=$slurm_dir/slurm.conf SLURM_PMIX_FENCE=tree # see slurm/run.sbatch
    slurm_configure "$1" "$2" >"$SLURM_CONF"
    on_exit slurm_down
    (umask 077 && head -c 1024 /dev/urandom >"$slurm_dir/munge/key")
    munged --force --key-file="$slurm_dir/munge/key" --socket="$slurm_dir/munge/socket" \
        --pid-file="$slurm_dir/run/munged.pid" --log-file="$slurm_dir/log/munged.log" \
        --seed-file="$slurm_dir/munge/seed" --num-threads=2
    on_hub slurmctld -f "$SLURM_CONF" -c
    for ((i = 1; i <= $1; i++)); do
        mkdir "$slurm_dir/spool/n$i" "$slurm_dir/tmp/n$i"
        slurm_start_node "$i"
    done
    slurm_until 15 slurm_idle "$1" || slurm_fail "the nodes of the cluster are not there"
}

slurm_start_node() { # N
    if [ -n "${slurm_hosts:-}" ]; then
        (hosts_on "h$1" slurmd -N "n$1" -f "$SLURM_CONF")
        return
    fi
    # shellcheck disable=SC2016 # for the inner shell
    unshare --uts sh -c 'hostname "$1" && exec slurmd -N "$1" -f "$2"' sh "n$1" "$SLURM_CONF"
}

slurm_idle() { [ "$(on_hub sinfo -h -p main -t idle -o %D 2>/dev/null)" = "$1" ]; }

slurm_fail() {
    on_hub sinfo >&2 || true
    on_hub squeue >&2 || true
    tail -n 5 "$slurm_dir"/log/*.log >&2
    fail "$*"
}

# slurm_until SECONDS COMMAND...: whether it comes true within that time.
slurm_until() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.25 # to look takes a program or two that compute
    done
}

slurm_state() { # JOB: what Slurm says of it, or of all tasks of an array
    on_hub scontrol show job "$1" | sed -n 's/^ *JobState=\([A-Z_]*\).*/\1/p' | sort -u
}
slurm_is() { [ "$(slurm_state "$1")" = "$2" ]; } # JOB STATE
slurm_restarts() { on_hub scontrol show job "$1" | grep -o 'Restarts=[0-9]*'; }

# Processes of steps of this cluster, those named COMM alone; zombies are none.
slurm_steps() { # COMM
    local dir
    { grep -lsxF "$1" /proc/[0-9]*/comm || true; } | while read -r dir; do
        dir=${dir%/comm}
        if [ "$(readlink "$dir/cwd")" = "$slurm_dir/log" ] ||
            grep -qsxz "SLURM_CONF=$SLURM_CONF" "$dir/environ"; then
            echo "${dir#/proc/}"
        fi
    done 2>/dev/null
}

slurm_alive() { # the file with its pid
    kill -0 "$(cat "$1" 2>/dev/null || echo none)" 2>/dev/null
}

# All at once: each takes seconds to go.
slurm_end() {
    local file
    for file in "$@"; do
        if slurm_alive "$file"; then kill -TERM "$(cat "$file")" || true; fi
    done
    for file in "$@"; do
        for _ in $(seq 50); do
            slurm_alive "$file" || continue 2
            sleep 0.1
        done
        kill -KILL "$(cat "$file")" 2>/dev/null || true
    done
}

slurm_no_jobs() { [ -z "$(on_hub timeout 5 squeue -h 2>/dev/null)" ]; }
slurm_down() {
    local pid
    on_hub timeout 5 scancel -Q -p main 2>/dev/null || true
    on_hub timeout 5 scancel -Q -p urgent 2>/dev/null || true
    slurm_until 10 slurm_no_jobs || true
    for pid in $(slurm_steps srun) $(slurm_steps slurmstepd); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    slurm_end "$slurm_dir"/run/slurmd.*.pid "$slurm_dir/run/slurmctld.pid"
    slurm_end "$slurm_dir/run/munged.pid"
}
