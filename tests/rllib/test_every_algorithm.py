"""Every algorithm on every game that it supports: trains, saves, restores and evaluates.

`make test` takes LASE on every game and every preset with some algorithm; the rest is among the long tests.
"""

import itertools

import numpy as np
import pytest

import mixed_motive
from rllib_lase.registry import ALGORITHMS
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.evaluate import evaluate
from rllib_lase.settings import setting_names

pytestmark = [
    pytest.mark.usefixtures("local_ray"),
    pytest.mark.filterwarnings("ignore:PYTHONHASHSEED is not fixed"),
]

PRESETS = [(game, preset) for game, spec in mixed_motive.GAMES.items() for preset in spec.presets]
SMALL = {"hidden_size": 16, "rounds_per_iteration": 2, "sr_batch_size": 16, "conversion_batch_size": 16}


def supported(algo, game, preset):
    return ALGORITHMS[algo].unsupported(game, {"preset": preset}) is None


def quick_cases():
    """LASE on each game's first preset, and each preset with one algorithm, all algorithms in turn."""
    chosen = {("lase", game, spec.default_preset) for game, spec in mixed_motive.GAMES.items()}
    turn = itertools.cycle(ALGORITHMS)
    for game, preset in PRESETS:
        algo = next(algo for algo in turn if supported(algo, game, preset))
        chosen.add((algo, game, preset))
    return chosen


QUICK = quick_cases()
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.learning])
    for case in ((algo, game, preset) for algo in ALGORITHMS for game, preset in PRESETS)
    if supported(*case)
]


def build(algo, game, preset):
    # A short horizon, so that episodes end within a few rounds.
    config = ALGORITHMS[algo].config_class()()
    config.environment(game, env_config={"preset": preset, "horizon": 12})
    known = set(setting_names(config.spec.settings_class)) - config.spec.settings_class.unused
    config.training(**{name: value for name, value in SMALL.items() if name in known})
    config.env_runners(num_env_runners=0, num_envs_per_env_runner=2, rollout_fragment_length=12)
    return config.debugging(seed=0, log_level="ERROR").build_algo()


def test_the_quick_cases_miss_no_algorithm_and_no_preset():
    assert {algo for algo, _, _ in QUICK} == set(ALGORITHMS)
    assert {(game, preset) for _, game, preset in QUICK} == set(PRESETS)


@pytest.mark.parametrize(("algo", "game", "preset"), CASES)
def test_an_algorithm_trains_saves_restores_and_evaluates_on_a_game(algo, game, preset, tmp_path):
    algorithm = build(algo, game, preset)
    for _ in range(2):
        result = algorithm.train()
    assert np.isfinite(result["social"]["collective_reward"])
    for agent_id, metrics in result["learners"].items():
        losses = {name: value for name, value in metrics.items() if name.endswith("loss")}
        assert losses, agent_id
        assert np.isfinite(list(losses.values())).all(), (agent_id, losses)

    evaluation = evaluate(algorithm, 4, seed=1)
    assert np.isfinite(evaluation.returns_after_gifting).all()
    if algorithm.moves_rewards:
        np.testing.assert_allclose(
            evaluation.returns_after_gifting.sum(1), evaluation.episodes.returns.sum(1), rtol=1e-4, atol=1e-3
        )
    algorithm.save_to_path(tmp_path / "checkpoint")
    restored = SocialAlgorithm.from_checkpoint(tmp_path / "checkpoint")
    again = evaluate(restored, 4, seed=1)
    assert np.array_equal(again.episodes.returns, evaluation.episodes.returns)
    assert np.array_equal(again.returns_after_gifting, evaluation.returns_after_gifting)
    algorithm.train()
    restored.train()
    for agent_id, weights in algorithm.module_state().items():
        for name, value in weights.items():
            assert np.array_equal(value, restored.module_state()[agent_id][name]), (agent_id, name)
    algorithm.stop()
    restored.stop()
