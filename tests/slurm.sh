#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests; everything it needs lives in one folder. Needs root and the packages
# slurm-wlm and munge.
#   slurm.sh start DIR [CPUS]    prints nothing when it runs; then  export SLURM_CONF=DIR/slurm.conf. CPUS: those that the node claims
#   slurm.sh stop DIR
set -euo pipefail
dir=$2
cpus=${3:-$(nproc --all)}

free_port() { # an unprivileged port that nobody listens on
  python3 - 2>/dev/null <<'PY' || echo $((20000 + RANDOM % 20000))
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])
PY
}

start() {
  local host
  host=$(hostname -s)
  mkdir -p "$dir/munge" "$dir/state" "$dir/spool"
  chmod 755 "$dir"
  dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 status=none
  chown -R munge: "$dir/munge"
  chmod 700 "$dir/munge"
  chmod 600 "$dir/munge/key"
  # the socket must be reachable for all users, the key for munge alone
  mkdir -p "$dir/socket"
  chown munge: "$dir/socket"
  runuser -u munge -- /usr/sbin/munged --force --socket "$dir/socket/munge" --key-file "$dir/munge/key" --pid-file "$dir/munge/pid" \
    --log-file "$dir/munge/log" --seed-file "$dir/munge/seed"
  cat >"$dir/slurm.conf" <<CONF
ClusterName=weft
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$dir/socket/munge,cred_expire=10
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MpiDefault=none
KillWait=5
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES:4
CONF
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -f "$SLURM_CONF"
  slurmd -f "$SLURM_CONF"
  for _ in $(seq 60); do
    if sinfo -h -o %t 2>/dev/null | grep -qE '^(idle|mix|alloc)$'; then return; fi
    sleep 0.5
  done
  echo "Slurm did not come up:" >&2
  tail -n 20 "$dir"/*.log >&2
  exit 1
}

stop() { # waits for the daemons: they write their state when they end
  local file pid
  for file in "$dir/slurmctld.pid" "$dir/slurmd.pid" "$dir/munge/pid"; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
}

"$1"
