#!/usr/bin/env bash
# Jobs under Slurm: time limits, and interruptions at random, again and again; a node that
# Slurm itself finds silent; ranks that joined and are preempted; jobs that follow and are
# interrupted in all ways.  SWIM_SEED repeats a run; about 10 minutes.
set -eu
dir=$(dirname "$0")/../slurm
rounds=${SWIM_ROUNDS:-30}
seed=${SWIM_SEED:-$((EPOCHSECONDS % 32768))}
RANDOM=$seed
echo "SWIM_SEED=$seed"

kinds=(scancel requeue warning preemption srun rank stepd)
cases=(limit timeout)
for ((i = 0; i < rounds; i++)); do cases+=("${kinds[RANDOM % ${#kinds[@]}]}"); done
bash "$dir/test_signals.sh" "${cases[@]}"
bash "$dir/test_cut.sh" --long
bash "$dir/test_join.sh" preemption scancel preemption
bash "$dir/test_follow.sh" requeue rank warning scancel requeue warning
