"""Compiled Coingame. The rules stand in `games/coingame.py`, in plain Python in `oracles/coingame.py`."""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import BEGIN
from mixed_motive.encodings import PLANES
from mixed_motive.games.coingame import DRAW_CELL, DRAW_COLOUR, DRAW_TIE, NUM_ACTIONS
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.shared import (
    STEP,
    end_for_all,
    goes_on,
    next_step_key,
    place_agents,
    refusal,
    start_key,
    write_obs,
)

__all__ = ["observe", "step"]


@inner
def _random_cell(
    b: int, bits: np.uint64, positions: npt.NDArray[np.int32], height: int, width: int, avoids_agents: bool
) -> int:
    """Number (row by row) of a random cell, of one without an agent if there is one and that is asked for."""
    num_agents, free = positions.shape[1], height * width
    if not avoids_agents:
        return rng.below(bits, free)
    for i in range(num_agents):
        free -= _is_first_on_cell(b, i, positions)
    if free == 0:
        return rng.below(bits, height * width)
    k = rng.below(bits, free)
    cell, moved = k, True
    while moved:  # the k-th cell that no agent has
        taken = 0
        for i in range(num_agents):
            if positions[b, i, 0] * width + positions[b, i, 1] <= cell:
                taken += _is_first_on_cell(b, i, positions)
        moved = cell != k + taken
        cell = k + taken
    return cell


@inner
def _is_first_on_cell(b: int, i: int, positions: npt.NDArray[np.int32]) -> int:
    """1 if no agent before agent i is on its cell, else 0."""
    for j in range(i):
        if positions[b, j, 0] == positions[b, i, 0] and positions[b, j, 1] == positions[b, i, 1]:
            return 0
    return 1


@inner
def _first(place: int, period: int) -> int:
    """The first row or column, from 0 on, at which a torus shows what it shows at `place`."""
    while place < 0:
        place += period
    while place >= period:
        place -= period
    return place


@inner
def _set_cell(
    b: int, cells: npt.NDArray[np.uint8], cell: int, code: int, pad_rows: int, pad_cols: int, torus: bool
) -> None:
    """Put a code on a cell, by number; on a torus also wherever the border shows this cell."""
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    row, col = cell // width, cell % width
    if not torus:
        cells[b, np.uint64(row + pad_rows), np.uint64(col + pad_cols)] = code
        return
    first_col = _first(col + pad_cols, width)
    r = _first(row + pad_rows, height)
    while r < cells.shape[1]:
        c = first_col
        while c < cells.shape[2]:
            cells[b, np.uint64(r), np.uint64(c)] = code
            c += width
        r += height


@inner
def _start(
    b: int,
    registers: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    torus: bool,
    coin_avoids_agents: bool,
) -> None:
    key = start_key(b, registers)
    num_agents = positions.shape[1]
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    # On a torus the border shows the map again.
    top, left = (0, 0) if torus else (pad_rows, pad_cols)
    cells[b, top : cells.shape[1] - top, left : cells.shape[2] - left] = 0
    place_agents(b, positions, 0, height, width, key)
    owner = rng.below(rng.draw(key, num_agents + DRAW_COLOUR), num_agents)
    bits = rng.draw(key, num_agents + DRAW_CELL)
    cell = _random_cell(b, bits, positions, height, width, coin_avoids_agents)
    _set_cell(b, cells, cell, owner + 1, pad_rows, pad_cols, torus)


@compiled
def observe(
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    encoding: int,
    pad_rows: int,
    pad_cols: int,
    torus: bool,
) -> None:
    """Write the observations of all copies."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    flat_obs = obs.reshape((num_envs * num_agents, obs.size // (num_envs * num_agents)))
    for b in range(num_envs):
        _write(b, encoding, cells, positions, flat_obs, pad_rows, pad_cols, torus)


@inner
def _write(
    b: int,
    encoding: int,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    pad_rows: int,
    pad_cols: int,
    torus: bool,
) -> None:
    """Observations of copy b; on a torus with the agents that are seen across the map's edge."""
    num_agents = positions.shape[1]
    write_obs(b, encoding, num_agents, cells, positions, obs, pad_rows, pad_cols)
    if not torus:
        return
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    rows, cols = 2 * pad_rows + 1, 2 * pad_cols + 1
    for i in range(num_agents):
        out = obs[b * num_agents + i]
        for j in range(num_agents):  # all again, in order, so that higher classes cover lower ones
            if encoding == PLANES:
                offset, code = j * rows * cols, 1
            elif j != i:
                offset, code = 0, num_agents + 2 + j
            else:
                continue
            across = _first(positions[b, j, 1] - positions[b, i, 1] + pad_cols, width)
            r = _first(positions[b, j, 0] - positions[b, i, 0] + pad_rows, height)
            while r < rows:
                c = across
                while c < cols:
                    out[np.uint64(offset + r * cols + c)] = code
                    c += width
                r += height


@inner
def _move(
    b: int,
    actions: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int32],
    height: int,
    width: int,
    torus: bool,
) -> None:
    """Moves of copy b."""
    for i in range(positions.shape[1]):
        action = actions[b, i]
        row = np.int64(positions[b, i, 0]) + (action == DOWN) - (action == UP)
        col = np.int64(positions[b, i, 1]) + (action == RIGHT) - (action == LEFT)
        # One step beyond the edge at most: -1 or the map's size.
        if torus:
            row += height * (row < 0) - height * (row == height)
            col += width * (col < 0) - width * (col == width)
        else:
            row += np.int64(row < 0) - np.int64(row == height)
            col += np.int64(col < 0) - np.int64(col == width)
        positions[b, i, 0] = row
        positions[b, i, 1] = col


@inner
def _pick(
    b: int,
    key: np.uint64,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    rewards: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    pad_rows: int,
    pad_cols: int,
    coin_reward: float,
    owner_penalty: float,
    torus: bool,
    coin_avoids_agents: bool,
    alternate_colours: bool,
) -> None:
    """Who of copy b gets the coin, and the next coin."""
    num_agents = positions.shape[1]
    pickers, first, owner = 0, 0, np.int64(0)
    for i in range(num_agents):
        rewards[b, i] = 0.0
        counts[b, i, 0] = 0
        counts[b, i, 1] = 0
        code = cells[b, np.uint64(positions[b, i, 0] + pad_rows), np.uint64(positions[b, i, 1] + pad_cols)]
        if code != 0:
            if pickers == 0:
                first, owner = i, np.int64(code) - 1
            pickers += 1
    if pickers == 0:
        return
    row, col, winner = positions[b, first, 0], positions[b, first, 1], first
    if pickers > 1:
        skip = rng.below(rng.draw(key, DRAW_TIE), pickers)
        while skip > 0:
            winner += 1
            skip -= positions[b, winner, 0] == row and positions[b, winner, 1] == col
    rewards[b, winner] = coin_reward
    if winner == owner:
        counts[b, winner, 0] = 1
    else:
        counts[b, winner, 1] = 1
        rewards[b, owner] = -owner_penalty

    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    _set_cell(b, cells, row * width + col, 0, pad_rows, pad_cols, torus)
    if alternate_colours:
        following = int((owner + 1) % num_agents)
    else:
        following = rng.below(rng.draw(key, DRAW_COLOUR), num_agents)
    cell = _random_cell(b, rng.draw(key, DRAW_CELL), positions, height, width, coin_avoids_agents)
    _set_cell(b, cells, cell, following + 1, pad_rows, pad_cols, torus)


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
    coin_reward: float,
    owner_penalty: float,
    torus: bool,
    coin_avoids_agents: bool,
    alternate_colours: bool,
) -> int:
    """Do the task in every copy and return -1; or change nothing and return the reason, see `refusal`."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    height, width = cells.shape[1] - 2 * pad_rows, cells.shape[2] - 2 * pad_cols
    obs_shape = (num_envs * num_agents, obs.size // (num_envs * num_agents))
    flat_obs, flat_final_obs = obs.reshape(obs_shape), final_obs.reshape(obs_shape)
    if task == BEGIN:
        for b in range(num_envs):
            _start(b, registers, cells, positions, pad_rows, pad_cols, torus, coin_avoids_agents)
            _write(b, encoding, cells, positions, flat_obs, pad_rows, pad_cols, torus)
        return -1
    refused = refusal(actions, NUM_ACTIONS, registers)
    if refused != -1:
        return refused
    for b in range(num_envs):
        key = next_step_key(b, registers)
        _move(b, actions, positions, height, width, torus)
        _pick(
            b,
            key,
            cells,
            positions,
            rewards,
            counts,
            pad_rows,
            pad_cols,
            coin_reward,
            owner_penalty,
            torus,
            coin_avoids_agents,
            alternate_colours,
        )
        ended = np.int64(registers[b, STEP]) >= horizon
        end_for_all(b, ended, registers, terminations, truncations, done, active)
        if ended:
            _write(b, encoding, cells, positions, flat_final_obs, pad_rows, pad_cols, torus)
            if goes_on(b, task, registers):
                _start(b, registers, cells, positions, pad_rows, pad_cols, torus, coin_avoids_agents)
        _write(b, encoding, cells, positions, flat_obs, pad_rows, pad_cols, torus)
    return -1
