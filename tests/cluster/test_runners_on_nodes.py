"""Remote env runners come and go with the nodes that they are on, and training goes on."""

import json
import os

import pytest

from tests.cluster.files import ROOT
from tests.cluster.local_ray import call, own_home

pytestmark = pytest.mark.cluster

#: A runner on each of two nodes, of which one is lost and another comes; a JSON line per iteration.
TRAINING = """
import json, time
import ray
from ray.cluster_utils import Cluster
from rllib_lase import LASEConfig

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
ray.init(address=cluster.address, log_to_driver=False)
config = LASEConfig().environment("ipd").debugging(seed=0).training(rounds_per_iteration=2)
config.env_runners(num_env_runners=2, num_envs_per_env_runner=4, rollout_fragment_length=25)
algorithm = config.fault_tolerance(restart_failed_env_runners=True).build_algo()

def train(when):
    before = algorithm.env_steps
    algorithm.train()
    print(json.dumps({"when": when, "env_steps": algorithm.env_steps - before}), flush=True)
    return algorithm.env_steps - before

train("whole")
cluster.remove_node(nodes.pop(), allow_graceful=False)
train("losing")
train("less")
cluster.add_node(num_cpus=1)
end = time.monotonic() + 120
while train("waiting") < 400 and time.monotonic() < end:
    time.sleep(1)
train("again")
algorithm.stop()
ray.shutdown()
cluster.shutdown()
"""


def test_a_lost_nodes_runner_is_missed_and_comes_back_on_a_new_node() -> None:
    with own_home() as (home, env):
        env |= {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "envs"))), "PYTHONHASHSEED": "0"}
        (home / "training.py").write_text(TRAINING)
        done = call(env, "python", "training.py", cwd=home)
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"when"')]
    steps = {line["when"]: line["env_steps"] for line in lines}
    # Two runners of 4 copies, two rounds of 25 steps.
    assert (steps["whole"], steps["less"], steps["again"]) == (400, 200, 400), done.stdout
