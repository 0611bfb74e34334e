# shellcheck shell=bash
# slurm.sh - a Slurm cluster of several nodes on this machine; sourced after testlib.sh
# and a definition of on_exit (locklib.sh has one).
#
# munged, slurmctld and one slurmd for each node n1, n2, ..., all with their state in one
# folder, on free ports of the loopback interface.  They write no cgroup.
#   - Each slurmd has a UTS namespace: Open MPI names its shared memory by host name, job
#     and local rank, and ranks of two nodes must not meet there.
#   - Each has a TmpFS: PMIx makes a folder per step in it.
#   - Nodes claim CPUs that need not exist (config_overrides).
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

slurm_configure() { # NODES CPUS
    local port i
    port=$(slurm_free_ports "$(($1 + 1))")
    cat <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$slurm_dir/munge/socket
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
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2,bf_yield_sleep=1000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
BatchStartTimeout=10
InactiveLimit=0
MinJobAge=600
CompleteWait=0
MailProg=/bin/true
END
    for ((i = 1; i <= $1; i++)); do
        echo "NodeName=n$i NodeHostname=n$i NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=$2" \
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
    export SLURM_CONF=$slurm_dir/slurm.conf
    slurm_configure "$1" "$2" >"$SLURM_CONF"
    on_exit slurm_down
    (umask 077 && head -c 1024 /dev/urandom >"$slurm_dir/munge/key")
    munged --force --key-file="$slurm_dir/munge/key" --socket="$slurm_dir/munge/socket" \
        --pid-file="$slurm_dir/run/munged.pid" --log-file="$slurm_dir/log/munged.log" \
        --seed-file="$slurm_dir/munge/seed" --num-threads=2
    slurmctld -f "$SLURM_CONF" -c
    for ((i = 1; i <= $1; i++)); do
        mkdir "$slurm_dir/spool/n$i" "$slurm_dir/tmp/n$i"
        # shellcheck disable=SC2016 # for the inner shell
        unshare --uts sh -c 'hostname "$1" && exec slurmd -N "$1" -f "$2"' sh "n$i" \
            "$SLURM_CONF"
    done
    for _ in $(seq 150); do
        if [ "$(sinfo -h -p main -t idle -o %D 2>/dev/null)" = "$1" ]; then return; fi
        sleep 0.1
    done
    sinfo >&2 || true
    tail -n 5 "$slurm_dir"/log/*.log >&2
    fail "the nodes of the cluster are not there after 15 s"
}

slurm_alive() { # the file with its pid
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

# All at once: each takes seconds to go.
slurm_end() {
    local file
    for file in "$@"; do
        if slurm_alive "$file"; then kill -TERM "$(cat "$file")"; fi
    done
    for file in "$@"; do
        for _ in $(seq 50); do
            slurm_alive "$file" || continue 2
            sleep 0.1
        done
        kill -KILL "$(cat "$file")" 2>/dev/null || true
    done
}

slurm_down() {
    timeout 5 scancel -Q -p main 2>/dev/null || true
    timeout 5 scancel -Q -p urgent 2>/dev/null || true
    for _ in $(seq 50); do
        [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || break
        sleep 0.1
    done
    slurm_end "$slurm_dir"/run/slurmd.*.pid "$slurm_dir/run/slurmctld.pid"
    slurm_end "$slurm_dir/run/munged.pid"
}
