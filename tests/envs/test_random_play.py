"""Random play earns and counts as much with compiled games as with their plain twins, on other seeds."""

import numpy as np
import pytest

import mixed_motive
from mixed_motive.games.beams import BeamParams
from mixed_motive.oracles import ORACLES
from mixed_motive.params import GridParams

CASES = [(game_id, preset) for game_id, spec in mixed_motive.GAMES.items() for preset in spec.presets]
NUM_COMPILED = 1000
HORIZON = 60
#: Without these, random play hardly ever eats, cleans or meets at a stag, and nothing could be compared.
CHANGES = {
    "cleanup": {"initial_waste": 0},
    "stag_hunt": {"height": 2, "width": 3, "num_stags": 3, "num_hares": 1},
}
#: Differences of this share of the mean are found: three standard errors are less.
RESOLUTION = 0.5


@pytest.mark.parametrize(("game_id", "preset"), CASES)
def test_random_play_earns_and_counts_the_same(game_id, preset):
    defaults = mixed_motive.GAMES[game_id].presets[preset]
    params = {"horizon": min(HORIZON, defaults.horizon), **CHANGES.get(game_id, {})}
    if preset == "meltingpot" and game_id == "cleanup":
        params["waste_delay"] = 0  # with it, nothing is to be cleaned in so few steps
    if isinstance(defaults, GridParams):
        params["view_radius"] = 0  # what agents see changes nothing, and the plain games draw it slowly
    game = mixed_motive.make(game_id, NUM_COMPILED, preset, **params)
    num_plain = 60 if isinstance(defaults, BeamParams) else 250  # as many as take a second or so

    compiled, plain = of_compiled(game), of_plain(game, num_plain)
    assert (compiled.std(axis=0) > 0).all()
    # The many episodes tell the spread of both: of rare events the few may show none.
    error = compiled.std(axis=0) * np.sqrt(1 / NUM_COMPILED + 1 / num_plain)
    for k, name in enumerate(["reward", *game.count_names]):
        mean = compiled[:, k].mean()
        assert abs(mean - plain[:, k].mean()) <= 3 * error[k] + 1e-6, name
        if name != "reward":  # gains and losses may cancel out
            assert 3 * error[k] < RESOLUTION * mean, name


def of_compiled(game):
    """(B, 1 + K) collective reward, then counts, of each copy's first episode."""
    game.reset(seed=1)
    rng = np.random.default_rng(0)
    sums = np.zeros((NUM_COMPILED, 1 + len(game.count_names)))
    running = np.ones(NUM_COMPILED, bool)
    while running.any():
        step = game.step(rng.integers(0, len(game.action_names), (NUM_COMPILED, game.num_agents)))
        sums[running, 0] += step.rewards[running].sum(axis=1)
        sums[running, 1:] += step.counts[running].sum(axis=1)
        running &= ~step.done
    return sums


def of_plain(game, num_episodes):
    """(num_episodes, 1 + K) the same of the plain game's episodes."""
    oracle = ORACLES[type(game.params)](game.params, 2, 0)
    oracle.reset()
    rng = np.random.default_rng(1)
    sums = np.zeros((num_episodes, 1 + len(game.count_names)))
    for episode in sums:
        done = False
        while not done:
            step = oracle.step(rng.integers(0, len(game.action_names), game.num_agents).tolist())
            episode[0] += sum(step.rewards)
            episode[1:] += np.sum(step.counts, axis=0)
            done = step.done
    return sums
