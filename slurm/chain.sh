#!/usr/bin/env bash
# A chain of jobs, each of which goes on where the one before has stopped: for clusters on which jobs
# cannot be queued again.
#
# Resources: those of the template, as often as the chain has jobs.
# Use: edit the template, then, in the repository,
#   slurm/chain.sh 5 slurm/multi_node.sbatch [--flag=value …]
# Adapt: a job that finds the experiment finished does nothing. The scancel line that is printed ends
#   the whole chain.
#

set -euo pipefail
usage="usage: slurm/chain.sh COUNT TEMPLATE [--flag=value …]"
count="${1:?$usage}"
template="${2:?$usage}"
shift 2

jobs=()
for ((link = 0; link < count; link++)); do
    after=()
    [ "$link" = 0 ] || after=(--dependency="afterany:${jobs[-1]}")
    submitted="$(sbatch --parsable --no-requeue "${after[@]}" "$template" "$@")"
    jobs+=("${submitted%%;*}")
done
echo "submitted: ${jobs[*]}"
echo "scancel ${jobs[*]}"
