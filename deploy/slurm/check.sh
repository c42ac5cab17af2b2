#!/usr/bin/env bash
# deploy/slurm/evaluate.sbatch on a real Slurm of one host: munge, slurmctld and slurmd on loopback, four shards of an
# evaluation, one of them killed and requeued, the merge, and the comparison with the run that nobody split. As root, with
# Debian's packages: apt-get install --no-install-recommends munge slurmctld slurmd slurm-client
#   deploy/slurm/check.sh ROADGAZE [FOLDER]
set -euo pipefail
roadgaze=$(realpath "${1:?usage: check.sh ROADGAZE [FOLDER]}")
cd "$(dirname "$0")/../.."
place=${2:-$(mktemp -d)}
mkdir -p "$place"/{spool,state,log,munge}
chmod 755 "$place" "$place/munge"
started=()
cleanup() { for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap cleanup EXIT

# munge with a key and a socket of its own
dd if=/dev/urandom of="$place/munge/key" bs=1024 count=1 status=none
chmod 400 "$place/munge/key"
socket=$place/munge/socket
munged --foreground --force --key-file="$place/munge/key" --socket="$socket" --pid-file="$place/munge/pid" \
    --log-file="$place/munge/log" --seed-file="$place/munge/seed" --num-threads=2 2>"$place/log/munged" &
started+=($!)

host=$(hostname -s)
export SLURM_CONF=$place/slurm.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd.pid
SlurmctldLogFile=$place/log/slurmctld
SlurmdLogFile=$place/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=2,bf_interval=2
MpiDefault=none
SwitchType=switch/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\nConstrainCores=no\n' >"$place/cgroup.conf"
for _ in $(seq 50); do [ -S "$socket" ] && break; sleep 0.2; done
slurmctld -D -f "$SLURM_CONF" 2>"$place/log/slurmctld.err" &
started+=($!)
slurmd -D -f "$SLURM_CONF" 2>"$place/log/slurmd.err" &
started+=($!)
for _ in $(seq 100); do [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && break; sleep 0.3; done
sinfo

# a network that is small and a plan that takes some seconds a shard
networks=$place/networks
mkdir -p "$networks"
cp tests/golden/desktop/resnet-micro.onnx "$networks/"
grep -v '^hash = ' tests/golden/desktop/resnet-micro.toml >"$networks/resnet-micro.toml"
cat >"$place/plan.toml" <<PLAN
model = "$networks/resnet-micro.toml"
data = "synthetic:CF/test"
frames = 80
attribute = ["gradcam", "kernel-shap"]
[shap]
grid = { rows = 3, columns = 3 }
evaluations = 60
PLAN
echo "== the run that nobody split"
"$roadgaze" run "$place/plan.toml" --threads 1 --json --out "$place/unsplit" >/dev/null

echo "== four shards as a job array"
export ROADGAZE=$roadgaze
log=$place/log/task-%a.txt
job=$(sbatch --parsable --array=1-4 --cpus-per-task=1 --mem=200M --output="$log" \
    deploy/slurm/evaluate.sbatch "$place/plan.toml" "$place/eval")
state() { squeue -h -r -j "$job" -o '%i %T' 2>/dev/null || true; }
stored() { python3 -c "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM frame').fetchone()[0])" "$1" 2>/dev/null || echo 0; }
victim=$place/eval/shard-2-of-4
for _ in $(seq 600); do [ -e "$victim/run.sqlite" ] && [ "$(stored "$victim/run.sqlite")" -ge 3 ] && break; sleep 0.1; done
state
pid=$(pgrep -f -- "run .*--shard 2/4 .*--out $victim" | head -n 1)
kill -KILL "$pid" && echo "SIGKILL to shard 2 with $(stored "$victim/run.sqlite") frames stored"
for _ in $(seq 300); do state | grep -q "^${job}_2 RUNNING" || break; sleep 0.2; done
scontrol show job "${job}_2" | grep -oE 'JobState=[A-Z]+|ExitCode=[0-9:]+' | xargs
scontrol requeue "${job}_2" && echo "requeued"
for _ in $(seq 900); do [ -z "$(state)" ] && break; sleep 0.3; done
for i in 1 2 3 4; do
    scontrol show job "${job}_$i" | grep -oE 'ArrayTaskId=[0-9]+|JobState=[A-Z]+|Restarts=[0-9]+|ExitCode=[0-9:]+' | xargs
done

echo "== merge as task 0"
sbatch --parsable --wait --array=0 --cpus-per-task=1 --mem=200M --output="$place/log/merge.txt" \
    deploy/slurm/evaluate.sbatch "$place/plan.toml" "$place/eval" 4
cat "$place/log/merge.txt"
"$roadgaze" report "$place/eval/whole" >/dev/null
python3 - "$place/unsplit/summary.json" "$place/eval/whole/summary.json" <<'PY'
import json, sys

one, other = (json.load(open(path)) for path in sys.argv[1:])
for summary in (one, other):
    for timed in ("latency_ms", "machine"):
        summary.pop(timed, None)
different = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
print("frames:", other["frames"])
print("differs in:", ", ".join(sorted(different)) or "nothing")
sys.exit(1 if different else 0)
PY
echo "equal to the unsplit run"
