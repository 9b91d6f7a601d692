"""Games put into a situation that a test describes in words."""

import numpy as np

import mixed_motive
from benchmarks.games import first_presets

UP, DOWN, LEFT, RIGHT, STAY = range(5)

#: One preset for each rule set of every game.
RULE_SETS = [(game_id, preset) for game_id in mixed_motive.GAMES for preset in first_presets(game_id)]

#: Parameters of Sequential Stag Hunt with which agents leave all the time under random actions.
CROWDED_HUNT = {"height": 2, "width": 3, "view_radius": 1, "num_stags": 2, "num_hares": 4}


def assert_unchanged(game, before, env_indices=None):
    """Some copies of a game, by default all, are in the same state as before."""
    now = game.get_state(env_indices)
    assert now.keys() == before.keys()
    for name, array in now.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def scene(game_id, positions, objects=(), num_envs=1, seed=0, step=0, **params):
    """A game with agents and objects on given cells, the same in every copy.

    Args:
        game_id: The game.
        positions: Cell (row, column) of each agent.
        objects: (row, column, code) of each object.
        num_envs: Copies.
        seed: Seed of the draws that follow.
        step: Steps of the episode that have passed.
        params: Parameters to change in the preset "lase".
    """
    game = mixed_motive.make(game_id, num_envs, "lase", num_agents=len(positions), **params)
    game.reset(seed=seed)
    state = game.get_state()
    state["map"][:] = 0
    for row, col, code in objects:
        state["map"][:, row, col] = code
    state["positions"][:] = positions
    state["step"][:] = step
    game.set_state(state)
    return game


def act(game, *actions):
    """One step in which every copy's agents take these actions."""
    return game.step(np.tile(np.array(actions), (game.num_envs, 1)))


def cells_of(game):
    """Cells of the agents of copy 0."""
    return [tuple(cell) for cell in game.get_state()["positions"][0].tolist()]


def random_actions(game, num_steps, seed=0):
    """(num_steps, B, N) uniformly random actions."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, len(game.action_names), (num_steps, game.num_envs, game.num_agents))
