"""cluster/slurm.sh under Slurm's own daemons, on two machines of this one."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.files import FOLDER, ROOT
from tests.cluster.local_ray import own_home
from tests.cluster.local_slurm import MACHINES, MISSING, Slurm, slurm_cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make machines of namespaces"),
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (slurm-wlm, munge, iproute2)"
    ),
]


@pytest.fixture(scope="module")
def home() -> Iterator[tuple[Path, dict[str, str]]]:
    with own_home() as (folder, env):
        del env["RAY_TMPDIR"]
        (folder / ".ray" / "auth_token").unlink()
        yield folder, env | {"LASE_VENV": sys.prefix}


@pytest.fixture(scope="module")
def slurm(home: tuple[Path, dict[str, str]]) -> Iterator[Slurm]:
    folder, env = home
    (folder / "slurm").mkdir()
    with slurm_cluster(folder / "slurm", env) as cluster:
        yield cluster


def submit(slurm: Slurm, log: Path, command: str) -> int:
    """Runs a command by the script on machines of two cores each; returns the job's exit code."""
    options = f"--wait --cpus-per-task=2 --mem=8G --chdir={ROOT} --output={log}"
    words = [*options.split(), str(FOLDER / "slurm.sh"), *command.split()]
    return slurm.run("sbatch", *words, seconds=400).returncode


def test_a_run_is_spread_over_the_machines_and_leaves_nothing_running(
    slurm: Slurm, home: tuple[Path, dict[str, str]]
) -> None:
    """Three runners have no room on one machine, and without room for one the run would not start."""
    out, log = home[0] / "run", home[0] / "job.log"
    code = submit(slurm, log, f"train ipd --num-env-runners 3 --env-steps 20000 --out {out}")
    assert code == 0, log.read_text()
    assert json.loads((out / "summary.json").read_text())["env_steps"] >= 20_000
    assert (home[0] / ".ray" / "auth_token").is_file(), "the machines share a token made by the script"
    for machine in MACHINES:
        assert slurm.processes(machine) == {"unshare", "bash", "slurmd"}


def test_a_job_whose_command_fails_is_a_failure(slurm: Slurm, home: tuple[Path, dict[str, str]]) -> None:
    log = home[0] / "failed.log"
    assert submit(slurm, log, "train ipdd") != 0
    assert "unknown game 'ipdd'" in log.read_text()
