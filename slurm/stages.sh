#!/usr/bin/env bash
# A stack (DeepSDTrainer) whose stages are trained side by side, then joined, tested and scored.
#
# Resources: those of slurm/stage_array.sbatch for each stage, then those of slurm/single.sbatch.
# Use: edit both templates, then, in the repository,
#   slurm/stages.sh COUNT FLAGFILE [--flag=value …]
#   with as many stages as --sr_factors has factors.
# Adapt: where a stage fails, the join never starts and is to be cancelled; submit anew to go on.
#

set -euo pipefail
usage="usage: slurm/stages.sh COUNT FLAGFILE [--flag=value …]"
count="${1:?$usage}"
export FLAGFILE="${2:?$usage}"
shift 2

stages="$(sbatch --parsable --array="1-$count" slurm/stage_array.sbatch "$@")"
stages="${stages%%;*}"
join="$(sbatch --parsable --dependency="afterok:$stages" slurm/single.sbatch "$@" --sr_stage=join)"
echo "submitted: $stages ${join%%;*}"
echo "scancel $stages ${join%%;*}"
