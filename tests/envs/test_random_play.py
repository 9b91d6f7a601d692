"""Random play earns as much with the compiled games as with their plain-Python twins, on other seeds."""

import numpy as np
import pytest

import mixed_motive
from mixed_motive.oracles import ORACLES
from mixed_motive.params import GridParams

CASES = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]
NUM_COMPILED, NUM_PLAIN = 1000, 40
HORIZON = 60


@pytest.mark.parametrize(("game_id", "preset"), CASES)
def test_random_play_earns_the_same(game_id, preset):
    spec = mixed_motive.GAMES[game_id]
    params = {"horizon": min(HORIZON, spec.presets[preset].horizon)}
    if isinstance(spec.presets[preset], GridParams):
        params["view_radius"] = 0  # what agents see changes nothing, and the plain games draw it slowly
    game = mixed_motive.make(game_id, NUM_COMPILED, preset, auto_reset=True, **params)
    game.reset(seed=1)
    rng = np.random.default_rng(0)
    running, compiled = np.zeros(NUM_COMPILED), np.full(NUM_COMPILED, np.nan)
    while np.isnan(compiled).any():
        actions = rng.integers(0, len(game.action_names), (NUM_COMPILED, game.num_agents))
        step = game.step(actions)
        running += step.rewards.sum(1)
        first = step.done & np.isnan(compiled)
        compiled[first] = running[first]

    oracle = ORACLES[type(game.params)](game.params, 2, 0)
    oracle.reset()
    plain = []
    for _ in range(NUM_PLAIN):
        total, done = 0.0, False
        while not done:
            outcome = oracle.step(rng.integers(0, len(game.action_names), game.num_agents).tolist())
            total, done = total + sum(outcome.rewards), outcome.done
        plain.append(total)

    assert compiled.std() > 0 or game_id == "cleanup"  # a river that random play never cleans grows nothing
    # The many episodes tell the spread of both: in games with rare rewards the few may show none.
    error = compiled.std() * np.sqrt(1 / len(compiled) + 1 / len(plain))
    assert abs(compiled.mean() - np.mean(plain)) <= 3 * error + 1e-6
