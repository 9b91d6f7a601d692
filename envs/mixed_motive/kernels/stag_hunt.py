"""Compiled Stag Hunt. The rules stand in `games/stag_hunt.py`, in plain Python in `oracles/stag_hunt.py`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, STAY, UP
from mixed_motive.games.stag_hunt import (
    COUNT_HARES,
    COUNT_STAGS,
    HARE,
    HUNT_HARE,
    HUNT_STAG,
    NUM_OBJECTS,
    STAG,
)
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import (
    ENDED,
    GONE,
    STEP,
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
    num_stags: int,
    num_hares: int,
) -> None:
    key = start_key(b, registers)
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    num_agents = positions.shape[1]
    cells[b, pad_rows : pad_rows + height, pad_cols : pad_cols + width] = 0
    for k in range(num_stags + num_hares):
        n = rng.below(rng.draw(key, num_agents + k), height * width - k)
        code = STAG if k < num_stags else HARE
        fill_on_nth_empty(b, cells, 0, height, width, pad_rows, pad_cols, n, code)
    place_agents(b, positions, 0, height, width, key)


@inner
def _hunt(
    b: int,
    actions: npt.NDArray[np.int64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    rewards: npt.NDArray[np.float32],
    terminations: npt.NDArray[np.bool_],
    active: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    stag_reward: float,
    hare_reward: float,
    hunters_needed: int,
    hunt_stag: int,
) -> None:
    """Hunts of copy b: who catches something gets its share and leaves."""
    num_agents = positions.shape[1]
    for i in range(num_agents):
        active[b, i] = positions[b, i, 0] >= 0
        terminations[b, i] = False
        rewards[b, i] = 0.0
        counts[b, i, COUNT_HARES] = 0
        counts[b, i, COUNT_STAGS] = 0
    for i in range(num_agents):
        action, row, col = actions[b, i], positions[b, i, 0], positions[b, i, 1]
        if (action != HUNT_HARE and action != hunt_stag) or row < 0:
            continue
        r, c = np.uint64(row + pad_rows), np.uint64(col + pad_cols)
        if cells[b, r, c] != (HARE if action == HUNT_HARE else STAG):
            continue
        hunters = 0  # counted from agent i on: had they sufficed from a lower one on, the prey would be gone
        for j in range(i, num_agents):
            if actions[b, j] == action and positions[b, j, 0] == row and positions[b, j, 1] == col:
                hunters += 1
        if action == HUNT_HARE:
            share, count = hare_reward / hunters, COUNT_HARES
        elif hunters >= hunters_needed:
            share, count = stag_reward / hunters, COUNT_STAGS
        else:
            continue
        cells[b, r, c] = 0
        for j in range(i, num_agents):
            if actions[b, j] == action and positions[b, j, 0] == row and positions[b, j, 1] == col:
                rewards[b, j] = share
                counts[b, j, count] = 1
                terminations[b, j] = True
                positions[b, j, 0] = GONE
                positions[b, j, 1] = GONE


@inner
def _move(
    b: int, actions: npt.NDArray[np.int64], positions: npt.NDArray[np.int32], bottom: int, right: int
) -> bool:
    """Moves of copy b; whether anybody is left."""
    anybody = False
    for i in range(positions.shape[1]):
        action, row, col = actions[b, i], positions[b, i, 0], positions[b, i, 1]
        if row < 0:
            continue
        anybody = True
        positions[b, i, 0] = (
            row + np.int32((action == DOWN) & (row < bottom)) - np.int32((action == UP) & (row > 0))
        )
        positions[b, i, 1] = (
            col + np.int32((action == RIGHT) & (col < right)) - np.int32((action == LEFT) & (col > 0))
        )
    return anybody


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
    num_stags: int,
    num_hares: int,
    stag_reward: float,
    hare_reward: float,
    hunters_needed: int,
    stag_action: bool,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    bottom, right = cells.shape[1] - 2 * pad_rows - 1, cells.shape[2] - 2 * pad_cols - 1
    hunt_stag = HUNT_STAG if stag_action else STAY
    obs_shape = (num_envs * num_agents, obs.size // (num_envs * num_agents))
    flat_obs, flat_final_obs = obs.reshape(obs_shape), final_obs.reshape(obs_shape)
    if task == BEGIN:
        for b in range(num_envs):
            _start(b, registers, cells, positions, pad_rows, pad_cols, num_stags, num_hares)
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
        return -1
    refused = refusal(actions, HUNT_STAG + 1 if stag_action else HUNT_STAG, registers)
    if refused != -1:
        return refused
    for b in range(num_envs):
        next_step_key(b, registers)
        _hunt(
            b,
            actions,
            cells,
            positions,
            rewards,
            terminations,
            active,
            counts,
            pad_rows,
            pad_cols,
            stag_reward,
            hare_reward,
            hunters_needed,
            hunt_stag,
        )
        anybody = _move(b, actions, positions, bottom, right)
        at_horizon = np.int64(registers[b, STEP]) >= horizon
        ended = at_horizon or not anybody
        registers[b, ENDED] = ended
        done[b] = ended
        for i in range(num_agents):
            truncations[b, i] = at_horizon and positions[b, i, 0] >= 0
        if ended:
            write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_final_obs, pad_rows, pad_cols)
            if goes_on(b, task, registers):
                _start(b, registers, cells, positions, pad_rows, pad_cols, num_stags, num_hares)
        write_obs(b, encoding, NUM_OBJECTS, cells, positions, flat_obs, pad_rows, pad_cols)
    return -1
