#!/bin/bash
# A run on machines of Slurm: Ray on all of them for the length of the job. From the checkout's root, with a virtual
# environment in a folder that all machines share:
#
#   python3.11 -m venv ~/lase && ~/lase/bin/pip install -c constraints.txt '.[rllib,cluster]'
#   sbatch cluster/slurm.sh train cleanup --num-env-runners 15 --out "$HOME/runs/cleanup"
#
# Ray is stopped by `ray stop` at the end, which ends every Ray of yours on these machines: hence --exclusive.
#SBATCH --job-name=lase
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --exclusive
#SBATCH --output=lase-%j.log
set -euo pipefail

source "${LASE_VENV:-$HOME/lase}/bin/activate"
export RAY_AUTH_MODE=token OMP_NUM_THREADS=1 PYTHONHASHSEED=0 RAY_USAGE_STATS_ENABLED=0
ray get-auth-token --generate >/dev/null # in the home folder, which all machines share

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):6379

srun ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --dashboard-host=127.0.0.1 --disable-usage-stats \
    -- env RAY_ADDRESS="$address" python -m rllib_lase "$@"
