#!/usr/bin/env bash
# hosts.sh - several hosts on this machine, and their links broken and mended; sourced
# after locklib.sh, or run:  HOSTS_DIR=DIR hosts.sh break KIND HOST | mend KIND HOST |
# agent HOST COMMAND, which is what mpirun starts its daemons by (plm_rsh_agent)
#
# "hub" has the address 10.77.0.1, where servers listen; h1, h2, ... have 10.77.0.11,
# 10.77.0.12, ..., and know each other by name.  Each is a network, UTS, IPC and mount namespace of a process that
# sleeps; none has a name outside, so runs at the same time do not meet, and all of it is
# gone with the processes.  The hosts share the file system and the pid space.  Each has
# a boot id of its own, or the dead of one would be seen by the others.
# Needs root, iproute2 and util-linux.
#
# Links are broken in one of these ways (KIND):
#   cut       the cable is pulled: both ends lose their carrier
#   drop      packets vanish, both ways
#   to_hub    packets of the host to the hub vanish, the others arrive
#   from_hub  packets of the hub to the host vanish, the others arrive
# In one direction they vanish because they are sent to a hardware address that nobody
# has: the sender cannot tell, and no firewall need be installed.
set -euo pipefail

: "${HOSTS_DIR:?a folder for what is known of the hosts}"
hosts_nobody=02:00:00:00:00:01

hosts_pid() { cat "$HOSTS_DIR/$1.pid"; }
hosts_address() { if [ "$1" = hub ]; then echo 10.77.0.1; else echo "10.77.0.$((10 + ${1#h}))"; fi; }

# hosts_on HOST COMMAND...: replaces the shell; the working directory stays.
hosts_on() {
    local pid
    pid=$(hosts_pid "$1")
    exec nsenter -t "$pid" --net --uts --ipc --mount --wd="$PWD" -- "${@:2}"
}

# As by ssh, nothing of the environment goes along.
hosts_agent() { hosts_on "$1" env -i PATH="$PATH" HOME="${HOME:-/}" sh -c "${*:2}"; }

hosts_net() { nsenter -t "$(hosts_pid "$1")" --net -- "${@:2}"; }

# Whether this kernel and this user can have them; says why not.
hosts_possible() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "that needs root"
        return 1
    fi
    unshare --net --uts --ipc --mount --propagation private \
        sh -c 'ip link add hub type bridge && ip link add p1 type veth peer name eth0 &&
            mount --bind /dev/null /proc/sys/kernel/random/boot_id' 2>&1 && return 0
    echo "network and mount namespaces cannot be had here"
    return 1
}

# hosts_start HOST: the process that a host consists of.
hosts_start() {
    cat /proc/sys/kernel/random/uuid >"$HOSTS_DIR/$1.boot"
    # shellcheck disable=SC2016 # for the inner shell
    setpriv --pdeathsig KILL unshare --net --uts --ipc --mount --propagation private sh -c '
        hostname "$1" && mount -t tmpfs tmpfs /dev/shm &&
            mount --bind "$2/$1.boot" /proc/sys/kernel/random/boot_id &&
            mount --bind "$2/names" /etc/hosts &&
            ip link set lo up && echo $$ >"$2/$1.new" && mv "$2/$1.new" "$2/$1.pid" &&
            exec sleep infinity' sh "$1" "$HOSTS_DIR" </dev/null >"$HOSTS_DIR/$1.out" 2>&1 &
    disown # its end by hosts_down is no news
    for _ in $(seq 500); do
        if [ -s "$HOSTS_DIR/$1.pid" ]; then return; fi
        sleep 0.02
    done
    fail "host $1 did not start: $(cat "$HOSTS_DIR/$1.out")"
}

# hosts_up N: hub and h1 to hN, until the test ends.
hosts_up() {
    local host
    mkdir -p "$HOSTS_DIR"
    on_exit hosts_down
    echo 127.0.0.1 localhost >"$HOSTS_DIR/names"
    for host in hub $(seq -f 'h%.0f' "$1"); do
        echo "$(hosts_address "$host") $host" >>"$HOSTS_DIR/names"
    done
    hosts_start hub
    hosts_net hub ip link add hub type bridge
    hosts_net hub ip addr add "$(hosts_address hub)/24" dev hub
    hosts_net hub ip link set hub up
    for host in $(seq -f 'h%.0f' "$1"); do
        hosts_start "$host"
        hosts_net hub ip link add "$host" type veth peer name eth0 netns "$(hosts_pid "$host")"
        hosts_net hub ip link set "$host" master hub up
        hosts_net "$host" ip addr add "$(hosts_address "$host")/24" dev eth0
        hosts_net "$host" ip link set eth0 up
    done
}

# Ends whatever runs on the hosts, and so the hosts.
hosts_down() {
    local file pid space
    for file in "$HOSTS_DIR"/*.pid; do
        pid=$(cat "$file")
        space=$(readlink "/proc/$pid/ns/net") || continue
        # shellcheck disable=SC2046 # numbers
        kill -KILL $(find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l %p\n' 2>/dev/null |
            sed -n "s|^net:.${space//[^0-9]/}. /proc/\([0-9]*\)/.*|\1|p") 2>/dev/null || true
        rm "$file"
    done
}

hosts_break() {
    case $1 in
    cut) hosts_net hub ip link set "$2" down ;;
    drop) hosts_net hub bridge link set dev "$2" state 0 ;;
    to_hub) hosts_net "$2" ip neigh replace "$(hosts_address hub)" lladdr $hosts_nobody \
        dev eth0 nud permanent ;;
    from_hub) hosts_net hub ip neigh replace "$(hosts_address "$2")" lladdr $hosts_nobody \
        dev hub nud permanent ;;
    esac
}

hosts_mend() {
    case $1 in
    cut) hosts_net hub ip link set "$2" up ;;
    drop) hosts_net hub bridge link set dev "$2" state 3 ;;
    to_hub) hosts_net "$2" ip neigh del "$(hosts_address hub)" dev eth0 ;;
    from_hub) hosts_net hub ip neigh del "$(hosts_address "$2")" dev hub ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    "hosts_${1:?break, mend or agent}" "${@:2}"
fi
