"""What kernels share: counters of a copy, start cells, random empty cells, observation windows.

Maps are stored with a border as wide as the view, filled with the code for "outside": a window never leaves
the array. `pad_rows` and `pad_cols` are the width of that border.
"""

import numpy as np
import numpy.typing as npt

from mixed_motive.counters import PLAY_ON
from mixed_motive.encodings import PLANES
from mixed_motive.kernels import rng
from mixed_motive.kernels.jit import compiled, inner

__all__ = [
    "ENDED",
    "ENV_INDEX",
    "EPISODE",
    "GONE",
    "KEY",
    "NUM_REGISTERS",
    "SEED",
    "STEP",
    "end_for_all",
    "fill_on_nth_empty",
    "goes_on",
    "next_step_key",
    "observe",
    "place_agents",
    "refusal",
    "start_key",
    "write_obs",
]

# Columns of `registers`, (B, NUM_REGISTERS + those of the game) uint64.
# KEY is derived from seed, env index and episode; ENDED is 1 from an episode's end to the next one's start.
STEP, EPISODE, SEED, ENV_INDEX, KEY, ENDED = range(6)
NUM_REGISTERS = 6

# Row and column of an agent that has left the game: outside every window.
GONE = -(2**30)

_ONE = np.uint64(1)
_ZERO = np.uint64(0)


@compiled
def refusal(actions: npt.NDArray[np.int64], num_actions: int, registers: npt.NDArray[np.uint64]) -> int:
    """Why no step is possible: k, flat index of an action out of range; -2 - b, copy b has ended; else -1."""
    flat = actions.reshape(-1)
    for k in range(flat.shape[0]):
        if np.uint64(flat[k]) >= np.uint64(num_actions):
            return k
    for b in range(registers.shape[0]):
        if registers[b, ENDED] != _ZERO:
            return -2 - b
    return -1


@inner
def start_key(b: int, registers: npt.NDArray[np.uint64]) -> np.uint64:
    """Set the counters of copy b to the start of its episode; returns the key of the draws that set it up."""
    registers[b, STEP] = _ZERO
    registers[b, ENDED] = _ZERO
    registers[b, KEY] = rng.episode_key(registers[b, SEED], registers[b, ENV_INDEX], registers[b, EPISODE])
    return rng.fold(registers[b, KEY], _ZERO)


@inner
def next_step_key(b: int, registers: npt.NDArray[np.uint64]) -> np.uint64:
    """Count one step of copy b; the key of its draws."""
    registers[b, STEP] += _ONE
    return rng.fold(registers[b, KEY], registers[b, STEP])


@inner
def place_agents(
    b: int, positions: npt.NDArray[np.int32], first_row: int, num_rows: int, num_cols: int, key: np.uint64
) -> None:
    """Random cells within some rows for all agents: distinct while there are enough, then again from all.

    Agent i uses draw i.
    """
    num_cells = num_rows * num_cols
    for i in range(positions.shape[1]):
        first_in_round = i - i % num_cells
        k = rng.below(rng.draw(key, i), num_cells - (i - first_in_round))
        cell, moved = k, True
        while moved:  # the k-th cell that none of this round's earlier agents has
            taken = 0
            for j in range(first_in_round, i):
                if (positions[b, j, 0] - first_row) * num_cols + positions[b, j, 1] <= cell:
                    taken += 1
            moved = cell != k + taken
            cell = k + taken
        positions[b, i, 0] = first_row + cell // num_cols
        positions[b, i, 1] = cell % num_cols


@inner
def fill_on_nth_empty(
    b: int,
    cells: npt.NDArray[np.uint8],
    first_row: int,
    num_rows: int,
    num_cols: int,
    pad_rows: int,
    pad_cols: int,
    n: int,
    code: int,
) -> None:
    """Put an object on the n-th empty cell (from 0, row by row) of some rows of the map."""
    first, last = np.uint64(pad_cols), np.uint64(pad_cols + num_cols)
    row = np.uint64(first_row + pad_rows)
    while True:  # there are more than n
        empty = 0
        for c in range(first, last):
            empty += cells[b, row, c] == 0
        if n < empty:
            break
        n -= empty
        row += _ONE
    for c in range(first, last):
        if cells[b, row, c] == 0:
            if n == 0:
                cells[b, row, c] = code
                return
            n -= 1


@inner
def goes_on(b: int, task: int, registers: npt.NDArray[np.uint64]) -> bool:
    """After an episode of copy b: whether the next one starts at once, which is counted then."""
    if task == PLAY_ON:
        registers[b, EPISODE] += _ONE
    return task == PLAY_ON


@inner
def end_for_all(
    b: int,
    ended: np.bool_ | bool,
    registers: npt.NDArray[np.uint64],
    terminations: npt.NDArray[np.bool_],
    truncations: npt.NDArray[np.bool_],
    done: npt.NDArray[np.bool_],
    active: npt.NDArray[np.bool_],
) -> None:
    """What a step says of the end, in a game that nobody leaves before its horizon."""
    registers[b, ENDED] = ended
    done[b] = ended
    for i in range(active.shape[1]):
        terminations[b, i] = False
        truncations[b, i] = ended
        active[b, i] = True


@compiled
def observe(
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    encoding: int,
    num_objects: int,
    pad_rows: int,
    pad_cols: int,
) -> None:
    """Write the observations of all copies of a game on a map."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    flat_obs = obs.reshape((num_envs * num_agents, obs.size // (num_envs * num_agents)))
    for b in range(num_envs):
        write_obs(b, encoding, num_objects, cells, positions, flat_obs, pad_rows, pad_cols)


@inner
def write_obs(
    b: int,
    encoding: int,
    num_objects: int,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    pad_rows: int,
    pad_cols: int,
) -> None:
    """Observations of all agents of copy b: the window around each, zeros for those that have left.

    Args:
        b: The copy.
        encoding: `PLANES`: one for each agent, one for each object code 1, 2, ..., one for cells outside the
            map; channels first. `CODE`: the object code of each cell, and over it those of the agents that
            stand there, which follow after the code for outside; nobody sees itself drawn.
        num_objects: Kinds of objects, K; code K + 1 marks cells outside the map.
        cells: (B, H + 2 pad_rows, W + 2 pad_cols) object codes, 0 for empty.
        positions: (B, N, 2) row and column.
        obs: (B * N, observation's size) uint8, written in full for copy b.
        pad_rows: Rows seen on each side.
        pad_cols: Columns seen on each side.
    """
    if encoding == PLANES:
        _write_planes(b, cells, positions, obs, pad_rows, pad_cols)
    else:
        _write_codes(b, num_objects + 2, cells, positions, obs, pad_rows, pad_cols)


@inner
def _write_planes(
    b: int,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    pad_rows: int,
    pad_cols: int,
) -> None:
    num_agents = np.uint64(positions.shape[1])
    rows, cols = np.uint64(2 * pad_rows + 1), np.uint64(2 * pad_cols + 1)
    window = rows * cols
    for i in range(num_agents):
        out = obs[np.uint64(b) * num_agents + i]
        for k in range(out.shape[0]):
            out[k] = 0
        if positions[b, i, 0] < 0:
            continue
        top, left = np.uint64(positions[b, i, 0]), np.uint64(positions[b, i, 1])
        # Without branches: an empty cell writes 0 into the last agent's plane, which is filled afterwards.
        offset = (num_agents - _ONE) * window
        for r in range(rows):
            for c in range(cols):
                code = np.uint64(cells[b, top + r, left + c])
                out[offset + code * window] = code != _ZERO
                offset += _ONE
        for j in range(num_agents):
            # Unsigned: a row above the window becomes a huge number.
            down = np.uint64(np.int64(positions[b, j, 0]) + pad_rows) - top
            across = np.uint64(np.int64(positions[b, j, 1]) + pad_cols) - left
            if down < rows and across < cols:
                out[j * window + down * cols + across] = 1


@inner
def _write_codes(
    b: int,
    first_agent: int,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    pad_rows: int,
    pad_cols: int,
) -> None:
    num_agents = np.uint64(positions.shape[1])
    rows, cols = np.uint64(2 * pad_rows + 1), np.uint64(2 * pad_cols + 1)
    for i in range(num_agents):
        out = obs[np.uint64(b) * num_agents + i]
        if positions[b, i, 0] < 0:
            for k in range(out.shape[0]):
                out[k] = 0
            continue
        top, left = np.uint64(positions[b, i, 0]), np.uint64(positions[b, i, 1])
        offset = _ZERO
        for r in range(rows):
            for c in range(cols):
                out[offset] = cells[b, top + r, left + c]
                offset += _ONE
        for j in range(num_agents):
            down = np.uint64(np.int64(positions[b, j, 0]) + pad_rows) - top
            across = np.uint64(np.int64(positions[b, j, 1]) + pad_cols) - left
            if j != i and down < rows and across < cols:
                out[down * cols + across] = first_agent + np.int64(j)
