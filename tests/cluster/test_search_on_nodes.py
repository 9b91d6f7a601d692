"""A search over several nodes, of which one is lost on the way and another comes."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.files import ROOT
from tests.cluster.local_ray import BIN, own_home

pytestmark = pytest.mark.cluster

SEARCH = """
from rllib_lase.tuning import Search

SEARCH = Search(
    games=["ipd"],
    algos=["independent"],
    seeds=range(6),
    env_steps=60_000,
    checkpoint_interval=10_000,
    evaluation_episodes=8,
)
"""
#: Reads "lose" and "gain" from its input; a head without CPUs, so that all trials are on the other nodes.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "lose":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    else:
        nodes.append(cluster.add_node(num_cpus=1))
    print(line.strip(), flush=True)
"""


@dataclass(frozen=True)
class Nodes:
    address: str
    env: dict[str, str]
    process: subprocess.Popen[str]

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == word


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with own_home() as (home, env):
        env |= {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "envs"))), "PYTHONHASHSEED": "0"}
        with (home / "nodes.log").open("w") as log:
            process = subprocess.Popen(
                [str(BIN / "python"), "-c", CLUSTER],
                env=env,
                cwd=home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, (home / "nodes.log").read_text()
            yield Nodes(address, env, process)


def finished(out: Path) -> list[str]:
    return sorted(path.parent.name for path in out.glob("*/summary.json"))


def test_a_search_outlives_a_lost_node_and_uses_a_new_one(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "six.py").write_text(SEARCH)
    out = tmp_path / "six"
    words = ["-m", "rllib_lase", "tune", "six.py", "--address", nodes.address, "--out", str(out)]
    with (tmp_path / "search.log").open("w") as log:
        search = subprocess.Popen(
            [str(BIN / "python"), *words], env=nodes.env, cwd=tmp_path, stdout=log, stderr=log
        )
        end = time.monotonic() + 240
        while len(list(out.glob("*/progress.csv"))) < 3 and time.monotonic() < end:
            time.sleep(0.5)
        nodes.tell("lose")
        assert len(finished(out)) < 6, "the node is lost while trials play"
        nodes.tell("gain")
        code = search.wait(timeout=400)
    said = (tmp_path / "search.log").read_text()
    assert code == 0, said
    trials = pd.read_csv(out / "trials.csv")
    assert sorted(trials["seed"]) == list(range(6)), said
    assert (trials["env_steps"] >= 60_000).all()
    assert len(finished(out)) == 6
