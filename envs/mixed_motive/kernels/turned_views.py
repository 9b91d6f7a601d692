"""Compiled views of the games with beams: a window around each agent, turned so that it looks up.

Cells are addressed as in `kernels/beams.py`.
"""

import numpy as np
import numpy.typing as npt

from mixed_motive.encodings import PLANES
from mixed_motive.games.beams import COLUMN_MASK, ROW_SHIFT
from mixed_motive.kernels.jit import compiled, inner
from mixed_motive.kernels.words import load_word, mark_block, reverse_bytes, store_word, transpose_block

__all__ = ["observe", "scratch_size", "write_views"]

# Rows and columns of one step up, right, down, left; cosine and sine of these facings.
_ROWS, _COLS = np.array([-1, 0, 1, 0]), np.array([0, 1, 0, -1])
_COS, _SIN = np.array([1, 0, -1, 0]), np.array([0, 1, 0, -1])

_ZERO, _ONE, _7, _8, _32 = np.uint64(0), np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(32)
# Bits of a cell: those of its object's code, and those of beams over it.
_OBJECT, _CLEANING, _FINING = np.uint8(63), np.uint8(64), np.uint8(128)


@inner
def _turned_window(
    cells: npt.NDArray[np.uint8],
    centre: int,
    facing: int,
    stride: int,
    rows: int,
    cols: int,
    out: npt.NDArray[np.uint8],
    first: np.uint64,
) -> None:
    """Copy the window around a cell, turned so that the facing points up, to `out` from index `first` on."""
    right = (facing + 1) & 3
    # Unsigned numbers wrap around, so steps back are large numbers.
    down_step = np.uint64(-(_ROWS[facing] * stride + _COLS[facing]))
    right_step = np.uint64(_ROWS[right] * stride + _COLS[right])
    start = np.uint64(centre) - down_step * np.uint64(rows // 2) - right_step * np.uint64(cols // 2)
    num_rows, num_cols = np.uint64(rows), np.uint64(cols)
    if num_cols >= _8 and (facing == 0 or facing == 2):
        # Eight cells at a time; the last eight may have some that were copied already.
        for block in range(_ZERO, num_cols, _8):
            c = block if block + _8 <= num_cols else num_cols - _8
            to = first + c
            if facing == 0:
                word = start + c
                for _ in range(num_rows):
                    store_word(out, to, load_word(cells, word))
                    to += num_cols
                    word += down_step
            else:
                word = start - c - _7
                for _ in range(num_rows):
                    store_word(out, to, reverse_bytes(load_word(cells, word)))
                    to += num_cols
                    word += down_step
    elif num_cols >= _8 and num_rows >= _8:
        # A row of the window is a column of the map, read from above or from below.
        for row_block in range(_ZERO, num_rows, _8):
            r = row_block if row_block + _8 <= num_rows else num_rows - _8
            for block in range(_ZERO, num_cols, _8):
                c = block if block + _8 <= num_cols else num_cols - _8
                word = start + c * right_step
                to = first + r * num_cols + c
                if facing == 3:
                    transpose_block(cells, word + r, right_step, out, to, num_cols)
                else:
                    to += _7 * num_cols
                    transpose_block(cells, word - r - _7, right_step, out, to, _ZERO - num_cols)
    else:
        k = first
        for _ in range(num_rows):
            cell = start
            for _ in range(num_cols):
                out[k] = cells[cell]
                k += _ONE
                cell += right_step
            start += down_step


@inner
def _cell_of(entry: int, stride: int) -> np.uint64:
    """The cell of an entry in the list of beams."""
    return np.uint64((entry >> ROW_SHIFT) * stride + (entry >> 1 & COLUMN_MASK))


@inner
def _put_codes(
    b: int,
    cells: npt.NDArray[np.uint8],
    beams: npt.NDArray[np.int32],
    stride: int,
    clean_beam: int,
    fire_beam: int,
    outside: int,
    at: npt.NDArray[np.int64],
    covered: npt.NDArray[np.uint8],
) -> None:
    """Put the classes of beams, and over them of agents, on the map; note what they cover."""
    num_beams = np.int64(beams[b, 0])
    for k in range(num_beams):
        cell = _cell_of(beams[b, 1 + k], stride)
        covered[k] = cells[cell]
        beam = fire_beam if beams[b, 1 + k] & 1 else clean_beam
        if cells[cell] < beam:
            cells[cell] = beam
    for i in range(at.shape[0]):
        covered[num_beams + i] = cells[np.uint64(at[i])]
        cells[np.uint64(at[i])] = outside + 1 + i


@inner
def _take_codes(
    b: int,
    cells: npt.NDArray[np.uint8],
    beams: npt.NDArray[np.int32],
    stride: int,
    at: npt.NDArray[np.int64],
    covered: npt.NDArray[np.uint8],
) -> None:
    """Undo `_put_codes`."""
    num_beams = np.int64(beams[b, 0])
    for i in range(at.shape[0]):
        cells[np.uint64(at[i])] = covered[num_beams + i]
    for k in range(num_beams - 1, -1, -1):
        cells[_cell_of(beams[b, 1 + k], stride)] = covered[k]


@inner
def _mark_plane(
    window: npt.NDArray[np.uint8],
    mask: np.uint8,
    code: np.uint8,
    obs: npt.NDArray[np.uint8],
    first: np.uint64,
    size: np.uint64,
) -> None:
    """Write from index `first` on 1 where the mask's bits of the window's cells are the code, else 0."""
    if size >= _32:  # 32 cells at a time, as above
        for block in range(_ZERO, size, _32):
            k = block if block + _32 <= size else size - _32
            mark_block(window, k, mask, code, obs, first + k)
    else:
        for k in range(size):
            obs[first + k] = (window[k] & mask) == code


@inner
def _write_planes(
    b: int,
    i: int,
    window: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    num_rows: np.uint64,
    num_cols: np.uint64,
    clean_beam: int,
    fire_beam: int,
    outside: int,
) -> None:
    """A binary plane for each agent, each kind of object, each beam, and the outside, of agent i's window."""
    num_agents, size = np.uint64(positions.shape[1]), num_rows * num_cols
    half_rows, half_cols = np.int64(num_rows) // 2, np.int64(num_cols) // 2
    first = (np.uint64(b) * num_agents + np.uint64(i)) * (num_agents + np.uint64(outside)) * size
    for k in range(num_agents * size):
        obs[first + k] = 0
    plane = first + num_agents * size
    for kind in range(1, outside + 1):
        mask, code = _OBJECT, np.uint8(kind)
        if kind == fire_beam:
            mask, code = _FINING, _FINING
        elif kind == clean_beam:
            mask, code = _CLEANING, _CLEANING
        _mark_plane(window, mask, code, obs, plane, size)
        plane += size
    cos, sin = _COS[facing[b, i]], _SIN[facing[b, i]]
    # Without branches: what is out of sight goes where the agent itself is in its own plane.
    own = first + np.uint64(i) * size + np.uint64(half_rows) * num_cols + np.uint64(half_cols)
    for j in range(num_agents):
        down, across = positions[b, j, 0] - positions[b, i, 0], positions[b, j, 1] - positions[b, i, 1]
        r = np.uint64(half_rows + down * cos - across * sin)
        c = np.uint64(half_cols + down * sin + across * cos)
        seen = (r < num_rows) & (c < num_cols)  # a negative number is a huge one
        obs[first + j * size + r * num_cols + c if seen else own] = 1


@inner
def write_views(
    b: int,
    encoding: int,
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    stride: int,
    border_rows: int,
    border_cols: int,
    rows: int,
    cols: int,
    clean_beam: int,
    fire_beam: int,
    outside: int,
    at: npt.NDArray[np.int64],
    scratch: npt.NDArray[np.uint8],
) -> None:
    """Observations of all agents of copy b, as `PLANES` or `CODE`.

    Args:
        b: The copy.
        encoding: One of the two.
        cells: Its flat map.
        positions: (B, N, 2).
        facing: (B, N).
        beams: (B, 1 + M).
        obs: Flat, of all copies, uint8; written in full for copy b.
        stride: Cells in a row of the stored map.
        border_rows: Of the stored map.
        border_cols: Of the stored map.
        rows: Of the window.
        cols: Of the window.
        clean_beam: Code of the beam that cleans.
        fire_beam: Code of the beam that fines.
        outside: Code of walls and outside; agents follow.
        at: (N,) scratch.
        scratch: Of `scratch_size` or more.
    """
    num_agents, num_rows, num_cols = at.shape[0], np.uint64(rows), np.uint64(cols)
    for i in range(num_agents):
        at[i] = (positions[b, i, 0] + border_rows) * stride + positions[b, i, 1] + border_cols
    # Beams, and agents as classes, are on the map for as long as it is copied. For planes beams are bits:
    # objects stay seen below them.
    if encoding == PLANES:
        for k in range(beams[b, 0]):
            cells[_cell_of(beams[b, 1 + k], stride)] |= _FINING if beams[b, 1 + k] & 1 else _CLEANING
    else:
        _put_codes(b, cells, beams, stride, clean_beam, fire_beam, outside, at, scratch)
    for i in range(num_agents):
        own = np.uint64(b * num_agents + i) * num_rows * num_cols
        window, first = (scratch, _ZERO) if encoding == PLANES else (obs, own)
        _turned_window(cells, at[i], facing[b, i], stride, rows, cols, window, first)
        if encoding == PLANES:
            _write_planes(
                b, i, window, positions, facing, obs, num_rows, num_cols, clean_beam, fire_beam, outside
            )
        else:
            obs[own + np.uint64(rows // 2 * cols + cols // 2)] = scratch[beams[b, 0] + i]
    if encoding == PLANES:
        for k in range(beams[b, 0]):
            cells[_cell_of(beams[b, 1 + k], stride)] &= _OBJECT
    else:
        _take_codes(b, cells, beams, stride, at, scratch)


@inner
def scratch_size(rows: int, cols: int, beams: npt.NDArray[np.int32], num_agents: int) -> int:
    """Bytes of scratch for `write_views`: one window, or what beams and agents cover."""
    covered = beams.shape[1] + num_agents
    return rows * cols if rows * cols > covered else covered


@compiled
def observe(
    cells: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    frozen: npt.NDArray[np.int32],
    beams: npt.NDArray[np.int32],
    obs: npt.NDArray[np.uint8],
    encoding: int,
    border_rows: int,
    border_cols: int,
    rows: int,
    cols: int,
    clean_beam: int,
    fire_beam: int,
    outside: int,
) -> None:
    """Write the observations of all copies."""
    num_envs, num_agents = positions.shape[0], positions.shape[1]
    stride = cells.shape[2]
    flat_cells = cells.reshape((num_envs, cells.size // num_envs))
    flat_obs = obs.reshape(obs.size)
    at = np.empty(num_agents, np.int64)
    scratch = np.empty(scratch_size(rows, cols, beams, num_agents), np.uint8)
    for b in range(num_envs):
        write_views(
            b,
            encoding,
            flat_cells[b],
            positions,
            facing,
            beams,
            flat_obs,
            stride,
            border_rows,
            border_cols,
            rows,
            cols,
            clean_beam,
            fire_beam,
            outside,
            at,
            scratch,
        )
