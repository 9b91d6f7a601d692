"""Compiled engine of the games with beams: start, walk, beams, rewards, growth.

The rules stand in `games/beams.py`, in plain Python in `oracles/beams.py`. Cells are addressed by their flat
index in the stored map, border included; `stride` is a row of it. Scratch arrays serve one copy after the
other: `order` (N,) who acts when, `at` (N,) cell of each agent, `occupant` who stands on each cell of the
stored map (agent + 1, 0 for nobody).
"""

import numpy as np
import numpy.typing as npt

from mixed_motive.games.beams import (
    DRAW_CANDIDATE,
    DRAW_FACING,
    DRAW_GROWTH,
    DRAW_ORDER,
    DRAW_START,
    QUARTERS,
    ROW_SHIFT,
    TURN_LEFT,
    TURN_RIGHT,
)
from mixed_motive.games.moves import STAY
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import inner
from mixed_motive.kernels.words import prefetch

__all__ = ["act", "begin", "grow", "place", "settle", "shoot", "vacate"]

_QUARTERS = np.array([*QUARTERS, 0])
# Rows and columns of one step up, right, down, left.
_ROWS, _COLS = np.array([-1, 0, 1, 0]), np.array([0, 1, 0, -1])

_ZERO, _ONE, _58, _64 = np.uint64(0), np.uint64(1), np.uint64(58), np.uint64(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# Number of the one set bit: a de Bruijn sequence shifted by it has six different leading bits for each.
_DE_BRUIJN = 0x03F79D71B4CB0A89
_BIT = np.zeros(64, np.int64)
for _k in range(64):
    _BIT[((_DE_BRUIJN << _k) & 0xFFFFFFFFFFFFFFFF) >> 58] = _k
_SEQUENCE = np.uint64(_DE_BRUIJN)


@inner
def place(
    b: int,
    key: np.uint64,
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    stride: int,
    border_rows: int,
    border_cols: int,
    floor: npt.NDArray[np.int64],
    turning: bool,
    chosen: npt.NDArray[np.int64],
) -> None:
    """Start of an episode: agents on distinct random cells of the floor, facing anywhere if they turn."""
    # `chosen` is scratch: places in `floor`, in ascending order.
    for i in range(positions.shape[1]):
        k = rng.below(rng.draw(key, DRAW_START + i), floor.shape[0] - i)
        # The k-th place that no earlier agent has.
        m = 0
        while m < i and chosen[m] <= k:
            k += 1
            m += 1
        for later in range(i, m, -1):
            chosen[later] = chosen[later - 1]
        chosen[m] = k
        positions[b, i, 0] = floor[k] // stride - border_rows
        positions[b, i, 1] = floor[k] % stride - border_cols
        facing[b, i] = rng.below(rng.draw(key, DRAW_FACING + i), 4) if turning else 0
        frozen[b, i] = 0
    beams[b, 0] = 0


@inner
def begin(
    b: int,
    key: np.uint64,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int32],
    stride: int,
    border_rows: int,
    border_cols: int,
    order: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    occupant: npt.NDArray[np.uint8],
) -> None:
    """Clear the last step's results of copy b, put its agents on the scratch map, and draw their order."""
    # Observations drive the maps of a large batch out of the cache: ask for the next copy's in time.
    for k in range(np.uint64(cells.shape[0]), np.uint64(2 * cells.shape[0]), _64):
        prefetch(cells, k)
    beams[b, 0] = 0
    num_agents = positions.shape[1]
    for i in range(num_agents):
        for k in range(counts.shape[2]):
            counts[b, i, k] = 0
        at[i] = (positions[b, i, 0] + border_rows) * stride + positions[b, i, 1] + border_cols
        occupant[np.uint64(at[i])] = i + 1
        order[i] = i
    for i in range(num_agents - 1, 0, -1):
        k = rng.below(rng.draw(key, DRAW_ORDER + i), i + 1)
        order[i], order[k] = order[k], order[i]


@inner
def vacate(at: npt.NDArray[np.int64], occupant: npt.NDArray[np.uint8]) -> None:
    """Take the agents off the scratch map."""
    for i in range(at.shape[0]):
        occupant[np.uint64(at[i])] = 0


@inner
def act(
    b: int,
    actions: npt.NDArray[np.int64],
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int32],
    stride: int,
    turning: bool,
    apple: int,
    outside: int,
    order: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    occupant: npt.NDArray[np.uint8],
) -> None:
    """Moves, turns and meals of copy b, whose cells (flat) are given."""
    for k in range(order.shape[0]):
        i = order[k]
        action = actions[b, i]
        if frozen[b, i] > 0:
            continue
        if action < STAY:
            direction = (facing[b, i] + _QUARTERS[action]) & 3
            target = at[i] + _ROWS[direction] * stride + _COLS[direction]
            to = np.uint64(target)
            if cells[to] == outside or occupant[to] != 0:
                continue
            occupant[np.uint64(at[i])] = 0
            occupant[to] = i + 1
            at[i] = target
            positions[b, i, 0] += _ROWS[direction]
            positions[b, i, 1] += _COLS[direction]
            if cells[to] == apple:
                cells[to] = 0
                counts[b, i, 0] = 1
        elif turning and action == TURN_LEFT:
            facing[b, i] = (facing[b, i] + 3) & 3
        elif turning and action == TURN_RIGHT:
            facing[b, i] = (facing[b, i] + 1) & 3


@inner
def _ray(
    b: int,
    cell: int,
    entry: int,
    cell_step: int,
    entry_step: int,
    length: int,
    stop: int,
    cells: npt.NDArray[np.uint8],
    beams: npt.NDArray[np.int32],
    occupant: npt.NDArray[np.uint8],
    outside: int,
) -> int:
    """Note a ray's cells in `beams`.

    Returns:
        The cell that ended the ray, because an agent or an object with code `stop` is there; else -1.
    """
    num_beams, end = beams[b, 0], -1
    for _ in range(length):
        here = np.uint64(cell)
        if cells[here] == outside:
            break
        num_beams += 1
        beams[b, np.uint64(num_beams)] = entry
        if cells[here] == stop or occupant[here] != 0:
            end = cell
            break
        cell += cell_step
        entry += entry_step
    beams[b, 0] = num_beams
    return end


@inner
def shoot(
    b: int,
    i: int,
    cleans: bool,
    length: int,
    cells: npt.NDArray[np.uint8],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int32],
    stride: int,
    waste: int,
    outside: int,
    at: npt.NDArray[np.int64],
    occupant: npt.NDArray[np.uint8],
) -> int:
    """Agent i's beam, which either cleans or fines.

    Counts cleaned waste in column 1; shots, hits on others and hits by others in the last three.

    Returns:
        The waste it took away.
    """
    ahead, right = facing[b, i], (facing[b, i] + 1) & 3
    step, entry_step = _ROWS[ahead] * stride + _COLS[ahead], (_ROWS[ahead] << ROW_SHIFT) + (_COLS[ahead] << 1)
    side, entry_side = _ROWS[right] * stride + _COLS[right], (_ROWS[right] << ROW_SHIFT) + (_COLS[right] << 1)
    own_entry = (at[i] // stride << ROW_SHIFT) + (at[i] % stride << 1) + np.int64(not cleans)
    shots, cleaned = counts.shape[2] - 3, 0
    for shift in range(-1, 2):
        first = np.int64(shift == 0)
        cell = at[i] + shift * side + first * step
        entry = own_entry + shift * entry_side + first * entry_step
        stop = waste if cleans else outside
        end = _ray(b, cell, entry, step, entry_step, length, stop, cells, beams, occupant, outside)
        if end < 0:
            continue
        if not cleans:
            hit = np.int64(occupant[np.uint64(end)]) - 1
            if frozen[b, hit] == 0:
                counts[b, i, shots + 1] += 1
                counts[b, hit, shots + 2] += 1
        elif cells[np.uint64(end)] == waste:
            cells[np.uint64(end)] = 0
            cleaned += 1
    if cleans:
        counts[b, i, 1] = cleaned
    else:
        counts[b, i, shots] = 1
    return cleaned


@inner
def settle(
    b: int,
    frozen: npt.NDArray[np.int32],
    rewards: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    fires: bool,
    fire_cost: float,
    hit_cost: float,
    hit_freeze: int,
) -> None:
    """Rewards of copy b from its counts, and who cannot act in the next step."""
    shots = counts.shape[2] - 3
    for i in range(frozen.shape[1]):
        reward = np.float64(counts[b, i, 0])
        if fires:
            reward = reward - fire_cost * counts[b, i, shots] - hit_cost * counts[b, i, shots + 2]
            if frozen[b, i] > 0:
                frozen[b, i] -= 1
            elif counts[b, i, shots + 2] > 0:
                frozen[b, i] = hit_freeze
        rewards[b, i] = reward


@inner
def grow(
    key: np.uint64,
    cells: npt.NDArray[np.uint8],
    orchard: npt.NDArray[np.int64],
    near: npt.NDArray[np.int64],
    chances: npt.NDArray[np.float64],
    bits: int,
    apple: int,
    occupant: npt.NDArray[np.uint8],
    grown: npt.NDArray[np.int64],
) -> None:
    """Let apples grow, all at once, on cells of the orchard with neither apple nor agent.

    Args:
        key: Key of the step's draws.
        cells: Flat map of one copy.
        orchard: Where apples grow.
        near: Offsets of the cells whose apples are counted.
        chances: By the number of apples near, the last for all larger numbers; at most 2**-bits each.
        bits: See `candidate_bits`.
        apple: Its code.
        occupant: Scratch map of agents.
        grown: Scratch, as long as `orchard`.
    """
    num_cells, most, num_grown = orchard.shape[0], chances.shape[0] - 1, 0
    scale = 1.0 / np.float64(1 << bits)
    for first in range(0, num_cells, 64):
        candidates = _ALL
        for k in range(bits):
            candidates &= rng.draw(key, DRAW_CANDIDATE + first + k)
        if num_cells - first < 64:
            candidates &= (_ONE << np.uint64(num_cells - first)) - _ONE
        while candidates != _ZERO:
            lowest = candidates & (~candidates + _ONE)
            candidates ^= lowest
            k = first + _BIT[(lowest * _SEQUENCE) >> _58]
            cell = orchard[k]
            if cells[np.uint64(cell)] != 0 or occupant[np.uint64(cell)] != 0:
                continue
            apples = 0
            for m in range(near.shape[0]):
                apples += cells[np.uint64(cell + near[m])] == apple
            if (
                rng.uniform(rng.draw(key, DRAW_GROWTH + k)) * scale
                < chances[apples if apples < most else most]
            ):
                grown[num_grown] = cell
                num_grown += 1
    for k in range(num_grown):
        cells[np.uint64(grown[k])] = apple
