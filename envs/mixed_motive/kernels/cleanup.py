"""Compiled Cleanup. The rules stand in `games/cleanup.py`, in plain Python in `oracles/cleanup.py`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.cleanup import (
    APPLE,
    CLEAN,
    DRAW_APPLE,
    DRAW_TIE,
    DRAW_WASTE,
    NUM_ACTIONS,
    NUM_OBJECTS,
    PICK,
    WASTE,
)
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import (
    NUM_REGISTERS,
    STEP,
    end_for_all,
    fill_on_nth_empty,
    goes_on,
    next_step_key,
    observe,
    place_agents,
    refusal,
    start_key,
    write_obs,
)

__all__ = ["APPLES_LEFT", "WASTE_LEFT", "observe", "step"]

# Columns of `registers` beyond the common ones, derived from the map.
WASTE_LEFT, APPLES_LEFT = NUM_REGISTERS, NUM_REGISTERS + 1

_ONE = np.uint64(1)


@inner
def _start(
    b: int,
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    river_rows: int,
    orchard_rows: int,
    initial_waste: int,
) -> None:
    key = start_key(b, registers)
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    num_agents = positions.shape[1]
    cells[b, pad_rows : pad_rows + height, pad_cols : pad_cols + width] = 0
    for k in range(initial_waste):
        n = rng.below(rng.draw(key, num_agents + k), river_rows * width - k)
        fill_on_nth_empty(b, cells, 0, river_rows, width, pad_rows, pad_cols, n, WASTE)
    registers[b, WASTE_LEFT] = initial_waste
    registers[b, APPLES_LEFT] = 0
    place_agents(b, positions, river_rows, height - river_rows - orchard_rows, width, key)


@inner
def _act(
    b: int,
    key: np.uint64,
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    rewards: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
) -> None:
    """Moves, cleaning and picking of all agents of copy b."""
    num_agents = positions.shape[1]
    bottom, right = cells.shape[1] - 2 * pad_rows - 1, cells.shape[2] - 2 * pad_cols - 1
    for i in range(num_agents):
        rewards[b, i] = 0.0
        counts[b, i, 0] = 0
        counts[b, i, 1] = 0
    for i in range(num_agents):
        action, row, col = actions[b, i], positions[b, i, 0], positions[b, i, 1]
        if action == UP:
            positions[b, i, 0] = max(row - 1, 0)
        elif action == DOWN:
            positions[b, i, 0] = min(row + 1, bottom)
        elif action == LEFT:
            positions[b, i, 1] = max(col - 1, 0)
        elif action == RIGHT:
            positions[b, i, 1] = min(col + 1, right)
        elif action in (CLEAN, PICK):
            wanted = WASTE if action == CLEAN else APPLE
            r, c = np.uint64(row + pad_rows), np.uint64(col + pad_cols)
            if cells[b, r, c] != wanted:
                continue
            rivals = 0  # those with a higher index; a lower one would have taken it already
            for j in range(i + 1, num_agents):
                if actions[b, j] == action and positions[b, j, 0] == row and positions[b, j, 1] == col:
                    rivals += 1
            winner = i
            if rivals > 0:
                skip = rng.below(rng.draw(key, DRAW_TIE + i), rivals + 1)
                while skip > 0:
                    winner += 1
                    if (
                        actions[b, winner] == action
                        and positions[b, winner, 0] == row
                        and positions[b, winner, 1] == col
                    ):
                        skip -= 1
            cells[b, r, c] = 0
            if action == CLEAN:
                registers[b, WASTE_LEFT] -= _ONE
                counts[b, winner, 1] = 1
            else:
                registers[b, APPLES_LEFT] -= _ONE
                counts[b, winner, 0] = 1
                rewards[b, winner] = 1.0


@compiled
def step(
    actions: npt.NDArray[np.int64],
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    rewards: npt.NDArray[np.float32],
    terminations: npt.NDArray[np.bool_],
    truncations: npt.NDArray[np.bool_],
    final_obs: npt.NDArray[np.uint8],
    done: npt.NDArray[np.bool_],
    active: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int32],
    task: int,
    encoding: int,
    pad_rows: int,
    pad_cols: int,
    horizon: int,
    river_rows: int,
    orchard_rows: int,
    initial_waste: int,
    max_waste: int,
    waste_spawn_probability: float,
    apple_probabilities: npt.NDArray[np.float64],
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    width = cells.shape[2] - 2 * pad_cols
    first_orchard_row = cells.shape[1] - 2 * pad_rows - orchard_rows
    obs_shape = (num_envs * num_agents, obs.size // (num_envs * num_agents))
    flat_obs, flat_final_obs = obs.reshape(obs_shape), final_obs.reshape(obs_shape)
    if task == BEGIN:
        for b in range(num_envs):
            _start(
                b, registers, cells, positions, pad_rows, pad_cols, river_rows, orchard_rows, initial_waste
            )
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
        return -1
    refused = refusal(actions, NUM_ACTIONS, registers)
    if refused != -1:
        return refused
    for b in range(num_envs):
        key = next_step_key(b, registers)
        _act(b, key, actions, registers, cells, positions, rewards, counts, pad_rows, pad_cols)

        waste, apples = np.int64(registers[b, WASTE_LEFT]), np.int64(registers[b, APPLES_LEFT])
        apple_probability = apple_probabilities[waste]
        if waste < max_waste and rng.uniform(rng.draw(key, DRAW_WASTE)) < waste_spawn_probability:
            n = rng.below(rng.draw(key, DRAW_WASTE + 1), river_rows * width - waste)
            fill_on_nth_empty(b, cells, 0, river_rows, width, pad_rows, pad_cols, n, WASTE)
            registers[b, WASTE_LEFT] += _ONE
        free = orchard_rows * width - apples
        if (
            free > 0
            and apple_probability > 0.0
            and rng.uniform(rng.draw(key, DRAW_APPLE)) < apple_probability
        ):
            n = rng.below(rng.draw(key, DRAW_APPLE + 1), free)
            fill_on_nth_empty(b, cells, first_orchard_row, orchard_rows, width, pad_rows, pad_cols, n, APPLE)
            registers[b, APPLES_LEFT] += _ONE

        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_final_obs, pad_rows, pad_cols)
            if goes_on(b, task, registers):
                _start(
                    b,
                    registers,
                    cells,
                    positions,
                    pad_rows,
                    pad_cols,
                    river_rows,
                    orchard_rows,
                    initial_waste,
                )
        write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
    return -1
