"""The compiled games against their plain-Python twins, to the bit."""

import numpy as np
import pytest

import mixed_motive
from mixed_motive.oracles import ORACLES

NUM_STEPS = 500
TINY_CLEANUP = {
    "height": 3,
    "width": 2,
    "river_rows": 1,
    "orchard_rows": 1,
    "max_waste": 1,
    "initial_waste": 0,
}
CASES = [
    *[(game_id, preset, {}) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets],
    # Crowds, so that ties and blocked moves are the rule.
    ("cleanup", "lase", {**TINY_CLEANUP, "num_agents": 12, "view_radius": 0, "horizon": 37}),
    ("cleanup", "lase", {"view_radius": None, "waste_spawn_probability": 1, "threshold_restoration": 0.25}),
    ("snowdrift", "lase", {"num_agents": 11, "height": 3, "width": 4, "num_piles": 12, "horizon": 9}),
    ("snowdrift", "lase", {"agents_block": False, "num_agents": 9, "height": 2, "width": 3, "horizon": 7}),
    ("snowdrift", "lase", {"height": 3, "width": 5, "view_radius": None, "horizon": 20}),
    ("matrix", "ipd", {"R": -1, "S": -3, "T": 0, "P": -2, "horizon": 5}),
]


@pytest.mark.parametrize("num_envs", [1, 7, 64])
@pytest.mark.parametrize(("game_id", "preset", "params"), CASES)
def test_kernel_equals_oracle_to_the_bit(game_id, preset, params, num_envs):
    game = mixed_motive.make(game_id, num_envs, preset, first_env_index=5, **params)
    # Oracles are slow; the first and the last copy stand for the batch.
    watched = sorted({0, num_envs - 1})
    oracles = {b: ORACLES[game_id](game.params, 11, 5 + b) for b in watched}
    obs = game.reset(seed=11)
    for b, oracle in oracles.items():
        np.testing.assert_array_equal(obs[b], oracle.reset())

    rng = np.random.default_rng(num_envs)
    seen_end = False
    for t in range(NUM_STEPS):
        actions = rng.integers(0, len(game.action_names), (num_envs, game.num_agents))
        step = game.step(actions)
        for b, oracle in oracles.items():
            expected = oracle.step(actions[b].tolist())
            where = f"step {t}, copy {b}"
            assert np.array_equal(step.obs[b], expected.obs), where
            assert np.array_equal(step.rewards[b], np.array(expected.rewards, np.float32)), where
            assert np.array_equal(step.counts[b], expected.counts), where
            assert step.done[b] == expected.done, where
            assert (step.truncations[b] == expected.done).all(), where
            assert not step.terminations[b].any(), where
            assert step.active[b].all(), where
            if expected.final_obs is not None:
                seen_end = True
                assert np.array_equal(step.final_obs[b], expected.final_obs), where
    assert seen_end
