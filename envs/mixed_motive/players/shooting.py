"""Compiled help for players with cleaning beams: what a beam hits, and from where waste can be hit.

As the compiled code of `walking`, it uses none of other files but the kernels'.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixed_motive.kernels.jit import compiled

__all__ = ["shooting_cells", "waste_hit"]

# Rows and columns of one step up, right, down, left.
_ROWS, _COLS = np.array([-1, 0, 1, 0]), np.array([0, 1, 0, -1])


@compiled
def shooting_cells(waste: npt.NDArray[np.bool_], length: int, facings: int) -> npt.NDArray[np.bool_]:
    """(B, H, W) cells from which a beam reaches waste if no agent is in the way.

    Args:
        waste: (B, H, W) where waste lies.
        length: Cells that each ray reaches: the middle one starts in front, the outer two beside.
        facings: 4, or 1 where agents can only face up.
    """
    height, width = waste.shape[1:]
    found = np.zeros(waste.shape, np.bool_)
    for b in range(waste.shape[0]):
        for row in range(height):
            for col in range(width):
                if not waste[b, row, col]:
                    continue
                for facing in range(facings):
                    right = (facing + 1) & 3
                    for shift in range(-1, 2):
                        for ahead in range(shift == 0, length + (shift == 0)):
                            r = row - ahead * _ROWS[facing] - shift * _ROWS[right]
                            c = col - ahead * _COLS[facing] - shift * _COLS[right]
                            if 0 <= r < height and 0 <= c < width:
                                found[b, r, c] = True
    return found


@compiled
def waste_hit(
    waste: npt.NDArray[np.bool_],
    positions: npt.NDArray[np.int32],
    facing: npt.NDArray[np.int32],
    agents: npt.NDArray[np.int64],
    length: int,
    facings: int,
) -> npt.NDArray[np.int64]:
    """(B, n, facings) waste that a beam would take away, after 0, 1, ... quarter turns to the right.

    Args:
        waste: (B, H, W) where waste lies.
        positions: (B, N, 2) row and column of all agents, on whom rays end.
        facing: (B, N) 0 up, 1 right, 2 down, 3 left.
        agents: (n,) who would shoot.
        length: Cells that each ray reaches.
        facings: 4, or 1 where agents cannot turn.
    """
    height, width = waste.shape[1:]
    hit = np.zeros((waste.shape[0], len(agents), facings), np.int64)
    occupied = np.zeros((height, width), np.bool_)
    for b in range(waste.shape[0]):
        for i in range(positions.shape[1]):
            occupied[positions[b, i, 0], positions[b, i, 1]] = True
        for j in range(len(agents)):
            row, col = positions[b, agents[j], 0], positions[b, agents[j], 1]
            for turns in range(facings):
                up = (facing[b, agents[j]] + turns) & 3
                right = (up + 1) & 3
                for shift in range(-1, 2):
                    for ahead in range(shift == 0, length + (shift == 0)):
                        r = row + ahead * _ROWS[up] + shift * _ROWS[right]
                        c = col + ahead * _COLS[up] + shift * _COLS[right]
                        if r < 0 or r >= height or c < 0 or c >= width:
                            break
                        if waste[b, r, c]:
                            hit[b, j, turns] += 1
                        if waste[b, r, c] or occupied[r, c]:
                            break
        for i in range(positions.shape[1]):
            occupied[positions[b, i, 0], positions[b, i, 1]] = False
    return hit
