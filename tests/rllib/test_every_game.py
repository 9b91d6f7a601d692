"""LASE trains and evaluates on every game and every preset, also where agents leave early."""

import numpy as np
import pytest

import mixed_motive
from rllib_lase.rllib.algorithms import LASEConfig
from rllib_lase.rllib.evaluate import evaluate

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]

CASES = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]


@pytest.mark.parametrize(("game_id", "preset"), CASES)
def test_lase_trains_on_every_game(game_id, preset):
    # A short horizon, so that episodes end within a few rounds.
    config = LASEConfig().environment(game_id, env_config={"preset": preset, "horizon": 12})
    config.training(hidden_size=16, rounds_per_iteration=2, sr_batch_size=16, conversion_batch_size=16)
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=2, rollout_fragment_length=12)
    algorithm = config.debugging(seed=0, log_level="ERROR").build_algo()
    for _ in range(2):
        result = algorithm.train()
    assert np.isfinite(result["social"]["collective_reward"])
    for agent_id, metrics in result["learners"].items():
        losses = {name: value for name, value in metrics.items() if name.endswith("loss")}
        assert losses, agent_id
        assert np.isfinite(list(losses.values())).all(), (agent_id, losses)

    evaluation = evaluate(algorithm, 4, seed=1)
    np.testing.assert_allclose(
        evaluation.returns_after_gifting.sum(1), evaluation.episodes.returns.sum(1), rtol=1e-4, atol=1e-3
    )
    algorithm.stop()
