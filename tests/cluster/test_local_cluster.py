"""Jobs on Ray clusters that are this machine: what a user types, against a real head."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.files import ROOT
from tests.cluster.local_ray import BIN, call, own_home, start, start_options, wait_for

pytest.importorskip("aiohttp", reason="the extra `cluster` (Ray's job client) is not installed")
pytestmark = pytest.mark.cluster

SMALL = "--env-steps 2000 --evaluation-episodes 16"
#: Our sources, for the side that submits; the cluster has none.
SOURCES = os.pathsep.join((str(ROOT), str(ROOT / "envs")))


@dataclass(frozen=True)
class Head:
    address: str
    env: dict[str, str]

    def lase(self, words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """`lase ...`, with our sources on the path."""
        env = {**self.env, "PYTHONPATH": SOURCES, "PYTHONHASHSEED": "0"}
        return call(env, "python", "-m", "rllib_lase", *shlex.split(words), cwd=cwd)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with own_home() as (home, env):
        address, options = start_options(home)
        start(home, env, ["ray", "start", "--head", "--block", *options], "head.log")
        wait_for(address, env)
        yield Head(address, env)


def test_the_readmes_line_runs_with_nothing_but_a_working_directory(head: Head, tmp_path: Path) -> None:
    (line,) = re.findall(r"^ray job submit .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    words = shlex.split(line.partition(" #")[0])
    words[words.index("--out") + 1] = str(tmp_path / "run")
    at = words.index("--working-dir")
    done = call(head.env, *words[:at], "--address", head.address, *words[at:], *SMALL.split(), cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "succeeded" in done.stdout
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"


def test_a_submitted_run_streams_its_log_and_comes_home(head: Head, tmp_path: Path) -> None:
    words = f"submit --address {head.address} train ipd {SMALL} --num-env-runners 1 --out runs/a"
    done = head.lase(words, tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.match(r"job raysubmit_\w+ on http", done.stdout)
    assert "env steps" in done.stdout
    assert "succeeded" in done.stdout
    assert json.loads((tmp_path / "runs" / "a" / "summary.json").read_text())["status"] == "finished"
    assert (tmp_path / "runs" / "a" / "report.html").is_file()


def test_a_run_that_is_stopped_saves_and_uploads_what_it_had_learnt(head: Head, tmp_path: Path) -> None:
    """With an environment of the user's own, and a storage that outlives the cluster."""
    storage, work = tmp_path / "storage", tmp_path / "work"
    work.mkdir()
    (work / "mine.py").write_text(
        "import mixed_motive\ndef make(): return mixed_motive.parallel_env('ipd')\n"
    )
    where = f"--address {head.address}"
    train = "train mine:make --env-steps 100000000 --evaluation-episodes 8 --out runs/b"
    done = head.lase(f"submit {where} --working-dir . --storage {storage} --detach {train}", work)
    assert done.returncode == 0, done.stdout
    (job_id,) = re.findall(r"^job (\w+)", done.stdout)
    while "given" not in (log := call(head.env, "ray", "job", "logs", *where.split(), job_id).stdout):
        assert "failed" not in log, log
        time.sleep(1)
    assert "told to stop" in head.lase(f"submit {where} --stop {job_id}", work).stdout
    summary = storage / job_id / "runs" / "b" / "summary.json"
    end = time.monotonic() + 90
    while not summary.is_file() and time.monotonic() < end:
        time.sleep(1)
    assert json.loads(summary.read_text())["status"] == "interrupted"


def test_a_search_runs_as_a_job_and_leaves_its_tables_in_its_storage(head: Head, tmp_path: Path) -> None:
    storage, work = tmp_path / "storage", tmp_path / "work"
    work.mkdir()
    (work / "tiny.py").write_text(
        "from rllib_lase.tuning import Search\n"
        "SEARCH = Search(games=['ipd'], algos=['go'], seeds=[1], env_steps=900, evaluation_episodes=4)\n"
    )
    tune = f"tune tiny.py --out runs/tiny --storage {storage}"
    done = head.lase(f"submit --address {head.address} --working-dir . {tune}", work)
    assert done.returncode == 0, done.stdout
    home = {path.name for path in (work / "runs" / "tiny").iterdir()}
    kept = {path.name for path in (storage / "tiny").iterdir()}
    results = {"table.csv", "trials.csv", "best-ipd.json", "report.html", "0000-ipd-go-seed1"}
    assert results <= home
    assert results <= kept


def test_a_job_that_fails_is_a_failure_here(head: Head, tmp_path: Path) -> None:
    done = head.lase(f"submit --address {head.address} train --resume /no/such/run", tmp_path)
    assert done.returncode == 1
    assert "/no/such/run: holds no run" in done.stdout
    assert "failed" in done.stdout


def test_a_cluster_whose_python_lacks_packages_says_which(head: Head, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {BIN / "python"} -S "$@"\n')  # without installed packages
    python.chmod(0o755)
    where = f"--address {head.address} --env PATH={tmp_path}:/usr/bin:/bin"
    done = head.lase(f"submit {where} train ipd", tmp_path)
    assert done.returncode == 1
    assert f"Nothing was started: {BIN / 'python'}" in done.stdout
    assert "missing: numpy, numba, gymnasium, pettingzoo, ray, torch" in done.stdout
    assert "Cure, on every node: pip install 'numpy>=2.0'" in done.stdout
    assert "Traceback" not in done.stdout


def test_doctor_lists_every_node_of_a_cluster(tmp_path: Path) -> None:
    """Three nodes by Ray's own test cluster, in a process of its own with its own home."""
    program = (
        "import time, ray\nfrom ray.cluster_utils import Cluster\n"
        "cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 1, 'include_dashboard': True,"
        " 'dashboard_port': PORT, 'dashboard_agent_listen_port': 0})\n"
        "cluster.add_node(num_cpus=1)\ncluster.add_node(num_cpus=3)\n"
        "print('up', flush=True)\ntime.sleep(600)\n"
    )
    with own_home() as (home, env):
        address, _ = start_options(home)
        program = program.replace("PORT", address.rpartition(":")[2])
        start(home, env, ["python", "-c", program], "nodes.log")
        wait_for(address, env)
        end = time.monotonic() + 60
        while "up" not in (home / "nodes.log").read_text() and time.monotonic() < end:
            time.sleep(1)
        done = Head(address, env).lase(f"doctor --address {address}", tmp_path)
    nodes = re.findall(r"ok +node .* (\d) CPUs, 0 GPUs, sends \d+ MB/s", done.stdout)
    assert sorted(nodes) == ["1", "1", "3"], done.stdout
    assert done.returncode == 0
