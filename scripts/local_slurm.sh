#!/usr/bin/env bash
# A real Slurm on this one machine: two nodes of two CPUs, two partitions, for tests and for
# trying the templates in slurm/. Needs root and Debian or Ubuntu; no systemd.
#
# usage: scripts/local_slurm.sh start|stop|status [FOLDER]
#
# FOLDER (default: a folder of this name in the temporary folder) holds configuration, state and
# logs. After start:
#
#   export SLURM_CONF=FOLDER/slurm.conf
#   sbatch slurm/single.sbatch
#
# Partition `low` is the default; a job in `high` takes its nodes: jobs in `low` are signalled,
# have GRACE_S seconds (default 30) to write a checkpoint, and are queued again.
set -euo pipefail

PACKAGES=(slurm-wlm munge)
PROGRAMS=(munged slurmctld slurmd srun)
NODES=(n1 n2)
PORTS_NEEDED=4
START_LIMIT_S=30
GRACE_S="${GRACE_S:-30}"

action="${1:-}"
folder="${2:-${TMPDIR:-/tmp}/local_slurm}"

say() { echo "local_slurm: $*"; }

die() {
    echo "local_slurm: $*" >&2
    exit 1
}

missing() {
    local program
    for program in "${PROGRAMS[@]}"; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

install_packages() {
    [ -n "$(missing)" ] || return 0
    command -v apt-get >/dev/null || die "no $(missing | xargs) here, and no apt-get to install it"
    say "installing ${PACKAGES[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log="$folder/apt.log"
    apt-get update -qq >"$log" 2>&1 || true
    apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}" >>"$log" 2>&1 ||
        die "apt-get install failed: $(tail -n 1 "$log")"
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first of PORTS_NEEDED ports in a row that nobody listens on.
free_ports() {
    local base offset
    while true; do
        base=$((20000 + RANDOM % 10000))
        for ((offset = 0; offset < PORTS_NEEDED; offset++)); do
            ! taken $((base + offset)) || continue 2
        done
        echo "$base"
        return
    done
}

configure() {
    local base host
    base="$(free_ports)"
    host="$(hostname -s)"
    cat >"$folder/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$base
SlurmdPort=$((base + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=10
JobRequeue=1
InactiveLimit=0
NodeName=${NODES[0]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=2
NodeName=${NODES[1]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 3)) CPUs=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=$GRACE_S MaxTime=1-0
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=1-0
CONF
}

start_munge() {
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
        --seed-file="$folder/munge.seed" 2>"$folder/munged.err" ||
        die "munged did not start: $(tail -n 1 "$folder/munged.err")"
}

nodes_ready() {
    [ "$(sinfo --noheader --Node --format=%t 2>/dev/null | sort -u)" = idle ]
}

start() {
    [ "$(id -u)" = 0 ] || die "must run as root (slurmd starts jobs for their users)"
    mkdir -p "$folder"
    folder="$(cd "$folder" && pwd)"
    ! running || die "already running in $folder"
    install_packages
    mkdir -p "$folder/state" "$folder/spool-${NODES[0]}" "$folder/spool-${NODES[1]}"
    configure
    export SLURM_CONF="$folder/slurm.conf"
    start_munge
    slurmctld
    local node waited=0
    for node in "${NODES[@]}"; do
        slurmd -N "$node"
    done
    until nodes_ready; do
        ((waited++ < START_LIMIT_S * 2)) || die "nodes are not up; see $folder/*.log"
        sleep 0.5
    done
    say "running; export SLURM_CONF=$SLURM_CONF"
}

pid_files() { ls "$folder"/slurmd-*.pid "$folder"/slurmctld.pid "$folder"/munged.pid 2>/dev/null; }

alive() { kill -0 "$(cat "$1" 2>/dev/null)" 2>/dev/null; }

running() { [ -f "$folder/slurmctld.pid" ] && alive "$folder/slurmctld.pid"; }

stop() {
    local file waited
    if running; then
        export SLURM_CONF="$folder/slurm.conf"
        scancel --user="$(id -un)" 2>/dev/null || true
        for ((waited = 0; waited < 20; waited++)); do
            [ -n "$(squeue --noheader 2>/dev/null)" ] || break
            sleep 0.5
        done
    fi
    for file in $(pid_files); do
        ! alive "$file" || kill "$(cat "$file")"
        for ((waited = 0; waited < 20; waited++)); do
            alive "$file" || break
            sleep 0.25
        done
        rm -f "$file"
    done
    say "stopped"
}

status() {
    running || die "not running in $folder"
    SLURM_CONF="$folder/slurm.conf" sinfo
}

case "$action" in
start | stop | status) "$action" ;;
*) die "expected start, stop or status; received '${action}'" ;;
esac
