"""What a trained algorithm's checkpoint says of its agents."""

import numpy as np
import pytest

import rllib_lase
from rllib_lase import IndependentConfig
from rllib_lase.runs import RunFolder
from tests.synthetic_runs import run_config


@pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed")
@pytest.mark.usefixtures("local_ray")
def test_a_policy_can_be_taken_out_of_what_an_algorithm_saves(tmp_path):
    config = IndependentConfig().environment("snowdrift").training(hidden_size=16, rounds_per_iteration=1)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=2, rollout_fragment_length=12)
    algorithm = config.debugging(seed=0, log_level="ERROR").build_algo()
    algorithm.train()
    RunFolder.create(tmp_path, run_config("independent", game="snowdrift", game_params={}))
    algorithm.save_to_path(tmp_path / "checkpoints" / "env_steps_000000024")
    for agent_id, weights in algorithm.module_state().items():
        net = rllib_lase.load_policy(tmp_path, agent_id)._actor._nets[0]
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), weights[f"policy.{name}"])
    algorithm.stop()
