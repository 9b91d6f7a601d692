"""Compiled Snowdrift. The rules stand in `games/snowdrift.py`, in plain Python in `oracles/snowdrift.py`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.games.snowdrift import NUM_ACTIONS, NUM_OBJECTS, PILE, REMOVE
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import (
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

__all__ = ["observe", "step"]


@inner
def _start(
    b: int,
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    num_piles: int,
) -> None:
    key = start_key(b, registers)
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    num_agents = positions.shape[1]
    cells[b, pad_rows : pad_rows + height, pad_cols : pad_cols + width] = 0
    for k in range(num_piles):
        n = rng.below(rng.draw(key, num_agents + k), height * width - k)
        fill_on_nth_empty(b, cells, 0, height, width, pad_rows, pad_cols, n, PILE)
    place_agents(b, positions, 0, height, width, key)


@inner
def _remove(
    b: int,
    actions: npt.NDArray[np.int64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    rewards: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    benefit: float,
    cost: float,
) -> None:
    """Removals of copy b, and all rewards of the step."""
    num_agents = positions.shape[1]
    removed = 0
    for i in range(num_agents):
        counts[b, i, 0] = 0
    for i in range(num_agents):
        row, col = positions[b, i, 0], positions[b, i, 1]
        r, c = np.uint64(row + pad_rows), np.uint64(col + pad_cols)
        if actions[b, i] != REMOVE or cells[b, r, c] != PILE:
            continue
        removers = 0
        for j in range(i, num_agents):
            if actions[b, j] == REMOVE and positions[b, j, 0] == row and positions[b, j, 1] == col:
                removers += 1
        for j in range(i, num_agents):
            if actions[b, j] == REMOVE and positions[b, j, 0] == row and positions[b, j, 1] == col:
                counts[b, j, 0] = removers
        cells[b, r, c] = 0
        removed += 1
    gain = removed * benefit
    for i in range(num_agents):
        if counts[b, i, 0] > 0:  # so far the number of removers of the agent's pile
            rewards[b, i] = gain - cost / counts[b, i, 0]
            counts[b, i, 0] = 1
        else:
            rewards[b, i] = gain


@inner
def _move(
    b: int,
    key: np.uint64,
    actions: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    targets: npt.NDArray[np.int32],
    bottom: int,
    right: int,
    agents_block: bool,
) -> None:
    """Moves of copy b. `targets` (N, 2) is scratch: where each agent will be."""
    num_agents = positions.shape[1]
    for i in range(num_agents):
        action, row, col = actions[b, i], positions[b, i, 0], positions[b, i, 1]
        row += np.int32((action == DOWN) & (row < bottom)) - np.int32((action == UP) & (row > 0))
        col += np.int32((action == RIGHT) & (col < right)) - np.int32((action == LEFT) & (col > 0))
        if agents_block:
            occupied = False
            for j in range(num_agents):
                occupied |= (positions[b, j, 0] == row) & (positions[b, j, 1] == col)
            if occupied:
                row, col = positions[b, i, 0], positions[b, i, 1]
        targets[i, 0] = row
        targets[i, 1] = col
    if agents_block:
        # Nobody moves to a cell where another agent stays, so equal targets are moves into one free cell.
        for i in range(num_agents):
            row, col = targets[i, 0], targets[i, 1]
            rivals = 0
            for j in range(i + 1, num_agents):
                if (targets[j, 0] == row) & (targets[j, 1] == col):
                    rivals += 1
            if rivals > 0:
                winner = rng.below(rng.draw(key, i), rivals + 1)
                for j in range(i, num_agents):
                    if targets[j, 0] == row and targets[j, 1] == col:
                        if winner != 0:
                            targets[j, 0] = positions[b, j, 0]
                            targets[j, 1] = positions[b, j, 1]
                        winner -= 1
    for i in range(num_agents):
        positions[b, i, 0] = targets[i, 0]
        positions[b, i, 1] = targets[i, 1]


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
    num_piles: int,
    removal_benefit: float,
    removal_cost: float,
    agents_block: bool,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    bottom, right = cells.shape[1] - 2 * pad_rows - 1, cells.shape[2] - 2 * pad_cols - 1
    obs_shape = (num_envs * num_agents, obs.size // (num_envs * num_agents))
    flat_obs, flat_final_obs = obs.reshape(obs_shape), final_obs.reshape(obs_shape)
    targets = np.empty((num_agents, 2), np.int32)
    if task == BEGIN:
        for b in range(num_envs):
            _start(b, registers, cells, positions, pad_rows, pad_cols, num_piles)
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
        return -1
    refused = refusal(actions, NUM_ACTIONS, registers)
    if refused != -1:
        return refused
    for b in range(num_envs):
        key = next_step_key(b, registers)
        _remove(
            b,
            actions,
            cells,
            positions,
            rewards,
            counts,
            pad_rows,
            pad_cols,
            removal_benefit,
            removal_cost,
        )
        _move(b, key, actions, positions, targets, bottom, right, agents_block)

        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_final_obs, pad_rows, pad_cols)
            if goes_on(b, task, registers):
                _start(b, registers, cells, positions, pad_rows, pad_cols, num_piles)
        write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
    return -1
