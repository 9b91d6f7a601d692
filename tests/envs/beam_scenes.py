"""Games with beams put into a situation that a test describes in words."""

import numpy as np

import mixed_motive

UP, RIGHT, DOWN, LEFT = range(4)
FORWARD, BACKWARD, STEP_LEFT, STEP_RIGHT, STAY, TURN_LEFT, TURN_RIGHT, CLEAN, FIRE = range(9)
WASTE, APPLE = 1, 2

# Nothing appears by itself.
STILL = {"waste_spawn_probability": 0.0, "apple_respawn_probability": 0.0}


def beam_scene(positions, facing, objects=(), num_envs=1, frozen=0, step=0, **params):
    """A game of Cleanup with beams, the same in every copy.

    The map is 9x9 with walls around and with river and orchard at top and bottom, ten cells each.

    Args:
        positions: Cell (row, column) of each agent.
        facing: Of each agent.
        objects: (row, column, code) of each object.
        num_envs: Copies.
        frozen: Steps in which the agents cannot act.
        step: Steps of the episode that have passed.
        params: Parameters to change.
    """
    size = {
        "height": 9,
        "width": 9,
        "river_cells": 10,
        "orchard_cells": 10,
        "sideways": False,
        "view_radius": 3,
    }
    waste = {"initial_waste": 0, "max_waste": 10}
    given = {**size, **waste, **STILL, **params}
    game = mixed_motive.make("cleanup", num_envs, "ssdg", num_agents=len(positions), **given)
    return put(game, positions, facing, objects, frozen, step)


def put(game, positions, facing, objects=(), frozen=0, step=0):
    """The game with agents and objects on given cells, the same in every copy."""
    game.reset(seed=0)
    state = game.get_state()
    codes = state["map"]
    codes[codes <= len(game.ground_objects)] = 0
    for row, col, code in objects:
        codes[:, row, col] = code
    state["positions"][:] = positions
    state["facing"][:] = facing
    state["frozen"][:] = frozen
    state["step"][:] = step
    game.set_state(state)
    return game


def beam_cells(game, bit):
    """Cells of copy 0 that beams of a kind reached in the last step: 1 cleaning, 2 fining."""
    return sorted(map(tuple, np.argwhere(game.get_state()["beams"][0] & bit).tolist()))
